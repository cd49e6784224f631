/**
 * A clock that moves only when told to: `advance(ms)` runs everything that falls due on the way, in order.
 */
import type { Alarm, Clock } from "../../src/base/clock.ts";

interface Entry {
  at: number;
  order: number;
  fn: (() => void) | null;
}

export class VirtualClock implements Clock {
  #now = 1_000_000;
  #order = 0;
  #entries: Entry[] = [];
  #turnEnd: (() => void)[] = [];
  /** Added to now() to make the wall clock; tests may change it to let the wall clock jump. */
  wallOffset = Date.UTC(2026, 0, 1);

  now(): number {
    return this.#now;
  }

  hold(): void {}

  release(): void {}

  wall(): number {
    return this.wallOffset + this.#now;
  }

  after(ms: number, fn: () => void): Alarm {
    const entry: Entry = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#entries.push(entry);
    return {
      cancel: () => {
        entry.fn = null;
      },
    };
  }

  atTurnEnd(fn: () => void): void {
    this.#turnEnd.push(fn);
  }

  /** Alarms that still wait. */
  get pending(): number {
    return this.#entries.filter((entry) => entry.fn).length;
  }

  /** Runs what was put at the end of the turn. */
  endTurn(): void {
    while (this.#turnEnd.length > 0) {
      const batch = this.#turnEnd;
      this.#turnEnd = [];
      for (const fn of batch) fn();
    }
  }

  /** Moves time forward by `ms`, running every alarm at its own moment. */
  advance(ms: number): void {
    const end = this.#now + ms;
    this.endTurn();
    for (;;) {
      let next: Entry | null = null;
      for (const entry of this.#entries) {
        if (!entry.fn || entry.at > end) continue;
        if (!next || entry.at < next.at || (entry.at === next.at && entry.order < next.order)) next = entry;
      }
      if (!next) break;
      this.#now = Math.max(this.#now, next.at);
      const fn = next.fn;
      next.fn = null;
      this.#entries = this.#entries.filter((entry) => entry.fn);
      fn?.();
      this.endTurn();
    }
    this.#now = end;
  }
}
