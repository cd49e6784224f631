/**
 * Every call that is being set up or runs, by Call-ID and the caller's tag (RFC 3261 §12). It is told what passes and
 * says what ended; a call whose BYE never came is over when its session timer (RFC 4028) or `max_duration_ms` says so.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { Call, type CallFacts, type EndedBy } from "./call.ts";
import { CallIndex } from "./call-index.ts";
import type { CallEnd } from "./call-record.ts";

export interface CallRules {
  /** Calls at once that are followed; one more is let through, and neither shown nor recorded. */
  readonly calls_max: number;
  /** The longest a call may take once it was answered; 0: any time. */
  readonly max_duration_ms: number;
}

export interface CallTableParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly metrics: Metrics;
  /** Told once of each call that is over; it is in the table no more. */
  readonly onEnd: (call: Call, end: CallEnd) => void;
  /** Told of a call that has lasted as long as it may: whoever can, ends it. */
  readonly onOverdue: (call: Call) => void;
  /** Told of each call that is up, every few seconds. */
  readonly onLook: (call: Call) => void;
}

const SWEEP_MS = 5000;
/** After the time of a session timer is over, so long is waited for a refresh on its way. */
const GRACE_MS = 5000;
/** A call that was to end and from which nothing more is heard is forgotten after so long. */
const ENDING_MS_MAX = 40_000;

export class CallTable {
  rules: CallRules;
  readonly #parts: CallTableParts;
  readonly #index = new CallIndex();
  readonly #byId = new Map<string, Call>();
  readonly #left: Counter;
  /** Call attempts since the start, and those of them that were answered. */
  readonly begun: Counter;
  readonly taken: Counter;
  #sweep: Alarm | null = null;

  constructor(parts: CallTableParts, rules: CallRules) {
    this.#parts = parts;
    this.rules = rules;
    const { metrics } = parts;
    metrics.gauge("sipedge_calls", "Calls being set up or running", () => this.size);
    metrics.gauge("sipedge_calls_up", "Calls that were answered and run", () => this.#countUp());
    this.begun = metrics.counter("sipedge_calls_begun_total", "Call attempts");
    this.taken = metrics.counter("sipedge_calls_answered_total", "Call attempts that were answered");
    this.#left = metrics.counter("sipedge_calls_not_followed_total", "Calls beyond records.calls_max");
  }

  get size(): number {
    return this.#byId.size;
  }

  begin(facts: Omit<CallFacts, "started_ms" | "started_at">, cseq: number): void {
    if (this.#index.get(facts.call_id, facts.from_tag) !== undefined) return; // a spiral: it has passed here before
    if (this.size >= this.rules.calls_max) {
      this.#left.inc();
      return;
    }
    const { clock, dice } = this.#parts;
    this.begun.inc();
    const call = new Call(dice.token(), { ...facts, started_ms: clock.wall(), started_at: clock.now() });
    call.caller_cseq = cseq;
    this.#index.add(call);
    this.#byId.set(call.id, call);
    this.#arm();
  }

  /** The call of a message with these tags, whichever side sent it; null: none is followed. */
  find(call_id: string, from_tag: string | null, to_tag: string | null): Call | null {
    const byCaller = this.#index.get(call_id, from_tag);
    if (byCaller !== undefined) return byCaller;
    return (to_tag === null ? undefined : this.#index.get(call_id, to_tag)) ?? null;
  }

  /** How many calls this account began that are not over. */
  countOf(account: string): number {
    let count = 0;
    for (const { facts } of this.#byId.values()) if (facts.user === account) count++;
    return count;
  }

  byId(id: string): Call | null {
    return this.#byId.get(id) ?? null;
  }

  rang(call: Call): void {
    if (call.state !== "trying") return;
    call.state = "ringing";
    call.rang_ms = call.wallOf(this.#parts.clock.now());
  }

  /** The first 2xx; a later one of another phone of the fork changes nothing. */
  answered(
    call: Call,
    to_tag: string | null,
    answer: Buffer,
    callee: Flow | null,
    session_s: number | null,
  ): void {
    if (call.answered_ms !== null) return;
    this.taken.inc();
    call.state = "up";
    call.answered_at = this.#parts.clock.now();
    call.answered_ms = call.wallOf(call.answered_at);
    call.to_tag = to_tag;
    call.answer = answer;
    call.callee = callee;
    this.refreshed(call, session_s);
  }

  /** A session timer was started or refreshed; null: the answer has none, so the session has none. */
  refreshed(call: Call, session_s: number | null): void {
    call.expires_at = session_s === null ? null : this.#parts.clock.now() + session_s * 1000;
  }

  end(call: Call, by: EndedBy, status: number, reason: string): void {
    if (!this.#byId.delete(call.id)) return;
    this.#index.delete(call);
    this.#parts.onEnd(call, { at_ms: call.wallOf(this.#parts.clock.now()), status, reason, by });
  }

  /** At most `max`, the oldest first. */
  some(max: number): readonly Call[] {
    const calls: Call[] = [];
    for (const call of this.#byId.values()) {
      if (calls.length >= max) break;
      calls.push(call);
    }
    return calls;
  }

  close(): void {
    this.#sweep?.cancel();
    this.#sweep = null;
  }

  #countUp(): number {
    let up = 0;
    for (const { state } of this.#byId.values()) if (state === "up") up++;
    return up;
  }

  #arm(): void {
    this.#sweep ??= this.#parts.clock.after(SWEEP_MS, () => {
      this.#sweep = null;
      const now = this.#parts.clock.now();
      for (const call of [...this.#byId.values()]) this.#look(call, now);
      if (this.size > 0) this.#arm();
    });
  }

  #look(call: Call, now: number): void {
    const { answered_at, ending_at, expires_at, state } = call;
    if (answered_at === null) return;
    const { max_duration_ms } = this.rules;
    if (expires_at !== null && now > expires_at + GRACE_MS)
      this.end(call, "nobody", 200, "The session timer ran out (RFC 4028 §10)");
    else if (ending_at !== null && now > ending_at + ENDING_MS_MAX)
      this.end(call, "us", 200, "Ended by us, without an answer");
    else if (state === "up" && max_duration_ms > 0 && now > answered_at + max_duration_ms)
      this.#parts.onOverdue(call);
    else this.#parts.onLook(call);
  }
}
