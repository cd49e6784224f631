/** struct sockaddr_in and sockaddr_in6 of Linux on a little-endian machine, as libc takes and gives them. */
import { canonicalIpv6, ipv6Groups } from "./endpoint.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;
const IPV4_AT = 4;
const IPV6_AT = 8;
const DOT = 46;
const ZERO = 48;

/** Writes an IP literal without a zone, and a port; `into` is zero behind the address already. Gives its length. */
export function writeSockaddr(
  into: Uint8Array,
  at: number,
  family: 4 | 6,
  address: string,
  port: number,
): number {
  into[at] = family === 4 ? AF_INET : AF_INET6;
  into[at + 2] = port >> 8;
  into[at + 3] = port & 255;
  if (family === 4) {
    writeIpv4(into, at + IPV4_AT, address);
    return SOCKADDR_IN_BYTES;
  }
  into.set(ipv6Bytes(address), at + IPV6_AT);
  return SOCKADDR_IN6_BYTES;
}

/** The address of a sockaddr. */
export function readSockaddr(from: Uint8Array, family: 4 | 6): string {
  if (family === 4) return from.subarray(IPV4_AT, IPV4_AT + 4).join(".");
  const groups: string[] = [];
  for (let i = IPV6_AT; i < IPV6_AT + 16; i += 2) groups.push(((from[i]! << 8) | from[i + 1]!).toString(16));
  return canonicalIpv6(groups.join(":"));
}

export function ipv6Bytes(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  ipv6Groups(canonicalIpv6(address)).forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 255;
  });
  return bytes;
}

/** Digit by digit: this runs for each datagram that leaves in a batch. */
export function writeIpv4(into: Uint8Array, at: number, address: string): void {
  let value = 0;
  let octet = at;
  for (let i = 0; i < address.length; i++) {
    const c = address.charCodeAt(i);
    if (c === DOT) {
      into[octet++] = value;
      value = 0;
    } else value = value * 10 + c - ZERO;
  }
  into[octet] = value;
}
