/**
 * What is remembered of one call or registration: its messages as they came and left, and what was decided in
 * between. The first entries and the last ones are kept; what lies in the middle of a long one gives way.
 */
import type { TransportName } from "../base/flow.ts";

/** Between whom a message travelled. */
export interface Ends {
  readonly transport: TransportName;
  readonly local: { readonly address: string; readonly port: number };
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export type TraceEntry =
  | {
      /** `clock.now()`. */
      readonly at: number;
      /** `unsent`: the transport did not take it. */
      readonly kind: "received" | "sent" | "unsent";
      readonly ends: Ends;
      readonly bytes: Buffer;
    }
  | { readonly at: number; readonly kind: "note"; readonly text: string };

/**
 * `passing`: registrations, messages, and calls that were not let in; `running`: calls that were; `failed`, `done`:
 * what became of them.
 */
export type TraceState = "passing" | "running" | "failed" | "done";

/** Entries of one trace; as many as make up any usual call. */
const HEAD_MAX = 80;
const TAIL_MAX = 80;
/** Of what is sent again and again under one Call-ID the newest, and of an attempt to call its beginning. */
const PASSING_MAX = 24;
const PASSING_HEAD_MAX = 8;
/** What an entry takes besides its bytes, roughly. */
const ENTRY_BYTES = 120;

export class Trace {
  readonly id: string;
  readonly call_id: string;
  readonly method: string;
  /** Unix milliseconds, and `clock.now()` at the same moment. */
  readonly began_ms: number;
  readonly began_at: number;
  state: TraceState = "passing";
  /** The final status; 0: none yet. */
  status = 0;
  reason = "";
  /** What all entries take. */
  bytes = 0;
  /** Entries that gave way. */
  left_out = 0;
  readonly #head: TraceEntry[] = [];
  readonly #tail: TraceEntry[] = [];

  constructor(id: string, call_id: string, method: string, began_ms: number, began_at: number) {
    this.id = id;
    this.call_id = call_id;
    this.method = method;
    this.began_ms = began_ms;
    this.began_at = began_at;
  }

  add(entry: TraceEntry): void {
    this.bytes += sizeOf(entry);
    if (this.#tail.length === 0 && this.#head.length < this.#headMax) {
      this.#head.push(entry);
      return;
    }
    this.#tail.push(entry);
    if (this.#tail.length > (this.state === "passing" ? PASSING_MAX : TAIL_MAX)) {
      this.bytes -= sizeOf(this.#tail.shift()!);
      this.left_out++;
    }
  }

  get #headMax(): number {
    if (this.state !== "passing") return HEAD_MAX;
    return this.method === "INVITE" ? PASSING_HEAD_MAX : 0;
  }

  /** From now on it is a call, whose beginning stays. */
  begin(): void {
    if (this.state !== "passing") return;
    this.state = "running";
    if (this.left_out === 0) this.#head.push(...this.#tail.splice(0));
  }

  /** In order. */
  get entries(): readonly TraceEntry[] {
    return [...this.#head, ...this.#tail];
  }

  /** The first message; null: it is only notes. */
  get first(): Buffer | null {
    for (const entry of this.entries) if (entry.kind !== "note") return entry.bytes;
    return null;
  }
}

const sizeOf = (entry: TraceEntry): number =>
  ENTRY_BYTES + (entry.kind === "note" ? entry.text.length : entry.bytes.length);
