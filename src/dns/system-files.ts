/**
 * What /etc/hosts and /etc/resolv.conf say. Pure: text in, value out; lines that make no sense are
 * passed over, as the C library does.
 */
import { ipFamily } from "../base/address.ts";
import { asName } from "./records.ts";
import type { ServerAddress } from "./sockets.ts";

/** Addresses by name (lower case), in the order of the file. */
export type HostsTable = ReadonlyMap<string, readonly string[]>;

/** Names of /etc/hosts that are kept. */
const HOSTS_MAX = 100_000;

/** hosts(5): an address, then its names; "#" begins a comment. */
export function parseHosts(text: string): HostsTable {
  const table = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = wordsOf(line, "#");
    if (ipFamily(address) === 0) continue;
    for (const word of names) {
      const name = asName(word);
      if (name === null) continue;
      const known = table.get(name);
      if (known === undefined) {
        if (table.size < HOSTS_MAX) table.set(name, [address]);
      } else if (!known.includes(address)) known.push(address);
    }
  }
  return table;
}

export interface ResolvConf {
  readonly servers: readonly ServerAddress[];
  /** `options timeout:n`; null when it does not say. */
  readonly timeout_ms: number | null;
  /** `options attempts:n`; null when it does not say. */
  readonly attempts: number | null;
}

export const DNS_PORT = 53;
/** Name servers that are used; more are left out. */
export const SERVERS_MAX = 8;
const TIMEOUT_S_MAX = 30;
const ATTEMPTS_MAX = 5;
/** resolv.conf(5): without a nameserver line it is the one on this machine. */
const LOCAL_SERVER: ServerAddress = { address: "127.0.0.1", port: DNS_PORT };

/** resolv.conf(5): nameserver, options timeout and attempts. A search list is for people, not for SIP: it is not applied. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: ServerAddress[] = [];
  let timeout_ms: number | null = null;
  let attempts: number | null = null;
  for (const line of text.split("\n")) {
    const [keyword, ...words] = wordsOf(line, "#;");
    if (keyword === "nameserver") {
      const address = words[0] ?? "";
      if (ipFamily(address) !== 0 && servers.length < SERVERS_MAX) servers.push({ address, port: DNS_PORT });
    } else if (keyword === "options") {
      for (const word of words) {
        const [, key, digits] = /^(timeout|attempts):(\d{1,4})$/.exec(word) ?? [];
        const value = Math.max(1, Number(digits));
        if (key === "timeout") timeout_ms = Math.min(value, TIMEOUT_S_MAX) * 1000;
        else if (key === "attempts") attempts = Math.min(value, ATTEMPTS_MAX);
      }
    }
  }
  return { servers: servers.length > 0 ? servers : [LOCAL_SERVER], timeout_ms, attempts };
}

function wordsOf(line: string, comments: string): string[] {
  let end = line.length;
  for (const mark of comments) {
    const at = line.indexOf(mark);
    if (at >= 0 && at < end) end = at;
  }
  return line
    .slice(0, end)
    .split(/\s+/)
    .filter((word) => word !== "");
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`; null when it is none of them. */
export function parseServer(text: string): ServerAddress | null {
  if (ipFamily(text) !== 0) return { address: text, port: DNS_PORT };
  const [, inner, bare, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? DNS_PORT : Number(digits);
  if (port < 1 || port > 65535) return null;
  if (inner !== undefined && ipFamily(inner) === 6) return { address: inner, port };
  return bare !== undefined && ipFamily(bare) === 4 ? { address: bare, port } : null;
}
