/**
 * Request validation (RFC 3261 §16.3): what must hold before a request goes anywhere.
 */
import { BACKSLASH, GT, LT, QUOTE } from "../message/chars.ts";
import type { HeaderId } from "../message/header-names.ts";
import { H } from "../message/header-names.ts";
import { splitList } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
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
const ONCE: readonly HeaderId[] = [H.From, H.To, H.CallId, H.CSeq, H.MaxForwards];

/** Step 1: only what the proxy itself has to understand; the rest travels as it came. */
function reasonableSyntax(request: SipMessage): Refusal | null {
  for (let i = 0; i < ONCE.length; i++) {
    const line = request.find(ONCE[i]!);
    if (line >= 0 && request.find(ONCE[i]!, line + 1) >= 0) return malformed("a header field twice");
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
  return null;
}

function malformed(what: string): Refusal {
  return { status: 400, reason: `Malformed: ${what}`, section: "RFC 3261 §16.3 step 1" };
}

/** Whether quotes and angle brackets of a name-addr are closed and nothing precedes the quote but space. */
function isWhole(bytes: Buffer, start: number, end: number): boolean {
  let bracket = false;
  for (let at = start; at < end; at++) {
    const c = bytes[at]!;
    if (c === QUOTE) {
      at++;
      while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
      if (at >= end) return false;
    } else if (c === LT) {
      if (bracket) return false;
      bracket = true;
      while (at < end && bytes[at] !== GT) at++;
      if (at >= end) return false;
    }
  }
  return end > start;
}

/** Step 2: a scheme we can route. */
function uriScheme(request: SipMessage): Refusal | null {
  const uri = request.uri;
  if (!(uri instanceof ParseError) && (uri.scheme === "sip" || uri.scheme === "sips")) return null;
  if (uri instanceof ParseError && /^[<"]/.test(request.uriText)) return malformed("Request-URI in brackets");
  return { status: 416, reason: "Unsupported Request-URI scheme", section: "RFC 3261 §16.3 step 2" };
}

/** Step 3. An OPTIONS that may go no further is answered by us, as if it were meant for us (§11). */
function maxForwards(request: SipMessage): Refusal | null {
  const value = request.text(H.MaxForwards);
  if (value === null) return null;
  if (!/^\d{1,10}$/.test(value)) return malformed("Max-Forwards");
  if (Number(value) > 0 || request.method === "OPTIONS") return null;
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
