/**
 * The transaction-stateful, record-routing proxy (RFC 3261 §16): takes a validated and authorized
 * request, finds its targets, sends each a copy and hands the answers back. ACKs of 2xx and late 2xx
 * pass without state (§16.11).
 */
import type { Dice } from "../base/dice.ts";
import type { Flow, LocalEndpoint, Transports } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Locator } from "../dns/locate.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore } from "../location/store.ts";
import { buildAnswer } from "../message/answer.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import type { End, RouteTokens } from "../nat/route-token.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import type { BranchTimers } from "./branch.ts";
import { Branch } from "./branch.ts";
import type { Copy, Forwarding } from "./forward.ts";
import { buildCopy } from "./forward.ts";
import { breadthOf, makeBranch } from "./loop.ts";
import type { FoundFlow, Permit } from "./next-flow.ts";
import { flowOfBinding, flowOfPeer, flowToPlace, flowToPlaces, streamInstead } from "./next-flow.ts";
import type { ContextHost } from "./response-context.ts";
import { ResponseContext } from "./response-context.ts";
import { buildResponseCopy } from "./responses.ts";
import type { NextHop } from "./route.ts";
import { nextHop } from "./route.ts";
import type { KnowsUser, Target } from "./targets.ts";
import { findTargets } from "./targets.ts";

export interface ProxyOptions {
  readonly dice: Dice;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly layer: TransactionLayer;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly locator: Locator;
  readonly tokens: RouteTokens;
  readonly edits: Edits;
  readonly knowsUser: KnowsUser;
  /** Whether a peer at this address is one of ours without any account (auth.trusted_networks). */
  readonly isTrusted: (address: string) => boolean;
  /** Answers a request with a refusal. */
  readonly refuse: (transaction: ServerTransaction, refusal: Refusal) => void;
  readonly limits: ProxyLimits;
}

export interface ProxyLimits extends BranchTimers {
  /** Copies of one request at most. */
  readonly branches_max: number;
}

/** A request that may be forwarded, and what was found out about it on the way here. */
export interface Admitted extends Forwarding {
  /** Where it may go; null: anywhere. */
  readonly permit: Permit | null;
  /** The other end of the dialog it belongs to, as our token names it; null outside dialogs. */
  readonly peer: End | null;
}

