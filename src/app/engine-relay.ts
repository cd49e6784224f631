/**
 * The media of calls by rtpengine: each session description goes there before the message that carries it leaves, and
 * leaves as rtpengine has made it. Offers and answers (RFC 3264) are told apart here, be they in an INVITE, a 183, a
 * 200, an ACK, a PRACK (RFC 3262) or an UPDATE (RFC 3311).
 */
import type { Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Call } from "../calls/call.ts";
import type { CallTable } from "../calls/call-table.ts";
import type { Config } from "../config/schema.ts";
import { CALLER } from "../media/call-media.ts";
import type { NgOutcome, NgPassage } from "../media/ng-call.ts";
import { NgCall } from "../media/ng-call.ts";
import type { MediaProfile, NgRules, NgSide } from "../media/ng-flags.ts";
import type { NgPool } from "../media/ng-pool.ts";
import type { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Copy, Forwarding, RequestEditor } from "../proxy/forward.ts";
import type { MediaGate } from "../proxy/media-gate.ts";
import { DescriptionEditor, descriptionOf } from "./descriptions.ts";
import type { MediaEditor } from "./forwarding.ts";
import { isOutside, RelayChoice } from "./relay-choice.ts";

export interface EngineRelayParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly table: CallTable;
  readonly pool: NgPool;
  /** Ends a call that has no media. */
  readonly hangUp: (call: Call, why: string) => void;
}

/** A message that is to leave, and between which sides of its call. */
interface Way {
  readonly call: Call;
  readonly engine: NgCall;
  readonly message: SipMessage;
  readonly callee: string;
  readonly isFromCaller: boolean;
}

/** Whose offer is open, by callee: what tells an offer in an answer from an answer. */
interface OfferState {
  /** The INVITE that was sent last had an offer. */
  isInvited: boolean;
  /** An answer had an offer, which an ACK or a PRACK answers. */
  isAwaiting: boolean;
}

export class EngineRelay implements RequestEditor, MediaEditor, MediaGate {
  readonly #parts: EngineRelayParts;
  readonly #choice = new RelayChoice();
  readonly #descriptions = new DescriptionEditor();
  readonly #refused: Counter;
  readonly #dropped: Counter;
  readonly #states = new WeakMap<NgCall, Map<string, OfferState>>();
  #profiles: { readonly users: Profiles; readonly peers: Profiles } = { users: new Map(), peers: new Map() };
  #networks: Config["media"]["rtpengine_networks"] = [];
  #rules: NgRules = { dscp: 0, transcode: [] };

