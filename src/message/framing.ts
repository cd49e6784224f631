/**
 * Cuts a byte stream into SIP messages by Content-Length (RFC 3261 §18.3, §20.14) and finds the
 * CRLF keep-alives between them (RFC 5626 §3.5.1, §4.4.1). Pure: bytes in, frames out.
 */
import { COLON, CR, HTAB, isDigit, isLws, LF, lower, SP } from "./chars.ts";

export interface FramingLimits {
  /** Start line and header fields together, with the empty line. */
  readonly header_bytes_max: number;
  /** A whole message. */
  readonly message_bytes_max: number;
}

/** The stream cannot be framed any further. */
export class FramingFault {
  /**
   * `content_length_missing`, `content_length` (no number), `content_length_twice` (two that differ),
   * `header_bytes_max`, `message_bytes_max`, or `bare_cr` in front of a message.
   */
  readonly code: string;
  /** The start line and headers as far as they were read: what an answer can be made from. */
  readonly head: Buffer;

  constructor(code: string, head: Buffer) {
    this.code = code;
    this.head = head;
  }
}

/** One message, a keep-alive between messages, the end of the stream's sense, or null: more bytes are needed. */
export type Frame = Buffer | "ping" | "pong" | FramingFault | null;

const HEAD_END = Buffer.from("\r\n\r\n");
const NAME = Buffer.from("content-length");
const COMPACT_NAME = 108; // "l"
const HELD_BYTES_MIN = 512;
const NOTHING = Buffer.alloc(0);

/**
 * `feed` a segment, then call `next` until it returns null. A message that lies within one segment is
 * handed out as a view of it; one that spans several is gathered once, in memory of its own.
 */
export class StreamFramer {
  readonly #limits: FramingLimits;
  /** What is still to be read of the last segment: from #at on. */
  #segment: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a message whose end has not come: #heldLength bytes of #held. */
  #held: Buffer = NOTHING;
  #heldLength = 0;
  /** Length of that message, once its headers are complete; else -1. */
  #total = -1;
  #afterCr = false;
  #afterCrlf = false;
  #fault: FramingFault | null = null;

  constructor(limits: FramingLimits) {
    this.#limits = limits;
  }

  /** True while part of a message waits for its rest. */
  get partial(): boolean {
    return this.#heldLength > 0;
  }

  /** Takes the next segment, which must not change afterwards. The one before must have been read to its end. */
  feed(segment: Buffer): void {
    this.#segment = segment;
    this.#at = 0;
  }

