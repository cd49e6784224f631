/**
 * Who may have what forwarded (RFC 3261 §16.3 step 6, §22.3). Decides without exception: no stranger
 * reaches a stranger through us.
 */

import type { Authenticator } from "../auth/authenticator.ts";
import { sameAddress } from "../base/address.ts";
import type { Flow } from "../base/flow.ts";
import type { Networks } from "../base/networks.ts";
import type { Domains } from "../location/domains.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { unescapeUser } from "../message/uri.ts";
import type { NamedFlow } from "../nat/flow-token.ts";
import type { DialogEnds, End } from "../nat/route-token.ts";
import { isEnd, TOKEN_CHARS_MIN, tagMark } from "../nat/route-token.ts";
import type { Permit } from "../proxy/next-flow.ts";
import type { Routing } from "../proxy/route.ts";
import type { Identities } from "./identities.ts";
import { isAnonymous } from "./identities.ts";

/** What a request may do. */
export interface Admission {
  /** Whether the sender is one of ours: proved an account, or sends from a trusted network. */
  readonly ours: boolean;
  /** The account it proved; null: none. */
  readonly user: string | null;
  /** Which of that account's names it calls under; null: it proved none. */
  readonly identity: string | null;
  /** Where it may go; null: anywhere. */
  readonly permit: Permit | null;
  /** The other end of its dialog; null outside dialogs of ours. */
  readonly peer: End | null;
  /** The end it comes from; null outside dialogs of ours. */
  readonly sender: End | null;
  /** It is for a domain whose accounts a peer keeps: that peer asks for the password. */
  readonly served: boolean;
}

/** What tokens of ours say that the request brought. */
export interface Tokens {
  /** The ends of its dialog on the side it came from; null: no such token. */
  readonly ends: DialogEnds | null;
  /** Those on the side it leaves by: others when the dialog passes here twice. */
  readonly exit: DialogEnds | null;
  /** The flow it is to go out on; null: no such token. */
  readonly flow: NamedFlow | null;
}

export interface AuthorizeRooms {
  readonly authenticator: Authenticator;
  readonly domains: Domains;
  readonly identities: Identities;
  readonly trusted: Networks;
  readonly emergencyNetworks: Networks;
  readonly isEmergency: (user: string) => boolean;
  /** Whether the address belongs to a peer of the config ([[peer]] networks). */
  readonly peerOf: (source: Flow) => string | null;
  /** Whether a peer keeps the accounts of this domain, whose phones come through us. */
  readonly isServed: (host: string) => boolean;
  /** Whether a phone of ours registered from the address, or proved an account from there lately. */
  readonly isKnown: (address: string) => boolean;
  readonly acceptForeignCallers: boolean;
}

/** May call our users, and whom routes let it call. */
const STRANGER: Admission = {
  ours: false,
  user: null,
  identity: null,
  permit: null,
  peer: null,
  sender: null,
  served: false,
};
const ANYWHERE: Admission = { ...STRANGER, ours: true };
/** May reach the peer that keeps the accounts of its domain. */
const SERVED: Admission = { ...STRANGER, served: true };

export function authorize(
  rooms: AuthorizeRooms,
  request: SipMessage,
  source: Flow,
  routing: Routing,
  { ends, exit, flow }: Tokens,
): Admission | Refusal {
  const trusted = rooms.trusted.has(source.remoteAddress);
  if (ends !== null && request.hasToTag) {
    const inside = insideDialog(ends, exit ?? ends, tagMark(request.fromTag), source, trusted);
    if (inside !== null) return inside;
  }
  if (flow === null && isForged(routing, ends)) return FORGED_TOKEN;
  if (trusted) return isServed(rooms, request, routing) ? { ...ANYWHERE, served: true } : ANYWHERE;
  if (flow !== null) return STRANGER; // it reaches that phone and nobody else
  if (isCallForHelp(rooms, request, source, routing)) return STRANGER;
  const fromPeer = rooms.peerOf(source) !== null;
  const { from } = request;
  if (from instanceof ParseError)
    return { status: 400, reason: `Malformed From (${from.code})`, section: "RFC 3261 §16.3 step 1" };
  // A peer proves itself by its address or its certificate; whom it names as caller is its own affair.
  if (!fromPeer && (rooms.domains.isOurs(from.uri) || mayBeOurs(rooms, request, source, routing, from.uri)))
    return provenCaller(rooms, request, source, from.uri);
  if (isServed(rooms, request, routing)) return SERVED;
  if (!isForUs(rooms, routing)) return NO_RELAYING;
  return rooms.acceptForeignCallers || fromPeer ? STRANGER : NO_FOREIGN_CALLERS;
}

