/**
 * Signs that a SIP ALG (a router that rewrites messages on their way, mostly by half) had its hands in a request.
 * Whoever looks for the cause of a failed call looks there first.
 */
import { ipFamily, sameAddress } from "../base/address.ts";
import type { Flow } from "../base/flow.ts";
import { CR, LF } from "../message/chars.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr, splitList } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { isPrivate } from "./private-address.ts";
import { sdpAddress } from "./reasons.ts";

/**
 * What a phone does by itself is no sign. One that learned its public address (STUN, rport) writes it into Contact
 * and c= while its Via, its Call-ID and its o= may stay private. A router that changes every place looks like such a
 * phone: Linux' nf_nat_sip does, when the phone's ports are those it sends from, and is not seen here.
 */
export const ALG_SIGNS = [
  /**
   * The Via is the public source and the Contact is still private: the router changed one and forgot the other.
   * Looks the same: a phone told to put what rport says into its Via only (pjsip can be), or one with a public
   * address whose Contact names its VPN.
   */
  "half_rewritten",
  /**
   * The body is longer than Content-Length says: addresses were exchanged, the length was not (RFC 3261 §18.3).
   * Looks the same: a phone that counts wrongly; not one that ends datagrams with empty lines or zeros, nor one
   * that does not count its last line end.
   */
  "content_length",
  /**
   * c= is the public source, and a=rtcp or another c= of the same SDP is still private.
   * Looks the same: a phone whose STUN worked for one of its streams only.
   */
  "sdp_half_rewritten",
  /**
   * c= is the public source, which is none of the ICE candidates there (RFC 8839 §4.2.5, RFC 8445 §5.4): a phone
   * with ICE puts one of its candidates there. Looks the same: hardly anything; mDNS candidates come with 0.0.0.0.
   */
  "ice_mismatch",
] as const;

export type AlgSign = (typeof ALG_SIGNS)[number];

const NONE: readonly AlgSign[] = [];

/** The signs that a request which came straight from its sender shows, in the order of ALG_SIGNS. */
export function algSigns(request: SipMessage, source: Flow): readonly AlgSign[] {
  const { via } = request;
  if (via === null || via instanceof ParseError || isPrivate(source.remoteAddress)) return NONE;
  const signs: AlgSign[] = [];
  if (isSource(via.host, source) && isForgotten(contactHost(request) ?? "", source))
    signs.push("half_rewritten");
  if (hasWrongLength(request, source)) signs.push("content_length");
  const sdp = sdpOfSource(request, source);
  if (sdp !== null && hasForgotten(sdp, source)) signs.push("sdp_half_rewritten");
  if (sdp !== null && isNoCandidate(sdp, source)) signs.push("ice_mismatch");
  return signs.length === 0 ? NONE : signs;
}

/** Of the first Contact, of however many. */
function contactHost(request: SipMessage): string | null {
  const text = request.text(H.Contact);
  const list = text === null || text === "*" ? [] : splitList(text);
  const contact = list instanceof ParseError || list[0] === undefined ? null : parseNameAddr(list[0]);
  return contact === null || contact instanceof ParseError ? null : contact.uri.host;
}

/** Datagrams only: a stream is cut by its Content-Length. */
function hasWrongLength(request: SipMessage, { transport }: Flow): boolean {
  if (transport !== "udp" || request.find(H.ContentLength) < 0) return false;
  const { bytes, bodyEnd } = request;
  if (bytes[bodyEnd - 1] === CR && bytes[bodyEnd] === LF && bodyEnd > request.bodyStart) return true;
  for (let at = bodyEnd; at < bytes.length; at++) if (!PADDING.has(bytes[at]!)) return true;
  return false;
}

/** NUL, tab, LF, CR, space. */
const PADDING: ReadonlySet<number> = new Set([0, 9, 10, 13, 32]);
const SDP_CHARS_MAX = 4000;

/** The SDP whose first c= line is the source; null: there is none. */
function sdpOfSource({ bytes, bodyStart, bodyEnd }: SipMessage, source: Flow): string | null {
  const first = bodyEnd > bodyStart ? sdpAddress(bytes, bodyStart, bodyEnd) : null;
  if (first === null || !isSource(first, source)) return null;
  return bytes.latin1Slice(bodyStart, Math.min(bodyEnd, bodyStart + SDP_CHARS_MAX));
}

const OTHER_ADDRESSES = /^(?:c=|a=rtcp:\d+ )IN IP[46] ([0-9A-Fa-f:.]+)(?![\w.:-])/gm;
/** RFC 8839 §5.1: foundation, component, transport, priority, then the address. */
const CANDIDATES = /^a=candidate:\S+ \d+ \S+ \d+ (\S+) /gm;

/** A stream on hold, or one that is off (pjsip: 127.0.0.1), has nobody's address, on purpose. */
const NOWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::", "127.0.0.1", "::1"]);

function hasForgotten(sdp: string, source: Flow): boolean {
  for (const [, address = ""] of sdp.matchAll(OTHER_ADDRESSES))
    if (isForgotten(address, source) && !NOWHERE.has(address)) return true;
  return false;
}

/** A private address that a router could have changed: a phone with IPv4 and IPv6 tells both, and no router mixes. */
function isForgotten(host: string, { remoteAddress }: Flow): boolean {
  return isPrivate(host) && ipFamily(host) === ipFamily(remoteAddress);
}

/** Not when there are no candidates, or so many that they are not all here. */
function isNoCandidate(sdp: string, source: Flow): boolean {
  let candidates = 0;
  for (const [, address = ""] of sdp.matchAll(CANDIDATES)) {
    if (isSource(address, source)) return false;
    candidates++;
  }
  return candidates > 0 && sdp.length < SDP_CHARS_MAX;
}

function isSource(host: string, { remoteAddress }: Flow): boolean {
  return host === remoteAddress || (ipFamily(host) !== 0 && sameAddress(host, remoteAddress));
}
