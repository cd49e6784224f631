/**
 * STUN Binding beside SIP on one UDP port (RFC 8489 §5 to §7, §14; RFC 5626 §8): phones ask where their packets come
 * from, and keep their NAT open by it. Pure: a datagram in, a datagram or nothing out. An answer is at most 12 bytes
 * (IPv4) or 24 (IPv6) longer than its request, so nobody is flooded through us.
 */
import { isIP } from "node:net";
import { ipv6Groups } from "./endpoint.ts";

const HEADER_BYTES = 20;
const BINDING = 0x0001;
const SUCCESS = 0x0101;
const FAILURE = 0x0111;
const COOKIE = 0x2112a442;
const MAPPED_ADDRESS = 0x0001;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const XOR_MAPPED_ADDRESS = 0x0020;
const FINGERPRINT = 0x8028;
const FINGERPRINT_XOR = 0x5354554e;
/**
 * Attributes that must be understood, and are (§14). Nobody is asked for credentials here: whoever sends some gets
 * the same answer, and what has no business in a request is ignored (§6.3).
 */
const KNOWN: ReadonlySet<number> = new Set([
  MAPPED_ADDRESS,
  0x0003, // CHANGE-REQUEST, with no change asked for
  0x0006, // USERNAME
  MESSAGE_INTEGRITY,
  ERROR_CODE,
  UNKNOWN_ATTRIBUTES,
  0x0014, // REALM
  0x0015, // NONCE
  0x001c, // MESSAGE-INTEGRITY-SHA256
  0x001d, // PASSWORD-ALGORITHM
  0x001e, // USERHASH
  XOR_MAPPED_ADDRESS,
]);
const CHANGE_REQUEST = 0x0003;
/** Unknown ones that are told back. */
const UNKNOWN_MAX = 8;

/**
 * Whether a datagram is STUN and not SIP: its first two bits are 0, which no letter and no CR or LF with its length
 * is, and its length field says how long it is (§5). The magic cookie is not asked for: RFC 3489 clients have none.
 */
export function isStun(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES || bytes[0]! > 3 || (bytes[3]! & 3) !== 0) return false;
  return (bytes[2]! << 8) + bytes[3]! === bytes.length - HEADER_BYTES;
}

/** The answer to a Binding request that came from this address and port; null: it gets none. Never throws. */
export function stunAnswer(bytes: Buffer, address: string, port: number): Buffer | null {
  if (!isStun(bytes) || bytes.readUInt16BE(0) !== BINDING) return null;
  const isClassic = bytes.readUInt32BE(4) !== COOKIE;
  const found = readAttributes(bytes, isClassic);
  if (found === null) return null;
  if (found.unknown.length > 0)
    return message(FAILURE, bytes, unknownAttributes(found.unknown), found.fingerprint);
  const mapped = isClassic ? plainAddress(address, port) : xorAddress(address, port, bytes);
  return mapped === null ? null : message(SUCCESS, bytes, mapped, found.fingerprint);
}

interface Found {
  readonly unknown: readonly number[];
  readonly fingerprint: boolean;
}

/** Null: the attributes do not fit, the fingerprint is wrong, or a client without cookie wants another sender. */
function readAttributes(bytes: Buffer, isClassic: boolean): Found | null {
  const unknown: number[] = [];
  let fingerprint = false;
  let sealed = false; // behind MESSAGE-INTEGRITY everything but a fingerprint is ignored (§14.5)
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length || fingerprint) return null; // nothing follows a fingerprint (§14.7)
    const type = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    const next = at + 4 + ((length + 3) & ~3);
    if (next > bytes.length) return null;
    if (type === FINGERPRINT) {
      if (length !== 4 || bytes.readUInt32BE(at + 4) !== fingerprintOf(bytes, at)) return null;
      fingerprint = true;
    } else if (isClassic) {
      if (asksForChange(bytes, at)) return null; // an error would pass for the changed answer in such clients
    } else if (!sealed && unknown.length < UNKNOWN_MAX && mustBeRefused(bytes, at)) unknown.push(type);
    sealed ||= type === MESSAGE_INTEGRITY;
    at = next;
  }
  return { unknown, fingerprint };
}

