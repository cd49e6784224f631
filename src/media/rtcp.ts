/**
 * RTCP compound packets (RFC 3550 §6): sender and receiver reports, CNAME, BYE and extended reports. Reads plain
 * RTCP only: SRTCP must not be handed in, it is encrypted behind its eighth byte (RFC 3711 §3.4).
 */

import type { ExtendedReport } from "./rtcp-xr.ts";
import { middle32, readXrBlocks } from "./rtcp-xr.ts";
import { isRtcp, RTCP_HEADER_BYTES, uint16, uint32 } from "./rtp.ts";

/** Packets of one compound that are read; what follows is left. */
export const RTCP_PACKETS_MAX = 32;

/** One reception report (RFC 3550 §6.4.1): what the sender of the RTCP packet sees of `ssrc`. */
export interface ReportBlock {
  readonly ssrc: number;
  /** Since its previous report, 0 to 100. */
  readonly loss_percent: number;
  /** Since the start; negative when there were more duplicates than losses. */
  readonly lost: number;
  /** Extended highest sequence number. */
  readonly highest: number;
  /** In units of the media clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last SR it has seen; 0: none yet. */
  readonly lsr: number;
  /** From then until this report left, in 1/65536 s. */
  readonly dlsr: number;
}

export type RtcpPacket =
  | {
      readonly kind: "sr";
      readonly ssrc: number;
      /** Middle 32 bits of its NTP time: what the LSR of a report will name. */
      readonly ntp: number;
      readonly rtp_timestamp: number;
      readonly packets: number;
      readonly octets: number;
      readonly blocks: readonly ReportBlock[];
    }
  | { readonly kind: "rr"; readonly ssrc: number; readonly blocks: readonly ReportBlock[] }
  | { readonly kind: "sdes"; readonly ssrc: number; readonly cname: string }
  | { readonly kind: "bye"; readonly ssrcs: readonly number[] }
  | { readonly kind: "xr"; readonly ssrc: number; readonly report: ExtendedReport };

export interface RtcpCompound {
  /** Those of the kinds above; APP, feedback and unknown types are left out. */
  readonly packets: readonly RtcpPacket[];
  /** False when the datagram did not end where its last packet does, or had more than RTCP_PACKETS_MAX. */
  readonly complete: boolean;
}

const PT = { Sr: 200, Rr: 201, Sdes: 202, Bye: 203, Xr: 207 } as const;
const COUNT_BITS = 0x1f;
const PADDING_BIT = 0x20;
const BLOCK_BYTES = 24;
const SENDER_BYTES = 20;
const SSRC_BYTES = 4;

/** The packets of a datagram; null when it does not begin as RTCP (RFC 3550 A.2). Never throws. */
export function readRtcp(bytes: Uint8Array): RtcpCompound | null {
  if (!isRtcp(bytes)) return null;
  const packets: RtcpPacket[] = [];
  let at = 0;
  for (let n = 0; n < RTCP_PACKETS_MAX && at < bytes.length; n++) {
    if (!isRtcp(bytes.subarray(at))) return { packets, complete: false };
    const end = at + RTCP_HEADER_BYTES + 4 * uint16(bytes, at + 2);
    if (end > bytes.length) return { packets, complete: false };
    const packet = packetAt(bytes, at, end - paddingOf(bytes, at, end));
    if (packet !== null) packets.push(packet);
    at = end;
  }
  return { packets, complete: at === bytes.length };
}

function paddingOf(bytes: Uint8Array, at: number, end: number): number {
  if ((bytes[at]! & PADDING_BIT) === 0) return 0;
  return Math.min(bytes[end - 1]!, end - at - RTCP_HEADER_BYTES);
}

function packetAt(bytes: Uint8Array, at: number, end: number): RtcpPacket | null {
  const count = bytes[at]! & COUNT_BITS;
  const body = at + RTCP_HEADER_BYTES;
  const type = bytes[at + 1]!;
  if (type === PT.Bye) return { kind: "bye", ssrcs: ssrcsAt(bytes, body, end, count) };
  if (body + SSRC_BYTES > end) return null;
  const ssrc = uint32(bytes, body);
  const rest = body + SSRC_BYTES;
  switch (type) {
    case PT.Sr:
      return rest + SENDER_BYTES > end ? null : senderReport(bytes, ssrc, rest, end, count);
    case PT.Rr:
      return { kind: "rr", ssrc, blocks: blocksAt(bytes, rest, end, count) };
    case PT.Sdes:
      return count === 0 ? null : sdesAt(bytes, ssrc, rest, end);
    case PT.Xr:
      return { kind: "xr", ssrc, report: readXrBlocks(bytes, rest, end) };
    default:
      return null;
  }
}

function senderReport(bytes: Uint8Array, ssrc: number, at: number, end: number, count: number): RtcpPacket {
  return {
    kind: "sr",
    ssrc,
    ntp: middle32(bytes, at),
    rtp_timestamp: uint32(bytes, at + 8),
    packets: uint32(bytes, at + 12),
    octets: uint32(bytes, at + 16),
    blocks: blocksAt(bytes, at + SENDER_BYTES, end, count),
  };
}

function blocksAt(bytes: Uint8Array, from: number, end: number, count: number): ReportBlock[] {
  const blocks: ReportBlock[] = [];
  for (let at = from; blocks.length < count && at + BLOCK_BYTES <= end; at += BLOCK_BYTES)
    blocks.push({
      ssrc: uint32(bytes, at),
      loss_percent: (bytes[at + 4]! * 100) / 256,
      lost: (uint32(bytes, at + 4) << 8) >> 8, // 24 bits with sign
      highest: uint32(bytes, at + 8),
      jitter: uint32(bytes, at + 12),
      lsr: uint32(bytes, at + 16),
      dlsr: uint32(bytes, at + 20),
    });
  return blocks;
}

function ssrcsAt(bytes: Uint8Array, from: number, end: number, count: number): number[] {
  const ssrcs: number[] = [];
  for (let at = from; ssrcs.length < count && at + SSRC_BYTES <= end; at += SSRC_BYTES)
    ssrcs.push(uint32(bytes, at));
  return ssrcs;
}

const SDES_END = 0;
const SDES_CNAME = 1;

/** The CNAME of the first chunk, which every compound carries (RFC 3550 §6.1); null without one. */
function sdesAt(bytes: Uint8Array, ssrc: number, from: number, end: number): RtcpPacket | null {
  for (let at = from; at + 2 <= end && bytes[at] !== SDES_END; ) {
    const length = bytes[at + 1]!;
    const text = at + 2;
    if (text + length > end) return null;
    if (bytes[at] === SDES_CNAME) {
      const cname = Buffer.from(bytes.buffer, bytes.byteOffset + text, length).toString("utf8");
      return { kind: "sdes", ssrc, cname };
    }
    at = text + length;
  }
  return null;
}
