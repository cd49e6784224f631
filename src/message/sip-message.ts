/**
 * One SIP message as it came: the bytes, an index of its header fields, and values cut out and
 * parsed when somebody asks (RFC 3261 §7). The bytes are never changed.
 */
import type { CSeq } from "./cseq.ts";
import { parseCSeq } from "./cseq.ts";
import type { HeaderId } from "./header-names.ts";
import { H, IDS } from "./header-names.ts";
import type { NameAddr } from "./name-addr.ts";
import { parseNameAddr } from "./name-addr.ts";
import { paramIn, tagIn } from "./params.ts";
import { ParseError } from "./parse-error.ts";
import type { SipUri } from "./uri.ts";
import { parseUri } from "./uri.ts";
import type { Via } from "./via.ts";
import { parseVia } from "./via.ts";

const FNV_PRIME = 0x01000193;

/**
 * The index begins with the number of the first line of each header field, counted from 1; 0: it is not there. Then
 * come STRIDE numbers for each line: id, name start, value start, value end, line end (after CRLF).
 */
export const LINES_AT = IDS;
export const STRIDE = 5;

/** What the first line says. */
export interface StartLine {
  readonly isRequest: boolean;
  readonly method: string;
  readonly status: number;
  readonly uriStart: number;
  readonly uriEnd: number;
  readonly fault: ParseError | null;
}

export class SipMessage {
  readonly bytes: Buffer;
  readonly index: Int32Array;
  /** How many header field lines were read. */
  readonly count: number;
  readonly isRequest: boolean;
  /** The request's method; "" in a response. */
  readonly method: string;
  /** The response's status code; 0 in a request. */
  readonly status: number;
  /** Start of the start line: after any CRLFs that came before the message (§7.5). */
  readonly start: number;
  /** Range of the Request-URI, or of the reason phrase. */
  readonly uriStart: number;
  readonly uriEnd: number;
  /** First byte of the first header line. */
  readonly headersStart: number;
  /** First byte of the body: after the empty line. */
  readonly bodyStart: number;
  /** End of the body by Content-Length; what follows in a datagram is not part of the message (§18.3). */
  readonly bodyEnd: number;
  /** What is wrong with it as a whole; such a request can still be answered with 400. */
  readonly fault: ParseError | null;

  #via: Via | ParseError | null | undefined;
  #cseq: CSeq | ParseError | undefined;
  #uri: SipUri | ParseError | undefined;
  #uriText: string | undefined;
  #callId: string | null | undefined;
  #from: NameAddr | ParseError | undefined;
  #contact: NameAddr | ParseError | null | undefined;
  #fromTag: string | null | undefined;
  #toTag: string | null | undefined;

  constructor(
    bytes: Buffer,
    index: Int32Array,
    start: number,
    line: StartLine,
    headersStart: number,
    bodyStart: number,
    bodyEnd: number,
    fault: ParseError | null,
  ) {
    this.bytes = bytes;
    this.index = index;
    this.count = (index.length - LINES_AT) / STRIDE;
    this.isRequest = line.isRequest;
    this.method = line.method;
    this.status = line.status;
    this.start = start;
    this.uriStart = line.uriStart;
    this.uriEnd = line.uriEnd;
    this.headersStart = headersStart;
    this.bodyStart = bodyStart;
    this.bodyEnd = bodyEnd;
    this.fault = fault;
  }

  /** Number of the first header line of that name at or after line `from`; -1 when there is none. */
  find(id: HeaderId, from = 0): number {
    const { index } = this;
    const first = index[id]! - 1;
    if (first < 0 || first >= from) return first;
    for (let line = from, i = LINES_AT + from * STRIDE; line < this.count; line++, i += STRIDE)
      if (index[i] === id) return line;
    return -1;
  }

  /** How many header lines have that name. */
  countOf(id: HeaderId): number {
    let count = 0;
    for (let line = 0; line < this.count; line++) if (this.idOf(line) === id) count++;
    return count;
  }

  idOf(line: number): number {
    return this.index[LINES_AT + line * STRIDE]!;
  }
  /** First byte of the line: the name. */
  lineStart(line: number): number {
    return this.index[LINES_AT + line * STRIDE + 1]!;
  }
  valueStart(line: number): number {
    return this.index[LINES_AT + line * STRIDE + 2]!;
  }
  valueEnd(line: number): number {
    return this.index[LINES_AT + line * STRIDE + 3]!;
  }
  /** After the line's CRLF. */
  lineEnd(line: number): number {
    return this.index[LINES_AT + line * STRIDE + 4]!;
  }

  /** The line's field name as written. */
  nameText(line: number): string {
    const start = this.lineStart(line);
    return this.bytes.latin1Slice(start, this.bytes.indexOf(58, start)).trimEnd();
  }

