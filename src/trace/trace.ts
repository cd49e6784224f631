/**
 * What is remembered of one call or registration: its messages as they came and left, and what was decided in
 * between. The first entries and the last ones are kept; what lies in the middle of a long one gives way.
 */
import type { TransportName } from "../base/flow.ts";
import type { ChunkStore } from "./chunk-store.ts";
import { chunksOf } from "./chunk-store.ts";

/** Between whom a message travelled. */
export interface Ends {
  readonly transport: TransportName;
  readonly local: { readonly address: string; readonly port: number };
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** `unsent`: the transport did not take it. */
export type MessageKind = "received" | "sent" | "unsent";

export type TraceEntry =
  | {
      /** `clock.now()`. */
      readonly at: number;
      readonly kind: MessageKind;
      readonly ends: Ends;
      readonly bytes: Buffer;
    }
  | { readonly at: number; readonly kind: "note"; readonly text: string };

/**
 * `passing`: registrations, messages, and calls that were not let in; `running`: calls that were; `failed`, `done`:
 * what became of them.
 */
export type TraceState = "passing" | "running" | "failed" | "done";

/** An entry whose bytes lie in the store. */
interface Kept {
  readonly at: number;
  readonly kind: MessageKind | "note";
  readonly ends: Ends | null;
  /** Of its bytes in the store. */
  readonly first: number;
  readonly length: number;
  readonly text: string;
}

/** Entries of one trace; as many as make up any usual call. */
const HEAD_MAX = 80;
const TAIL_MAX = 80;
/** Of what is sent again and again under one Call-ID the newest, and of an attempt to call its beginning. */
const PASSING_MAX = 24;
const PASSING_HEAD_MAX = 8;

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
  /** What its messages take of the store. */
  chunks = 0;
  /** Entries that gave way. */
  left_out = 0;
  /** Its neighbours in the list it is in. */
  older: Trace | null = null;
  newer: Trace | null = null;
  readonly #store: ChunkStore;
  readonly #kept: Kept[] = [];

  constructor(
    store: ChunkStore,
    from: {
      readonly id: string;
      readonly call_id: string;
      readonly method: string;
      readonly began_ms: number;
      readonly began_at: number;
    },
  ) {
    this.#store = store;
    this.id = from.id;
    this.call_id = from.call_id;
    this.method = from.method;
    this.began_ms = from.began_ms;
    this.began_at = from.began_at;
  }

  /** False: the store has no room for it. */
  message(at: number, kind: MessageKind, ends: Ends, bytes: Buffer): boolean {
    const first = this.#store.put(bytes);
    if (first === null) return false;
    this.chunks += chunksOf(bytes.length);
    this.#add({ at, kind, ends, first, length: bytes.length, text: "" });
    return true;
  }

  note(at: number, text: string): void {
    this.#add({ at, kind: "note", ends: null, first: 0, length: 0, text });
  }

  /** Gives all its room back. */
  release(): void {
    for (const kept of this.#kept) this.#free(kept);
    this.#kept.length = 0;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** In order. */
  get entries(): readonly TraceEntry[] {
    return this.#kept.map(({ at, kind, ends, first, length, text }) =>
      kind === "note" || ends === null
        ? { at, kind: "note", text }
        : { at, kind, ends, bytes: this.#store.get(first, length) },
    );
  }

  /** The first message; null: it is only notes. */
  get first(): Buffer | null {
    const kept = this.#kept.find(({ kind }) => kind !== "note");
    return kept === undefined ? null : this.#store.get(kept.first, kept.length);
  }

  #add(kept: Kept): void {
    this.#kept.push(kept);
    const isPassing = this.state === "passing";
    const head = isPassing ? (this.method === "INVITE" ? PASSING_HEAD_MAX : 0) : HEAD_MAX;
    if (this.#kept.length <= head + (isPassing ? PASSING_MAX : TAIL_MAX)) return;
    this.#free(this.#kept.splice(head, 1)[0]!);
    this.left_out++;
  }

  #free({ kind, first, length }: Kept): void {
    if (kind === "note") return;
    this.#store.release(first);
    this.chunks -= chunksOf(length);
  }
}
