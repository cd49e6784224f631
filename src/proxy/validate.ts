/**
 * Request validation (RFC 3261 §16.3): what must hold before a request goes anywhere.
 */
import { BACKSLASH, COMMA, GT, LT, QUOTE } from "../message/chars.ts";
import type { HeaderId } from "../message/header-names.ts";
import { H } from "../message/header-names.ts";
import { splitList } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import { FORWARDED_LINES_MAX } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { URI_CHARS_MAX } from "../message/uri.ts";

type Check = (request: SipMessage) => Refusal | null;

/** In the order of the RFC's steps; loop detection (step 4) stands in `loop.ts`, authorization (6) in `app`. */
const CHECKS: readonly Check[] = [reasonableSyntax, uriScheme, maxForwards, proxyRequire];

/** The first rule the request breaks; null when it may be processed. */
export function validate(request: SipMessage): Refusal | null {
  for (let i = 0; i < CHECKS.length; i++) {
    const refusal = CHECKS[i]!(request);
    if (refusal !== null) return refusal;
  }
  return null;
}

const WHOLE_ONCE: readonly HeaderId[] = [H.From, H.To];
/** Header fields that must not come twice, as bits. */
const ONCE = (1 << H.From) | (1 << H.To) | (1 << H.CallId) | (1 << H.CSeq) | (1 << H.MaxForwards);

/** Step 1: only what the proxy itself has to understand; the rest travels as it came. */
function reasonableSyntax(request: SipMessage): Refusal | null {
  if (request.count > FORWARDED_LINES_MAX)
    return { status: 513, reason: "Too many header lines", section: "RFC 3261 §21.5.7" };
  let seen = 0;
  for (let line = 0; line < request.count; line++) {
    const id = request.idOf(line);
    const bit = id < 32 ? (1 << id) & ONCE : 0; // a shift counts modulo 32
    if ((seen & bit) !== 0) return malformed("a header field twice");
    seen |= bit;
  }
  for (let i = 0; i < WHOLE_ONCE.length; i++) {
    const line = request.find(WHOLE_ONCE[i]!);
    if (line < 0 || !isWhole(request.bytes, request.valueStart(line), request.valueEnd(line)))
      return malformed("From or To");
  }
  if (request.uriEnd - request.uriStart > URI_CHARS_MAX)
    return { status: 414, reason: "Request-URI too long", section: "RFC 3261 §21.4.12" };
  if (request.uri instanceof ParseError && request.uri.code !== "uri_scheme")
    return malformed(`Request-URI (${request.uri.code})`);
  // §19.1.1 Table 1: headers have no place in a Request-URI, and passed on they would turn into header fields.
  if (!(request.uri instanceof ParseError) && request.uri.headers !== "")
    return malformed("Request-URI with headers");
  return null;
}

function malformed(what: string): Refusal {
  return { status: 400, reason: `Malformed: ${what}`, section: "RFC 3261 §16.3 step 1" };
}

/**
 * Whether a name-addr can be read in one way only: quotes and angle brackets are closed, and a display
 * name without quotes holds no comma, which others would take for the end of the value.
 */
function isWhole(bytes: Buffer, start: number, end: number): boolean {
  let bracket = false;
  let comma = false;
  for (let at = start; at < end; at++) {
    const c = bytes[at]!;
    if (c === COMMA) comma = true;
    else if (c === QUOTE) {
      at++;
      while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
      if (at >= end) return false;
    } else if (c === LT) {
      if (bracket || comma) return false;
      bracket = true;
      while (at < end && bytes[at] !== GT) at++;
      if (at >= end) return false;
    }
  }
  return end > start;
}

/** RFC 5031 §4.2: a call for help without a number. */
export function isSosUrn(uri: SipUri): boolean {
  return uri.scheme === "urn" && /^urn:service:sos(?:\.[a-z0-9.-]{1,60})?$/i.test(uri.text);
}

/** What we can route; a number is one of our domain (RFC 3261 §19.1.6). */
const SCHEMES: ReadonlySet<string> = new Set(["sip", "sips", "tel"]);

/** Step 2: a scheme we can route. */
function uriScheme(request: SipMessage): Refusal | null {
  const uri = request.uri;
  if (!(uri instanceof ParseError) && (SCHEMES.has(uri.scheme) || isSosUrn(uri))) return null;
  if (uri instanceof ParseError && /^[<"]/.test(request.uriText)) return malformed("Request-URI in brackets");
  return { status: 416, reason: "Unsupported Request-URI scheme", section: "RFC 3261 §16.3 step 2" };
}

/** Step 3, its form. Whether the request may go on is asked only when it is to go on. */
function maxForwards(request: SipMessage): Refusal | null {
  return request.numberOf(H.MaxForwards) === -1 ? malformed("Max-Forwards") : null;
}

/** Step 3: a request for somebody else that may make no further hop. */
export function checkHops(request: SipMessage): Refusal | null {
  if (request.numberOf(H.MaxForwards) !== 0) return null;
  return { status: 483, reason: "Too many hops", section: "RFC 3261 §16.3 step 3" };
}

/** Step 5: we support no option that a client could demand of a proxy. */
function proxyRequire(request: SipMessage): Refusal | null {
  const values = request.texts(H.ProxyRequire);
  if (values.length === 0 || request.method === "ACK" || request.method === "CANCEL") return null;
  const tags = splitList(values.join(","));
  if (tags instanceof ParseError) return malformed("Proxy-Require");
  return {
    status: 420,
    reason: "Proxy-Require names an extension this proxy does not have",
    section: "RFC 3261 §16.3 step 5",
    headers: [`Unsupported: ${tags.join(", ")}`],
  };
}
