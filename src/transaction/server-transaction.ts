/** A server transaction: a request that came to us, and the answers we gave (RFC 3261 §17.2). */
import type { Flow } from "../base/flow.ts";
import { buildAnswer } from "../message/answer.ts";
import type { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Via } from "../message/via.ts";
import { Detour } from "./detour.ts";
import { inviteServer } from "./invite-server.ts";
import type { Effect } from "./machine.ts";
import { nonInviteServer } from "./non-invite-server.ts";
import type { Source } from "./sources.ts";
import type { TransactionHost } from "./transaction.ts";
import { Transaction } from "./transaction.ts";

/** Who answers the request. Called synchronously, after the step is complete. */
export interface ServerUser {
  /** An ACK for the 2xx of this INVITE (RFC 6026 §8.5): to be forwarded like any ACK. */
  acknowledged(transaction: ServerTransaction, ack: SipMessage, flow: Flow): void;
  /** Timer H: no ACK for our final answer came. The transaction is over. */
  timedOut(transaction: ServerTransaction): void;
  /**
   * An answer could not be sent. An INVITE's transaction goes on (RFC 6026 §8.8) and still waits for a
   * final answer when it has none; any other is over.
   */
  transportFailed(transaction: ServerTransaction): void;
}

export interface ServerHost extends TransactionHost {
  readonly edits: Edits;
  /** Where answers go when the flow of the request is gone (§18.2.2). */
  detour(via: Via, source: Flow): Flow;
}

export class ServerTransaction extends Transaction {
  /** The flow the request came on. */
  readonly source: Flow;
  /** The request; null once the final answer was sent. */
  request: SipMessage | null;
  /** Who is told; set by the first to take the request. */
  user: ServerUser | null = null;
  /** Status of the last answer given; 0 before the first. */
  status = 0;
  /** Where the layer counts it. */
  readonly countedFor: Source;
  readonly #server: ServerHost;
  #reply: Flow;
  /** Of a request that came on a connection: by it answers find another way when that is gone. */
  readonly #via: Via | null;
  #ackFlow: Flow | null = null;

  constructor(
    host: ServerHost,
    key: string,
    request: SipMessage,
    source: Flow,
    countedFor: Source,
    reply: Flow,
    via: Via,
    startedAt: number,
  ) {
    const { method } = request;
    super(
      host,
      method === "INVITE" ? inviteServer : nonInviteServer,
      method,
      key,
      request.callId ?? "",
      startedAt,
    );
    this.#server = host;
    this.request = request;
    this.source = source;
    this.countedFor = countedFor;
    this.#reply = reply;
    this.#via = source.reliable ? via : null;
    this.begin();
  }

  /**
   * Sends an answer: the whole message. Ignored in states in which the figure has no place for it, and
   * when it is a provisional one to a non-INVITE: its 100 leaves by itself in due time (RFC 4320 §4.1).
   */
  respond(status: number, bytes: Buffer): void {
    if (status < 200 && this.method !== "INVITE") return;
    if (this.terminated) {
      // §16.7 step 5: a 2xx goes back whenever it comes; with the transaction gone, without it.
      if (status >= 200 && status < 300 && this.method === "INVITE") this.#sendLate(bytes);
      return;
    }
    if (this.status < 200) this.status = status;
    if (!this.#reply.open && !(this.#reply instanceof Detour)) this.#goRound();
    const input = status < 200 ? "send1xx" : status < 300 ? "send2xx" : "send300_699";
    this.step(input, bytes, null);
    if (status < 200) return;
    this.request = null;
    // A datagram brings no news of its fate: the user has nothing more to hear, and need not be kept for 64*T1.
    if (this.method !== "INVITE" && !this.#reply.reliable) this.user = null;
  }

  #sendLate(bytes: Buffer): void {
    const isSent = this.#reply.send(bytes);
    this.host.tap?.sent(bytes, this.callId, this.#reply, isSent);
  }

  /** Its answers take another way from now on, which may be found later. */
  #goRound(): void {
    const via = this.#via ?? this.request?.via ?? null;
    if (via === null || via instanceof ParseError) return;
    this.#reply = this.#server.detour(via, this.source);
    this.#reply.watch(this);
  }

  /** The same request again. */
  repeated(): void {
    this.step("request", null, null);
  }

  /** An ACK that matches this INVITE. */
  acknowledge(ack: SipMessage, flow: Flow): void {
    this.#ackFlow = flow;
    this.step("ACK", null, ack);
    this.#ackFlow = null;
  }

  /** Ends it without an answer (RFC 4320: no 408 to a non-INVITE). */
  abandon(): void {
    this.step("abandon", null, null);
  }

  /** Whether a final answer was given. */
  get answered(): boolean {
    return this.status >= 200;
  }

  protected get flow(): Flow {
    return this.#reply;
  }

  protected userEffect(effect: Effect, message: SipMessage | null): void {
    if (effect === "send100") return this.#send100();
    const user = this.user;
    if (user === null) return;
    if (effect === "pass" && message !== null && this.#ackFlow !== null)
      user.acknowledged(this, message, this.#ackFlow);
    else if (effect === "tellTimeout") user.timedOut(this);
    else if (effect === "tellTransportError") user.transportFailed(this);
  }

  #send100(): void {
    const { request, source } = this;
    if (request === null) return;
    this.status = 100;
    const { remoteAddress: address, remotePort: port } = source;
    this.bytes = buildAnswer(this.#server.edits, request, 100, { address, port });
    this.transmit(this.bytes);
  }

  protected release(): void {
    if (this.#reply !== this.source) this.#reply.unwatch(this);
    this.request = null;
    this.user = null;
  }
}
