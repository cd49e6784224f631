/**
 * A running transaction: its place in a state table, its two timers and the bytes it may have to
 * repeat. The table decides; this class carries out.
 */
import type { Flow, FlowObserver } from "../base/flow.ts";
import type { MessageTap } from "../base/tap.ts";
import type { TimerOwner, TimerWheel, Timer as WheelTimer } from "../base/timers.ts";
import { Timer } from "../base/timers.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { CompiledRow, Effect, Input, Machine, TimerLetter } from "./machine.ts";
import { INPUT_NUMBER } from "./machine.ts";
import type { TimerSettings } from "./timers.ts";
import { TIMER_RULES } from "./timers.ts";

/** What every transaction needs from the layer that made it. */
export interface TransactionHost {
  readonly wheel: TimerWheel;
  readonly timers: TimerSettings;
  /** Sees what is sent; null: nobody does. */
  readonly tap: MessageTap | null;
  /** An input that the figure does not have in this state. */
  unexpected(machine: Machine, state: string, input: Input): void;
  /** It is over; its key may be used again. */
  ended(transaction: Transaction): void;
  /** A message was sent again by a timer or for a repeated request. */
  retransmitted(transaction: Transaction): void;
}

export abstract class Transaction implements TimerOwner, FlowObserver {
  readonly machine: Machine;
  readonly method: string;
  /** The key under which the layer holds it. */
  readonly key: string;
  /** Of its request. */
  readonly callId: string;
  readonly startedAt: number;
  protected readonly host: TransactionHost;
  /** The last message sent, for "resend"; null once nothing can ask for it. */
  protected bytes: Buffer | null = null;
  #state: number;
  #interval = 0;
  #sendingFailed = false;
  #retransmit: WheelTimer | null = null;
  #lifetime: WheelTimer | null = null;

  constructor(
    host: TransactionHost,
    machine: Machine,
    method: string,
    key: string,
    callId: string,
    startedAt: number,
  ) {
    this.host = host;
    this.machine = machine;
    this.method = method;
    this.key = key;
    this.callId = callId;
    this.startedAt = startedAt;
    this.#state = machine.initial;
  }

  /** The state's name in the RFC's figure. */
  get state(): string {
    return this.machine.states[this.#state]!;
  }

  get terminated(): boolean {
    return this.#state === this.machine.terminated;
  }

  /** Where it sends. */
  protected abstract get flow(): Flow;
  /** Carries out what only a client or only a server does. */
  protected abstract userEffect(effect: Effect, message: SipMessage | null): void;
  /** It is over and its user was told; whatever it holds can go. */
  protected abstract release(): void;

  /** Starts the timers of the initial state. */
  protected begin(): void {
    const timers = this.machine.timers[this.#state]!;
    for (let i = 0; i < timers.length; i++) this.#start(timers[i]!);
  }

  /**
   * One step: the row of the table for this input, its transition and its effects in order. `bytes`
   * is what "send" sends; `message` what "pass" passes.
   */
  protected step(input: Input, bytes: Buffer | null, message: SipMessage | null): void {
    const row = this.machine.rows[this.#state]![INPUT_NUMBER[input]];
    if (row === undefined) {
      this.host.unexpected(this.machine, this.state, input);
      return;
    }
    const due = row.next === this.#state ? null : this.#enter(row.next);
    this.#carryOut(row, bytes, message);
    if (row.next === this.machine.terminated) this.release();
    if (due !== null) this.step(due, null, null); // a lifetime of zero ends the state it belongs to at once
    this.afterSending();
  }

  /** What a failed sending leads to, once the step that sent is complete. */
  protected afterSending(): void {
    if (!this.#sendingFailed) return;
    this.#sendingFailed = false;
    this.flowClosed();
  }

  #carryOut(row: CompiledRow, bytes: Buffer | null, message: SipMessage | null): void {
    const effects = row.effects;
    for (let i = 0; i < effects.length; i++) {
      const effect = effects[i]!;
      switch (effect) {
        case "send":
          this.bytes = bytes;
          this.transmit(bytes);
          break;
        case "sendOnce":
          this.transmit(bytes);
          break;
        case "resend":
          if (this.bytes === null) break;
          this.host.retransmitted(this);
          this.transmit(this.bytes);
          break;
        case "backOff":
          this.#backOff(false);
          break;
        case "backOffToT2":
          this.#backOff(true);
          break;
        default:
          this.userEffect(effect, message);
      }
    }
  }

  /** Sends; a flow that cannot take it is a transport error (§17.1.4, §17.2.4), told after this step. */
  protected transmit(bytes: Buffer | null): void {
    if (bytes === null) return;
    const isSent = this.flow.send(bytes);
    this.host.tap?.sent(bytes, this.callId, this.flow, isSent);
    if (isSent) return;
    // A datagram that could not be sent counts as lost on the way: the retransmission timers deal with it.
    if (this.flow.reliable) this.#sendingFailed = true;
  }

  /** The connection it sends on is gone. */
  flowClosed(): void {
    if (this.#state !== this.machine.terminated) this.step("transportError", null, null);
  }

  timerFired(timer: WheelTimer): void {
    this.step(timer.letter as Input, null, null);
  }

  /** Changes the state; returns the letter of a lifetime that is zero there. */
  #enter(next: number): TimerLetter | null {
    const timers = this.machine.timers[next]!;
    this.#stopUnless(this.#retransmit, timers);
    this.#stopUnless(this.#lifetime, timers);
    this.#state = next;
    if (!this.machine.repeats[next]) this.bytes = null;
    if (next === this.machine.terminated) {
      this.host.ended(this);
      return null;
    }
    let due: TimerLetter | null = null;
    for (let i = 0; i < timers.length; i++) if (!this.#start(timers[i]!)) due = timers[i]!;
    return due;
  }

  #stopUnless(timer: WheelTimer | null, kept: readonly TimerLetter[]): void {
    if (timer !== null && timer.letter !== "" && !kept.includes(timer.letter as TimerLetter))
      this.host.wheel.stop(timer);
  }

  /** Starts a timer that does not run yet. False: it is a lifetime of zero. */
  #start(letter: TimerLetter): boolean {
    if (this.#retransmit?.letter === letter || this.#lifetime?.letter === letter) return true;
    const rule = TIMER_RULES[letter];
    const ms = rule.first(this.host.timers, this.flow.reliable);
    if (ms === 0) return rule.kind === "retransmit";
    if (rule.kind === "retransmit") {
      this.#interval = ms;
      this.#retransmit ??= new Timer(this);
      this.host.wheel.set(this.#retransmit, letter, ms);
    } else {
      this.#lifetime ??= new Timer(this);
      this.host.wheel.set(this.#lifetime, letter, ms);
    }
    return true;
  }

  #backOff(toT2: boolean): void {
    const timer = this.#retransmit;
    if (timer === null) return;
    const next = TIMER_RULES[timer.letter as TimerLetter].next;
    if (next === undefined) return;
    this.#interval = toT2 ? this.host.timers.t2_ms : next(this.host.timers, this.#interval);
    this.host.wheel.set(timer, timer.letter, this.#interval);
  }
}
