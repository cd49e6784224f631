/**
 * What happens to a new request, in one literal list. Each step refuses, takes the request over
 * ("done"), or leaves it to the next.
 */

import type { Authenticator } from "../auth/authenticator.ts";
import type { Flow, Transports } from "../base/flow.ts";
import type { Networks } from "../base/networks.ts";
import type { SessionTimers } from "../calls/session-timer.ts";
import type { Domains } from "../location/domains.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { unescapeUser } from "../message/uri.ts";
import type { FlowTokens, NamedFlow } from "../nat/flow-token.ts";
import { isNamed } from "../nat/flow-token.ts";
import type { NatJudge } from "../nat/judge.ts";
import { cameDirectly, isBoundBy } from "../nat/judge.ts";
import type { DialogEnds, End, RouteTokens } from "../nat/route-token.ts";
import type { Screening } from "../peers/screening.ts";
import type { Caller } from "../proxy/directory.ts";
import type { OwnPath } from "../proxy/forward.ts";
import { formsDialog } from "../proxy/forward.ts";
import { accountUri } from "../proxy/identity.ts";
import { detectLoop, loopHash } from "../proxy/loop.ts";
import type { OwnContacts } from "../proxy/own-contacts.ts";
import type { StatefulProxy } from "../proxy/proxy.ts";
import type { Routing } from "../proxy/route.ts";
import { preprocessRoute } from "../proxy/route.ts";
import type { StatelessProxy } from "../proxy/stateless.ts";
import { checkHops, isSosUrn, validate } from "../proxy/validate.ts";
import type { Registrar } from "../registrar/registrar.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import type { Answers } from "./answers.ts";
import type { Admission } from "./authorize.ts";
import { authorize } from "./authorize.ts";
import { noteAlias } from "./connection-alias.ts";
import type { Identities } from "./identities.ts";
import { answerForOurselves, register } from "./own-requests.ts";
import type { QualityReports } from "./quality-reports.ts";
import { meaningOf } from "./request-uri.ts";

/** The parts the steps work with. */
export interface ChainRooms {
  readonly answers: Answers;
  readonly authenticator: Authenticator;
  readonly domains: Domains;
  /** Under which names accounts may call. */
  readonly identities: Identities;
  readonly proxy: StatefulProxy;
  readonly stateless: StatelessProxy;
  readonly registrar: Registrar;
  readonly sessionTimers: SessionTimers;
  readonly screening: Screening;
  readonly tokens: RouteTokens;
  readonly flowTokens: FlowTokens;
  readonly contacts: OwnContacts;
  readonly transports: Transports;
  readonly judge: NatJudge;
  readonly reports: QualityReports;
  trusted: Networks;
  /** From where a call for help needs no password. */
  emergencyNetworks: Networks;
  /** Whether a call to this user part is a call for help. */
  readonly isEmergency: (user: string) => boolean;
  /** Whether the address belongs to a peer of the config. */
  /** The name of the peer that sends on this flow; null: it is no peer's. */
  readonly peerOf: (source: Flow) => string | null;
  /** Whether a peer keeps the accounts of this domain, whose phones come through us. */
  readonly isServed: (host: string) => boolean;
  /** Whether a phone of ours registered from the address, or proved an account from there lately. */
  readonly isKnown: (address: string) => boolean;
  /** The number that urn:service:sos means here; null: none. */
  readonly sosUri: () => SipUri | null;
  acceptForeignCallers: boolean;
  /** Set while the appliance stops: no new work is taken. */
  draining: boolean;
}

/** A request on its way through the chain. */
export interface Passage {
  readonly request: SipMessage;
  readonly source: Flow;
  /** Null for an ACK, which nobody answers. */
  readonly transaction: ServerTransaction | null;
  readonly callId: string;
  readonly loopHash: string;
  routing: Routing | null;
  /** The flow that leads to the Contact it is for, if that was hidden from its sender; null: it was not. */
  contactFlow: NamedFlow | null;
}

type Step = (rooms: ChainRooms, passage: Passage) => Refusal | "next" | "done";

const CHAIN: readonly Step[] = [
  refuseWhileDraining, // first: a stopping appliance spends nothing on new work
  checkSyntax, // before anything reads a header that may be malformed (§16.3 steps 1, 2, 5)
  noteAlias, // whose connection it is, whatever becomes of the request (RFC 5923)
  takeRouteOff, // what the request is for is known only without our own Route entries (§16.4)
  breakLoops, // before any work is repeated for one request (§16.3 step 4)
  register, // has its own challenge (401), and is never forwarded from our own domain
  answerForOurselves, // after the registrar: what is addressed to the appliance and not to a user
  refuseShortSessions, // before a phone rings for it (RFC 4028 §8.1)
  countHops, // only what is to go on needs a hop left (§16.3 step 3)
  forward, // authorization (§16.3 step 6) and §16.5 to §16.7
];

