/**
 * What of the resolver an operator can set, as the resolver takes it: the [dns] section read once.
 */
import type { TransportName } from "../base/flow.ts";
import type { DnsConfig } from "../config/keys-dns.ts";
import type { CacheLimits } from "./cache.ts";
import type { Exchanged } from "./exchange.ts";
import type { LocatorOptions } from "./locator.ts";
import { asName } from "./records.ts";
import type { ServerAddress } from "./sockets.ts";
import { parseServer } from "./system-files.ts";

/** Servers that answer for the names under a suffix. */
export interface Forwarder {
  readonly suffix: string;
  readonly servers: readonly ServerAddress[];
}

export interface ResolverOptions {
  /** Empty: those of resolv.conf. */
  readonly servers: readonly ServerAddress[];
  readonly forwarders: readonly Forwarder[];
  /** Null: what resolv.conf says. */
  readonly timeout_ms: number | null;
  readonly attempts: number | null;
  /** One question in all, whatever the number of servers. */
  readonly total_ms: number;
  readonly ttl_max_s: number;
  readonly negative_ttl_max_s: number;
  readonly cache: CacheLimits;
  readonly hosts_path: string;
  readonly resolv_conf_path: string;
}

/** How long "no such record" is kept when the answer has no SOA record to say it. */
export const NO_SOA_TTL_S = 5;

/** The section as the resolver takes it; every value has passed the schema. */
export function resolverOptions(dns: DnsConfig): ResolverOptions {
  return {
    servers: dns.servers.map(parseServer).filter((server) => server !== null),
    forwarders: dns.forward.map(parseForwarder).filter((forwarder) => forwarder !== null),
    timeout_ms: dns.timeout_ms ?? null,
    attempts: dns.attempts ?? null,
    total_ms: dns.lookup_ms,
    ttl_max_s: dns.ttl_max_s,
    negative_ttl_max_s: dns.negative_ttl_max_s,
    cache: {
      entries_max: dns.cache_entries_max,
      bytes_max: dns.cache_bytes_max,
      stale_ms: dns.serve_stale_s * 1000,
    },
    hosts_path: "/etc/hosts",
    resolv_conf_path: "/etc/resolv.conf",
  };
}

/** Which transport is asked for first when a domain leaves the choice to us: what most of them have. */
const PREFERRED: readonly TransportName[] = ["udp", "tcp", "tls"];

/** How the locator looks, with the transports that there are listeners for. */
export function locatorOptions(dns: DnsConfig, ours: Iterable<TransportName>): LocatorOptions {
  const { naptr, families, lookup_ms } = dns;
  const listening = new Set(ours);
  return { transports: PREFERRED.filter((each) => listening.has(each)), naptr, families, lookup_ms };
}

/** `corp.test 192.0.2.53 192.0.2.54`; null when it is not of that form. */
export function parseForwarder(text: string): Forwarder | null {
  const [first = "", ...rest] = text.trim().split(/\s+/);
  const suffix = asName(first.startsWith(".") ? first.slice(1) : first);
  const servers = rest.map(parseServer).filter((server) => server !== null);
  if (suffix === null || servers.length === 0 || servers.length !== rest.length) return null;
  return { suffix, servers };
}

/**
 * How long an answer may be kept: as long as its server said, within the operator's bounds; `alias_ttl_s`
 * is the least of the aliases that led to it. Departs from RFC 2308 §5: a negative answer without SOA is
 * kept for a few seconds, because dnsmasq sends no SOA for its own names and a stub cannot make the loops
 * between servers that the rule is there for.
 */
export function ttlMs(
  options: ResolverOptions,
  result: Extract<Exchanged, { kind: "records" | "none" }>,
  alias_ttl_s: number,
): number {
  const max_s = result.kind === "records" ? options.ttl_max_s : options.negative_ttl_max_s;
  return 1000 * Math.min(result.ttl_s ?? NO_SOA_TTL_S, alias_ttl_s, max_s);
}
