/**
 * Finds or makes the transaction for each message (RFC 3261 §17). Synchronous from end to end: a
 * retransmission can never slip in between a request and its transaction.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow, LocalEndpoint, Transports } from "../base/flow.ts";
import { hostPort, isNameOf } from "../base/flow.ts";
import type { Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import { TimerWheel } from "../base/timers.ts";
import { buildAnswer } from "../message/answer.ts";
import type { CSeq } from "../message/cseq.ts";
import type { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Via } from "../message/via.ts";
import type { ClientUser } from "./client-transaction.ts";
import { ClientTransaction } from "./client-transaction.ts";
import type { LookUpReply } from "./detour.ts";
import { Detour } from "./detour.ts";
import type { TransactionLimit } from "./layer-metrics.ts";
import { LayerMetrics } from "./layer-metrics.ts";
import type { Input, Machine } from "./machine.ts";
import { clientKey, serverKey } from "./matching.ts";
import { replyFlow } from "./reply-flow.ts";
import { ServerTransaction } from "./server-transaction.ts";
import type { TransactionsSnapshot } from "./snapshot.ts";
import { snapshotOf } from "./snapshot.ts";
import { Sources } from "./sources.ts";
import type { TimerSettings } from "./timers.ts";
import type { Transaction } from "./transaction.ts";

/** What arrives for the layer above. Called synchronously; must not throw. */
export interface TransactionUser {
  /** A new request other than ACK and CANCEL. Answer it, now or later. */
  request(transaction: ServerTransaction, request: SipMessage): void;
  /** A CANCEL, which has a transaction of its own; `invite` is the one it names, null when there is none. */
  cancel(transaction: ServerTransaction, request: SipMessage, invite: ServerTransaction | null): void;
  /** An ACK that belongs to no transaction: the ACK of a 2xx. */
  ack(request: SipMessage, flow: Flow): void;
  /** A response no client transaction waits for. */
  strayResponse(response: SipMessage, flow: Flow): void;
}

export interface LayerOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly edits: Edits;
  readonly scanner: Scanner;
  readonly user: TransactionUser;
  readonly timers: TimerSettings;
  /** Client and server transactions together; a request beyond it is answered with 503 without state. */
  readonly transactionsMax: number;
  /** Server transactions of one source address; one more request is refused the same way. Absent: no such bound. */
  readonly transactionsPerSourceMax?: number;
  /** Addresses for which that bound does not hold. Asked only when the bound is reached. Absent: none. */
  readonly isExempt?: (address: string) => boolean;
  /** Whether a request is let in beyond both bounds, a call for help; asked only when one is reached. Absent: none is. */
  readonly isUrgent?: (request: SipMessage, flow: Flow) => boolean;
  /** Whether a response must also have the Call-ID of its request, beyond what §17.1.3 asks for. Absent: no. */
  readonly matchCallId?: boolean;
  /** Looks up where a response goes whose connection is gone (RFC 3263 §5). Absent: to the request's source only. */
  readonly lookUpReply?: LookUpReply;
}

const RETRY_AFTER_S = 5;
/** Transactions beyond transactionsMax that are kept for urgent requests. */
const URGENT_MAX = 1000;

export class TransactionLayer {
  readonly wheel: TimerWheel;
  readonly edits: Edits;
  readonly scanner: Scanner;
  timers: TimerSettings;
  transactionsMax: number;
  transactionsPerSourceMax: number;
  /** Whether a response must also have the Call-ID of its request. */
  matchCallId: boolean;
  /** Sees what is sent; null: nobody does. */
  tap: MessageTap | null = null;
  /** Whether a new request of that method is turned away, because there is too much to do; null: never. */
  refusesNew: ((method: string) => boolean) | null = null;
  readonly #isExempt: (address: string) => boolean;
  readonly #isUrgent: (request: SipMessage, flow: Flow) => boolean;
  readonly #sources = new Sources();
  readonly #clock: Clock;
  readonly #metrics: LayerMetrics;
  readonly #transports: Transports;
  readonly #user: TransactionUser;
  readonly #lookUpReply: LookUpReply | null;
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #clients = new Map<string, ClientTransaction>();

