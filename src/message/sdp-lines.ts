/**
 * Where each line of a session description lies and which one it is (RFC 8866 §5), read from the bytes as
 * they came. Tolerant of what is sent: LF alone, blanks around "=" and ":", a last line without its end.
 */
import { COLON, CR, EQUALS, HTAB, LF, lower, SP } from "./chars.ts";
import { ParseError } from "./parse-error.ts";

/** A longer description is not read. */
export const SDP_BYTES_MAX = 65_536;
/** Lines that are not empty; one more and it is not read. */
export const SDP_LINES_MAX = 2048;

/** The lines this appliance looks at, as small numbers; every other one is L.Other. */
export const L = {
  Other: 0,
  Version: 1,
  Origin: 2,
  Info: 3,
  Connection: 4,
  Media: 5,
  Rtcp: 6,
  RtcpMux: 7,
  RtcpFb: 8,
  RtpMap: 9,
  Fmtp: 10,
  Ptime: 11,
  Mid: 12,
  Group: 13,
  BundleOnly: 14,
  SendRecv: 15,
  SendOnly: 16,
  RecvOnly: 17,
  Inactive: 18,
  /** Everything that is only about ICE (RFC 8839 §5, RFC 8840). */
  Ice: 19,
  Marker: 20,
} as const;

export type LineKind = (typeof L)[keyof typeof L];

const ATTRIBUTES: readonly (readonly [LineKind, string])[] = [
  [L.Rtcp, "rtcp"],
  [L.RtcpMux, "rtcp-mux"],
  [L.RtcpMux, "rtcp-mux-only"],
  [L.RtcpFb, "rtcp-fb"],
  [L.RtpMap, "rtpmap"],
  [L.Fmtp, "fmtp"],
  [L.Ptime, "ptime"],
  [L.Mid, "mid"],
  [L.Group, "group"],
  [L.BundleOnly, "bundle-only"],
  [L.SendRecv, "sendrecv"],
  [L.SendOnly, "sendonly"],
  [L.RecvOnly, "recvonly"],
  [L.Inactive, "inactive"],
  [L.Ice, "candidate"],
  [L.Ice, "remote-candidates"],
  [L.Ice, "end-of-candidates"],
  [L.Ice, "ice-ufrag"],
  [L.Ice, "ice-pwd"],
  [L.Ice, "ice-options"],
  [L.Ice, "ice-lite"],
  [L.Ice, "ice-pacing"],
  [L.Ice, "ice-mismatch"],
  [L.Marker, "nortpproxy"],
];

const NAME_BYTES_MAX = 17;

interface Candidate {
  readonly kind: LineKind;
  readonly name: Uint8Array;
}

/** Attributes by length of their name. */
const BY_LENGTH: readonly (readonly Candidate[])[] = Array.from({ length: NAME_BYTES_MAX + 1 }, (_, length) =>
  ATTRIBUTES.filter(([, name]) => name.length === length).map(([kind, name]) => ({
    kind,
    name: Buffer.from(name, "latin1"),
  })),
);

/** Numbers per line: kind, line start, value start, value end, line end. */
const STRIDE = 5;

export class SdpLines {
  readonly bytes: Buffer;
  readonly #index: number[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get count(): number {
    return this.#index.length / STRIDE;
  }

  push(kind: LineKind, start: number, valueStart: number, valueEnd: number, end: number): void {
    this.#index.push(kind, start, valueStart, valueEnd, end);
  }

  kindOf(line: number): number {
    return this.#index[line * STRIDE]!;
  }
  start(line: number): number {
    return this.#index[line * STRIDE + 1]!;
  }
  /** What stands behind `x=`, of an attribute behind its ":", without blanks around it. */
  valueStart(line: number): number {
    return this.#index[line * STRIDE + 2]!;
  }
  valueEnd(line: number): number {
    return this.#index[line * STRIDE + 3]!;
  }
  /** After the line's end, where the next line starts. */
  end(line: number): number {
    return this.#index[line * STRIDE + 4]!;
  }
  valueOf(line: number): string {
    return this.bytes.latin1Slice(this.valueStart(line), this.valueEnd(line));
  }
}

