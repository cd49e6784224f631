/**
 * Where in a message's body the session description lies: the body itself, or one part of a multipart body
 * (RFC 2046 §5.1.1, RFC 5621); and the lengths that must follow when it changes.
 */
import { COLON, CR, HTAB, isDigit, LF, QUOTE, SP } from "./chars.ts";
import type { Edits } from "./edits.ts";
import { H } from "./header-names.ts";
import { paramIn } from "./params.ts";
import type { SipMessage } from "./sip-message.ts";

/** Parts of one multipart body; those behind are not looked at. */
export const BODY_PARTS_MAX = 32;
/** boundary := 0*69<bchars> bcharsnospace */
export const BOUNDARY_BYTES_MAX = 70;
/** Header bytes of one part; one with more is passed over. */
export const PART_HEADER_BYTES_MAX = 4096;

export interface BodyPart {
  /** Byte range in the message. */
  readonly from: number;
  readonly to: number;
  /** Range of the digits of the part's own Content-Length, which some write; both 0 when there is none. */
  readonly lengthStart: number;
  readonly lengthEnd: number;
}

/**
 * The session description of the message; null when it has none that can be found. A body without Content-Type
 * that begins with `v=0` counts: departs from RFC 3261 §20.15, because phones read such a body as what it
 * plainly is, and would then send media past a relay that did not. Of several descriptions in one body the first.
 */
export function sdpPart(message: SipMessage): BodyPart | null {
  const { bytes, bodyStart, bodyEnd } = message;
  if (bodyEnd <= bodyStart) return null;
  const line = message.find(H.ContentType);
  if (line < 0) return beginsAsSdp(bytes, bodyStart, bodyEnd) ? whole(message) : null;
  const start = message.valueStart(line);
  const end = message.valueEnd(line);
  const type = mediaType(bytes.latin1Slice(start, end));
  if (type === "application/sdp") return whole(message);
  if (type !== "multipart/mixed" && type !== "multipart/alternative") return null;
  const boundary = unquoted(paramIn(bytes, start, end, "boundary") ?? "");
  if (boundary === "" || boundary.length > BOUNDARY_BYTES_MAX) return null;
  return sdpAmongParts(bytes, bodyStart, bodyEnd, Buffer.from(`--${boundary}`, "latin1"));
}

/**
 * Makes every Content-Length say what is true after the part has grown by `growth` bytes. Returns the body's new
 * length: a message without the field, as a datagram may be, gets none here.
 */
export function editLength(edits: Edits, message: SipMessage, part: BodyPart, growth: number): number {
  const { bytes } = message;
  let partGrowth = growth;
  if (part.lengthEnd > part.lengthStart) {
    const text = String(part.to - part.from + growth);
    const said = bytes.latin1Slice(part.lengthStart, part.lengthEnd);
    if (growth !== 0) {
      edits.replace(part.lengthStart, part.lengthEnd, text);
      partGrowth += text.length - said.length;
    }
  }
  const length = message.bodyEnd - message.bodyStart + partGrowth;
  if (partGrowth !== 0)
    for (let line = message.find(H.ContentLength); line >= 0; line = message.find(H.ContentLength, line + 1))
      edits.replace(message.valueStart(line), message.valueEnd(line), String(length));
  return length;
}

const whole = ({ bodyStart, bodyEnd }: SipMessage): BodyPart => ({
  from: bodyStart,
  to: bodyEnd,
  lengthStart: 0,
  lengthEnd: 0,
});

/** m-type SLASH m-subtype, lower case, without parameters. */
const mediaType = (text: string): string => text.split(";", 1)[0]!.replace(/\s/g, "").toLowerCase();

/** v=0 and a line end. */
function beginsAsSdp(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < 4 || bytes.latin1Slice(start, start + 3) !== "v=0") return false;
  return bytes[start + 3] === CR || bytes[start + 3] === LF;
}

function unquoted(text: string): string {
  if (text.charCodeAt(0) !== QUOTE) return text;
  return text.replace(/^"|"$/g, "").replace(/\\([\s\S])/g, "$1");
}

