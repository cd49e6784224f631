/**
 * One pass over the bytes of a message: the start line and where each header field lies
 * (RFC 3261 §7, §25.1). Values are not looked into, except Content-Length.
 */
import { BACKSLASH, COLON, CR, HTAB, isDigit, LF, SP, TOKEN } from "./chars.ts";
import { H, headerId, IDS } from "./header-names.ts";
import { methodName } from "./methods.ts";
import { ParseError } from "./parse-error.ts";
import type { StartLine } from "./sip-message.ts";
import { LINES_AT, SipMessage, STRIDE } from "./sip-message.ts";

/** Header lines of one message; one more and it is malformed. */
export const HEADER_LINES_MAX = 256;
/** Header lines of a request that is forwarded: its copy, with what a proxy adds, must be readable again. */
export const FORWARDED_LINES_MAX = HEADER_LINES_MAX - 24;

/** A piece of scratch memory for indexes: one per appliance, used only while `scan` runs. */
export class Scanner {
  readonly #index = new Int32Array(LINES_AT + HEADER_LINES_MAX * STRIDE);
  #lines = 0;
  #fault: ParseError | null = null;

  /**
   * Reads one whole message. Null: this is no SIP message at all (no line that looks like a start
   * line), so there is nobody to answer. A message with `fault` set could be read far enough to answer.
   */
  scan(bytes: Buffer): SipMessage | null {
    let start = 0;
    while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
    const lineEnd = endOfLine(bytes, start);
    if (lineEnd < 0) return null;
    const line = startLine(bytes, start, lineEnd);
    if (line === null) return null;
    this.#lines = 0;
    for (let id = 0; id < IDS; id++) this.#index[id] = 0;
    this.#fault = line.fault;
    const headersStart = lineEnd + 2;
    const bodyStart = this.#headers(bytes, headersStart);
    const bodyEnd = this.#bodyEnd(bytes, bodyStart);
    const index = this.#copyOfIndex();
    return new SipMessage(bytes, index, start, line, headersStart, bodyStart, bodyEnd, this.#fault);
  }

  /** By hand, which is compiled: `slice` is a call out of it. */
  #copyOfIndex(): Int32Array {
    const index = this.#index;
    const copy = new Int32Array(LINES_AT + this.#lines * STRIDE);
    for (let i = 0; i < copy.length; i++) copy[i] = index[i]!;
    return copy;
  }

  /** Reads header lines up to the empty line; returns where the body starts. */
  #headers(bytes: Buffer, from: number): number {
    const length = bytes.length;
    let at = from;
    for (;;) {
      if (at >= length) {
        this.#fault ??= new ParseError("headers_end_missing", at);
        return length;
      }
      if (bytes[at] === CR && bytes[at + 1] === LF) return at + 2;
      if (this.#lines === HEADER_LINES_MAX) {
        this.#fault ??= new ParseError("header_lines_max", at);
        return length;
      }
      const next = this.#header(bytes, at);
      if (next < 0) return length;
      at = next;
    }
  }

  /** message-header = field-name HCOLON field-value CRLF; returns where the next line starts, -1 at the end. */
  #header(bytes: Buffer, start: number): number {
    let at = start;
    while (TOKEN[bytes[at]!] === 1) at++;
    const nameEnd = at;
    while (bytes[at] === SP || bytes[at] === HTAB) at++;
    const named = nameEnd > start && bytes[at] === COLON;
    if (!named) this.#fault ??= new ParseError("header_name", at);
    else at++;
    const valueFrom = at;
    const end = endOfValue(bytes, at);
    if (end < 0) {
      this.#fault ??= new ParseError(end === BARE ? "bare_cr_or_lf" : "headers_end_missing", at);
      return end === BARE ? this.#resume(bytes, at) : -1;
    }
    if (named) this.#push(bytes, start, nameEnd, valueFrom, end);
    return end + 2;
  }

  /** After a stray CR or LF: go on behind the next real line end, to find what a 400 needs. */
  #resume(bytes: Buffer, from: number): number {
    const end = endOfLine(bytes, from);
    return end < 0 ? -1 : end + 2;
  }

  #push(bytes: Buffer, start: number, nameEnd: number, valueFrom: number, end: number): void {
    let from = valueFrom;
    let to = end;
    while (from < to && bytes[from]! <= SP && isBlank(bytes[from]!)) from++;
    while (to > from && bytes[to - 1]! <= SP && isBlank(bytes[to - 1]!)) to--;
    const index = this.#index;
    const i = LINES_AT + this.#lines * STRIDE;
    const id = headerId(bytes, start, nameEnd);
    if (index[id] === 0) index[id] = this.#lines + 1;
    index[i] = id;
    index[i + 1] = start;
    index[i + 2] = from;
    index[i + 3] = to;
    index[i + 4] = end + 2;
    this.#lines++;
  }

  /**
   * §18.3: a datagram's body ends where Content-Length says; less body than that is an error, more is
   * ignored. Two lengths that differ are an error too: nobody can know which one to believe.
   */
  #bodyEnd(bytes: Buffer, bodyStart: number): number {
    const index = this.#index;
    let length = -1;
    const first = index[H.ContentLength]! - 1;
    if (first < 0) return bytes.length;
    const end = LINES_AT + this.#lines * STRIDE;
    for (let i = LINES_AT + first * STRIDE; i < end; i += STRIDE) {
      if (index[i] !== H.ContentLength) continue;
      const value = decimal(bytes, index[i + 2]!, index[i + 3]!);
      if (value < 0) this.#fault ??= new ParseError("content_length", index[i + 2]!);
      else if (length >= 0 && value !== length)
        this.#fault ??= new ParseError("content_length_twice", index[i + 2]!);
      else length = value;
    }
    if (length < 0) return bytes.length;
    if (bodyStart + length > bytes.length) {
      this.#fault ??= new ParseError("body_short", bytes.length);
      return bytes.length;
    }
    return bodyStart + length;
  }
}

