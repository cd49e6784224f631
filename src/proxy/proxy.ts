/**
 * The transaction-stateful, record-routing proxy (RFC 3261 §16): takes a validated and authorized
 * request, finds its targets, sends each a copy and hands the answers back. ACKs of 2xx and late 2xx
 * pass without state (§16.11).
 */
import type { Dice } from "../base/dice.ts";
import type { Flow, Transports } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { DeadTargets } from "../dns/dead-targets.ts";
import type { Place } from "../dns/place.ts";
import type { Binding } from "../location/binding.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore } from "../location/store.ts";
import { buildAnswer } from "../message/answer.ts";
import type { Edits } from "../message/edits.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import type { AskPort, BranchTimers } from "./branch.ts";
import { Branch } from "./branch.ts";
import type { CallObserver } from "./call-observer.ts";
import type { AnswerRules, ContextHost, ContextLife } from "./context-host.ts";
import type { Directory, SearchRules, TrunkHop, Trunks } from "./directory.ts";
import type { Copy, Forwarding } from "./forward.ts";
import type { Ringing } from "./late-forks.ts";
import { LateForks } from "./late-forks.ts";
import { breadthOf, makeBranch } from "./loop.ts";
import type { MediaGate } from "./media-gate.ts";
import { streamInstead } from "./next-flow.ts";
import type { ResponseEditor } from "./own-routes.ts";
import { ResponseContext } from "./response-context.ts";
import type { Final } from "./responses.ts";
import { buildResponseCopy, retryAfterOf } from "./responses.ts";
import { directRound } from "./round.ts";
import type { NextHop } from "./route.ts";
import { Search } from "./search.ts";
import type { Admitted, NoPlace, Sender } from "./sender.ts";
import type { Target } from "./targets.ts";

export interface ProxyOptions {
  readonly dice: Dice;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly layer: TransactionLayer;
  readonly sender: Sender;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly edits: Edits;
  readonly editor: ResponseEditor;
  /** Asked before a copy leaves whose media is relayed elsewhere; null: nobody is. */
  readonly gate: MediaGate | null;
  readonly directory: Directory;
  readonly trunks: Trunks;
  /** Told in this order. */
  readonly observers: readonly CallObserver[];
  readonly askPort: AskPort;
  readonly deadTargets: DeadTargets;
  /** Answers a request with a refusal. */
  readonly refuse: (transaction: ServerTransaction, refusal: Refusal) => void;
  readonly rules: ProxyRules;
}

export interface ProxyRules extends BranchTimers, SearchRules, AnswerRules {
  /** Copies of one request at most. */
  readonly branches_max: number;
  /** How long an INVITE is sought for in all. */
  readonly invite_lifetime_ms: number;
}