/**
 * The lines of bytes[from, to); empty ones are left out. ParseError `sdp_bytes_max`, `sdp_lines_max`, or
 * `sdp_version` when the first line is not `v=0`: then it is no session description.
 */
export function readLines(bytes: Buffer, from: number, to: number): SdpLines | ParseError {
  if (to - from > SDP_BYTES_MAX) return new ParseError("sdp_bytes_max", from + SDP_BYTES_MAX);
  const lines = new SdpLines(bytes);
  let count = 0;
  for (let at = from; at < to; ) {
    const lf = bytes.indexOf(LF, at);
    const next = lf < 0 || lf >= to ? to : lf + 1;
    let end = next;
    while (end > at && isBlank(bytes[end - 1]!)) end--;
    const start = skipBlanks(bytes, at, end);
    if (start < end) {
      if (count === SDP_LINES_MAX) return new ParseError("sdp_lines_max", at);
      readLine(lines, at, start, end, next);
      if (count === 0 && !isVersion0(lines)) return new ParseError("sdp_version", start);
      count++;
    }
    at = next;
  }
  return count === 0 ? new ParseError("sdp_version", from) : lines;
}

function isVersion0(lines: SdpLines): boolean {
  const at = lines.valueStart(0);
  return lines.kindOf(0) === L.Version && lines.valueEnd(0) === at + 1 && lines.bytes[at] === 48;
}

/** type "=" value, the text in bytes[start, end). */
function readLine(lines: SdpLines, lineStart: number, start: number, end: number, lineEnd: number): void {
  const bytes = lines.bytes;
  const equals = skipBlanks(bytes, start + 1, end);
  if (equals >= end || bytes[equals] !== EQUALS) {
    lines.push(L.Other, lineStart, start, end, lineEnd);
    return;
  }
  const at = skipBlanks(bytes, equals + 1, end);
  switch (bytes[start]) {
    case 97: // a
      readAttribute(lines, lineStart, at, end, lineEnd);
      return;
    case 99:
      lines.push(L.Connection, lineStart, at, end, lineEnd);
      return;
    case 105:
      lines.push(L.Info, lineStart, at, end, lineEnd);
      return;
    case 109:
      lines.push(L.Media, lineStart, at, end, lineEnd);
      return;
    case 111:
      lines.push(L.Origin, lineStart, at, end, lineEnd);
      return;
    case 118:
      lines.push(L.Version, lineStart, at, end, lineEnd);
      return;
    default:
      lines.push(L.Other, lineStart, at, end, lineEnd);
  }
}

/** attribute = (attribute-name ":" attribute-value) / attribute-name */
function readAttribute(
  lines: SdpLines,
  lineStart: number,
  start: number,
  end: number,
  lineEnd: number,
): void {
  const bytes = lines.bytes;
  let nameEnd = start;
  while (nameEnd < end && bytes[nameEnd] !== COLON && !isBlank(bytes[nameEnd]!)) nameEnd++;
  let at = skipBlanks(bytes, nameEnd, end);
  if (at < end && bytes[at] === COLON) at = skipBlanks(bytes, at + 1, end);
  lines.push(attributeKind(bytes, start, nameEnd), lineStart, at, end, lineEnd);
}

function attributeKind(bytes: Buffer, start: number, end: number): LineKind {
  const length = end - start;
  if (length > NAME_BYTES_MAX) return L.Other;
  next: for (const { kind, name } of BY_LENGTH[length]!) {
    for (let i = 0; i < length; i++) if (lower(bytes[start + i]!) !== name[i]) continue next;
    return kind;
  }
  return L.Other;
}

const isBlank = (c: number): boolean => c === SP || c === HTAB || c === CR || c === LF;

/** Past blanks, at most to `end`. */
export function skipBlanks(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

/** End of the word at `from`: at a blank, at most `end`. */
export function wordEnd(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && !isBlank(bytes[at]!)) at++;
  return at;
}

/** 1*DIGIT up to `max` in bytes[start, end); -1 when it is anything else. */
export function numberIn(bytes: Buffer, start: number, end: number, max: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > max) return -1;
  }
  return value;
}
