/**
 * A trace as a capture file: libpcap's format with raw IP packets, each message a UDP datagram between the addresses
 * that it travelled between, whatever its transport was, so that any tool shows it as SIP.
 */
import { isIPv4 } from "node:net";
import { ipv4Bytes, ipv6Bytes } from "./address-bytes.ts";
import { masked } from "./masked.ts";
import type { Ends, Trace } from "./trace.ts";

const MAGIC = 0xa1b2c3d4;
/** LINKTYPE_RAW: the packet begins with its IP header. */
const LINKTYPE_RAW = 101;
const FILE_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const UDP_HEADER_BYTES = 8;
const SNAPLEN = 65_535;
const UDP = 17;
/** The longest payload of a packet; what a stream carried beyond it is cut off. */
const PAYLOAD_MAX = 65_507;
const TTL = 64;

export function pcapOf(trace: Trace): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAPLEN, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  const parts: Buffer[] = [header];
  for (const entry of trace.entries) {
    if (entry.kind === "note" || entry.kind === "unsent") continue;
    const at_ms = trace.began_ms + entry.at - trace.began_at;
    const payload = Buffer.from(masked(entry.bytes), "latin1").subarray(0, PAYLOAD_MAX);
    parts.push(...packet(at_ms, entry.ends, entry.kind === "received", payload));
  }
  return Buffer.concat(parts);
}

function packet(at_ms: number, ends: Ends, isReceived: boolean, payload: Buffer): Buffer[] {
  const { local, remoteAddress, remotePort } = ends;
  const here = { address: local.address, port: local.port };
  const there = { address: remoteAddress, port: remotePort };
  const [from, to] = isReceived ? [there, here] : [here, there];
  const udp = Buffer.alloc(UDP_HEADER_BYTES);
  udp.writeUInt16BE(from.port, 0);
  udp.writeUInt16BE(to.port, 2);
  udp.writeUInt16BE(UDP_HEADER_BYTES + payload.length, 4);
  const isV4 = isIPv4(from.address);
  const ip = isV4
    ? ipv4(from.address, to.address, payload.length)
    : ipv6(from.address, to.address, payload.length);
  // Over IPv6 a checksum of zero is none (RFC 8200 §8.1).
  if (!isV4)
    udp.writeUInt16BE(
      checksum([ip.subarray(8, 40), pseudo(udp.length + payload.length), udp, payload]) || 0xffff,
      6,
    );
  const length = ip.length + udp.length + payload.length;
  const head = Buffer.alloc(PACKET_HEADER_BYTES);
  const us = Math.round(at_ms * 1000);
  head.writeUInt32LE(Math.floor(us / 1e6), 0);
  head.writeUInt32LE(us % 1e6, 4);
  head.writeUInt32LE(length, 8);
  head.writeUInt32LE(length, 12);
  return [head, ip, udp, payload];
}

function ipv4(from: string, to: string, payload: number): Buffer {
  const ip = Buffer.alloc(IPV4_HEADER_BYTES);
  ip[0] = 0x45;
  ip.writeUInt16BE(IPV4_HEADER_BYTES + UDP_HEADER_BYTES + payload, 2);
  ip[8] = TTL;
  ip[9] = UDP;
  ip.set(ipv4Bytes(from), 12);
  ip.set(ipv4Bytes(to), 16);
  ip.writeUInt16BE(checksum([ip]), 10);
  return ip;
}

function ipv6(from: string, to: string, payload: number): Buffer {
  const ip = Buffer.alloc(IPV6_HEADER_BYTES);
  ip[0] = 0x60;
  ip.writeUInt16BE(UDP_HEADER_BYTES + payload, 4);
  ip[6] = UDP;
  ip[7] = TTL;
  ip.set(ipv6Bytes(from), 8);
  ip.set(ipv6Bytes(to), 24);
  return ip;
}

/** The end of the pseudo-header (RFC 8200 §8.1), whose addresses stand in the IP header. */
function pseudo(length: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail[7] = UDP;
  return tail;
}

/** RFC 1071. */
function checksum(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts)
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