/** Reads part after part up to the closing delimiter, or the body's end when that is missing. */
function sdpAmongParts(bytes: Buffer, start: number, end: number, delimiter: Buffer): BodyPart | null {
  let at = nextDelimiter(bytes, start, start, end, delimiter);
  for (let parts = 0; at >= 0 && parts < BODY_PARTS_MAX; parts++) {
    const behind = at + delimiter.length;
    if (isClosing(bytes, behind, end)) return null;
    const partStart = nextLine(bytes, behind, end);
    const next = nextDelimiter(bytes, partStart, start, end, delimiter);
    // The line end in front of a delimiter belongs to the delimiter.
    const partEnd = next < 0 ? end : Math.max(partStart, beforeLineEnd(bytes, next));
    const found = readPart(bytes, partStart, partEnd);
    if (found !== null) return found;
    at = next;
  }
  return null;
}

/** The delimiter at the start of a line and with nothing but blanks or "--" behind it; -1 when there is none. */
function nextDelimiter(bytes: Buffer, from: number, start: number, end: number, delimiter: Buffer): number {
  for (let at = bytes.indexOf(delimiter, from); at >= 0; at = bytes.indexOf(delimiter, at + 1)) {
    const behind = at + delimiter.length;
    if (behind > end) return -1;
    if (at !== start && bytes[at - 1] !== LF) continue;
    if (isClosing(bytes, behind, end)) return at;
    let stop = behind;
    while (stop < end && (bytes[stop] === SP || bytes[stop] === HTAB || bytes[stop] === CR)) stop++;
    if (stop === end || bytes[stop] === LF) return at;
  }
  return -1;
}

const isClosing = (bytes: Buffer, at: number, end: number): boolean =>
  at + 2 <= end && bytes[at] === 45 && bytes[at + 1] === 45;

function nextLine(bytes: Buffer, from: number, end: number): number {
  const lf = bytes.indexOf(LF, from);
  return lf < 0 || lf >= end ? end : lf + 1;
}

/** Where the line in front of the one at `at` ends, without its line end. */
const beforeLineEnd = (bytes: Buffer, at: number): number => (bytes[at - 2] === CR ? at - 2 : at - 1);

/** The part as a session description; null when its header fields say that it is none. */
function readPart(bytes: Buffer, start: number, end: number): BodyPart | null {
  let type = "";
  let disposition = "session";
  let lengthStart = 0;
  let lengthEnd = 0;
  let at = start;
  for (;;) {
    const lineEnd = endOfField(bytes, at, end);
    if (lineEnd - start > PART_HEADER_BYTES_MAX || at >= end) return null;
    const line = bytes.latin1Slice(at, lineEnd);
    if (line.trim() === "") break;
    const colon = line.indexOf(String.fromCharCode(COLON));
    const value = line.slice(colon + 1);
    switch (colon < 0 ? "" : line.slice(0, colon).trim().toLowerCase()) {
      case "content-type":
        type = mediaType(value);
        break;
      case "content-disposition":
        disposition = mediaType(value);
        break;
      case "content-length":
        lengthStart = at + colon + 1;
        while (lengthStart < lineEnd && !isDigit(bytes[lengthStart]!)) lengthStart++;
        lengthEnd = lengthStart;
        while (lengthEnd < lineEnd && isDigit(bytes[lengthEnd]!)) lengthEnd++;
    }
    at = lineEnd;
  }
  if (type !== "application/sdp" || disposition !== "session") return null;
  return { from: nextLine(bytes, at, end), to: end, lengthStart, lengthEnd };
}

/** Where the field that starts at `from` ends, with the lines folded onto it and its line end. */
function endOfField(bytes: Buffer, from: number, end: number): number {
  let at = nextLine(bytes, from, end);
  // An empty line ends the header fields, whatever the line behind it begins with.
  if (bytes.latin1Slice(from, Math.min(at, from + 2)).trim() === "") return at;
  while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at = nextLine(bytes, at, end);
  return at;
}
