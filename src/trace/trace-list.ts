/**
 * Traces in the order in which they came, each in one list at a time: adding, removing and asking for the oldest cost
 * the same however many there are.
 */
import type { Trace } from "./trace.ts";

export class TraceList implements Iterable<Trace> {
  #oldest: Trace | null = null;
  #newest: Trace | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest, but not `except`; null: there is none. */
  oldest(except: Trace | null): Trace | null {
    return this.#oldest === except && except !== null ? except.newer : this.#oldest;
  }

  /** One that is in no list. */
  add(trace: Trace): void {
    trace.older = this.#newest;
    if (this.#newest === null) this.#oldest = trace;
    else this.#newest.newer = trace;
    this.#newest = trace;
    this.#size++;
  }

  /** One of this list. */
  delete(trace: Trace): void {
    const { older, newer } = trace;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    trace.older = null;
    trace.newer = null;
    this.#size--;
  }

  clear(): void {
    this.#oldest = null;
    this.#newest = null;
    this.#size = 0;
  }

  /** The oldest first. */
  *[Symbol.iterator](): Iterator<Trace> {
    for (let trace = this.#oldest; trace !== null; trace = trace.newer) yield trace;
  }
}