  constructor(options: LayerOptions) {
    this.#clock = options.clock;
    this.#metrics = new LayerMetrics(options.metrics);
    this.#transports = options.transports;
    this.#user = options.user;
    this.#lookUpReply = options.lookUpReply ?? null;
    this.edits = options.edits;
    this.scanner = options.scanner;
    this.timers = options.timers;
    this.transactionsMax = options.transactionsMax;
    this.transactionsPerSourceMax = options.transactionsPerSourceMax ?? Number.POSITIVE_INFINITY;
    this.matchCallId = options.matchCallId ?? false;
    this.#isExempt = options.isExempt ?? (() => false);
    this.#isUrgent = options.isUrgent ?? (() => false);
    this.wheel = new TimerWheel(options.clock);
    const m = options.metrics;
    m.gauges("sipedge_transactions", "Running transactions", () => [
      { labels: { side: "server" }, value: this.#servers.size },
      { labels: { side: "client" }, value: this.#clients.size },
    ]);
    m.gauge(
      "sipedge_transaction_sources",
      "Addresses with a running server transaction",
      () => this.#sources.size,
    );
  }

  /** A request that passed the checks every request must pass: Via and CSeq are there and sound. */
  receiveRequest(request: SipMessage, via: Via, cseq: CSeq, flow: Flow): void {
    const key = serverKey(request, via, cseq, request.method, flow.remoteAddress);
    const known = this.#servers.get(key);
    if (known !== undefined) {
      if (request.method === "ACK") known.acknowledge(request, flow);
      else {
        this.#metrics.repeated.inc();
        known.repeated();
      }
      return;
    }
    if (request.method === "ACK") {
      this.#user.ack(request, flow);
      return;
    }
    const limit = this.#limitReached(flow.remoteAddress) ?? this.#overloadOf(request);
    if (limit !== null && !this.#frees(request, via, cseq, flow) && !this.#comesFirst(request, flow)) {
      this.#refuse(request, flow, limit);
      return;
    }
    const transaction = this.#newServer(key, request, via, flow);
    if (request.method === "CANCEL") {
      const invite = this.#servers.get(serverKey(request, via, cseq, "INVITE", flow.remoteAddress));
      this.#user.cancel(transaction, request, invite ?? null);
    } else this.#user.request(transaction, request);
  }

  #limitReached(address: string): TransactionLimit | null {
    if (this.size >= this.transactionsMax) return "transactions_max";
    if (this.#sources.countOf(address) < this.transactionsPerSourceMax) return null;
    return this.#isExempt(address) ? null : "transactions_per_source_max";
  }

  /** What belongs to a dialog is never turned away for it. */
  #overloadOf(request: SipMessage): TransactionLimit | null {
    if (this.refusesNew === null || request.hasToTag) return null;
    return this.refusesNew(request.method) ? "overload" : null;
  }

  /** A CANCEL of an INVITE that runs is let in beyond the limit: it ends transactions, and there is one for each. */
  #frees(request: SipMessage, via: Via, cseq: CSeq, flow: Flow): boolean {
    return (
      request.method === "CANCEL" &&
      this.#servers.has(serverKey(request, via, cseq, "INVITE", flow.remoteAddress))
    );
  }

  #comesFirst(request: SipMessage, flow: Flow): boolean {
    return this.size < this.transactionsMax + URGENT_MAX && this.#isUrgent(request, flow);
  }

  /** A response; its topmost Via must be ours, or nobody here waits for it. */
  receiveResponse(response: SipMessage, via: Via, cseq: CSeq, flow: Flow): void {
    const key = clientKey(via.branch ?? "", cseq.method);
    const client = this.#clients.get(key);
    const ours = client !== undefined && client.method === cseq.method && isSentBy(via, client.flow.local);
    if (!ours) this.#user.strayResponse(response, flow);
    else if (!this.matchCallId || client.callId === response.callId) client.receive(response);
    else this.#metrics.foreignCallIds.inc();
  }

  /**
   * Sends a request statefully. `bytes` is the whole message, with `branch` in its topmost Via and that
   * Call-ID; the user hears of everything that follows.
   */
  send(
    bytes: Buffer,
    method: string,
    branch: string,
    callId: string,
    flow: Flow,
    user: ClientUser,
  ): ClientTransaction {
    const key = clientKey(branch, method);
    const transaction = new ClientTransaction(
      this,
      key,
      method,
      bytes,
      flow,
      user,
      callId,
      this.#clock.now(),
    );
    this.#clients.set(key, transaction);
    transaction.start();
    return transaction;
  }

  /** Stops all timers: for the end of the process. */
  close(): void {
    this.wheel.close();
  }

  /** Running transactions of both sides. */
  get size(): number {
    return this.#servers.size + this.#clients.size;
  }

  /** The INVITE server transactions that still wait for a final answer: what a clean stop waits for. */
  get unanswered(): number {
    let count = 0;
    for (const server of this.#servers.values()) if (!server.answered) count++;
    return count;
  }

  unexpected(machine: Machine, state: string, input: Input): void {
    this.#metrics.unexpected(machine, state, input);
  }

  ended(transaction: Transaction): void {
    if (transaction instanceof ServerTransaction) {
      this.#servers.delete(transaction.key);
      this.#sources.leave(transaction.countedFor);
    } else this.#clients.delete(transaction.key);
  }

  retransmitted(): void {
    this.#metrics.retransmitted.inc();
  }

  get counts(): { readonly server: number; readonly client: number } {
    return { server: this.#servers.size, client: this.#clients.size };
  }

  /** At most `max` of them one by one. */
  snapshot(max: number): TransactionsSnapshot {
    return snapshotOf([this.#servers, this.#clients], this.wheel, max);
  }

  #newServer(key: string, request: SipMessage, via: Via, flow: Flow): ServerTransaction {
    const transaction = new ServerTransaction(
      this,
      key,
      request,
      flow,
      this.#sources.enter(flow.remoteAddress),
      replyFlow(via, flow),
      via,
      this.#clock.now(),
    );
    this.#servers.set(key, transaction);
    return transaction;
  }

  /** §18.2.2, RFC 3263 §5. */
  detour(via: Via, source: Flow): Flow {
    this.#metrics.detours.inc();
    const parts = { transports: this.#transports, wheel: this.wheel, lookUp: this.#lookUpReply };
    return new Detour(parts, source, via);
  }

  #refuse(request: SipMessage, flow: Flow, limit: TransactionLimit): void {
    this.#metrics.refused[limit].inc();
    const via = request.via;
    if (via === null || via instanceof ParseError) return;
    const { remoteAddress: address, remotePort: port } = flow;
    const back = replyFlow(via, flow);
    const answer = buildAnswer(this.edits, request, 503, {
      address,
      port,
      toTag: "overload",
      headers: [`Retry-After: ${RETRY_AFTER_S}`],
    });
    const isSent = back.send(answer);
    this.tap?.sent(answer, request.callId ?? "", back, isSent);
  }
}

/** §18.1.2: a response whose topmost Via does not hold what we put there is not for us. */
function isSentBy({ host, port }: Via, local: LocalEndpoint): boolean {
  return isNameOf(local, port === null ? host : hostPort(host, port));
}