/** Runs a request through the chain. `transaction` is null for an ACK. */
export function passThrough(
  rooms: ChainRooms,
  request: SipMessage,
  source: Flow,
  transaction: ServerTransaction | null,
): void {
  const callId = request.callId ?? "";
  const hash = loopHash(request);
  const passage: Passage = {
    request,
    source,
    transaction,
    callId,
    loopHash: hash,
    routing: null,
    contactFlow: null,
  };
  for (let i = 0; i < CHAIN.length; i++) {
    const outcome = CHAIN[i]!(rooms, passage);
    if (outcome === "next") continue;
    if (outcome !== "done") refuse(rooms, passage, outcome);
    return;
  }
}

function refuse(rooms: ChainRooms, { request, source, transaction }: Passage, refusal: Refusal): void {
  if (transaction === null) rooms.answers.refuseStateless(request, source, refusal);
  else rooms.answers.refuse(transaction, refusal);
}

const DRAIN_RETRY_AFTER_S = 30;

/** Dialogs go on to the end; only what would begin something is turned away. */
function refuseWhileDraining(rooms: ChainRooms, { request }: Passage): Refusal | "next" {
  if (!rooms.draining || request.hasToTag || request.method === "ACK") return "next";
  return {
    status: 503,
    reason: "The appliance is stopping",
    section: "shutdown",
    headers: [`Retry-After: ${DRAIN_RETRY_AFTER_S}`],
  };
}

function checkSyntax(_rooms: ChainRooms, { request }: Passage): Refusal | "next" {
  return validate(request) ?? "next";
}

function takeRouteOff(rooms: ChainRooms, passage: Passage): Refusal | "next" {
  const { request, callId } = passage;
  const routing = preprocessRoute(
    request,
    rooms.domains,
    (user) => rooms.tokens.verify(user, callId) !== null || rooms.flowTokens.verify(user) !== null,
  );
  if ("status" in routing) return routing;
  const meant = meaningOf(rooms, routing);
  if (meant === null) passage.routing = routing;
  else if ("status" in meant) return meant;
  else {
    passage.routing = { ...routing, uri: meant.uri }; // from here on as if this had been asked for
    passage.contactFlow = meant.flow;
  }
  return "next";
}

function breakLoops(rooms: ChainRooms, { request, loopHash }: Passage): Refusal | "next" {
  return detectLoop(request, loopHash, (host, port) => rooms.domains.isOurEndpoint(host, port)) ?? "next";
}

/** As far as can be told before the request is looked at more closely. */
export function isCallForHelp(rooms: ChainRooms, request: SipMessage, { remoteAddress }: Flow): boolean {
  const { uri } = request;
  if (request.method !== "INVITE" || uri instanceof ParseError) return false;
  const isOne = uri.user === null ? isSosUrn(uri) : rooms.isEmergency(unescapeUser(uri.user));
  return isOne && rooms.emergencyNetworks.has(remoteAddress);
}

function countHops(_rooms: ChainRooms, { request }: Passage): Refusal | "next" {
  return checkHops(request) ?? "next";
}

function refuseShortSessions({ sessionTimers }: ChainRooms, { request }: Passage): Refusal | "next" {
  return sessionTimers.refusal(request) ?? "next";
}

function forward(rooms: ChainRooms, passage: Passage): Refusal | "done" {
  const { request, source, transaction, callId, loopHash, routing } = passage;
  if (routing === null) return "done";
  const ends = endsOf(rooms, passage, routing);
  const flow = ends === null ? flowOf(rooms, source, routing) : null;
  const admission = authorize(rooms, request, source, routing, {
    ends,
    exit: exitOf(rooms, passage, routing),
    flow,
  });
  if ("status" in admission) return admission;
  const leaving = flow ?? (ends === null ? passage.contactFlow : null);
  const isNewCall = request.method === "INVITE" && !request.hasToTag;
  const caller = callerOf(rooms, source, admission, isNewCall ? fromUserOf(request) : null);
  const callerNat = mayNeedFlow(request, admission) ? rooms.judge.reasonsOf(request, source) : null;
  const admitted = {
    request,
    source,
    routing,
    callId,
    loopHash,
    callerUser: caller.user,
    assertedUri: caller.identity === null ? null : accountUri(caller.identity, rooms.domains.canonical),
    senderIsTrusted: rooms.trusted.has(source.remoteAddress) || rooms.peerOf(source) !== null,
    callerIsOurs: admission.ours,
    callerIsBound: callerNat !== null && isBoundBy(callerNat, request),
    callerNat,
    spentLines: spentCredentials(rooms, request),
    caller,
    callerIsVouched: caller.isVouched,
    permit: admission.permit,
    peer: admission.peer,
    senderIsNatted: rooms.contacts.hides && isNatted(rooms, request, source, admission.sender),
    flow: leaving,
    path: admission.served ? pathFor(rooms, request, source) : null,
  };
  if (transaction === null) rooms.stateless.forwardAck(admitted);
  else {
    const screened = isNewCall ? screenedBy(rooms, caller, routing) : null;
    if (screened === null) rooms.proxy.forward(transaction, admitted);
    else rooms.proxy.turnAway(transaction, admitted, screened);
  }
  return "done";
}