export class StatefulProxy implements ContextHost<Admitted> {
  rules: ProxyRules;
  readonly #options: ProxyOptions;
  readonly #sender: Sender;
  readonly #observers: readonly CallObserver[];
  readonly #lateForks = new LateForks();
  readonly #contextsEnded: Counter;
  readonly #contextsBegun: Counter;
  readonly #noRoom: Counter;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#sender = options.sender;
    this.#observers = options.observers;
    this.rules = options.rules;
    const m = options.metrics;
    this.#contextsBegun = m.counter(
      "sipedge_proxied_begun_total",
      "Requests forwarded to at least one target",
    );
    this.#contextsEnded = m.counter(
      "sipedge_proxied_ended_total",
      "Forwarded requests that got their final answer",
    );
    this.#noRoom = m.counter(
      "sipedge_targets_left_out_total",
      "Targets without a copy because Max-Breadth or limits.branches_max was used up",
    );
  }

  /** Forwards a request that is not an ACK. Every request gets an answer, except as RFC 4320 says. */
  forward(transaction: ServerTransaction, admitted: Admitted): void {
    const search = this.#searchFor(admitted);
    const first = search === null ? directRound(admitted.routing.uri) : search.first();
    if ("status" in first) return this.turnAway(transaction, admitted, first);
    const breadth = breadthOf(admitted.request);
    if (breadth < 1) return this.turnAway(transaction, admitted, TOO_BROAD);
    if (admitted.request.method === "INVITE") this.#trying(transaction, admitted);
    const now = this.#options.layer.wheel.now();
    const context = new ResponseContext(this, transaction, admitted, search, breadth, now);
    this.#contextsBegun.inc();
    for (const observer of this.#observers) observer.begun(admitted, null);
    context.begin(first);
  }

  /** Answers a request that is not forwarded, and tells the observers of it. */
  turnAway(transaction: ServerTransaction, admitted: Admitted, refusal: Refusal): void {
    for (const observer of this.#observers) observer.begun(admitted, refusal);
    this.#options.refuse(transaction, refusal);
  }

  /** Null: a Route, the flow it names, or the dialog it belongs to, says where it goes. */
  #searchFor({ request, routing, caller, flow }: Admitted): Search | null {
    if (
      flow !== null ||
      routing.next !== null ||
      (request.hasToTag && !this.#options.domains.isOurs(routing.uri))
    )
      return null;
    return new Search(this.#options, this.rules, request, routing, caller);
  }

  /** The registration of `user` changed: calls that ring there take new phones in. */
  registered(user: string, before: readonly Binding[], after: readonly Binding[]): void {
    this.#lateForks.registered(user, before, after);
  }

  copyBack(
    response: SipMessage,
    to: ServerTransaction,
    from: Branch,
    status?: number,
    extra?: string,
  ): Buffer | null {
    const { edits, editor } = this.#options;
    return buildResponseCopy(edits, response, editor, to.source, from, status, extra);
  }

  get gate(): MediaGate | null {
    return this.#options.gate;
  }

  get answerRules(): AnswerRules {
    return this.rules;
  }

  now(): number {
    return this.#options.layer.wheel.now();
  }

  get branchesMax(): number {
    return this.rules.branches_max;
  }

  branch(context: ContextLife, target: Target, breadth: number, until: number | null): Branch {
    const { layer } = this.#options;
    const end = this.#endOf(context);
    const deadline = until === null ? end : Math.min(end, until);
    return new Branch(target, breadth, layer, context, this.rules, deadline, this.#options.askPort);
  }

  isOver(context: ContextLife): boolean {
    return this.#options.layer.wheel.now() >= this.#endOf(context);
  }

  #endOf(context: ContextLife): number {
    return context.startedAt + this.rules.invite_lifetime_ms;
  }

  dispatch(branch: Branch, admitted: Admitted): void {
    const { method, hasToTag } = admitted.request;
    branch.begin(method, admitted.callId);
    const { hop } = branch.target;
    if (hop !== null && !hop.mayBegin(method, !hasToTag)) {
      branch.fail(503, "The peer takes no more calls now", "unreachable");
      return;
    }
    this.#sender.withFlow(branch.target, admitted, (hop, flow, rest, none) => {
      if (!branch.pending) return;
      branch.ways = rest;
      if (flow === "forbidden") branch.fail(403, "This dialog may not be routed there", "other");
      else if (flow === "gone") branch.fail(...flowFailed(branch.target), "unreachable");
      else if (flow === null) branch.fail(...unreachable(branch.target, admitted, none), "unreachable");
      else this.#send(branch, admitted, hop, flow, rest);
    });
  }

  noRoom(targets: number): void {
    this.#noRoom.inc(targets);
  }

  branchEnded(branch: Branch, final: Final): void {
    for (const observer of this.#observers) observer.ended(branch);
    const { flow, target } = branch;
    if (flow !== null && target.binding === null) this.#remember(flow, final);
  }

  targetEnded(branch: Branch, final: Final): void {
    const { hop } = branch.target;
    if (hop !== null) tellHop(hop, branch, final);
  }

  /** Places that failed are tried last for a while (RFC 3263 §4.3). */
  #remember({ transport, remoteAddress: address, remotePort: port }: Flow, final: Final): void {
    const { deadTargets } = this.#options;
    const place = { transport, address, port };
    if (final.outcome === "unreachable" && (final.response === null || final.status === 503))
      deadTargets.failed(place, final.reason);
    else if (final.response !== null) deadTargets.alive(place);
  }

  branchAccepted(branch: Branch, response: SipMessage, forwarding: Admitted | null): void {
    if (forwarding !== null)
      for (const observer of this.#observers) observer.accepted(branch, response, forwarding);
    branch.target.hop?.accepted(branch.method === "INVITE" ? (response.callId ?? "") : "");
  }

  ringing(users: readonly string[], context: Ringing): void {
    this.#lateForks.add(users, context);
  }

  quiet(users: readonly string[], context: Ringing): void {
    this.#lateForks.remove(users, context);
  }

  answer(transaction: ServerTransaction, refusal: Refusal): void {
    this.#options.refuse(transaction, refusal);
  }

  ack(ack: SipMessage, flow: Flow): void {
    this.onAck?.(ack, flow);
  }

  /** Where an ACK of a 2xx goes that was matched to its INVITE: through the chain, like any ACK. */
  onAck: ((ack: SipMessage, flow: Flow) => void) | null = null;

  branchRang(branch: Branch, response: SipMessage, forwarding: Admitted): void {
    for (const observer of this.#observers) observer.rang(branch, response, forwarding);
  }

  finished(forwarding: Admitted, status: number, reason: string, own: boolean): void {
    this.#contextsEnded.inc();
    for (const observer of this.#observers) observer.finished(forwarding, status, reason, own);
    if (forwarding.request.method === "BYE") this.#options.trunks.dialogEnded(forwarding.callId);
  }

  /** §16.2: 100 at once, so that the caller stops repeating its INVITE. */
  #trying(transaction: ServerTransaction, { request, source }: Forwarding): void {
    const options = { address: source.remoteAddress, port: source.remotePort };
    transaction.respond(100, buildAnswer(this.#options.edits, request, 100, options));
  }

  #send(branch: Branch, admitted: Admitted, hop: NextHop, flow: Flow, rest: readonly Place[]): void {
    const { dice, gate } = this.#options;
    const { target, breadth } = branch;
    const id = makeBranch(admitted.loopHash, dice.token());
    const copy = this.#sender.plan(admitted, target, hop, flow, id, breadth);
    if (gate === null) return this.#leave(branch, admitted, copy, rest);
    gate.beforeRequest(admitted, copy, (why) => {
      if (!branch.pending) return;
      if (why === null) this.#leave(branch, admitted, copy, rest);
      else branch.fail(503, why, "other");
    });
  }

  #leave(branch: Branch, admitted: Admitted, copy: Copy, rest: readonly Place[]): void {
    let { flow } = copy;
    let bytes = this.#sender.copy(admitted, copy);
    const stream = bytes === null ? null : streamInstead(this.#options.transports, flow, bytes.length, rest);
    if (stream !== null) {
      flow = stream;
      bytes = this.#sender.copy(admitted, { ...copy, flow });
    }
    if (bytes === null) {
      branch.fail(503, "No ports are free for its media (media.port_max)", "other");
      return;
    }
    for (const observer of this.#observers) observer.sent(branch.target, flow, admitted);
    branch.bound = copy.calleeIsBound;
    branch.send(bytes, admitted.request.method, copy.branch, flow, rest);
  }
}

const TOO_BROAD: Refusal = { status: 440, reason: "Max-Breadth used up", section: "RFC 5393 §5.3.3" };

/** Tells a peer's hop what came of its copy. */
function tellHop(hop: TrunkHop, { method }: Branch, { response, status, outcome }: Final): void {
  if (response !== null) hop.refused(status, retryAfterOf(response));
  else if (outcome !== "unreachable")
    hop.refused(status, null); // it rang, or the caller gave up
  else if (status === 408) hop.silent(method);
  else hop.failed();
}

/**
 * A phone that cannot be reached is away for now. A domain that is not there has no such user (§21.4.5: the
 * status tells it for good); any other next hop that cannot be reached counts as its 503 (§16.9), which
 * leaves as 500 (§16.7 step 6) because it says nothing about us.
 */
function unreachable(target: Target, { routing }: Admitted, none: NoPlace | null): [number, string] {
  if (target.binding !== null) return [480, none?.why ?? "The registered contact cannot be reached"];
  if (none === null) return [503, "No transport or address for the next hop"];
  const isDomain = routing.next === null && target.hop === null;
  return [none.end === "absent" && isDomain ? 404 : 503, none.why];
}

/** RFC 5626 §5.3: 430 for a flow of a dialog that is closed; a phone whose flow is lost is away for now. */
function flowFailed({ binding }: Target): [number, string] {
  if (binding === null) return [430, "The connection of this dialog is closed"];
  return binding.flow.transport === "udp"
    ? [480, "The phone leaves keepalives without an answer"]
    : [480, "The connection of the registration is closed"];
}
