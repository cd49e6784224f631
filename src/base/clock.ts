/**
 * Time as an argument. Every room takes a Clock; only this file touches the platform's timers,
 * so a test can put the whole appliance on a virtual clock.
 */

/** A scheduled callback that can still be stopped. */
export interface Alarm {
  /** Stops the callback; harmless when it already ran. */
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never jumps with the wall clock. */
  now(): number;
  /** Until `release`, `now()` stays what it is: while one message is dealt with, nobody has to ask the system again. */
  hold(): void;
  release(): void;
  /** Unix time in milliseconds. May jump; use it only for what leaves the process or reaches the disk. */
  wall(): number;
  /** Runs `fn` once, at least `ms` milliseconds from now (at most 2^31-1). */
  after(ms: number, fn: () => void): Alarm;
  /** Runs `fn` at the end of the current event-loop turn, after all input that arrived with it. */
  atTurnEnd(fn: () => void): void;
}

const DELAY_MS_MAX = 2 ** 31 - 1; // beyond it setTimeout fires at once

const NOT_HELD = -1;

class SystemClock implements Clock {
  #held = NOT_HELD;

  now(): number {
    return this.#held === NOT_HELD ? performance.now() : this.#held;
  }

  hold(): void {
    this.#held = performance.now();
  }

  release(): void {
    this.#held = NOT_HELD;
  }

  wall(): number {
    return Date.now();
  }

  after(ms: number, fn: () => void): Alarm {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), DELAY_MS_MAX));
    return { cancel: () => clearTimeout(timer) };
  }

  atTurnEnd(fn: () => void): void {
    setImmediate(fn);
  }
}

/** The machine's own clock. */
export const systemClock: Clock = new SystemClock();
