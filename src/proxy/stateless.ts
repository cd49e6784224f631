/**
 * What passes without a transaction: the ACK of a 2xx, and a 2xx whose transaction is gone
 * (RFC 3261 §16.11).
 */
import type { Flow, Transports } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore } from "../location/store.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { DialogEnds, RouteTokens } from "../nat/route-token.ts";
import type { Answerer } from "./callee-identity.ts";
import type { Copy } from "./forward.ts";
import { breadthOf, makeBranch } from "./loop.ts";
import type { MediaGate } from "./media-gate.ts";
import type { ResponseEditor } from "./own-routes.ts";
import { buildResponseCopy } from "./responses.ts";
import type { Admitted, Sender } from "./sender.ts";
import type { Target } from "./targets.ts";
import { contactTargets, directTarget, ofInstance } from "./targets.ts";

export interface StatelessOptions {
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly tokens: RouteTokens;
  readonly edits: Edits;
  readonly editor: ResponseEditor;
  readonly sender: Sender;
  /** Asked before a copy leaves whose media is relayed elsewhere; null: nobody is. */
  readonly gate: MediaGate | null;
  /** Sees what is sent. */
  readonly tap: MessageTap | null;
}

export class StatelessProxy {
  readonly #options: StatelessOptions;
  readonly #sender: Sender;
  readonly #acks: Counter;
  readonly #acksDropped: Counter;
  readonly #strays: Counter;
  readonly #late: Counter;

  constructor(options: StatelessOptions) {
    this.#options = options;
    this.#sender = options.sender;
    const m = options.metrics;
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

  /** The ACK of a 2xx: no transaction, no answer (§16.11). Dropped when it may not go where it wants to. */
  forwardAck(admitted: Admitted): void {
    const target = this.#targetOf(admitted);
    if (target === undefined) this.#acksDropped.inc();
    else
      this.#sender.withFlow(target, admitted, (hop, flow) => {
        if (flow === null || typeof flow === "string") {
          this.#acksDropped.inc();
          return;
        }
        const branch = makeBranch(admitted.loopHash, statelessUnique(admitted.request, admitted.callId));
        const breadth = breadthOf(admitted.request);
        const copy = this.#sender.plan(admitted, target, hop, flow, branch, breadth);
        const { gate } = this.#options;
        if (gate === null) this.#sendAck(admitted, copy);
        else
          gate.beforeRequest(admitted, copy, (why) => {
            if (why === null) this.#sendAck(admitted, copy);
            else this.#acksDropped.inc();
          });
      });
  }

  #sendAck(admitted: Admitted, copy: Copy): void {
    const bytes = this.#sender.copy(admitted, copy);
    if (bytes === null) {
      this.#acksDropped.inc();
      return;
    }
    this.#acks.inc();
    this.#send(bytes, admitted.callId, copy.flow);
  }

  #send(bytes: Buffer, callId: string, flow: Flow): void {
    const isSent = flow.send(bytes);
    this.#options.tap?.sent(bytes, callId, flow, isSent);
  }

  /** Where it goes: the next hop, or the first phone of whom it names. */
  #targetOf({ routing: { uri, next } }: Admitted): Target | undefined {
    const { domains, store } = this.#options;
    if (next !== null || !domains.isOurs(uri)) return directTarget(uri);
    const user = domains.userOf(uri);
    return user === null ? undefined : contactTargets(ofInstance(store.bindings(user), uri), null)[0];
  }

  /**
   * A response that no client transaction waits for: a 2xx to an INVITE goes back (§16.7, RFC 6026 §7.3),
   * because losing it would leave a phone in a call that nobody knows of. Departs from §16.11: not to
   * whoever its Via names, which anyone can write, but to the caller that our own token in its
   * Record-Route names.
   */
  strayResponse(response: SipMessage, flow: Flow): void {
    const { cseq, status } = response;
    const late = !(cseq instanceof ParseError) && cseq.method === "INVITE" && status >= 200 && status < 300;
    const ends = late ? this.#endsOf(response) : null;
    const { gate, transports } = this.#options;
    if (ends === null) return this.#strays.inc();
    const { caller, callee } = ends;
    const back = transports.flowTo(caller.transport, caller.address, caller.port);
    const from = { flow, target: null, bound: callee.bound };
    if (back === null) this.#strays.inc();
    else if (gate === null) this.#sendBack(response, back, from);
    else gate.beforeResponse(response, () => this.#sendBack(response, back, from));
  }

  #sendBack(response: SipMessage, back: Flow, from: Answerer): void {
    const { edits, editor } = this.#options;
    const copy = buildResponseCopy(edits, response, editor, back, from);
    if (copy === null) {
      this.#strays.inc();
      return;
    }
    this.#late.inc();
    this.#send(copy, response.callId ?? "", back);
  }

  /** The ends of the dialog a response belongs to, by the token in a Record-Route of ours. */
  #endsOf(response: SipMessage): DialogEnds | null {
    const callId = response.callId ?? "";
    for (const value of response.texts(H.RecordRoute)) {
      const entries = parseNameAddrs(value);
      if (entries instanceof ParseError) continue;
      for (const { uri } of entries) {
        const ends = uri.user === null ? null : this.#options.tokens.verify(uri.user, callId);
        if (ends !== null) return ends;
      }
    }
    return null;
  }
}

/** §16.11: the same for every retransmission of a request, without memory. */
function statelessUnique(request: SipMessage, callId: string): string {
  const via = request.via;
  const branch = via === null || via instanceof ParseError ? "" : via.branch;
  return `s${Bun.hash.xxHash32(`${branch} ${callId}`).toString(36)}`;
}