/**
 * A request of a dialog that was let through before. From one of our own ends it may go where its
 * route set says; from anyone else, only to the ends themselves: a token is no pass to third parties.
 */
function insideDialog(
  ends: DialogEnds,
  exit: DialogEnds,
  mark: number,
  source: Flow,
  trusted: boolean,
): Admission | null {
  const { remoteAddress: address, remotePort: port } = source;
  const { caller, callee, callerMark } = ends;
  const fromCaller = isEnd(caller, address, port);
  const fromCallee = !fromCaller && isEnd(callee, address, port);
  const proven = fromCaller ? caller : fromCallee ? callee : null;
  // Its NAT may have given it another port since: the tag tells who it is, though it proves nothing.
  const isCaller = fromCaller || (!fromCallee && mark === callerMark);
  const peer = isCaller ? exit.callee : exit.caller;
  const sender = isCaller ? caller : callee;
  if (trusted || proven?.ours) return { ...ANYWHERE, peer, sender };
  const permit: Permit = (to) =>
    sameAddress(to, peer.address) || sameAddress(to, caller.address) || sameAddress(to, callee.address);
  return { ...STRANGER, permit, peer, sender };
}

/**
 * A From without a domain, anonymous (RFC 3323 §4.1.1.3) or a number, may be that of a phone of ours. It is asked for
 * its account unless a stranger may do the same and nothing shows that it has one.
 */
function mayBeOurs(
  rooms: AuthorizeRooms,
  request: SipMessage,
  source: Flow,
  routing: Routing,
  from: SipUri,
): boolean {
  if ((from.scheme !== "tel" && !isAnonymous(from, rooms.domains)) || request.method === "ACK") return false;
  if (isServed(rooms, request, routing)) return false; // its peer asks
  return (
    !rooms.acceptForeignCallers ||
    !isForUs(rooms, routing) ||
    rooms.isKnown(source.remoteAddress) ||
    rooms.authenticator.bringsProof(request)
  );
}

/** A From in our domain must be proved, by an account that has this name. */
function provenCaller(
  rooms: AuthorizeRooms,
  request: SipMessage,
  { remoteAddress }: Flow,
  from: SipUri,
): Admission | Refusal {
  if (request.method === "ACK") return ACK_UNPROVEN; // nobody can answer a challenge to an ACK (§22.1)
  const verdict = rooms.authenticator.asProxy(request, remoteAddress);
  if ("challenge" in verdict)
    return { status: 407, reason: verdict.cause, section: "RFC 3261 §22.3", headers: verdict.challenge };
  const { user } = verdict;
  const identity = rooms.identities.nameOf(user, request, from, rooms.domains);
  return identity === null ? notYourFrom(user) : { ...ANYWHERE, user, identity };
}

/** RFC 6881 §9: somebody on our premises who dials for help is not asked who it is. */
function isCallForHelp(rooms: AuthorizeRooms, request: SipMessage, source: Flow, routing: Routing): boolean {
  const { user } = routing.uri;
  return (
    request.method === "INVITE" &&
    user !== null &&
    rooms.isEmergency(unescapeUser(user)) &&
    isForUs(rooms, routing) &&
    rooms.emergencyNetworks.has(source.remoteAddress)
  );
}

function isForUs(rooms: AuthorizeRooms, routing: Routing): boolean {
  return routing.next === null && rooms.domains.isOurs(routing.uri);
}

/** Something new for a domain that a peer keeps. What belongs to a dialog has a token, or is not let through. */
function isServed(rooms: AuthorizeRooms, request: SipMessage, { next, uri }: Routing): boolean {
  return next === null && !request.hasToTag && request.method !== "ACK" && rooms.isServed(uri.host);
}

/** Something that looks like a token of ours, and that we did not sign for this dialog. */
function isForged({ token }: Routing, ends: DialogEnds | null): boolean {
  return token !== null && ends === null && token.length >= TOKEN_CHARS_MIN;
}

const FORGED_TOKEN: Refusal = {
  status: 403,
  reason: "The token in the Route is not ours",
  section: "RFC 5626 §5.3",
};
const ACK_UNPROVEN: Refusal = {
  status: 403,
  reason: "ACK outside any dialog of ours",
  section: "RFC 3261 §22.1",
};
const notYourFrom = (account: string): Refusal => ({
  status: 403,
  reason: `Account ${account} may not call under the name in From`,
  section: "auth.check_from",
});
const NO_RELAYING: Refusal = {
  status: 403,
  reason: "Neither caller nor callee belongs here",
  section: "no open relay",
};
const NO_FOREIGN_CALLERS: Refusal = {
  status: 403,
  reason: "Callers from elsewhere are not accepted here",
  section: "calls.accept_foreign_callers",
};