/** §6.3.1: below 0x8000 what is not understood must not be passed over. */
function mustBeRefused(bytes: Buffer, at: number): boolean {
  const type = bytes.readUInt16BE(at);
  return type < 0x8000 && (!KNOWN.has(type) || asksForChange(bytes, at));
}

/** RFC 5780 §7.2, RFC 3489 §11.2.4: the answer is to come from another address or port. We have no other. */
function asksForChange(bytes: Buffer, at: number): boolean {
  if (bytes.readUInt16BE(at) !== CHANGE_REQUEST || bytes.readUInt16BE(at + 2) !== 4) return false;
  return (bytes.readUInt32BE(at + 4) & 6) !== 0;
}

function message(type: number, request: Buffer, attributes: Buffer, fingerprint: boolean): Buffer {
  const length = attributes.length + (fingerprint ? 8 : 0);
  const out = Buffer.alloc(HEADER_BYTES + length);
  out.writeUInt16BE(type, 0);
  out.writeUInt16BE(length, 2);
  request.copy(out, 4, 4, HEADER_BYTES);
  attributes.copy(out, HEADER_BYTES);
  if (!fingerprint) return out;
  const at = HEADER_BYTES + attributes.length;
  out.writeUInt16BE(FINGERPRINT, at);
  out.writeUInt16BE(4, at + 2);
  out.writeUInt32BE(fingerprintOf(out, at), at + 4);
  return out;
}

/** §14.7: CRC-32 of all before it. */
function fingerprintOf(bytes: Buffer, end: number): number {
  return (Bun.hash.crc32(bytes.subarray(0, end)) ^ FINGERPRINT_XOR) >>> 0;
}

/** §14.2: port and address XORed with the cookie, and for IPv6 with the transaction id. */
function xorAddress(address: string, port: number, request: Buffer): Buffer | null {
  const out = addressAttribute(XOR_MAPPED_ADDRESS, address, port ^ (COOKIE >>> 16));
  if (out === null) return null;
  for (let i = 8; i < out.length; i++) out[i]! ^= request[4 + i - 8]!;
  return out;
}

/** §14.1, what RFC 3489 clients understand. */
const plainAddress = (address: string, port: number): Buffer | null =>
  addressAttribute(MAPPED_ADDRESS, address, port);

function addressAttribute(type: number, address: string, port: number): Buffer | null {
  const family = isIP(address);
  if (family === 0) return null;
  const bytes = family === 4 ? ipv4Bytes(address) : ipv6Bytes(address);
  const out = Buffer.alloc(8 + bytes.length);
  out.writeUInt16BE(type, 0);
  out.writeUInt16BE(4 + bytes.length, 2);
  out[5] = family === 4 ? 1 : 2;
  out.writeUInt16BE(port, 6);
  out.set(bytes, 8);
  return out;
}

function unknownAttributes(types: readonly number[]): Buffer {
  const listed = 2 * types.length;
  const out = Buffer.alloc(8 + 4 + ((listed + 3) & ~3));
  out.writeUInt16BE(ERROR_CODE, 0);
  out.writeUInt16BE(4, 2);
  out.writeUInt16BE((4 << 8) | 20, 6); // 420, without words
  out.writeUInt16BE(UNKNOWN_ATTRIBUTES, 8);
  out.writeUInt16BE(listed, 10);
  for (const [i, type] of types.entries()) out.writeUInt16BE(type, 12 + 2 * i);
  return out;
}

const ipv4Bytes = (address: string): Uint8Array => Uint8Array.from(address.split("."), Number);

function ipv6Bytes(address: string): Uint8Array {
  const groups = ipv6Groups(new URL(`http://[${address.split("%", 1)[0]}]/`).hostname.slice(1, -1));
  const out = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) out.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  return out;
}
