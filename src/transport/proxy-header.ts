/**
 * The header of HAProxy's PROXY protocol, versions 1 and 2 (its proxy-protocol.txt §2): what a balancer writes before
 * the first byte of a connection, to say whose it is. Pure; reads nothing behind the header.
 */
import { isIP } from "node:net";
import { plainAddress } from "../base/flow.ts";
import { canonicalIpv6, ipv6Groups } from "./endpoint.ts";

export interface ProxySource {
  /** As a socket would show it: without brackets, IPv4-mapped IPv6 written as IPv4. */
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  /** How long it is; what follows is the stream itself. */
  readonly bytes: number;
  /** Null: the connection is the balancer's own (LOCAL, UNKNOWN): a check whether we live. */
  readonly source: ProxySource | null;
}

/** A version 2 header with all that balancers are known to add stays far below. */
export const PROXY_HEADER_BYTES_MAX = 4096;
/** §2.1: "a 108-byte buffer is always enough". */
const V1_BYTES_MAX = 107;
const V1_START = Buffer.from("PROXY ");
/** §2.2. */
const V2_START = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_FIXED_BYTES = 16;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const ANY_FAMILY = 0x00;
const UNIX_STREAM = 0x31;

/** What the first bytes of a connection say. "incomplete": not enough of them yet. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | "incomplete" | "malformed" {
  if (startsLike(bytes, V2_START)) return bytes.length < V2_FIXED_BYTES ? "incomplete" : readV2(bytes);
  return startsLike(bytes, V1_START) ? readV1(bytes) : "malformed";
}

/** Whether it begins with `start`, as far as it goes. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

/** `PROXY TCP4 203.0.113.7 192.0.2.1 40000 5060\r\n` (§2.1). */
function readV1(bytes: Buffer): ProxyHeader | "incomplete" | "malformed" {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf("\r\n");
  if (end < 0) return bytes.length < V1_BYTES_MAX ? "incomplete" : "malformed";
  const line = bytes.toString("latin1", 0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { bytes: end + 2, source: null };
  const parts = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (parts === null) return "malformed";
  const family = Number(parts[1]);
  const [from, to] = [parts[2]!, parts[3]!];
  if (![from, to].every((address) => isIP(address) === family && !address.includes("%"))) return "malformed";
  const source = sourceOf(from, Number(parts[4]));
  return source === null || Number(parts[5]) > 65_535 ? "malformed" : { bytes: end + 2, source };
}

/** Signature, version and command, family, length, addresses, then fields that say nothing to us (§2.2). */
function readV2(bytes: Buffer): ProxyHeader | "incomplete" | "malformed" {
  const [version, command, family] = [bytes[12]! >> 4, bytes[12]! & 15, bytes[13]!];
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || length > PROXY_HEADER_BYTES_MAX) return "malformed";
  if (bytes.length < length) return "incomplete";
  if (command === 0 || family === ANY_FAMILY || family === UNIX_STREAM)
    return { bytes: length, source: null };
  const size = family === TCP_OVER_IPV4 ? 4 : family === TCP_OVER_IPV6 ? 16 : 0;
  if (size === 0 || length < V2_FIXED_BYTES + 2 * (size + 2)) return "malformed";
  const address = bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + size);
  const text = size === 4 ? address.join(".") : (address.toString("hex").match(/.{4}/g) ?? []).join(":");
  const source = sourceOf(text, bytes.readUInt16BE(V2_FIXED_BYTES + 2 * size));
  return source === null ? "malformed" : { bytes: length, source };
}

/** Null: no port that anybody can send from. */
function sourceOf(address: string, port: number): ProxySource | null {
  if (port < 1 || port > 65_535) return null;
  return { address: address.includes(":") ? asSockets(address) : address, port };
}

/** An IPv6 address as sockets show it: `0:0:0:0:0:ffff:cb00:7107` is 203.0.113.7 to everybody else. */
export function asSockets(written: string): string {
  const address = canonicalIpv6(written);
  if (!address.startsWith("::ffff:")) return address;
  const [high, low] = ipv6Groups(address)
    .slice(6)
    .map((group) => Number.parseInt(group, 16));
  if (ipv6Groups(address)[5] !== "ffff" || high === undefined || low === undefined) return address;
  return plainAddress(`::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`);
}
