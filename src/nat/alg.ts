/**
 * Signs that a SIP ALG (a router that rewrites messages on their way, mostly by half) had its hands in a request.
 * Whoever looks for the cause of a failed call looks there first.
 */
import { ipFamily, sameAddress } from "../base/address.ts";
import type { Flow } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { isPrivate } from "./private-address.ts";
import { sdpAddress } from "./reasons.ts";

export const ALG_SIGNS = [
  /**
   * The Via is the public source and the Contact still private, or the Contact is and the Via is not: Linux'
   * nf_nat_sip and many routers change one and forget the other. A phone with STUN writes the same into both.
   */
  "half_rewritten",
  /** The body does not have the length that Content-Length says: addresses were exchanged, the length was not. */
  "content_length",
  /** c= is the public source and another address of the same SDP still private; ICE candidates do not count. */
  "sdp_half_rewritten",
  /** The Call-ID's or From's host was changed to the public address while the phone's own is private. */
  "identity_rewritten",
] as const;

export type AlgSign = (typeof ALG_SIGNS)[number];

const NONE: readonly AlgSign[] = [];

/** The signs that a request which came straight from its sender shows, in the order of ALG_SIGNS. */
export function algSigns(request: SipMessage, source: Flow): readonly AlgSign[] {
  const { via } = request;
  if (via === null || via instanceof ParseError || isPrivate(source.remoteAddress)) return NONE;
  const contact = contactHost(request);
  const viaIsSource = isSource(via.host, source);
  const contactIsSource = contact !== null && isSource(contact, source);
  const signs: AlgSign[] = [];
  if (contact !== null && ((viaIsSource && isPrivate(contact)) || (contactIsSource && isPrivate(via.host))))
    signs.push("half_rewritten");
  if (hasWrongLength(request, source)) signs.push("content_length");
  if (isSdpHalfRewritten(request, source)) signs.push("sdp_half_rewritten");
  if (!viaIsSource && isPrivate(via.host) && isSource(callIdHost(request), source))
    signs.push("identity_rewritten");
  return signs.length === 0 ? NONE : signs;
}

function contactHost(request: SipMessage): string | null {
  const text = request.text(H.Contact);
  const contact = text === null || text === "*" ? null : parseNameAddr(text);
  return contact === null || contact instanceof ParseError ? null : contact.uri.host;
}

function callIdHost({ callId }: SipMessage): string {
  return callId === null ? "" : callId.slice(callId.lastIndexOf("@") + 1);
}

/** Datagrams only: a stream is cut by its Content-Length. A datagram padded with an empty line is not meant. */
function hasWrongLength(request: SipMessage, { transport }: Flow): boolean {
  if (transport !== "udp" || request.find(H.ContentLength) < 0) return false;
  const said = request.numberOf(H.ContentLength) ?? 0;
  const there = request.bytes.length - request.bodyStart;
  return said < there && request.bytes.latin1Slice(request.bodyStart + said).trim() !== "";
}

/** o=, a=rtcp and further c= lines. */
const OTHER_ADDRESSES = /^(?:o=.* IN IP[46] |c=IN IP[46] |a=rtcp:\d+ IN IP[46] )([0-9A-Fa-f:.]+)/gm;
const SDP_CHARS_MAX = 4000;

function isSdpHalfRewritten(request: SipMessage, source: Flow): boolean {
  const { bytes, bodyStart, bodyEnd } = request;
  const first = bodyEnd > bodyStart ? sdpAddress(bytes, bodyStart, bodyEnd) : null;
  if (first === null || !isSource(first, source)) return false;
  const text = bytes.latin1Slice(bodyStart, Math.min(bodyEnd, bodyStart + SDP_CHARS_MAX));
  for (const [line, address = ""] of text.matchAll(OTHER_ADDRESSES))
    if (!line.startsWith("o=") && isPrivate(address) && address !== "0.0.0.0") return true;
  return false;
}

function isSource(host: string, { remoteAddress }: Flow): boolean {
  return host === remoteAddress || (ipFamily(host) !== 0 && sameAddress(host, remoteAddress));
}