  /** The line's value, trimmed, folding still in it. */
  valueOf(line: number): string {
    return this.bytes.latin1Slice(this.valueStart(line), this.valueEnd(line));
  }

  /** Value of the first line of that name; null when absent. */
  text(id: HeaderId): string | null {
    const line = this.find(id);
    return line < 0 ? null : this.valueOf(line);
  }

  /** Values of all lines of that name, in order, each line as it is (lists not split). */
  texts(id: HeaderId): string[] {
    const values: string[] = [];
    for (let line = this.find(id); line >= 0; line = this.find(id, line + 1)) values.push(this.valueOf(line));
    return values;
  }

  /** Value of the first line of that name as a number of at most nine digits; null when absent, -1 when it is none. */
  numberOf(id: HeaderId): number | null {
    const line = this.find(id);
    if (line < 0) return null;
    const start = this.valueStart(line);
    const end = this.valueEnd(line);
    if (start === end || end - start > 9) return -1;
    let number = 0;
    for (let at = start; at < end; at++) {
      const digit = this.bytes[at]! - 48;
      if (digit < 0 || digit > 9) return -1;
      number = number * 10 + digit;
    }
    return number;
  }

  /**
   * A hash of the first line of that name, 32 bits: for telling values apart without cutting them out.
   * `seed` is the hash so far. An absent line changes it too.
   */
  hashOf(id: HeaderId, seed: number, from = 0): number {
    const line = this.find(id, from);
    return line < 0
      ? Math.imul(seed, FNV_PRIME)
      : this.hashRange(this.valueStart(line), this.valueEnd(line), seed);
  }

  /** FNV-1a over bytes[start, end), from the hash so far. */
  hashRange(start: number, end: number, seed: number): number {
    let hash = seed;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ this.bytes[at]!, FNV_PRIME);
    return Math.imul(hash, FNV_PRIME);
  }

  /** The topmost Via; null when there is none. */
  get via(): Via | ParseError | null {
    if (this.#via === undefined) {
      const line = this.find(H.Via);
      this.#via = line < 0 ? null : parseVia(this.bytes, this.valueStart(line), this.valueEnd(line));
    }
    return this.#via;
  }

  get cseq(): CSeq | ParseError {
    if (this.#cseq === undefined) {
      const line = this.find(H.CSeq);
      this.#cseq =
        line < 0
          ? new ParseError("cseq_missing", this.headersStart)
          : parseCSeq(this.bytes, this.valueStart(line), this.valueEnd(line));
    }
    return this.#cseq;
  }

  /** The Request-URI as written. */
  get uriText(): string {
    if (this.#uriText === undefined) this.#uriText = this.bytes.latin1Slice(this.uriStart, this.uriEnd);
    return this.#uriText;
  }

  /** The Request-URI, parsed. */
  get uri(): SipUri | ParseError {
    this.#uri ??= parseUri(this.uriText);
    return this.#uri;
  }

  get callId(): string | null {
    if (this.#callId === undefined) this.#callId = this.text(H.CallId);
    return this.#callId;
  }

  /** The From, parsed; a ParseError also when there is none. */
  get from(): NameAddr | ParseError {
    this.#from ??= parseNameAddr(this.text(H.From) ?? "");
    return this.#from;
  }

  /** The first Contact line as one address, parsed; null when there is none, a ParseError also when it is a list. */
  get contact(): NameAddr | ParseError | null {
    if (this.#contact === undefined) {
      const text = this.text(H.Contact);
      this.#contact = text === null ? null : parseNameAddr(text);
    }
    return this.#contact;
  }

  /** The From tag; null when absent. */
  get fromTag(): string | null {
    if (this.#fromTag === undefined) this.#fromTag = this.#tag(H.From);
    return this.#fromTag;
  }

  /** The To tag; null when absent: then the request is outside any dialog (§12). */
  get toTag(): string | null {
    if (this.#toTag === undefined) this.#toTag = this.#tag(H.To);
    return this.#toTag;
  }

  /** Whether the To has a tag: the request belongs to a dialog (§12). */
  get hasToTag(): boolean {
    return this.toTag !== null;
  }

  get reason(): string {
    return this.isRequest ? "" : this.uriText;
  }

  get body(): Buffer {
    return this.bytes.subarray(this.bodyStart, this.bodyEnd);
  }

  #tag(id: HeaderId): string | null {
    const line = this.find(id);
    return line < 0 ? null : tagIn(this.bytes, this.valueStart(line), this.valueEnd(line));
  }

  /** A header parameter of the first line of that name, outside quotes and angle brackets. */
  paramOf(id: HeaderId, name: string): string | null {
    const line = this.find(id);
    return line < 0 ? null : paramIn(this.bytes, this.valueStart(line), this.valueEnd(line), name);
  }
}
