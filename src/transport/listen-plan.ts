/**
 * From the operator's [[listen]] entries to the sockets they mean on this machine. Pure: the
 * machine's addresses are an argument.
 */
import { isIP } from "node:net";
import { hostPort } from "../base/flow.ts";
import { canonicalIpv6, familyOf, isLoopback } from "./endpoint.ts";

export interface ListenEntry {
  readonly transport: string;
  /** A local IP address without brackets, or "any": each address of the machine, following changes. */
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** `host:port` that messages carry instead of the bound address. */
  readonly advertise?: string;
  /** Networks, beside those of the machine's interface, whose hosts are told the bound address. */
  readonly local_networks?: readonly string[];
  /** Whose pages may open a WebSocket. */
  readonly origins?: readonly string[];
  /** Balancers, as networks, whose connections begin with a PROXY header. */
  readonly proxy_protocol_from?: readonly string[];
  /** Balancers, as networks, that name their peer in X-Forwarded-For. */
  readonly forwarded_for_from?: readonly string[];
}

/** Why an entry cannot be had. */
export interface ListenFailure {
  /** Which entry, from 0. */
  readonly index: number;
  /** An errno name: EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL … */
  readonly code: string;
  /** A sentence for the operator. */
  readonly message: string;
}

/** What can be listened on. */
export const LISTEN_TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"] as const;
export type ListenTransport = (typeof LISTEN_TRANSPORTS)[number];

const isListenTransport = (name: string): name is ListenTransport =>
  (LISTEN_TRANSPORTS as readonly string[]).includes(name);

/** One socket to have. */
export interface Wanted {
  /** Equal keys mean the same socket: transport, address and the port as configured. */
  readonly key: string;
  readonly index: number;
  readonly transport: ListenTransport;
  readonly address: string;
  readonly port: number;
  readonly advertise: string | null;
  readonly local_networks: readonly string[];
  readonly origins: readonly string[];
  readonly proxy_protocol_from: readonly string[];
  readonly forwarded_for_from: readonly string[];
  /** Comes from "any": it may be missing as long as its address is not usable. */
  readonly following: boolean;
}

/** `networksOf`: the networks of the interface that has this address. */
export function planListeners(
  entries: readonly ListenEntry[],
  machine: readonly string[],
  networksOf: (address: string) => readonly string[] = () => [],
): { wanted: Wanted[]; failures: ListenFailure[] } {
  const byKey = new Map<string, Wanted>();
  const failures: ListenFailure[] = [];
  entries.forEach((entry, index) => {
    const fault = entryFault(entry);
    if (fault !== null) {
      failures.push({ index, code: "EINVAL", message: fault });
      return;
    }
    const following = entry.address === "any";
    for (const address of following ? machine : [canonical(entry.address)]) {
      const wanted = wantedOf(entry, index, address, following, networksOf);
      const other = byKey.get(wanted.key);
      if (!other || (other.following && !following)) byKey.set(wanted.key, wanted);
      else if (!following && entry.port !== 0) failures.push(listedTwice(wanted, other));
    }
  });
  return { wanted: [...byKey.values()], failures };
}

/** The sentence for an error of bind or listen. */
export function listenFailure(wanted: Wanted, code: string): ListenFailure {
  const { index, transport, address, port } = wanted;
  const where = `${transport} ${hostPort(address, port)}`;
  return { index, code, message: sentence(code, where, address, port) };
}

function sentence(code: string, where: string, address: string, port: number): string {
  switch (code) {
    case "EADDRINUSE":
      return `${where} is already in use by another program (perhaps a sipedge that still runs)`;
    case "EADDRNOTAVAIL":
      return `${where}: ${address} is not an address of this machine`;
    case "NOCERT":
      return `${where} needs a [[certificate]]`;
    case "EACCES":
      return `${where}: port ${port} needs a privilege this process does not have (CAP_NET_BIND_SERVICE)`;
    default:
      return `${where} cannot be opened (${code})`;
  }
}

const listedTwice = (wanted: Wanted, other: Wanted): ListenFailure => ({
  index: wanted.index,
  code: "EADDRINUSE",
  message: `${wanted.transport} ${hostPort(wanted.address, wanted.port)} is listed twice (also as entry ${other.index})`,
});

/** What is wrong with the entry by itself; null when nothing is. */
function entryFault(entry: ListenEntry): string | null {
  const { transport, address, port } = entry;
  if (!isListenTransport(transport))
    return `transport "${transport}" is not available: use ${LISTEN_TRANSPORTS.join(", ")}`;
  if (!Number.isInteger(port) || port < 0 || port > 65535) return `port ${port} is not between 0 and 65535`;
  if (address === "any") return null;
  if (address.includes("%") || /^fe[89ab]/i.test(address)) {
    return `address "${address}" is link-local: SIP messages cannot name its interface; use another address`;
  }
  const family = isIP(address);
  if (family === 0) return `address "${address}" is neither an IP address nor "any"`;
  const plain = canonical(address);
  if (plain === "::" || plain === "0.0.0.0") {
    return `address "${address}" would hide which local address a message came to; use "any"`;
  }
  if (plain.startsWith("::ffff:"))
    return `address "${address}" is an IPv4 address in IPv6 clothes: write it as IPv4`;
  return null;
}

function wantedOf(
  entry: ListenEntry,
  index: number,
  address: string,
  following: boolean,
  networksOf: (address: string) => readonly string[],
): Wanted {
  const transport = isListenTransport(entry.transport) ? entry.transport : "udp";
  return {
    key: `${transport} ${hostPort(address, entry.port)}${entry.port === 0 && !following ? `#${index}` : ""}`,
    index,
    transport,
    address,
    port: entry.port,
    advertise: advertised(entry.advertise, address, following),
    local_networks: [...networksOf(address), ...(entry.local_networks ?? [])],
    origins: entry.origins ?? [],
    proxy_protocol_from: entry.proxy_protocol_from ?? [],
    forwarded_for_from: entry.forwarded_for_from ?? [],
    following,
  };
}

/** The name of an "any" entry is the way in from outside: not for loopback, nor for the other IP family. */
function advertised(name: string | undefined, address: string, following: boolean): string | null {
  if (name === undefined) return null;
  if (!following) return name;
  const host = name.startsWith("[") ? name.slice(1, name.indexOf("]")) : name.replace(/:\d+$/, "");
  const fits = isIP(host) === 0 || familyOf(host) === familyOf(address);
  return fits && !isLoopback(address) ? name : null;
}

const canonical = (address: string): string => (address.includes(":") ? canonicalIpv6(address) : address);
