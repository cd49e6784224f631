/**
 * The traces of calls and registrations by Call-ID, within a bound of memory and of number. What is least missed goes
 * first: registrations and refused attempts of strangers among themselves; then calls that ended well, calls that
 * failed, and last those that run.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { CHUNK_BYTES, ChunkStore } from "./chunk-store.ts";
import type { Ends, MessageKind, TraceState } from "./trace.ts";
import { Trace } from "./trace.ts";
import { TraceList } from "./trace-list.ts";

export interface TraceRules {
  readonly enabled: boolean;
  /** Calls at most, and as many registrations and other attempts. */
  readonly calls_max: number;
  /** What all messages together may take. */
  readonly bytes_max: number;
}

/** Who is told of every message, whether it is kept or not. Changes nothing, and must not throw. */
export interface MessageCapture extends MessageTap {
  received(message: SipMessage, flow: Flow): void;
}

export interface TracesParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Requests that begin nothing worth a trace: probes, and what belongs to something that began before. */
const BEGINS_NOTHING: ReadonlySet<string> = new Set(["OPTIONS", "ACK", "BYE", "CANCEL", "PRACK"]);
/** The share of the memory that is for what is no call. */
const PASSING_SHARE = 0.25;
/** In the order in which they give way. */
const CALLS: readonly TraceState[] = ["done", "failed", "running"];
const ID_BASE = 36;