  constructor(parts: EngineRelayParts, config: Config) {
    this.#parts = parts;
    this.#refused = parts.metrics.counter(
      "sipedge_media_calls_refused_total",
      "Calls that could not be relayed, because no ports were free or the relay was gone",
    );
    this.#dropped = parts.metrics.counter(
      "sipedge_media_early_dropped_total",
      "Provisional answers that were dropped because rtpengine did not take their description",
    );
    this.configure(config);
  }

  configure(config: Config): void {
    this.#choice.configure(config);
    const { media, user, peer } = config;
    this.#profiles = { users: profilesOf(user), peers: profilesOf(peer) };
    this.#networks = media.rtpengine_networks;
    this.#rules = { dscp: media.dscp, transcode: media.rtpengine_transcode };
    this.#descriptions.configure(media);
  }

  follow(): void {} // the ports are rtpengine's

  beforeRequest(forwarding: Forwarding, copy: Copy, go: (why: string | null) => void): void {
    const { request, callId, source } = forwarding;
    const call = this.#parts.table.find(callId, request.fromTag, request.toTag);
    const way = call === null ? null : this.#wayOfRequest(call, forwarding, copy);
    if (way === null) return go(null);
    way.engine.move(way.isFromCaller ? CALLER : way.callee, source.remoteAddress);
    const passage = this.#passage(way, request.hasToTag ? null : copy.branch);
    way.engine.pass(passage, (outcome) => {
      if (!("why" in outcome)) return this.#descriptions.leave(request, outcome.sdp, () => go(null));
      if (request.method === "ACK") return this.#leaveMute(way, outcome.why, () => go(null));
      this.#tell(way, outcome.why);
      this.#refused.inc();
      go(outcome.why);
    });
  }

  beforeResponse(response: SipMessage, go: (mayGo: boolean) => void): void {
    const call = this.#parts.table.find(response.callId ?? "", response.fromTag, response.toTag);
    const engine = call?.engine ?? null;
    if (call === null || engine === null) return go(true);
    const isFromCaller = call.facts.from_tag !== response.fromTag;
    const callee = isFromCaller ? engine.keyOf(response.fromTag) : this.#keyOfAnswer(engine, response);
    if (callee === null) return go(true);
    const way = { call, engine, message: response, callee, isFromCaller };
    // Another phone of a fork has the call: an answer of this one would take the caller's media over.
    const isLate = !isFromCaller && call.to_tag !== null && response.toTag !== call.to_tag;
    if (isLate && descriptionOf(response) !== null)
      return this.#descriptions.leave(response, this.#descriptions.nowhere(response), () => go(true));
    const branch = branchOf(response) === callee ? callee : null; // a re-INVITE has another
    engine.pass(this.#passage(way, branch), (outcome) => this.#answerGoes(way, outcome, go));
  }

  editRequest(edits: Edits, { request }: Forwarding): number {
    return this.#descriptions.edit(edits, request);
  }

  editResponse(edits: Edits, response: SipMessage): number {
    return this.#descriptions.edit(edits, response);
  }

  /** Null: its media does not pass rtpengine. */
  #wayOfRequest(call: Call, forwarding: Forwarding, copy: Copy): Way | null {
    const { request } = forwarding;
    if (!request.hasToTag) {
      if (request.method !== "INVITE" || !this.#joins(call, forwarding, copy)) return null;
      return { call, engine: call.engine!, message: request, callee: copy.branch, isFromCaller: true };
    }
    const isFromCaller = call.facts.from_tag === request.fromTag;
    const callee = call.engine?.keyOf(isFromCaller ? request.toTag : request.fromTag) ?? null;
    return callee === null ? null : { call, engine: call.engine!, message: request, callee, isFromCaller };
  }

  /** Whether the media of this copy of a new call is relayed; its two sides are known then. */
  #joins(call: Call, forwarding: Forwarding, copy: Copy): boolean {
    if (!this.#choice.isRelayed(forwarding, copy)) return false;
    const { clock, pool } = this.#parts;
    if (call.engine === null) {
      const { call_id, from_tag } = call.facts;
      const caller_tag = from_tag ?? "";
      call.engine = new NgCall({ clock, pool, call_id, caller_tag, rules: this.#rules });
      const profile = this.#profiles.users.get(forwarding.callerUser ?? "");
      call.engine.join(CALLER, this.#side(forwarding.source, forwarding.callerIsBound, profile));
    }
    const { users, peers } = this.#profiles;
    const profile = users.get(copy.calleeUser ?? "") ?? peers.get(copy.peer ?? "");
    return call.engine.join(copy.branch, this.#side(copy.flow, copy.calleeIsBound, profile));
  }

  #side(flow: Flow, is_nat: boolean, profile: MediaProfile | undefined): NgSide {
    const [inside, outside] = this.#networks;
    const isWeb = flow.transport === "ws" || flow.transport === "wss";
    return {
      profile: profile ?? (isWeb ? "webrtc" : "as_it_comes"),
      family: flow.remoteAddress.includes(":") ? 6 : 4,
      network: (isOutside(flow) ? outside : inside) ?? null,
      signalling_address: flow.remoteAddress,
      is_nat,
    };
  }

  /** Null: it has no description that can be read. */
  #passage(way: Way, branch: string | null): NgPassage | null {
    const { engine, message, callee, isFromCaller } = way;
    const sdp = descriptionOf(message);
    const op = this.#opOf(this.#stateOf(engine, callee), message, sdp !== null);
    if (sdp === null) return null;
    // In an answer of SIP, From is who sent the request; in the words of rtpengine, whoever offered.
    const isFromOffering = message.isRequest === (op === "offer");
    const { fromTag, toTag } = message;
    return {
      op,
      from: isFromCaller ? CALLER : callee,
      to: isFromCaller ? callee : CALLER,
      offer_tag: (isFromOffering ? fromTag : toTag) ?? "",
      answer_tag: isFromOffering ? toTag : fromTag,
      branch,
      name: nameOf(message),
      sdp,
    };
  }

  /** RFC 3261 §13.2.1, RFC 3262 §5, RFC 3311 §5.1. */
  #opOf(state: OfferState, message: SipMessage, hasSdp: boolean): "offer" | "answer" {
    const method = message.isRequest ? message.method : methodOf(message);
    if (!message.isRequest) {
      if (method !== "INVITE" || state.isInvited) return "answer";
      if (hasSdp) state.isAwaiting = true;
      return "offer";
    }
    if (method === "INVITE") {
      state.isInvited = hasSdp;
      state.isAwaiting = false;
    }
    if (method === "ACK" || (method === "PRACK" && state.isAwaiting)) {
      if (hasSdp) {
        state.isAwaiting = false;
        state.isInvited = true; // what the answers to the INVITE still say is no new offer
      }
      return "answer";
    }
    return "offer";
  }

  #stateOf(engine: NgCall, callee: string): OfferState {
    const states = this.#states.get(engine) ?? new Map<string, OfferState>();
    this.#states.set(engine, states);
    const state = states.get(callee) ?? { isInvited: true, isAwaiting: false };
    states.set(callee, state);
    return state;
  }

  #answerGoes(way: Way, outcome: NgOutcome, go: (mayGo: boolean) => void): void {
    const { message } = way;
    if (!("why" in outcome)) return this.#descriptions.leave(message, outcome.sdp, () => go(true));
    if (message.status >= 200) return this.#leaveMute(way, outcome.why, () => go(true));
    this.#tell(way, outcome.why);
    this.#dropped.inc(); // a reliable one is repeated (RFC 3262 §3)
    go(false);
  }

  /** What makes the dialog must pass; as there is no media for it, its description names nobody, and a BYE follows. */
  #leaveMute(way: Way, why: string, go: () => void): void {
    const { message, call } = way;
    this.#tell(way, why);
    this.#refused.inc();
    this.#descriptions.leave(message, this.#descriptions.nowhere(message), go);
    this.#parts.hangUp(call, why);
  }

  #tell({ call, message }: Way, why: string): void {
    const { call_id } = call.facts;
    this.#parts.log.warn("rtpengine-refused", { call: call.id, call_id, message: nameOf(message), why });
  }

  /** Our own branch on top of it names the callee, and its tag does from then on. */
  #keyOfAnswer(engine: NgCall, response: SipMessage): string | null {
    const branch = methodOf(response) === "INVITE" ? branchOf(response) : null;
    if (branch !== null && engine.has(branch)) {
      if (response.toTag !== null) engine.name(branch, response.toTag);
      return branch;
    }
    return engine.keyOf(response.toTag);
  }
}

type Profiles = ReadonlyMap<string, MediaProfile>;

function profilesOf(list: Config["user"] | Config["peer"]): Profiles {
  const profiles = new Map<string, MediaProfile>();
  for (const { name, media_profile } of list)
    if (media_profile !== undefined) profiles.set(name, media_profile);
  return profiles;
}

const methodOf = ({ cseq }: SipMessage): string => (cseq instanceof ParseError ? "" : cseq.method);

/** The branch in the topmost Via; null: it has none. */
function branchOf({ via }: SipMessage): string | null {
  return via === null || via instanceof ParseError ? null : via.branch;
}

/** The same for a repetition, and for nothing else in the call. */
function nameOf(message: SipMessage): string {
  const { cseq, isRequest } = message;
  const number = cseq instanceof ParseError ? 0 : cseq.number;
  return isRequest ? `${number} ${message.method}` : `${message.status} to ${number} ${methodOf(message)}`;
}