export class StatefulProxy implements ContextHost {
  limits: ProxyLimits;
  readonly edits: Edits;
  readonly #options: ProxyOptions;
  readonly #contextsEnded: Counter;
  readonly #contextsBegun: Counter;
  readonly #acks: Counter;
  readonly #acksDropped: Counter;
  readonly #strays: Counter;
  readonly #late: Counter;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.edits = options.edits;
    this.limits = options.limits;
    const m = options.metrics;
    this.#contextsBegun = m.counter(
      "sipedge_proxied_begun_total",
      "Requests forwarded to at least one target",
    );
    this.#contextsEnded = m.counter(
      "sipedge_proxied_ended_total",
      "Forwarded requests that got their final answer",
    );
    this.#acks = m.counter("sipedge_acks_forwarded_total", "ACKs of 2xx answers passed on");
    this.#acksDropped = m.counter(
      "sipedge_acks_dropped_total",
      "ACKs that could not or must not be passed on",
    );
    this.#strays = m.counter(
      "sipedge_responses_stray_total",
      "Responses that matched nothing and were dropped",
    );
    this.#late = m.counter(
      "sipedge_responses_late_total",
      "2xx answers passed on after their transaction was gone",
    );
  }

  /** Forwards a request that is not an ACK. Every request gets an answer, except as RFC 4320 says. */
  forward(transaction: ServerTransaction, admitted: Admitted): void {
    const { domains, store, knowsUser, refuse } = this.#options;
    const targets = findTargets(admitted.routing, domains, store, knowsUser);
    if ("status" in targets) return refuse(transaction, targets);
    const breadth = breadthOf(admitted.request);
    const most = Math.min(breadth, this.limits.branches_max);
    if (most < 1) return refuse(transaction, TOO_BROAD);
    if (admitted.request.method === "INVITE") this.#trying(transaction, admitted);
    const context = new ResponseContext(this, transaction);
    this.#contextsBegun.inc();
    const chosen = targets.length > most ? targets.slice(0, most) : targets;
    const share = Math.floor(breadth / chosen.length);
    const branches = chosen.map((target) => new Branch(target, this.#options.layer, context, this.limits));
    for (const branch of branches) context.add(branch);
    for (const branch of branches) this.#dispatch(branch, admitted, share);
  }

  /** The ACK of a 2xx: no transaction, no answer (§16.11). Dropped when it may not go where it wants to. */
  forwardAck(admitted: Admitted): void {
    const { domains, store, knowsUser } = this.#options;
    const targets = findTargets(admitted.routing, domains, store, knowsUser);
    const target = "status" in targets ? undefined : targets[0];
    if (target === undefined) this.#acksDropped.inc();
    else
      this.#withFlow(target, admitted, (hop, flow) => {
        if (flow === null || flow === "forbidden") {
          this.#acksDropped.inc();
          return;
        }
        this.#acks.inc();
        const branch = makeBranch(admitted.loopHash, statelessUnique(admitted.request, admitted.callId));
        flow.send(this.#copy(admitted, target, hop, flow, branch, breadthOf(admitted.request)));
      });
  }

  /**
   * A response that no client transaction waits for: a 2xx to an INVITE goes back (§16.7, RFC 6026 §7.3),
   * because losing it would leave a phone in a call that nobody knows of. Departs from §16.11: not to
   * whoever its Via names, which anyone can write, but to the caller that our own token in its
   * Record-Route names.
   */
  strayResponse(response: SipMessage): void {
    const { cseq, status } = response;
    const late = !(cseq instanceof ParseError) && cseq.method === "INVITE" && status >= 200 && status < 300;
    const caller = late ? this.#callerOf(response) : null;
    const copy = caller === null ? null : buildResponseCopy(this.edits, response);
    if (caller === null || copy === null) {
      this.#strays.inc();
      return;
    }
    this.#late.inc();
    this.#options.transports.flowTo(caller.transport, caller.address, caller.port)?.send(copy);
  }

  /** The caller of the dialog a response belongs to, by the token in a Record-Route of ours. */
  #callerOf(response: SipMessage): End | null {
    const callId = response.callId ?? "";
    for (const value of response.texts(H.RecordRoute)) {
      const entries = parseNameAddrs(value);
      if (entries instanceof ParseError) continue;
      for (const { uri } of entries) {
        const ends = uri.user === null ? null : this.#options.tokens.verify(uri.user, callId);
        if (ends !== null) return ends.caller;
      }
    }
    return null;
  }

  answer(transaction: ServerTransaction, refusal: Refusal): void {
    this.#options.refuse(transaction, refusal);
  }

  ack(ack: SipMessage, flow: Flow): void {
    this.onAck?.(ack, flow);
  }

  /** Where an ACK of a 2xx goes that was matched to its INVITE: through the chain, like any ACK. */
  onAck: ((ack: SipMessage, flow: Flow) => void) | null = null;

  finished(): void {
    this.#contextsEnded.inc();
  }

  /** §16.2: 100 at once, so that the caller stops repeating its INVITE. */
  #trying(transaction: ServerTransaction, { request, source }: Forwarding): void {
    const options = { address: source.remoteAddress, port: source.remotePort };
    transaction.respond(100, buildAnswer(this.edits, request, 100, options));
  }

  #dispatch(branch: Branch, admitted: Admitted, breadth: number): void {
    this.#withFlow(branch.target, admitted, (hop, flow) => {
      if (!branch.pending) return;
      if (flow === "forbidden") branch.fail(403, "This dialog may not be routed there");
      else if (flow === null) branch.fail(...unreachable(branch.target));
      else this.#send(branch, admitted, hop, flow, breadth);
    });
  }

  #send(branch: Branch, admitted: Admitted, hop: NextHop, flow: Flow, breadth: number): void {
    const { dice, transports } = this.#options;
    const id = makeBranch(admitted.loopHash, dice.token());
    let bytes = this.#copy(admitted, branch.target, hop, flow, id, breadth);
    const stream = streamInstead(transports, flow, bytes.length);
    if (stream !== null) bytes = this.#copy(admitted, branch.target, hop, stream, id, breadth);
    branch.send(bytes, admitted.request.method, id, stream ?? flow);
  }

  #copy(
    admitted: Admitted,
    target: Target,
    { requestUri }: NextHop,
    flow: Flow,
    branch: string,
    breadth: number,
  ): Buffer {
    const { uri, path, binding } = target;
    const calleeIsOurs = binding !== null || this.#options.isTrusted(flow.remoteAddress);
    const copy: Copy = { target: uri, requestUri, path, flow, branch, breadth, calleeIsOurs };
    return buildCopy(this.edits, this.#options.tokens, admitted, copy);
  }

  /** Finds the flow for a target; at once, in this very call, unless a name has to be looked up. */
  #withFlow(target: Target, admitted: Admitted, use: (hop: NextHop, flow: FoundFlow) => void): void {
    const { transports, locator } = this.#options;
    const hop = nextHop(admitted.routing, target.uri, target.path);
    const known = this.#knownFlow(target, admitted, hop);
    if (known !== null) return use(hop, known);
    const from = this.#leavingBy(admitted, target.binding?.flow ?? null);
    const place = locator.literal(hop.uri);
    if (place === null) use(hop, null);
    else if (place !== "name") use(hop, flowToPlace(transports, place, from, admitted.permit));
    else
      locator.lookUp(hop.uri, (places) => use(hop, flowToPlaces(transports, places, from, admitted.permit)));
  }

  /** The flow that a registration or the dialog itself names; null: the next hop's URI decides. */
  #knownFlow({ binding, path, uri }: Target, admitted: Admitted, hop: NextHop): Flow | null {
    const { transports } = this.#options;
    if (binding !== null) return path.length === 0 ? flowOfBinding(transports, binding, uri) : null;
    const { peer, routing } = admitted;
    if (peer === null || routing.next !== null) return null;
    return flowOfPeer(transports, peer, hop.uri, this.#leavingBy(admitted, null));
  }

  /** The endpoint to send from: where the binding was registered, or the side the dialog left by before. */
  #leavingBy(
    admitted: Admitted,
    registered: { local_address: string; local_port: number } | null,
  ): LocalEndpoint | undefined {
    if (registered !== null)
      return this.#endpoint(
        (e) => e.address === registered.local_address && e.port === registered.local_port,
      );
    const { leaving } = admitted.routing;
    const { local } = admitted.source;
    if (leaving === null || sentByOf(leaving) === local.sentBy) return local;
    return this.#endpoint((e) => e.sentBy === sentByOf(leaving));
  }

  #endpoint(matches: (endpoint: LocalEndpoint) => boolean): LocalEndpoint | undefined {
    return this.#options.transports.endpoints().find(matches);
  }
}

const TOO_BROAD: Refusal = { status: 440, reason: "Max-Breadth used up", section: "RFC 5393 §5.3.3" };

/** A phone that cannot be reached is away for now; a next hop that cannot be is a server's failure (§16.9). */
function unreachable(target: Target): [number, string] {
  return target.binding === null
    ? [503, "No transport or address for the next hop"]
    : [480, "The registered contact cannot be reached"];
}

function sentByOf(uri: SipUri): string {
  const host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
  return uri.port === null ? host : `${host}:${uri.port}`;
}

/** §16.11: the same for every retransmission of a request, without memory. */
function statelessUnique(request: SipMessage, callId: string): string {
  const via = request.via;
  const branch = via === null || via instanceof ParseError ? "" : via.branch;
  return `s${Bun.hash.xxHash32(`${branch} ${callId}`).toString(36)}`;
}
