/**
 * SIP and SIPS URIs (RFC 3261 §19.1, §25.1) and, opaquely, URIs of other schemes.
 */
import {
  ABSOLUTE_URI,
  allOf,
  escapesAreWhole,
  HOSTNAME,
  IPV6,
  isDigit,
  TOKEN,
  URI_HEADERS,
  URI_PARAMS,
  USERINFO,
} from "./chars.ts";
import { ParseError } from "./parse-error.ts";

export interface SipUri {
  /** Lower case. Everything but `sip` and `sips` is opaque: only `text` and `scheme` mean something. */
  readonly scheme: string;
  /** The user part as written (escapes in it, password cut off); null when absent. */
  readonly user: string | null;
  /** Lower case, IPv6 without brackets. "" in an opaque URI. */
  readonly host: string;
  readonly port: number | null;
  /** `;a=b;c` as written; "" when there are none. */
  readonly params: string;
  /** `?a=b` as written without the question mark; "" when there are none. */
  readonly headers: string;
  readonly text: string;
}

/** Longest URI that is read; the answer to a longer Request-URI is 414. */
export const URI_CHARS_MAX = 8192;

/**
 * SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]; SIPS-URI the same with "sips:".
 * `text` must hold the URI alone: no angle brackets, no white space.
 */
export function parseUri(text: string): SipUri | ParseError {
  if (text.length > URI_CHARS_MAX) return new ParseError("uri_long", URI_CHARS_MAX);
  const colon = text.indexOf(":");
  const scheme = text.startsWith("sip:") ? "sip" : schemeOf(text, colon);
  if (scheme === null) return new ParseError("uri_scheme", 0);
  if (scheme !== "sip" && scheme !== "sips") return opaque(text, scheme, colon);
  const at = userEnd(text, colon + 1);
  const hostFrom = at < 0 ? colon + 1 : at + 1;
  const user = at < 0 ? null : userOf(text, colon + 1, at);
  if (user instanceof ParseError) return user;
  let hostTo = hostFrom;
  while (hostTo < text.length && text.charCodeAt(hostTo) !== 59 && text.charCodeAt(hostTo) !== 63) hostTo++;
  const place = parseHostPort(text, hostFrom, hostTo);
  if (place instanceof ParseError) return place;
  const { host, port } = place;
  if (hostTo === text.length && !text.includes("%"))
    return { scheme, user, host, port, params: "", headers: "", text };
  return withParams(scheme, user, host, port, text, hostTo);
}

/** What may follow the host: uri-parameters [ headers ]. */
function withParams(
  scheme: string,
  user: string | null,
  host: string,
  port: number | null,
  text: string,
  from: number,
): SipUri | ParseError {
  const question = text.indexOf("?", from);
  const end = question < 0 ? text.length : question;
  const params = text.slice(from, end);
  const headers = question < 0 ? "" : text.slice(question + 1);
  if (!allOf(params, 0, params.length, URI_PARAMS) || /;(?:[;=]|$)/.test(params))
    return new ParseError("uri_params", from);
  if (question >= 0 && (headers === "" || !allOf(headers, 0, headers.length, URI_HEADERS)))
    return new ParseError("uri_headers", question);
  if (text.includes("%") && !escapesAreWhole(text)) return new ParseError("uri_escape", text.indexOf("%"));
  return { scheme, user, host, port, params, headers, text };
}

/** Index of the "@" behind the user part; -1 when there is none. A "?" may stand in the user part before it. */
function userEnd(text: string, from: number): number {
  return text.indexOf("@", from); // headers have no "@" (§25.1 hnv-unreserved), it is escaped there
}

/** scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) in lower case; null when the text has none. */
function schemeOf(text: string, colon: number): string | null {
  if (colon < 1) return null;
  const scheme = text.slice(0, colon);
  return /^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme) ? scheme.toLowerCase() : null;
}

function opaque(text: string, scheme: string, colon: number): SipUri | ParseError {
  if (colon + 1 === text.length || !allOf(text, colon + 1, text.length, ABSOLUTE_URI))
    return new ParseError("uri_opaque", colon + 1);
  return { scheme, user: null, host: "", port: null, params: "", headers: "", text };
}

/** userinfo = ( user / telephone-subscriber ) [ ":" password ] "@" */
function userOf(text: string, from: number, to: number): string | ParseError {
  if (from === to || text.charCodeAt(from) === 58 || !allOf(text, from, to, USERINFO))
    return new ParseError("uri_user", from);
  const password = text.indexOf(":", from);
  return text.slice(from, password >= 0 && password < to ? password : to);
}