const isBlank = (c: number): boolean => c === SP || c === HTAB || c === CR || c === LF;

/** Position of the next CRLF at or after `from`; -1 when there is none. */
function endOfLine(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(CR, from); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF) return at;
  }
  return -1;
}

const BARE = -2;

/**
 * Position of the CRLF that ends a header value, past any folded lines; -1 when the bytes end first,
 * BARE for a CR or LF that stands alone (both are read differently by different programs, so a message
 * with one could mean two things) or for a NUL byte outside a quoted-pair.
 */
function endOfValue(bytes: Buffer, from: number): number {
  const length = bytes.length;
  for (let at = from; at < length; at++) {
    const c = bytes[at]!;
    if (c > CR) continue;
    if (c === CR) {
      if (bytes[at + 1] !== LF) return at + 1 < length ? BARE : -1;
      const next = bytes[at + 2];
      if (next !== SP && next !== HTAB) return at;
      at += 2;
    } else if (c === LF || (c === 0 && bytes[at - 1] !== BACKSLASH)) return BARE;
  }
  return -1;
}

/** Request-Line or Status-Line in bytes[start, end); null when it is neither. */
function startLine(bytes: Buffer, start: number, end: number): StartLine | null {
  if (isSipVersion(bytes, start) && bytes[start + 7] === SP) return statusLine(bytes, start, end);
  return requestLine(bytes, start, end);
}

/** SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT, here only 2.0; the letters in any case (§7.1). */
function isSipVersion(bytes: Buffer, at: number): boolean {
  return (
    (bytes[at]! | 32) === 115 &&
    (bytes[at + 1]! | 32) === 105 &&
    (bytes[at + 2]! | 32) === 112 &&
    bytes[at + 3] === 47 &&
    bytes[at + 4] === 50 &&
    bytes[at + 5] === 46 &&
    bytes[at + 6] === 48
  );
}

/** Status-Line = SIP-Version SP 3DIGIT SP Reason-Phrase CRLF */
function statusLine(bytes: Buffer, start: number, end: number): StartLine {
  const at = start + 8;
  let fault: ParseError | null = null;
  const digits = at + 3 <= end && isDigit(bytes[at]!) && isDigit(bytes[at + 1]!) && isDigit(bytes[at + 2]!);
  const status = digits ? (bytes[at]! - 48) * 100 + (bytes[at + 1]! - 48) * 10 + bytes[at + 2]! - 48 : 0;
  // The space before an empty reason phrase is often forgotten; RFC 4475 §3.1.1.13 has it.
  const ended = at + 3 === end || bytes[at + 3] === SP;
  if (!digits || !ended || status < 100 || status > 699) fault = new ParseError("status_code", at);
  return { isRequest: false, method: "", status, uriStart: Math.min(at + 4, end), uriEnd: end, fault };
}

/** Request-Line = Method SP Request-URI SP SIP-Version CRLF, with exactly one space each (§7.1). */
function requestLine(bytes: Buffer, start: number, end: number): StartLine | null {
  let at = start;
  while (at < end && TOKEN[bytes[at]!] === 1) at++;
  if (at === start || bytes[at] !== SP) return null;
  const method = methodName(bytes, start, at);
  const uriStart = at + 1;
  let uriEnd = uriStart;
  while (uriEnd < end && bytes[uriEnd]! > SP) uriEnd++;
  let fault: ParseError | null = null;
  if (uriEnd >= end) return null; // two words are no start line
  if (uriEnd === uriStart || bytes[uriEnd] !== SP) fault = new ParseError("request_line", uriEnd);
  else if (end - uriEnd !== 8 || !isSipVersion(bytes, uriEnd + 1)) {
    const version = bytes.latin1Slice(uriEnd + 1, end);
    if (!/SIP\/\d+\.\d+/i.test(version)) {
      if (!/SIP\//i.test(version)) return null;
      fault = new ParseError("request_line", uriEnd + 1);
    } else fault = new ParseError(/^SIP\/\d+\.\d+$/i.test(version) ? "version" : "request_line", uriEnd + 1);
  }
  return { isRequest: true, method, status: 0, uriStart, uriEnd, fault };
}

/** 1*DIGIT below 2^31; -1 when it is anything else. */
function decimal(bytes: Buffer, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const c = bytes[at]!;
    if (!isDigit(c)) return -1;
    value = value * 10 + c - 48;
    if (value > 2 ** 31) return -1;
  }
  return value;
}
