/**
 * The traces of calls and registrations by Call-ID, within a bound of bytes and of number. What is least missed goes
 * first: registrations and refused attempts of strangers among themselves; then calls that ended well, calls that
 * failed, and last those that run.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { callIdOf } from "./call-id.ts";
import type { Ends, TraceEntry, TraceState } from "./trace.ts";
import { Trace } from "./trace.ts";

export interface TraceRules {
  readonly enabled: boolean;
  /** Calls at most, and as many registrations and other attempts. */
  readonly calls_max: number;
  /** What all messages together may take. */
  readonly bytes_max: number;
}

export interface TracesParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly metrics: Metrics;
}

/** Requests that begin nothing worth a trace: probes, and what belongs to something that began before. */
const BEGINS_NOTHING: ReadonlySet<string> = new Set(["OPTIONS", "ACK", "BYE", "CANCEL", "PRACK"]);
/** The share of `bytes_max` that is for what is no call. */
const PASSING_SHARE = 0.25;
/** In the order in which they give way to a call. */
const CALLS: readonly TraceState[] = ["done", "failed", "running"];

export class Traces implements MessageTap {
  readonly #parts: TracesParts;
  readonly #byCallId = new Map<string, Trace>();
  /** Each in the order in which they came to be so. */
  readonly #states: Readonly<Record<TraceState, Set<Trace>>> = {
    passing: new Set(),
    running: new Set(),
    failed: new Set(),
    done: new Set(),
  };
  readonly #evicted: Counter;
  #rules: TraceRules;
  #callBytes = 0;
  #passingBytes = 0;

  constructor(parts: TracesParts, rules: TraceRules) {
    this.#parts = parts;
    this.#rules = rules;
    const { metrics } = parts;
    metrics.gauge("sipedge_traces", "Calls and registrations whose messages are kept", () => this.size);
    metrics.gauge("sipedge_trace_bytes", "What the kept messages take", () => this.bytes);
    this.#evicted = metrics.counter("sipedge_traces_evicted_total", "Traces that gave way to newer ones");
  }

  get size(): number {
    return this.#byCallId.size;
  }

  get bytes(): number {
    return this.#callBytes + this.#passingBytes;
  }

  configure(rules: TraceRules): void {
    this.#rules = rules;
    if (!rules.enabled) this.clear();
    this.#bound();
  }

  clear(): void {
    this.#byCallId.clear();
    for (const traces of Object.values(this.#states)) traces.clear();
    this.#callBytes = 0;
    this.#passingBytes = 0;
  }

  received(message: SipMessage, flow: Flow): void {
    if (!this.#rules.enabled) return;
    const callId = message.callId;
    if (callId === null) return;
    let trace = this.#byCallId.get(callId);
    if (trace === undefined) {
      if (!message.isRequest || message.hasToTag || BEGINS_NOTHING.has(message.method)) return;
      trace = this.#begin(callId, message.method);
    }
    this.#add(trace, {
      at: this.#parts.clock.now(),
      kind: "received",
      ends: endsOf(flow),
      bytes: ownBytes(message.bytes),
    });
  }

  sent(bytes: Buffer, flow: Flow, isSent: boolean): void {
    if (!this.#rules.enabled || this.#byCallId.size === 0) return;
    const callId = callIdOf(bytes);
    const trace = callId === null ? undefined : this.#byCallId.get(callId);
    if (trace === undefined) return;
    const at = this.#parts.clock.now();
    this.#add(trace, { at, kind: isSent ? "sent" : "unsent", ends: endsOf(flow), bytes });
    if (trace.state !== "passing") return;
    const status = statusOf(bytes);
    if (status >= 200 && status !== trace.status) this.answered(trace.call_id, status, "");
  }

  /** What was decided, in words for the operator. Nothing where nothing is kept of that Call-ID. */
  note(call_id: string, text: string): void {
    const trace = this.#byCallId.get(call_id);
    if (trace !== undefined) this.#add(trace, { at: this.#parts.clock.now(), kind: "note", text });
  }

  /** Whether anything is kept of it: what a note costs may be spared where not. */
  has(call_id: string): boolean {
    return this.#byCallId.has(call_id);
  }

  /** It was let in and is a call from now on. */
  began(call_id: string): void {
    const trace = this.#byCallId.get(call_id);
    if (trace === undefined || trace.state !== "passing") return;
    this.#passingBytes -= trace.bytes;
    this.#states.passing.delete(trace);
    trace.begin();
    this.#states.running.add(trace);
    this.#callBytes += trace.bytes;
    this.#bound();
  }

  /** Of what was not let in: the last answer it got, and why. */
  refused(call_id: string, status: number, reason: string): void {
    if (this.#byCallId.get(call_id)?.state === "passing") this.answered(call_id, status, reason);
  }

  /** Its final answer. */
  answered(call_id: string, status: number, reason: string): void {
    const trace = this.#byCallId.get(call_id);
    if (trace === undefined) return;
    trace.status = status;
    trace.reason = reason;
  }

  /** The call is over. */
  over(call_id: string, isFailed: boolean): void {
    const trace = this.#byCallId.get(call_id);
    if (trace === undefined || trace.state !== "running") return;
    this.#states.running.delete(trace);
    trace.state = isFailed ? "failed" : "done";
    this.#states[trace.state].add(trace);
  }

  /** By its own id or its Call-ID; null: nothing is kept of it. */
  find(name: string): Trace | null {
    const trace = this.#byCallId.get(name);
    if (trace !== undefined) return trace;
    for (const each of this.#byCallId.values()) if (each.id === name) return each;
    return null;
  }

  /** At most `max`, the newest first; `state`: only these. */
  newest(max: number, state: TraceState | null): readonly Trace[] {
    const all = state === null ? [...this.#byCallId.values()] : [...this.#states[state]];
    return all.toSorted((a, b) => b.began_at - a.began_at).slice(0, max);
  }

  #begin(call_id: string, method: string): Trace {
    const { clock, dice } = this.#parts;
    const trace = new Trace(dice.token(), call_id, method, clock.wall(), clock.now());
    this.#byCallId.set(call_id, trace);
    this.#states.passing.add(trace);
    return trace;
  }

  #add(trace: Trace, entry: TraceEntry): void {
    const before = trace.bytes;
    trace.add(entry);
    if (trace.state === "passing") this.#passingBytes += trace.bytes - before;
    else this.#callBytes += trace.bytes - before;
    this.#bound();
  }

  #bound(): void {
    const { bytes_max, calls_max } = this.#rules;
    const { passing } = this.#states;
    const passingMax = bytes_max * PASSING_SHARE;
    while (passing.size > calls_max || (this.#passingBytes > passingMax && passing.size > 0))
      this.#evict(passing);
    for (const state of CALLS) {
      const calls = this.#states[state];
      while (calls.size > 0 && (this.#callBytes > bytes_max - passingMax || this.#calls > calls_max))
        this.#evict(calls);
    }
  }

  get #calls(): number {
    return this.#byCallId.size - this.#states.passing.size;
  }

  /** The oldest of its kind. */
  #evict(traces: Set<Trace>): void {
    for (const trace of traces) {
      traces.delete(trace);
      this.#byCallId.delete(trace.call_id);
      if (trace.state === "passing") this.#passingBytes -= trace.bytes;
      else this.#callBytes -= trace.bytes;
      this.#evicted.inc();
      return;
    }
  }
}

const STATUS_AT = "SIP/2.0 ".length;

/** 0: it is a request. */
function statusOf(bytes: Buffer): number {
  const status = Number(bytes.latin1Slice(STATUS_AT, STATUS_AT + 3));
  return bytes[0] === 83 && bytes[3] === 47 && Number.isInteger(status) ? status : 0;
}

/** A connection is not to be held in memory by what came over it. */
function endsOf(flow: Flow): Ends {
  if (!flow.reliable) return flow;
  const { transport, local, remoteAddress, remotePort } = flow;
  return { transport, local, remoteAddress, remotePort };
}

/** A message that is a small part of what was read from a stream would hold all of it. */
function ownBytes(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}
