/**
 * One branch of a forwarded request: its target, its client transaction, Timer C, and a CANCEL that
 * may have to wait (RFC 3261 §9.1, §16.6 steps 7 to 11, §16.8).
 */
import type { Flow } from "../base/flow.ts";
import type { TimerOwner, Timer as WheelTimer } from "../base/timers.ts";
import { Timer } from "../base/timers.ts";
import { cancelFor } from "../message/derive.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { ClientTransaction, ClientUser } from "../transaction/client-transaction.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Final } from "./responses.ts";
import type { Target } from "./targets.ts";

/** What a branch tells its response context. */
export interface BranchUser {
  /** A provisional answer other than 100, or a 2xx (each one that arrives). */
  passed(branch: Branch, response: SipMessage): void;
  /** The branch is over without a 2xx. Called once. */
  ended(branch: Branch, final: Final): void;
}

export interface BranchTimers {
  readonly timer_c_ms: number;
  /** How long after a CANCEL the final answer may take (§9.1: 64*T1). */
  readonly cancel_wait_ms: number;
}

export class Branch implements ClientUser, TimerOwner {
  readonly target: Target;
  readonly #layer: TransactionLayer;
  readonly #user: BranchUser;
  readonly #timers: BranchTimers;
  #transaction: ClientTransaction | null = null;
  #timer: WheelTimer | null = null;
  #provisional = false;
  /** Header lines of the CANCEL to send; null: none is wanted. */
  #cancel: readonly string[] | null = null;
  #cancelSent = false;
  /** Its final result; null while it runs. */
  final: Final | null = null;
  /** Whether a 2xx came. */
  accepted = false;

  constructor(target: Target, layer: TransactionLayer, user: BranchUser, timers: BranchTimers) {
    this.target = target;
    this.#layer = layer;
    this.#user = user;
    this.#timers = timers;
  }

  /** Whether an answer is still to come. */
  get pending(): boolean {
    return this.final === null && !this.accepted;
  }

  /** Sends the copy. A branch that was cancelled before it had a place to go ends instead. */
  send(bytes: Buffer, method: string, branch: string, flow: Flow): void {
    if (this.final !== null) return;
    if (method === "INVITE") {
      this.#timer = new Timer(this);
      this.#layer.wheel.set(this.#timer, "C", this.#timers.timer_c_ms);
    }
    this.#transaction = this.#layer.send(bytes, method, branch, flow, this);
  }

  /** Ends it before anything was sent: no place to send to, or sending is not allowed. */
  fail(status: number, reason: string): void {
    this.#end({ status, response: null, reason });
  }

  /**
   * §9.1: a CANCEL follows a provisional answer; before one it waits. `headers` are whole lines
   * without CRLF. Only INVITEs are cancelled.
   */
  cancel(headers: readonly string[]): void {
    if (!this.pending || this.#cancel !== null) return;
    this.#cancel = headers;
    if (this.#transaction === null) this.fail(487, "Cancelled before it was sent");
    else if (this.#provisional) this.#sendCancel();
  }

  answered(transaction: ClientTransaction, response: SipMessage): void {
    const { status } = response;
    if (status < 200) {
      this.#provisional = true;
      // §16.7 step 2: each provisional but 100 starts Timer C anew.
      if (status > 100 && this.#timer !== null && !this.#cancelSent)
        this.#layer.wheel.set(this.#timer, "C", this.#timers.timer_c_ms);
      if (this.#cancel !== null && !this.#cancelSent) this.#sendCancel();
      if (status > 100 && this.pending) this.#user.passed(this, response);
    } else if (status < 300) {
      this.accepted = true;
      this.#stopTimer();
      this.#user.passed(this, response);
      if (transaction.method !== "INVITE") this.#transaction = null;
    } else this.#end({ status, response, reason: response.reason });
  }

  timedOut(): void {
    this.#end({ status: 408, response: null, reason: "No answer (Timer B or F)" });
  }

  transportFailed(): void {
    this.#end({ status: 503, response: null, reason: "The connection failed" }); // §16.9
  }

  /** Timer C (§16.8): CANCEL when a provisional came, else as if 408 had come. Or the CANCEL had no effect. */
  timerFired(timer: WheelTimer): void {
    if (timer.letter === "C" && this.#provisional && !this.#cancelSent) {
      this.#cancel ??= [];
      this.#sendCancel();
      return;
    }
    const transaction = this.#transaction;
    this.#end({
      status: 408,
      response: null,
      reason: timer.letter === "C" ? "Timer C" : "No answer to CANCEL",
    });
    transaction?.abandon();
  }

  #sendCancel(): void {
    const invite = this.#transaction?.sent ?? null;
    if (invite === null || this.#transaction === null) return;
    this.#cancelSent = true;
    const bytes = cancelFor(this.#layer.edits, invite, this.#cancel ?? []);
    this.#layer.send(bytes, "CANCEL", this.#transaction.key, this.#transaction.flow, IGNORED);
    if (this.#timer !== null) this.#layer.wheel.set(this.#timer, "cancel_wait", this.#timers.cancel_wait_ms);
  }

  #end(final: Final): void {
    this.#stopTimer();
    this.#transaction = null;
    if (this.final !== null || this.accepted) return;
    this.final = final;
    this.#user.ended(this, final);
  }

  #stopTimer(): void {
    if (this.#timer === null) return;
    this.#layer.wheel.stop(this.#timer);
    this.#timer = null;
  }
}

/** Nobody waits for the answer to a CANCEL: the INVITE's own answer counts. */
const IGNORED: ClientUser = { answered() {}, timedOut() {}, transportFailed() {} };