/** hostport = host [ ":" port ]; the whole of text[from, to). */
export function parseHostPort(
  text: string,
  from: number,
  to: number,
): { host: string; port: number | null } | ParseError {
  let at = from;
  let host: string;
  if (text.charCodeAt(from) === 91) {
    at = text.indexOf("]", from);
    if (at < 0 || at >= to || at === from + 1 || !allOf(text, from + 1, at, IPV6))
      return new ParseError("uri_host", from);
    host = text.slice(from + 1, at).toLowerCase();
    at++;
  } else {
    let hasUpper = false;
    for (; at < to; at++) {
      const c = text.charCodeAt(at);
      if (HOSTNAME[c] !== 1) break;
      if (c >= 65 && c <= 90) hasUpper = true;
    }
    if (at === from) return new ParseError("uri_host", from);
    host = hasUpper ? text.slice(from, at).toLowerCase() : text.slice(from, at);
  }
  if (at === to) return { host, port: null };
  if (text.charCodeAt(at) !== 58 || at + 1 === to || to - at > 7) return new ParseError("uri_port", at);
  let port = 0;
  for (let i = at + 1; i < to; i++) {
    const c = text.charCodeAt(i);
    if (!isDigit(c)) return new ParseError("uri_port", i);
    port = port * 10 + c - 48;
  }
  return port <= 65535 ? { host, port } : new ParseError("uri_port", at);
}

/** A URI parameter: null when absent, "" when it has no value. Names are case-insensitive (§19.1.4). */
export function uriParam(uri: SipUri, name: string): string | null {
  const params = uri.params;
  if (params === "") return null;
  let at = 0;
  while (at < params.length) {
    const next = params.indexOf(";", at + 1);
    const end = next < 0 ? params.length : next;
    let equals = params.indexOf("=", at);
    if (equals < 0 || equals > end) equals = end;
    if (equals - at - 1 === name.length && params.slice(at + 1, equals).toLowerCase() === name)
      return params.slice(equals + 1, end);
    at = end;
  }
  return null;
}

/** True for a URI that marks a loose router: `;lr`, with or without a value (§19.1.1). */
export function isLooseRouter(uri: SipUri): boolean {
  return uri.params !== "" && uriParam(uri, "lr") !== null;
}

const UNRESERVED = /[A-Za-z0-9\-_.!~*'()]/;

/** The text with those escapes resolved that need none: `%61lice` is `alice` (§19.1.4). */
export function unescapeUser(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9a-fA-F]{2})/g, (whole, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(char) ? char : whole.toUpperCase();
  });
}

/** Parameters that must match when only one URI has them (§19.1.4). */
const MUST_MATCH = ["user", "ttl", "method", "maddr", "transport"] as const;

/** URI equality of RFC 3261 §19.1.4. Opaque URIs are equal when their text is. */
export function sameUri(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme) return false;
  if (a.host === "" || b.host === "") return a.text === b.text;
  if (a.host !== b.host || a.port !== b.port) return false;
  if (unescapeUser(userinfoOf(a)) !== unescapeUser(userinfoOf(b))) return false;
  return sameParams(a, b) && sameHeaders(a.headers, b.headers);
}

/** User and password as written, with the "@"; "" when the URI has none. */
function userinfoOf({ text }: SipUri): string {
  return text.slice(text.indexOf(":") + 1, text.indexOf("@") + 1);
}

function sameParams(a: SipUri, b: SipUri): boolean {
  if (a.params === b.params) return true;
  for (const name of MUST_MATCH) {
    const [x, y] = [uriParam(a, name), uriParam(b, name)];
    if ((x === null) !== (y === null)) return false;
  }
  for (const param of a.params.split(";")) {
    const name = (param.split("=", 1)[0] ?? "").toLowerCase();
    if (name === "") continue;
    const [x, y] = [uriParam(a, name), uriParam(b, name)];
    if (x !== null && y !== null && unescapeUser(x).toLowerCase() !== unescapeUser(y).toLowerCase())
      return false;
  }
  return true;
}

/** Header components must all be there on both sides, in any order. */
function sameHeaders(a: string, b: string): boolean {
  if (a === b) return true;
  const sorted = (text: string) =>
    text
      .split("&")
      .map((header) => unescapeUser(header).toLowerCase())
      .sort()
      .join("&");
  return sorted(a) === sorted(b);
}

/** Whether text is a token (RFC 3261 §25.1): method names, tags, option tags. */
export function isToken(text: string): boolean {
  return text !== "" && allOf(text, 0, text.length, TOKEN);
}

/** The text as the value of a URI parameter: what may not stand there is escaped (§25.1 pvalue). */
export function escapeParam(text: string): string {
  return text.replace(/[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/g, (char) => {
    const hex = char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
    return `%${hex}`;
  });
}

/** The text with every escape resolved. */
export function unescapeParam(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_whole, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