  /** The next frame; null when the segment is used up. A fault is returned again for ever. */
  next(): Frame {
    if (this.#fault !== null) return this.#fault;
    const frame = this.#heldLength > 0 ? this.#resume() : this.#start();
    if (frame === null) this.#segment = NOTHING; // a view of it must not outlive its messages
    return frame;
  }

  /** Between messages: everything may lie in the segment at hand. */
  #start(): Frame {
    const segment = this.#segment;
    if (this.#at >= segment.length) return null;
    if (this.#afterCr || segment[this.#at] === CR) return this.#crlf();
    if (this.#afterCrlf) {
      this.#afterCrlf = false;
      return "pong";
    }
    const start = this.#at;
    const emptyLine = segment.indexOf(HEAD_END, start);
    if (emptyLine < 0) return this.#hold();
    const total = this.#measure(segment, start, emptyLine + HEAD_END.length);
    if (total < 0) return this.#fault;
    this.#total = total;
    if (segment.length - start < total) return this.#hold();
    this.#at = start + total;
    this.#total = -1;
    return segment.subarray(start, this.#at);
  }

  /**
   * Two CRLFs in a row are a ping, a single one is a pong. One at the end of a segment may be half a
   * ping: what comes next decides.
   */
  #crlf(): Frame {
    if (!this.#afterCr) this.#at++;
    this.#afterCr = this.#at === this.#segment.length;
    if (this.#afterCr) return null;
    if (this.#segment[this.#at] !== LF) return this.#broken("bare_cr", NOTHING);
    this.#at++;
    this.#afterCrlf = !this.#afterCrlf;
    return this.#afterCrlf ? this.#start() : "ping";
  }

  /** Keeps the rest of the segment as the beginning of a message. */
  #hold(): Frame {
    const rest = this.#segment.length - this.#at;
    const { header_bytes_max } = this.#limits;
    if (this.#total < 0 && rest >= header_bytes_max) {
      return this.#broken("header_bytes_max", this.#segment.subarray(this.#at, this.#at + header_bytes_max));
    }
    this.#take(rest);
    return null;
  }

  /** Inside a message: takes what belongs to it from the segment, and no more. */
  #resume(): Frame {
    if (this.#total < 0) {
      const fault = this.#resumeHead();
      if (fault !== null) return fault;
      if (this.#total < 0) return null;
    }
    this.#take(Math.min(this.#segment.length - this.#at, this.#total - this.#heldLength));
    if (this.#heldLength < this.#total) return null;
    const message = this.#held.subarray(0, this.#total);
    this.#forget();
    return message;
  }

  /** Looks for the end of the headers in what is held and what has come; sets #total when it is there. */
  #resumeHead(): FramingFault | null {
    const from = Math.max(0, this.#heldLength - (HEAD_END.length - 1));
    this.#take(Math.min(this.#segment.length - this.#at, this.#limits.header_bytes_max - this.#heldLength));
    const read = this.#held.subarray(0, this.#heldLength);
    const emptyLine = read.indexOf(HEAD_END, from);
    if (emptyLine < 0) {
      return read.length < this.#limits.header_bytes_max ? null : this.#broken("header_bytes_max", read);
    }
    this.#total = this.#measure(read, 0, emptyLine + HEAD_END.length);
    if (this.#total < 0) return this.#fault;
    // What was taken beyond the message came with this segment: an earlier one would have ended it.
    const beyond = Math.max(0, this.#heldLength - this.#total);
    this.#at -= beyond;
    this.#heldLength -= beyond;
    return null;
  }

  #take(count: number): void {
    const length = this.#heldLength + count;
    if (length > this.#held.length) this.#grow(length);
    this.#segment.copy(this.#held, this.#heldLength, this.#at, this.#at + count);
    this.#heldLength = length;
    this.#at += count;
  }

  /** Doubles, so that a drip of single bytes stays linear; a claimed length alone reserves nothing. */
  #grow(length: number): void {
    const doubled = Math.max(HELD_BYTES_MIN, this.#held.length * 2, length);
    const size = this.#total >= 0 ? Math.max(length, Math.min(doubled, this.#total)) : doubled;
    const grown = Buffer.allocUnsafeSlow(size);
    this.#held.copy(grown, 0, 0, this.#heldLength);
    this.#held = grown;
  }

  #forget(): void {
    this.#held = NOTHING;
    this.#heldLength = 0;
    this.#total = -1;
  }

  /** Length of the message in bytes[start …] whose headers end at `headEnd`; -1 with #fault set. */
  #measure(bytes: Buffer, start: number, headEnd: number): number {
    const head = bytes.subarray(start, headEnd);
    if (head.length > this.#limits.header_bytes_max) {
      this.#broken("header_bytes_max", head);
      return -1;
    }
    const body = contentLength(head, this.#limits.message_bytes_max);
    if (typeof body === "string") {
      this.#broken(body, head);
      return -1;
    }
    if (head.length + body <= this.#limits.message_bytes_max) return head.length + body;
    this.#broken("message_bytes_max", head);
    return -1;
  }

  #broken(code: string, head: Buffer): FramingFault {
    this.#fault = new FramingFault(code, head);
    this.#forget();
    return this.#fault;
  }
}

/**
 * The one Content-Length of a header block (from the start line to the empty line), or the code of
 * what is wrong. §20.14: "If no body is present … the Content-Length … MUST be set to zero" and §18.3
 * wants it on every stream; two that differ leave nobody to believe.
 */
function contentLength(head: Buffer, max: number): number | string {
  let found = -1;
  for (let at = nextLine(head, 0); at < head.length; at = nextLine(head, at)) {
    const value = valueStart(head, at);
    if (value < 0) continue;
    const length = lengthAt(head, value, max);
    if (length < 0) return "content_length";
    if (found >= 0 && found !== length) return "content_length_twice";
    found = length;
  }
  return found < 0 ? "content_length_missing" : found;
}

/** Where the line behind the next CRLF starts; a CR or LF alone ends no line. */
function nextLine(head: Buffer, from: number): number {
  for (let at = from + 1; at < head.length; at++) {
    if (head[at] === LF && head[at - 1] === CR) return at + 1;
  }
  return head.length;
}

/** ( "Content-Length" / "l" ) HCOLON: where its value starts; -1 when the line at `at` is another one. */
function valueStart(head: Buffer, at: number): number {
  let end = at + 1;
  const first = lower(head[at]!);
  if (first === NAME[0]) {
    for (let i = 1; i < NAME.length; i++) if (lower(head[at + i]!) !== NAME[i]) return -1;
    end = at + NAME.length;
  } else if (first !== COMPACT_NAME) return -1;
  while (head[end] === SP || head[end] === HTAB) end++;
  return head[end] === COLON ? end + 1 : -1;
}

/** SWS 1*DIGIT SWS CRLF: the number, at most `max` + 1; -1 when it is anything else. */
function lengthAt(head: Buffer, from: number, max: number): number {
  let at = skipBlank(head, from);
  if (!isDigit(head[at]!)) return -1;
  let value = 0;
  for (; isDigit(head[at]!); at++) value = Math.min(value * 10 + head[at]! - 48, max + 1);
  const end = skipBlank(head, at);
  return head[end] === CR && head[end + 1] === LF ? value : -1;
}

/** Past spaces, tabs and folds (CRLF with a space or tab behind it). */
function skipBlank(head: Buffer, from: number): number {
  let at = from;
  while (isLws(head[at]!)) {
    const c = head[at];
    if (c === SP || c === HTAB) at++;
    else if (c === CR && head[at + 1] === LF && (head[at + 2] === SP || head[at + 2] === HTAB)) at += 3;
    else break;
  }
  return at;
}
