/**
 * A SIP message as a HEPv3 packet, for Homer and other capture servers (HEP/EEP protocol, revision 12 §3): chunks of
 * type, length and value behind a head with the length of all. Pure.
 */
import { isIPv4 } from "node:net";
import type { TransportName } from "../base/flow.ts";
import { ipv4Bytes, ipv6Bytes } from "./address-bytes.ts";
import type { Ends } from "./trace.ts";

/** Who sends the packets, as the capture server is to know him. */
export interface HepSender {
  /** 32 bits. */
  readonly capture_id: number;
  /** In clear in each packet; null: none is asked for. */
  readonly password: string | null;
}

export interface HepMessage {
  readonly ends: Ends;
  readonly isReceived: boolean;
  /** Unix microseconds. */
  readonly at_us: number;
  /** Null: it has none. */
  readonly call_id: string | null;
  /** What is shown of the message. */
  readonly payload: Uint8Array;
}

/** The chunks of vendor 0 that we write (§3.2), by their type. */
const C = {
  IpFamily: 1,
  IpProtocol: 2,
  Ipv4Source: 3,
  Ipv4Destination: 4,
  Ipv6Source: 5,
  Ipv6Destination: 6,
  SourcePort: 7,
  DestinationPort: 8,
  Seconds: 9,
  Microseconds: 10,
  ProtocolType: 11,
  CaptureId: 12,
  AuthenticationKey: 14,
  Payload: 15,
  CorrelationId: 17,
} as const;

const HEAD_BYTES = 6;
const CHUNK_HEAD_BYTES = 6;
/** What a datagram can carry. */
export const HEP_BYTES_MAX = 65_507;
/** As the system numbers them: AF_INET, AF_INET6 of Linux. */
const FAMILY_4 = 2;
const FAMILY_6 = 10;
const PROTOCOLS: Readonly<Record<TransportName, number>> = { udp: 17, tcp: 6, tls: 6, ws: 6, wss: 6 };
const SIP = 1;

/** Null: it is larger than a datagram. */
export function hepPacket({ capture_id, password }: HepSender, message: HepMessage): Buffer | null {
  const { ends, isReceived, at_us, call_id, payload } = message;
  const here = { address: ends.local.address, port: ends.local.port };
  const there = { address: ends.remoteAddress, port: ends.remotePort };
  const [from, to] = isReceived ? [there, here] : [here, there];
  const chunks = [
    chunk(C.IpFamily, Buffer.of(isIPv4(from.address) ? FAMILY_4 : FAMILY_6)),
    chunk(C.IpProtocol, Buffer.of(PROTOCOLS[ends.transport])),
    ...addresses(from.address, to.address),
    chunk(C.SourcePort, uint16(from.port)),
    chunk(C.DestinationPort, uint16(to.port)),
    chunk(C.Seconds, uint32(Math.floor(at_us / 1e6))),
    chunk(C.Microseconds, uint32(at_us % 1e6)),
    chunk(C.ProtocolType, Buffer.of(SIP)),
    chunk(C.CaptureId, uint32(capture_id)),
  ];
  if (password !== null) chunks.push(chunk(C.AuthenticationKey, Buffer.from(password, "utf8")));
  if (call_id !== null) chunks.push(chunk(C.CorrelationId, Buffer.from(call_id, "latin1")));
  const length =
    chunks.reduce((sum, { length }) => sum + length, HEAD_BYTES + CHUNK_HEAD_BYTES) + payload.length;
  if (length > HEP_BYTES_MAX) return null;
  chunks.push(chunk(C.Payload, payload));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write("HEP3", "latin1");
  head.writeUInt16BE(length, 4);
  return Buffer.concat([head, ...chunks], length);
}

function addresses(from: string, to: string): Buffer[] {
  return isIPv4(from)
    ? [chunk(C.Ipv4Source, ipv4Bytes(from)), chunk(C.Ipv4Destination, ipv4Bytes(to))]
    : [chunk(C.Ipv6Source, ipv6Bytes(from)), chunk(C.Ipv6Destination, ipv6Bytes(to))];
}

/** Vendor, type, length with this head, value. */
function chunk(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(CHUNK_HEAD_BYTES + value.length);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.set(value, CHUNK_HEAD_BYTES);
  return bytes;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
