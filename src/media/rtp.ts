/**
 * The RTP header by offsets (RFC 3550 §5.1), without an object per packet, and RTP told from RTCP on one port
 * (RFC 5761 §4). Every function is total: bytes that are too short or no RTP give false, 0 or -1.
 */

/** The fixed part of the header (RFC 3550 §5.1). */
export const RTP_HEADER_BYTES = 12;
/** The first four bytes of every RTCP packet (RFC 3550 §6.4.1). */
export const RTCP_HEADER_BYTES = 4;
/** Payload types are seven bits. */
export const PAYLOAD_TYPES = 128;

const VERSION_BITS = 0xc0;
const VERSION_2 = 0x80;
const PADDING_BIT = 0x20;
const EXTENSION_BIT = 0x10;
const CSRC_COUNT_BITS = 0x0f;
const MARKER_BIT = 0x80;

/** RFC 5761 §4: a second byte from 192 to 223 is an RTCP packet type; no RTP may look so (payload types 64 to 95 with marker). */
const RTCP_TYPE_MIN = 192;
const RTCP_TYPE_MAX = 223;

/** Whether the datagram has an RTP header of version 2 and is not RTCP. What lies behind the header is not looked at. */
export function isRtp(bytes: Uint8Array): boolean {
  if (bytes.length < RTP_HEADER_BYTES || (bytes[0]! & VERSION_BITS) !== VERSION_2) return false;
  const second = bytes[1]!;
  return second < RTCP_TYPE_MIN || second > RTCP_TYPE_MAX;
}

/** Whether the datagram begins with an RTCP header of version 2 (RFC 5761 §4). */
export function isRtcp(bytes: Uint8Array): boolean {
  if (bytes.length < RTCP_HEADER_BYTES || (bytes[0]! & VERSION_BITS) !== VERSION_2) return false;
  const second = bytes[1]!;
  return second >= RTCP_TYPE_MIN && second <= RTCP_TYPE_MAX;
}

// The accessors below are for datagrams that `isRtp` said yes to.

/** First packet of a talk spurt, or last of a video frame: the profile's business (RFC 3551 §4.1). */
export function hasMarker(bytes: Uint8Array): boolean {
  return (bytes[1]! & MARKER_BIT) !== 0;
}

/** 0 to 127. */
export function payloadType(bytes: Uint8Array): number {
  return bytes[1]! & ~MARKER_BIT;
}

/** 0 to 65535. */
export function sequenceNumber(bytes: Uint8Array): number {
  return (bytes[2]! << 8) | bytes[3]!;
}

/** Media clock units, 0 to 2^32-1. */
export function timestamp(bytes: Uint8Array): number {
  return uint32(bytes, 4);
}

/** The synchronisation source, 0 to 2^32-1. */
export function ssrc(bytes: Uint8Array): number {
  return uint32(bytes, 8);
}

/** Bytes before the payload: fixed part, CSRC list and extension (RFC 3550 §5.3.1); 0 when the datagram ends before. */
export function headerLength(bytes: Uint8Array): number {
  let length = RTP_HEADER_BYTES + 4 * (bytes[0]! & CSRC_COUNT_BITS);
  if ((bytes[0]! & EXTENSION_BIT) !== 0) {
    if (bytes.length < length + 4) return 0;
    length += 4 + 4 * ((bytes[length + 2]! << 8) | bytes[length + 3]!);
  }
  return bytes.length < length ? 0 : length;
}

/** Bytes of payload without header and padding; -1 when header or padding do not fit into the datagram. */
export function payloadLength(bytes: Uint8Array): number {
  const header = headerLength(bytes);
  if (header === 0) return -1;
  const rest = bytes.length - header;
  if ((bytes[0]! & PADDING_BIT) === 0) return rest;
  // The last byte says how many bytes are padding, itself included.
  const padding = bytes[bytes.length - 1]!;
  return padding === 0 || padding > rest ? -1 : rest - padding;
}

/** Four bytes in network order; the caller knows that they are there. */
export function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Two bytes in network order; the caller knows that they are there. */
export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
