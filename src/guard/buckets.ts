/**
 * Token buckets by key: so many at once, and so many a second from then on. And points that fade, for what should
 * not happen often.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";

interface Level {
  value: number;
  at: number;
}

export class Buckets {
  rate_per_s: number;
  burst: number;
  readonly #clock: Clock;
  readonly #levels: BoundedMap<string, Level>;

  constructor(clock: Clock, keys_max: number, rate_per_s: number, burst: number) {
    this.#clock = clock;
    this.#levels = new BoundedMap(keys_max);
    this.rate_per_s = rate_per_s;
    this.burst = burst;
  }

  /** False: its bucket is empty. */
  take(key: string): boolean {
    const now = this.#clock.now();
    const level = this.#levels.peek(key);
    if (level === undefined) {
      this.#levels.set(key, { value: this.burst - 1, at: now });
      return true;
    }
    level.value = Math.min(this.burst, level.value + ((now - level.at) / 1000) * this.rate_per_s);
    level.at = now;
    if (level.value < 1) return false;
    level.value--;
    return true;
  }
}

export class FadingPoints {
  readonly #clock: Clock;
  readonly #levels: BoundedMap<string, Level>;

  constructor(clock: Clock, keys_max: number) {
    this.#clock = clock;
    this.#levels = new BoundedMap(keys_max);
  }

  /** Adds a point; returns how many there are, of which `max` would fade in `window_ms`. */
  add(key: string, points: number, max: number, window_ms: number): number {
    const now = this.#clock.now();
    const level = this.#levels.get(key) ?? { value: 0, at: now };
    level.value = Math.max(0, level.value - ((now - level.at) / window_ms) * max) + points;
    level.at = now;
    this.#levels.set(key, level);
    return level.value;
  }

  /** How many there are now. */
  of(key: string, max: number, window_ms: number): number {
    const level = this.#levels.peek(key);
    if (level === undefined) return 0;
    return Math.max(0, level.value - ((this.#clock.now() - level.at) / window_ms) * max);
  }

  forget(key: string): void {
    this.#levels.delete(key);
  }
}