/** A call that somebody begins, unless it is one for help: what [[screen]] and the limits of accounts say to it. */
function screenedBy(rooms: ChainRooms, { user, name }: Caller, routing: Routing): Refusal | null {
  const { uri, next, entries, first, last } = routing;
  const called = userOf(uri);
  if (called !== null && next === null && rooms.isEmergency(called) && rooms.domains.isOurs(uri)) return null;
  const call = { account: user, caller: name, called };
  const refusal = rooms.screening.refusal(call);
  if (refusal !== null || next === null) return refusal;
  // A strict router makes the Request-URI of its own Route entry (§16.6 step 6), and dials that.
  for (const entry of entries.slice(first, last)) {
    const dialled = userOf(entry.uri);
    const other = dialled === null ? null : rooms.screening.refusalOfNumber({ ...call, called: dialled });
    if (other !== null) return other;
  }
  return null;
}

function fromUserOf(request: SipMessage): string | null {
  const { from } = request;
  return from instanceof ParseError ? null : userOf(from.uri);
}

const userOf = ({ user }: SipUri): string | null => (user === null ? null : unescapeUser(user));

function pathFor(rooms: ChainRooms, request: SipMessage, source: Flow): OwnPath | null {
  if (request.method !== "REGISTER") return null;
  return { token: rooms.flowTokens.sign(source), outbound: cameDirectly(request) };
}

/** Whether its own messages, and so its Contact, are those of somebody behind a NAT. */
function isNatted({ judge }: ChainRooms, request: SipMessage, source: Flow, sender: End | null): boolean {
  return sender === null ? isBoundBy(judge.reasonsOf(request, source), request) : sender.bound;
}

/** A dialog begins, or a subscription or a registration elsewhere goes on: its sender may be behind a NAT. */
function mayNeedFlow(request: SipMessage, { served }: Admission): boolean {
  return formsDialog(request) || request.method === "SUBSCRIBE" || (served && request.method === "REGISTER");
}

function callerOf(
  rooms: ChainRooms,
  source: Flow,
  { ours, user, identity }: Admission,
  name: string | null,
): Caller {
  const peer = ours ? null : rooms.peerOf(source);
  const isVouched = ours || peer !== null;
  const mayCallForHelp = ours || rooms.emergencyNetworks.has(source.remoteAddress);
  return { user, identity, ours, isVouched, mayCallForHelp, peer, name };
}

function endsOf(rooms: ChainRooms, { callId }: Passage, routing: Routing): DialogEnds | null {
  return routing.token === null ? null : rooms.tokens.verify(routing.token, callId);
}

/** The last token of ours, when the dialog passes here twice and it is not the first. */
function exitOf(rooms: ChainRooms, { callId }: Passage, { token, leaving }: Routing): DialogEnds | null {
  const last = leaving?.user ?? null;
  return token === null || last === null || last === token ? null : rooms.tokens.verify(last, callId);
}

/** Where a Path of ours leads; what comes on that very flow goes the other way (RFC 5626 §5.3). */
function flowOf(rooms: ChainRooms, source: Flow, { token }: Routing): NamedFlow | null {
  const flow = token === null ? null : rooms.flowTokens.verify(token);
  return flow === null || isNamed(flow, source) ? null : flow;
}

const NO_LINES: readonly number[] = [];

/** Credentials for our realm have done their work; nobody further on has any business with them. */
function spentCredentials(rooms: ChainRooms, request: SipMessage): readonly number[] {
  let line = request.find(H.ProxyAuthorization);
  if (line < 0) return NO_LINES;
  const lines: number[] = [];
  for (; line >= 0; line = request.find(H.ProxyAuthorization, line + 1))
    if (rooms.authenticator.isOurs(request, line)) lines.push(line);
  return lines;
}
