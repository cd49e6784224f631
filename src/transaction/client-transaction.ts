/** A client transaction: a request we sent, waiting for its answers (RFC 3261 §17.1). */
import type { Flow } from "../base/flow.ts";
import { ackFor } from "../message/derive.ts";
import type { Edits } from "../message/edits.ts";
import type { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { inviteClient } from "./invite-client.ts";
import type { Effect } from "./machine.ts";
import { nonInviteClient } from "./non-invite-client.ts";
import type { TransactionHost } from "./transaction.ts";
import { Transaction } from "./transaction.ts";

/** Who sent the request. Called synchronously, after the step is complete. */
export interface ClientUser {
  /** An answer that is not a retransmission; also every 2xx to an INVITE, repeated or not. */
  answered(transaction: ClientTransaction, response: SipMessage): void;
  /** Timer B or F: no (final) answer came. The transaction is over. */
  timedOut(transaction: ClientTransaction): void;
  /** The flow failed. The transaction is over. */
  transportFailed(transaction: ClientTransaction): void;
}

export interface ClientHost extends TransactionHost {
  readonly edits: Edits;
  readonly scanner: Scanner;
}

export class ClientTransaction extends Transaction {
  readonly flow: Flow;
  readonly #user: ClientUser;
  readonly #client: ClientHost;

  constructor(
    host: ClientHost,
    key: string,
    method: string,
    bytes: Buffer,
    flow: Flow,
    user: ClientUser,
    callId: string,
    startedAt: number,
  ) {
    super(host, method === "INVITE" ? inviteClient : nonInviteClient, method, key, callId, startedAt);
    this.#client = host;
    this.#user = user;
    this.flow = flow;
    this.bytes = bytes;
  }

  /** Sends the request for the first time. */
  start(): void {
    if (this.flow.reliable) this.flow.watch(this);
    this.begin();
    this.transmit(this.bytes);
    this.afterSending();
  }

  /** A response that matched this transaction (§17.1.3). */
  receive(response: SipMessage): void {
    const status = response.status;
    this.step(status < 200 ? "receive1xx" : status < 300 ? "receive2xx" : "receive300_699", null, response);
  }

  /** Ends it without an answer, silently: a CANCEL was not followed by one (§9.1), or Timer C fired. */
  abandon(): void {
    this.step("abandon", null, null);
  }

  /** The request as it was sent; null once a final answer came. */
  get sent(): SipMessage | null {
    return this.bytes === null ? null : this.#client.scanner.scan(this.bytes);
  }

  protected userEffect(effect: Effect, message: SipMessage | null): void {
    if (effect === "pass" && message !== null) this.#user.answered(this, message);
    else if (effect === "sendAck" && message !== null) this.#sendAck(message);
    else if (effect === "tellTimeout") this.#user.timedOut(this);
    else if (effect === "tellTransportError") this.#user.transportFailed(this);
  }

  #sendAck(response: SipMessage): void {
    const invite = this.sent;
    if (invite !== null) this.transmit(ackFor(this.#client.edits, invite, response));
  }

  protected release(): void {
    if (this.flow.reliable) this.flow.unwatch(this);
  }
}
