/** The CSeq header field (RFC 3261 §20.16) and the methods we know by name. */
import { isDigit, isLws, TOKEN } from "./chars.ts";
import { ParseError } from "./parse-error.ts";

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** RFC 3261 §8.1.1.5: the number must be expressible in 32 bits and less than 2^31. */
const CSEQ_MAX = 2 ** 31 - 1;

/** CSeq = 1*DIGIT LWS Method, in bytes[start, end). */
export function parseCSeq(bytes: Buffer, start: number, end: number): CSeq | ParseError {
  let at = start;
  let number = 0;
  while (at < end && isDigit(bytes[at]!)) {
    number = number * 10 + bytes[at]! - 48;
    if (number > CSEQ_MAX) return new ParseError("cseq_number", at);
    at++;
  }
  if (at === start) return new ParseError("cseq_number", at);
  const gap = at;
  while (at < end && isLws(bytes[at]!)) at++;
  if (at === gap || at === end) return new ParseError("cseq_method", at);
  for (let i = at; i < end; i++) if (TOKEN[bytes[i]!] !== 1) return new ParseError("cseq_method", i);
  return { number, method: methodName(bytes, at, end) };
}

const METHODS = [
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "REGISTER",
  "OPTIONS",
  "PRACK",
  "SUBSCRIBE",
  "NOTIFY",
  "PUBLISH",
  "INFO",
  "REFER",
  "MESSAGE",
  "UPDATE",
].map((name) => ({ name, bytes: Buffer.from(name) }));

/** The method in bytes[start, end): the one shared string for known methods, so that comparing is cheap. */
export function methodName(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  next: for (let m = 0; m < METHODS.length; m++) {
    const known = METHODS[m]!;
    if (known.bytes.length !== length) continue;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== known.bytes[i]) continue next;
    return known.name;
  }
  return bytes.latin1Slice(start, end);
}
