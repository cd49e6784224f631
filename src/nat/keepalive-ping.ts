/**
 * What pings say, and whose ping a response answers.
 */
import type { Flow } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import type { KeptEndpoint } from "./keepalive-endpoint.ts";

export type PingMethod = "options" | "notify" | "zero_bytes";

/** A longer Contact is not repeated in each ping: the address does as well. */
const URI_CHARS_MAX = 256;
export const BRANCH = "z9hG4bKka";

export interface PingWords {
  readonly method: PingMethod;
  /** The From URI; null: keepalive@ our own name. */
  readonly from: string | null;
  /** Header lines without CRLF. */
  readonly extra_headers: readonly string[];
}

/** What a ping asks for of a phone with this Contact: headers have no place in a Request-URI (RFC 3261 §19.1.1). */
export function requestUriFor(uri: string): string | null {
  if (uri.length > URI_CHARS_MAX) return null;
  const headers = uri.indexOf("?");
  return headers < 0 ? uri : uri.slice(0, headers);
}

export function uriOf({ remoteAddress, remotePort, transport }: Flow): string {
  const param = transport === "udp" ? "" : `;transport=${transport}`;
  return `sip:${hostPort(remoteAddress, remotePort)}${param}`;
}

const PARAM = `;branch=${BRANCH}`;
const PARAM_BYTES = Buffer.from(PARAM, "latin1");
const LF = 10;
const CR = 13;
const COMMA = 44;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const SEMICOLON = 59;
/** The topmost Via of an answer stands within so many bytes, or the answer goes the long way. */
const LOOK_MAX = 256;
const DIGITS_MAX = 9;
/** Where the first digit of the status stands, and what it is in a final response. */
const STATUS_AT = "SIP/2.0 ".length;
const FINAL_FIRST = "2".charCodeAt(0);
const FINAL_LAST = "6".charCodeAt(0);
/** "SIP/2.0 200" and a Via that could have the branch in it. */
const ANSWER_BYTES_MIN = 48;

/**
 * The ping of ours that these bytes answer for good, by number and token, when they look as answers usually do; null:
 * whatever they are has to be read. Who sent them is still to be asked.
 */
export function readAnswer(
  bytes: Buffer,
  endpoints: ReadonlyMap<number, KeptEndpoint>,
): { readonly endpoint: KeptEndpoint; readonly cseq: number } | null {
  const isResponse = bytes.length >= ANSWER_BYTES_MIN && bytes[0] === 83 && bytes[3] === 47;
  if (!isResponse || bytes[STATUS_AT]! < FINAL_FIRST || bytes[STATUS_AT]! > FINAL_LAST) return null;
  const at = numberAt(bytes);
  if (at < 0) return null;
  const dot = digitsEnd(bytes, at);
  const endpoint = endpoints.get(numberIn(bytes, at, dot));
  if (endpoint === undefined || !isToken(bytes, dot, endpoint.token)) return null;
  const from = dot + endpoint.token.length + 2;
  const end = digitsEnd(bytes, from);
  const cseq = numberIn(bytes, from, end);
  return cseq < 0 || cseq > endpoint.cseq || !endsBranch(bytes[end]!) ? null : { endpoint, cseq };
}

const endsBranch = (char: number): boolean => char === SEMICOLON || char === CR || char === COMMA;

/** Where the number stands in the first value of a Via that is the line after the first one; -1: it is not there. */
function numberAt(bytes: Buffer): number {
  const end = Math.min(LOOK_MAX, bytes.length);
  let at = STATUS_AT;
  while (at < end && bytes[at] !== LF) at++;
  if (!isViaName(bytes, at + 1)) return -1;
  for (at += 3; at < end; at++) {
    const char = bytes[at];
    if (char === LF || char === COMMA) return -1;
    if (char === SEMICOLON && isParam(bytes, at)) return at + PARAM.length;
  }
  return -1;
}

function isParam(bytes: Buffer, at: number): boolean {
  for (let i = 1; i < PARAM.length; i++) if (bytes[at + i] !== PARAM_BYTES[i]) return false;
  return true;
}

/** "Via:" or "v:", as nearly everybody writes it. */
function isViaName(bytes: Buffer, at: number): boolean {
  if (bytes[at] === 118) return bytes[at + 1] === COLON;
  return bytes[at] === 86 && bytes[at + 1] === 105 && bytes[at + 2] === 97 && bytes[at + 3] === COLON;
}

function digitsEnd(bytes: Buffer, from: number): number {
  let end = from;
  while (bytes[end]! >= ZERO && bytes[end]! < ZERO + 10) end++;
  return end;
}

/** -1: there are no digits, or too many. */
function numberIn(bytes: Buffer, from: number, end: number): number {
  if (end === from || end - from > DIGITS_MAX) return -1;
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + bytes[at]! - ZERO;
  return value;
}

/** Whether `.token.` stands there. */
function isToken(bytes: Buffer, dot: number, token: string): boolean {
  if (bytes[dot] !== DOT || bytes[dot + 1 + token.length] !== DOT) return false;
  for (let i = 0; i < token.length; i++) if (bytes[dot + 1 + i] !== token.charCodeAt(i)) return false;
  return true;
}

/** The number, token and CSeq in the branch of a ping of ours; null: it is none. */
export function readPingBranch(branch: string): { number: number; token: string; cseq: number } | null {
  if (!branch.startsWith(BRANCH)) return null;
  const first = branch.indexOf(".", BRANCH.length);
  const second = branch.lastIndexOf(".");
  if (first < 0 || second <= first) return null;
  return {
    number: Number(branch.slice(BRANCH.length, first)),
    token: branch.slice(first + 1, second),
    cseq: Number(branch.slice(second + 1)),
  };
}
