/**
 * The bindings in memory, by user, with the moment each one ends. Lifetimes run on the monotonic
 * clock: a board that learns the date after its start must not lose every phone at once.
 */
import type { Clock } from "../base/clock.ts";
import type { Binding } from "./binding.ts";
import { type Expiring, ExpiryQueue } from "./expiry-queue.ts";

interface Entry extends Expiring {
  readonly user: string;
  bindings: readonly Binding[];
  /** When each of `bindings` ends, monotonic milliseconds; the least of them is `due_ms`. */
  ends: readonly number[];
}

const NONE: readonly Binding[] = Object.freeze([]);

export class BindingTable {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new ExpiryQueue<Entry>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bindings held, expired ones that still wait for the sweep included. */
  get size(): number {
    return this.#size;
  }

  get users(): number {
    return this.#entries.size;
  }

  /** Nothing ends before this (monotonic milliseconds); Infinity when nothing is held. */
  get next_end_ms(): number {
    return this.#queue.next_ms;
  }

  /** Those that have not ended, newest registration last. */
  live(user: string): readonly Binding[] {
    const entry = this.#entries.get(user);
    if (entry === undefined) return NONE;
    const now = this.#clock.now();
    return now < entry.due_ms ? entry.bindings : stillLive(entry, now);
  }

  /** What is held for the user, ended or not. */
  held(user: string): readonly Binding[] {
    return this.#entries.get(user)?.bindings ?? NONE;
  }

  /** Makes `next` what is held for the user; returns the array that is kept. Ends of known objects stand. */
  put(user: string, next: readonly Binding[]): readonly Binding[] {
    const entry = this.#entries.get(user);
    this.#size += next.length - (entry?.bindings.length ?? 0);
    if (next.length === 0) {
      if (entry !== undefined) {
        this.#queue.remove(entry);
        this.#entries.delete(user);
      }
      return NONE;
    }
    const bindings = inOrder(next);
    const made = entry ?? { user, bindings: NONE, ends: [], due_ms: 0, queued_ms: 0, place: -1 };
    if (entry === undefined) this.#entries.set(user, made);
    this.#date(made, bindings);
    this.#queue.update(made);
    return bindings;
  }

  /** At most `max` users that hold an ended binding. The caller puts each one anew. */
  takeEnded(max: number): string[] {
    return this.#queue.take(this.#clock.now(), max).map((entry) => entry.user);
  }

  *all(): IterableIterator<Binding> {
    for (const user of this.#entries.keys()) yield* this.live(user);
  }

  /** Every binding held, ended or not. */
  *allHeld(): IterableIterator<Binding> {
    for (const entry of this.#entries.values()) yield* entry.bindings;
  }

  /** Sets the entry's bindings, their ends and the least of these. */
  #date(entry: Entry, bindings: readonly Binding[]): void {
    const wall_to_now_ms = this.#clock.now() - this.#clock.wall();
    const ends: number[] = [];
    let due_ms = Number.POSITIVE_INFINITY;
    for (const binding of bindings) {
      const known = entry.bindings.indexOf(binding);
      const end = known < 0 ? binding.expires_at_ms + wall_to_now_ms : entry.ends[known]!;
      ends.push(end);
      if (end < due_ms) due_ms = end;
    }
    entry.bindings = bindings;
    entry.ends = ends;
    entry.due_ms = due_ms;
  }
}

function stillLive(entry: Entry, now: number): readonly Binding[] {
  const live = entry.bindings.filter((_, i) => entry.ends[i]! > now);
  return live.length === 0 ? NONE : live;
}

/** The array itself when its registrations are in order already. */
function inOrder(bindings: readonly Binding[]): readonly Binding[] {
  for (let i = 1; i < bindings.length; i++) {
    if (bindings[i]!.registered_at_ms < bindings[i - 1]!.registered_at_ms) {
      return bindings.toSorted((a, b) => a.registered_at_ms - b.registered_at_ms);
    }
  }
  return bindings;
}