export class Traces implements MessageTap {
  /** Null: nobody is. */
  capture: MessageCapture | null = null;
  readonly #clock: Clock;
  readonly #byCallId = new Map<string, Trace>();
  /** Each in the order in which they came to be so. */
  readonly #states: Readonly<Record<TraceState, TraceList>> = {
    passing: new TraceList(),
    running: new TraceList(),
    failed: new TraceList(),
    done: new TraceList(),
  };
  readonly #evicted: Counter;
  #rules: TraceRules;
  #store: ChunkStore;
  #passingChunks = 0;
  /** Goes on after a restart, as far as seconds tell: an id of before must not name another call. */
  #number: number;

  constructor({ clock, metrics }: TracesParts, rules: TraceRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#store = storeFor(rules);
    this.#number = Math.floor(clock.wall() / 1000) * 1000;
    metrics.gauge("sipedge_traces", "Calls and registrations whose messages are kept", () => this.size);
    metrics.gauge("sipedge_trace_bytes", "What the kept messages take", () => this.bytes);
    this.#evicted = metrics.counter("sipedge_traces_evicted_total", "Traces that gave way to newer ones");
  }

  get size(): number {
    return this.#byCallId.size;
  }

  get bytes(): number {
    return this.#store.used * CHUNK_BYTES;
  }

  /** Another bound of memory begins anew: what was kept is forgotten. */
  configure(rules: TraceRules): void {
    const before = this.#rules;
    this.#rules = rules;
    if (rules.enabled !== before.enabled || rules.bytes_max !== before.bytes_max) this.#clear();
    this.#boundCount();
  }

  received(message: SipMessage, flow: Flow): void {
    this.capture?.received(message, flow);
    if (!this.#rules.enabled) return;
    const callId = message.callId;
    if (callId === null) return;
    let trace = this.#byCallId.get(callId);
    if (trace === undefined) {
      if (!message.isRequest || message.hasToTag || BEGINS_NOTHING.has(message.method)) return;
      trace = this.#begin(callId, message.method);
    }
    this.#add(trace, "received", flow, message.bytes);
  }

  sent(bytes: Buffer, callId: string, flow: Flow, isSent: boolean): void {
    this.capture?.sent(bytes, callId, flow, isSent);
    if (!this.#rules.enabled) return;
    const trace = this.#byCallId.get(callId);
    if (trace === undefined) return;
    this.#add(trace, isSent ? "sent" : "unsent", flow, bytes);
    if (trace.state !== "passing") return;
    const status = statusOf(bytes);
    if (status >= 200 && status !== trace.status) {
      trace.status = status;
      trace.reason = "";
    }
  }

  /** What was decided, in words for the operator. Nothing where nothing is kept of that Call-ID. */
  note(call_id: string, text: string): void {
    this.#byCallId.get(call_id)?.note(this.#clock.now(), text);
  }

  /** Whether anything is kept of it: what a note costs may be spared where not. */
  has(call_id: string): boolean {
    return this.#byCallId.has(call_id);
  }

  /** It was let in and is a call from now on. */
  began(call_id: string): void {
    const trace = this.#byCallId.get(call_id);
    if (trace === undefined || trace.state !== "passing") return;
    this.#passingChunks -= trace.chunks;
    this.#move(trace, "running");
    this.#boundCount();
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
    if (trace?.state === "running") this.#move(trace, isFailed ? "failed" : "done");
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
    const began_ms = this.#clock.wall();
    const id = (this.#number++).toString(ID_BASE);
    const trace = new Trace(this.#store, { id, call_id, method, began_ms, began_at: this.#clock.now() });
    this.#byCallId.set(call_id, trace);
    this.#states.passing.add(trace);
    this.#boundCount();
    return trace;
  }

  #move(trace: Trace, state: TraceState): void {
    this.#states[trace.state].delete(trace);
    trace.state = state;
    this.#states[state].add(trace);
  }

  #add(trace: Trace, kind: MessageKind, flow: Flow, bytes: Buffer): void {
    const before = trace.chunks;
    const at = this.#clock.now();
    const ends = endsOf(flow);
    while (!trace.message(at, kind, ends, bytes)) if (!this.#makeRoom(trace)) return;
    if (trace.state !== "passing") return;
    this.#passingChunks += trace.chunks - before;
    const { passing } = this.#states;
    while (this.#passingChunks > this.#store.size * PASSING_SHARE && this.#evict(passing, trace));
  }

  /** For a message of this trace. False: nothing is left to give way. */
  #makeRoom(trace: Trace): boolean {
    for (const state of CALLS) if (this.#evict(this.#states[state], trace)) return true;
    return this.#evict(this.#states.passing, trace);
  }

  #boundCount(): void {
    const { calls_max } = this.#rules;
    const { passing } = this.#states;
    while (passing.size > calls_max) this.#evict(passing);
    for (const state of CALLS)
      while (this.#byCallId.size - passing.size > calls_max && this.#evict(this.#states[state]));
  }

  /** The oldest of its kind, but not `except`. False: there is none. */
  #evict(traces: TraceList, except: Trace | null = null): boolean {
    const trace = traces.oldest(except);
    if (trace === null) return false;
    traces.delete(trace);
    this.#byCallId.delete(trace.call_id);
    if (trace.state === "passing") this.#passingChunks -= trace.chunks;
    trace.release();
    this.#evicted.inc();
    return true;
  }

  #clear(): void {
    this.#byCallId.clear();
    for (const traces of Object.values(this.#states)) traces.clear();
    this.#passingChunks = 0;
    this.#store = storeFor(this.#rules);
  }
}

const storeFor = ({ enabled, bytes_max }: TraceRules): ChunkStore => new ChunkStore(enabled ? bytes_max : 0);

/** A connection is not to be held in memory by what came over it. */
function endsOf(flow: Flow): Ends {
  if (!flow.reliable) return flow;
  const { transport, local, remoteAddress, remotePort } = flow;
  return { transport, local, remoteAddress, remotePort };
}

const STATUS_AT = "SIP/2.0 ".length;

/** 0: it is a request. */
function statusOf(bytes: Buffer): number {
  if (bytes[0] !== 83 || bytes[3] !== 47) return 0;
  return 100 * (bytes[STATUS_AT]! - 48) + 10 * (bytes[STATUS_AT + 1]! - 48) + bytes[STATUS_AT + 2]! - 48;
}
