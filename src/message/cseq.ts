/** The CSeq header field (RFC 3261 §20.16). */
import { isDigit, isLws, TOKEN } from "./chars.ts";
import { methodName } from "./methods.ts";
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
