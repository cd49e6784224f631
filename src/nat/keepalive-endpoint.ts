/**
 * One flow that is kept open, the reasons for that, and what its pings have brought.
 */
import type { Flow } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import type { KeepaliveCondition, KeptFlow } from "./kept-flow.ts";

/** Reasons of one flow at most: a gateway with more calls than that is kept open by those. */
const CONDITIONS_MAX = 64;
/** Each answer moves the smoothed latency by this share. */
const SMOOTHING = 1 / 8;

export interface EndpointSnapshot {
  readonly flow_id: string;
  readonly remote: string;
  readonly conditions: readonly KeepaliveCondition[];
  readonly sent: number;
  readonly answered: number;
  /** Pings without an answer, in a row. */
  readonly missed: number;
  /** Milliseconds, of the last answer; null: none came yet. */
  readonly latency_ms: number | null;
  readonly lost: boolean;
}

export class KeptEndpoint {
  readonly flow: KeptFlow;
  /** Its number in branches. */
  readonly number: number;
  /** What nobody can guess who has not seen its pings. */
  readonly token: string;
  /** What its pings are for: the Contact of its phone; null: its address. */
  uri: string | null = null;
  cseq = 0;
  /** What its pings leave on, while it is over UDP and that socket is open; null: to be found anew. */
  live: Flow | null = null;
  /** CSeq of the newest ping that was answered. */
  answered_cseq = 0;
  sent = 0;
  answered = 0;
  missed = 0;
  latency_ms: number | null = null;
  smoothed_ms: number | null = null;
  /** `clock.now()` of the ping that waits for its answer; null: none does. */
  waiting_since: number | null = null;
  lost = false;
  /** `condition key` → `clock.now()` of its end: the wall clock may jump under a call. */
  readonly #until = new Map<string, number>();
  /** Nothing ends before. */
  #nextEnd = Number.POSITIVE_INFINITY;

  constructor(flow: KeptFlow, number: number, token: string) {
    this.flow = flow;
    this.number = number;
    this.token = token;
  }

  /** False: there are too many already. */
  add(condition: KeepaliveCondition, key: string, ends_at: number): boolean {
    const name = nameOf(condition, key);
    if (!this.#until.has(name) && this.#until.size >= CONDITIONS_MAX) return false;
    this.#until.set(name, ends_at);
    this.#nextEnd = Math.min(this.#nextEnd, ends_at);
    return true;
  }

  remove(condition: KeepaliveCondition, key: string): void {
    this.#until.delete(nameOf(condition, key));
  }

  /** Forgets what has ended by now; says what that was, as `condition key`. */
  expire(now: number): readonly string[] {
    if (now < this.#nextEnd) return NONE;
    const ended: string[] = [];
    this.#nextEnd = Number.POSITIVE_INFINITY;
    for (const [name, ends_at] of this.#until)
      if (ends_at <= now) ended.push(name);
      else this.#nextEnd = Math.min(this.#nextEnd, ends_at);
    for (const name of ended) this.#until.delete(name);
    return ended;
  }

  /** Every reason, as `condition key`. */
  names(): Iterable<string> {
    return this.#until.keys();
  }

  get idle(): boolean {
    return this.#until.size === 0;
  }

  has(condition: KeepaliveCondition): boolean {
    for (const name of this.#until.keys()) if (name.startsWith(condition)) return true;
    return false;
  }

  /** The answer to the ping of that CSeq, in time or late; false: a newer one was answered before, or this one. */
  answer(cseq: number, now: number): boolean {
    if (cseq <= this.answered_cseq) return false;
    this.answered_cseq = cseq;
    this.answered++;
    this.missed = 0;
    if (this.waiting_since === null || cseq !== this.cseq) return true;
    const latency_ms = now - this.waiting_since;
    this.waiting_since = null;
    this.latency_ms = latency_ms;
    this.smoothed_ms =
      this.smoothed_ms === null ? latency_ms : this.smoothed_ms + SMOOTHING * (latency_ms - this.smoothed_ms);
    return true;
  }

  /** The keys of its reasons of one kind. */
  keysOf(condition: KeepaliveCondition): string[] {
    const start = `${condition} `;
    const keys: string[] = [];
    for (const name of this.#until.keys()) if (name.startsWith(start)) keys.push(name.slice(start.length));
    return keys;
  }

  snapshot(): EndpointSnapshot {
    const { flow, sent, answered, missed, latency_ms, lost } = this;
    const conditions = CONDITIONS.filter((condition) => this.has(condition));
    const remote = hostPort(flow.remote_address, flow.remote_port);
    return { flow_id: flow.id, remote, conditions, sent, answered, missed, latency_ms, lost };
  }
}

const NONE: readonly string[] = [];
const CONDITIONS: readonly KeepaliveCondition[] = ["registration", "subscription", "dialog"];

const nameOf = (condition: KeepaliveCondition, key: string): string => `${condition} ${key}`;
