/**
 * The records that let phones and other domains find this appliance by its domain alone (RFC 3263), as
 * lines of a zone file or of dnsmasq's configuration. Pure.
 */
import { ipFamily } from "../base/address.ts";
import type { TransportName } from "../base/flow.ts";
import { SERVICE } from "./place.ts";

/** One listener as others reach it. */
export interface PublishedListener {
  readonly transport: TransportName;
  /** An IP literal without brackets, or a name that has its own address records. */
  readonly host: string;
  readonly port: number;
}

export interface ZoneOptions {
  readonly domains: readonly string[];
  readonly listeners: readonly PublishedListener[];
  readonly ttl_s: number;
  readonly format: "zone" | "dnsmasq";
}

/** What a domain's NAPTR records prefer: the safest first (RFC 3263 §4.1). */
const PREFERENCE: readonly { readonly transport: TransportName; readonly service: string }[] = [
  { transport: "tls", service: "SIPS+D2T" },
  { transport: "tcp", service: "SIP+D2T" },
  { transport: "udp", service: "SIP+D2U" },
  { transport: "wss", service: "SIPS+D2W" },
  { transport: "ws", service: "SIP+D2W" },
];

/** One record before it is written down. */
type ZoneRecord =
  | { type: "NAPTR"; owner: string; order: number; service: string; replacement: string }
  | { type: "SRV"; owner: string; port: number; target: string }
  | { type: "A" | "AAAA"; owner: string; address: string };

/**
 * The lines for every domain that is a name; one that is an address needs none. Addresses with the same
 * listeners share a host name, `sip.DOMAIN`, then `sip2.DOMAIN`: no name leads to a port that is not there.
 */
export function zoneLines({ domains, listeners, ttl_s, format }: ZoneOptions): string[] {
  const lines: string[] = [];
  for (const domain of domains) {
    if (ipFamily(domain) !== 0) continue;
    for (const record of recordsOf(domain.toLowerCase(), listeners))
      lines.push(format === "zone" ? zoneLine(record, ttl_s) : dnsmasqLine(record));
  }
  return [...new Set(lines)];
}

function recordsOf(domain: string, listeners: readonly PublishedListener[]): ZoneRecord[] {
  const records: ZoneRecord[] = [];
  const names = hostNames(domain, listeners);
  const offered = PREFERENCE.filter(({ transport }) => listeners.some((l) => l.transport === transport));
  offered.forEach(({ transport, service }, i) => {
    const replacement = `${SERVICE[transport]}.${domain}`;
    records.push({ type: "NAPTR", owner: domain, order: 10 * (i + 1), service, replacement });
  });
  for (const { transport } of offered) {
    for (const { host, port } of listeners.filter((l) => l.transport === transport)) {
      const target = names.get(host) ?? host.toLowerCase();
      records.push({ type: "SRV", owner: `${SERVICE[transport]}.${domain}`, port, target });
    }
  }
  for (const [address, owner] of names) {
    records.push({ type: ipFamily(address) === 4 ? "A" : "AAAA", owner, address });
  }
  return records;
}

/** The host name of each address. */
function hostNames(domain: string, listeners: readonly PublishedListener[]): Map<string, string> {
  const names = new Map<string, string>();
  const byPorts = new Map<string, string>();
  for (const { host } of listeners) {
    if (ipFamily(host) === 0) continue;
    const ports = listeners
      .filter((listener) => listener.host === host)
      .map(({ transport, port }) => `${transport} ${port}`)
      .sort()
      .join();
    const name = byPorts.get(ports) ?? `sip${byPorts.size === 0 ? "" : byPorts.size + 1}.${domain}`;
    byPorts.set(ports, name);
    names.set(host, name);
  }
  return names;
}

/** RFC 1035 §5.1. */
function zoneLine(record: ZoneRecord, ttl_s: number): string {
  const head = `${record.owner}. ${ttl_s} IN ${record.type}`;
  if (record.type === "NAPTR")
    return `${head} ${record.order} 50 "s" "${record.service}" "" ${record.replacement}.`;
  if (record.type === "SRV") return `${head} 10 10 ${record.port} ${record.target}.`;
  return `${head} ${record.address}`;
}

function dnsmasqLine(record: ZoneRecord): string {
  if (record.type === "NAPTR")
    return `naptr-record=${record.owner},${record.order},50,s,${record.service},,${record.replacement}`;
  if (record.type === "SRV") return `srv-host=${record.owner},${record.target},${record.port},10,10`;
  return `host-record=${record.owner},${record.address}`;
}
