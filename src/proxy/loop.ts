/**
 * Loop detection and breadth (RFC 3261 §16.3 step 4, §16.6 step 8; RFC 5393): our branch carries a
 * hash of everything that decides where a request goes, so that one that comes back unchanged is a
 * loop, and one that comes back changed is a spiral and may pass.
 */
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Via } from "../message/via.ts";
import { MAGIC_COOKIE, parseVia } from "../message/via.ts";

/** RFC 5393 §5.3.3: what a request without Max-Breadth gets, and the most we let any have. */
const MAX_BREADTH = 60;

/**
 * The hash of what routes this request, as it came in: 1 to 7 characters. An ACK gets none: only
 * Max-Forwards ends one that loops.
 */
export function loopHash(request: SipMessage): string {
  if (request.method === "ACK") return "0";
  let hash = request.hashRange(request.start, request.uriEnd, HASH_START); // method and Request-URI
  for (const id of ROUTING) hash = request.hashOf(id, hash);
  for (let line = request.find(H.Route); line >= 0; line = request.find(H.Route, line + 1))
    hash = request.hashOf(H.Route, hash, line);
  return (hash >>> 0).toString(36);
}

/** Beside the Request-URI and the Route, what RFC 5393 §4.2.1 has in the hash: From and To with their tags, too. */
const ROUTING = [H.From, H.To, H.CallId, H.CSeq, H.ProxyRequire] as const;
const HASH_START = 0x811c9dc5 | 0;

/** A branch of ours: magic cookie, loop hash, unique part. */
export function makeBranch(hash: string, unique: string): string {
  return `${MAGIC_COOKIE}${hash}.${unique}`;
}

/**
 * 482 when the request went through here before and nothing that routes it has changed since.
 * `isOurs` says whether a sent-by is one of our endpoints.
 */
export function detectLoop(
  request: SipMessage,
  hash: string,
  isOurs: (host: string, port: number | null) => boolean,
): Refusal | null {
  const mark = `${MAGIC_COOKIE}${hash}.`;
  const top = request.via;
  if (top === null || top instanceof ParseError) return null;
  if (isLooped(top, mark, isOurs)) return LOOP;
  for (let line = request.find(H.Via); line >= 0; line = request.find(H.Via, line + 1)) {
    let from = request.valueStart(line);
    const end = request.valueEnd(line);
    while (from < end) {
      const via = from === top.start ? top : parseVia(request.bytes, from, end);
      if (via instanceof ParseError) break; // an old Via that only its owner has to understand
      if (isLooped(via, mark, isOurs)) return LOOP;
      from = nextVia(request.bytes, via.end, end);
    }
  }
  return null;
}

const LOOP: Refusal = { status: 482, reason: "Loop detected", section: "RFC 5393 §4.2" };

function isLooped(via: Via, mark: string, isOurs: (host: string, port: number | null) => boolean): boolean {
  return via.branch?.startsWith(mark) === true && isOurs(via.host, via.port);
}

function nextVia(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== 44) at++;
  at++;
  while (at < end && bytes[at]! <= 32) at++;
  return at;
}

/** Max-Breadth of the request, bounded; the default when absent or no number. */
export function breadthOf(request: SipMessage): number {
  const breadth = request.numberOf(H.MaxBreadth);
  return breadth === null || breadth < 0 ? MAX_BREADTH : Math.min(breadth, MAX_BREADTH);
}
