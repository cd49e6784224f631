/**
 * Header parameters: `;name=value` behind an addr-spec or a bracketed name-addr (RFC 3261 §25.1
 * generic-param), found without cutting out what stands before them.
 */
import { BACKSLASH, EQUALS, GT, isLws, LT, lower, QUOTE, SEMICOLON } from "./chars.ts";

/** The tag of a From or To value in bytes[start, end); null when it has none. */
export function tagIn(bytes: Buffer, start: number, end: number): string | null {
  return paramIn(bytes, start, end, "tag");
}

/** Whether it has a tag at all. */
export function hasTag(bytes: Buffer, start: number, end: number): boolean {
  return valueAt(bytes, start, end, "tag") !== -1;
}

/**
 * The parameter `name` (lower case) of a From-, To- or Contact-like value: null when absent, "" when it
 * has no value. In a value without angle brackets every parameter is a header parameter (§20.10).
 */
export function paramIn(bytes: Buffer, start: number, end: number, name: string): string | null {
  const from = valueAt(bytes, start, end, name);
  if (from === -1) return null;
  let to = nextSemicolon(bytes, from, end);
  while (to > from && isLws(bytes[to - 1]!)) to--;
  return bytes.latin1Slice(from, to);
}

/** Where the value of the parameter begins (at a ";" or the end when it has none); -1 when it is absent. */
function valueAt(bytes: Buffer, start: number, end: number, name: string): number {
  for (let at = nextSemicolon(bytes, start, end); at < end; at = nextSemicolon(bytes, at, end)) {
    at = skipLws(bytes, at + 1, end);
    if (!startsWith(bytes, at, end, name)) continue;
    const next = skipLws(bytes, at + name.length, end);
    if (next >= end || bytes[next] === SEMICOLON) return next;
    if (bytes[next] === EQUALS) return skipLws(bytes, next + 1, end);
  }
  return -1;
}

function skipLws(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isLws(bytes[at]!)) at++;
  return at;
}

function startsWith(bytes: Buffer, at: number, end: number, name: string): boolean {
  if (at + name.length > end) return false;
  for (let i = 0; i < name.length; i++) if (lower(bytes[at + i]!) !== name.charCodeAt(i)) return false;
  return true;
}

/** The next ";" outside quoted strings and angle brackets, at or after `from`; `end` when there is none. */
function nextSemicolon(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const c = bytes[at]!;
    if (c === SEMICOLON) return at;
    if (c === QUOTE) {
      at++;
      while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    } else if (c === LT) {
      while (at < end && bytes[at] !== GT) at++;
    }
  }
  return end;
}

/** Parameters by name, names in lower case. */
export type Params = ReadonlyMap<string, string>;

/** The parameters of `;a=b;c` one by one, each with its semicolon; a ";" within quotes ends none. */
export function splitParams(text: string): string[] {
  const params: string[] = [];
  let at = text.indexOf(";");
  while (at >= 0 && at < text.length) {
    const next = paramEnd(text, at + 1);
    params.push(text.slice(at, next));
    at = next;
  }
  return params;
}

/** The name of a parameter that `splitParams` gave, in lower case. */
export function paramName(param: string): string {
  const equals = param.indexOf("=");
  return param
    .slice(1, equals < 0 ? param.length : equals)
    .trim()
    .toLowerCase();
}

/** `;a=b;c` as a map: names lower case, a parameter without value maps to "". The first of a name counts. */
export function parseParams(text: string): Params {
  const params = new Map<string, string>();
  for (const param of splitParams(text)) {
    const name = paramName(param);
    const equals = param.indexOf("=");
    if (name !== "" && !params.has(name)) params.set(name, equals < 0 ? "" : param.slice(equals + 1).trim());
  }
  return params;
}

/** The ";" that ends the parameter at `from`, quoted strings skipped; the text's length when it is the last. */
function paramEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === SEMICOLON) return at;
    if (c !== QUOTE) continue;
    at++;
    while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return text.length;
}
