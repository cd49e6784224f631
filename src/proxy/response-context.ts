/**
 * The response context (RFC 3261 §16.7): all branches of one forwarded request and what goes back to
 * its sender. Here a call is offered to all targets at once.
 */
import type { Flow } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { ServerTransaction, ServerUser } from "../transaction/server-transaction.ts";
import type { Branch, BranchUser } from "./branch.ts";
import type { Final } from "./responses.ts";
import { bestOf, buildResponseCopy, otherChallenges } from "./responses.ts";

/** What the context needs of the proxy that made it. */
export interface ContextHost {
  readonly edits: Parameters<typeof buildResponseCopy>[0];
  /** Answers the request ourselves. */
  answer(transaction: ServerTransaction, refusal: Refusal): void;
  /** An ACK for a 2xx that was matched to this INVITE. */
  ack(ack: SipMessage, flow: Flow): void;
  /** The request has its final answer, or ended without one. */
  finished(status: number): void;
}

/** RFC 3326: a phone whose call was answered elsewhere shows no missed call. */
const COMPLETED_ELSEWHERE = ['Reason: SIP;cause=200;text="Call completed elsewhere"'];

export class ResponseContext implements ServerUser, BranchUser {
  readonly #host: ContextHost;
  readonly #transaction: ServerTransaction;
  readonly #branches: Branch[] = [];
  #cancelled = false;
  #accepted = false;
  #done = false;

  constructor(host: ContextHost, transaction: ServerTransaction) {
    this.#host = host;
    this.#transaction = transaction;
    transaction.user = this;
  }

  get method(): string {
    return this.#transaction.method;
  }

  /** Whether the sender or a better answer has called the request off. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Adds a branch; all must be added before the first can end. */
  add(branch: Branch): void {
    this.#branches.push(branch);
  }

  /** The sender's CANCEL (§16.10): every branch still running is cancelled, with the sender's Reason (RFC 3326). */
  cancel(request: SipMessage): void {
    if (this.#cancelled || this.method !== "INVITE") return;
    this.#cancelled = true;
    this.#cancelPending(request.texts(H.Reason).map((value) => `Reason: ${value}`));
  }

  passed(branch: Branch, response: SipMessage): void {
    if (response.status >= 200) this.#accept(branch, response);
    else if (!this.#transaction.answered) this.#forward(response);
  }

  /** §16.7 step 5: every 2xx goes back at once, also when another final answer went before. */
  #accept(branch: Branch, response: SipMessage): void {
    if (this.method !== "INVITE" && this.#transaction.answered) return;
    const first = !this.#accepted;
    this.#accepted = true;
    const sent = this.#forward(response);
    if (!first) return;
    if (sent) this.#finish(response.status);
    else this.#answer(NO_VIA_LEFT);
    this.#cancelPending(COMPLETED_ELSEWHERE, branch);
  }

  /** §16.7 steps 4 to 6: the best answer goes back when no branch can bring a better one. */
  ended(_branch: Branch, final: Final): void {
    if (final.status >= 600) this.#cancelPending([]);
    if (this.#branches.some((branch) => branch.pending)) return;
    if (this.#accepted || this.#done) return;
    const finals = this.#branches.flatMap((branch) => (branch.final === null ? [] : [branch.final]));
    this.#giveBest(finals);
  }

  /** No final answer of a caller who called off is better than 487 (§16.7 step 6, §9.2). */
  #giveBest(finals: readonly Final[]): void {
    const real = finals.filter((final) => !isSilence(final, this.method));
    if (real.length === 0 && this.method !== "INVITE") {
      this.#transaction.abandon(); // RFC 4320 §4.2: no 408 to a non-INVITE, its sender's own timer tells it
      this.#finish(0);
      return;
    }
    const best = bestOf(real.length > 0 ? real : finals);
    const { response, status } = best;
    if (response === null) {
      this.#answer(this.#cancelled ? CANCELLED : refusalOf(best));
      return;
    }
    const sent = status === 503 ? 500 : status; // step 6: 503 says nothing about us
    const copy = buildResponseCopy(this.#host.edits, response, sent, otherChallenges(best, finals));
    if (copy === null) this.#answer(NO_VIA_LEFT);
    else {
      this.#transaction.respond(sent, copy);
      this.#finish(sent);
    }
  }

  #answer(refusal: Refusal): void {
    this.#host.answer(this.#transaction, refusal);
    this.#finish(refusal.status);
  }

  #finish(status: number): void {
    if (this.#done) return;
    this.#done = true;
    this.#host.finished(status);
  }

  /** False: the response has lost the sender's Via and cannot find its way. */
  #forward(response: SipMessage): boolean {
    const copy = buildResponseCopy(this.#host.edits, response);
    if (copy !== null) this.#transaction.respond(response.status, copy);
    return copy !== null;
  }

  #cancelPending(headers: readonly string[], except?: Branch): void {
    if (this.method !== "INVITE") return;
    for (const branch of this.#branches) if (branch !== except) branch.cancel(headers);
  }

  acknowledged(_transaction: ServerTransaction, ack: SipMessage, flow: Flow): void {
    this.#host.ack(ack, flow);
  }

  timedOut(): void {} // Timer H: the caller never acknowledged our refusal; nothing more can be done

  transportFailed(): void {
    this.#cancelled = true; // nobody is there to take an answer
    this.#cancelPending([]);
  }
}

/** RFC 4320 §4.1: nor does a 408 of somebody below us go up. */
function isSilence(final: Final, method: string): boolean {
  return final.status === 408 && (final.response === null || method !== "INVITE");
}

const CANCELLED: Refusal = { status: 487, reason: "The caller cancelled", section: "RFC 3261 §9.2" };

const NO_VIA_LEFT: Refusal = {
  status: 502,
  reason: "The answer came back without the sender's Via",
  section: "RFC 3261 §16.7 step 3",
};

function refusalOf(final: Final): Refusal {
  const status = final.status === 503 ? 500 : final.status;
  return { status, reason: final.reason, section: "RFC 3261 §16.7 step 6" };
}
