/**
 * Places that failed lately. They are tried last, never left out: when all have failed, one of them may
 * have come back (RFC 3263 §4.3 leaves it to the client to remember).
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Place } from "./place.ts";
import { placeKey } from "./place.ts";

export interface DeadTarget {
  readonly place: Place;
  /** For the trace: "refused", "no reply", "503" … */
  readonly reason: string;
  readonly until_ms: number;
}

/** Places remembered at once; the one that failed first is forgotten for the next. */
export const DEAD_TARGETS_MAX = 1000;

export class DeadTargets {
  /** How long a place counts as dead; 0: not at all. */
  dead_ms: number;
  readonly #clock: Clock;
  readonly #dead: BoundedMap<string, DeadTarget>;
  readonly #failures: Counter;

  constructor(clock: Clock, metrics: Metrics, dead_ms: number) {
    this.#clock = clock;
    this.dead_ms = dead_ms;
    const evicted = metrics.counter(
      "sipedge_dns_dead_targets_evicted_total",
      "Failed places forgotten before their time because there were too many",
    );
    this.#dead = new BoundedMap(DEAD_TARGETS_MAX, () => evicted.inc());
    this.#failures = metrics.counter(
      "sipedge_dns_dead_targets_total",
      "Failures of places that requests were sent to",
    );
    metrics.gauge("sipedge_dns_dead_targets", "Places that count as failed", () => this.#sweep());
  }

  /** The place failed: no reply, no connection, 503 (RFC 3263 §4.3). For `ms`, a Retry-After, when given. */
  failed(place: Place, reason: string, ms = this.dead_ms): void {
    this.#failures.inc();
    if (ms <= 0) return;
    const key = placeKey(place);
    this.#dead.delete(key);
    this.#dead.set(key, { place, reason, until_ms: this.#clock.now() + ms });
  }

  /** The place answered. */
  alive(place: Place): void {
    if (this.#dead.size > 0) this.#dead.delete(placeKey(place));
  }

  isDead(place: Place): boolean {
    if (this.#dead.size === 0) return false;
    const key = placeKey(place);
    const target = this.#dead.peek(key);
    if (target === undefined) return false;
    if (target.until_ms > this.#clock.now()) return true;
    this.#dead.delete(key);
    return false;
  }

  /** The same places, those that failed lately at the end; the order stays otherwise. */
  order(places: readonly Place[]): readonly Place[] {
    if (this.#dead.size === 0 || places.length < 2) return places;
    const dead = places.filter((place) => this.isDead(place));
    if (dead.length === 0 || dead.length === places.length) return places;
    return [...places.filter((place) => !dead.includes(place)), ...dead];
  }

  /** Those that count as failed now, the oldest failure first. */
  snapshot(): DeadTarget[] {
    this.#sweep();
    return [...this.#dead.entries()].map(([, target]) => target);
  }

  #sweep(): number {
    const now = this.#clock.now();
    for (const [key, { until_ms }] of this.#dead.entries()) if (until_ms <= now) this.#dead.delete(key);
    return this.#dead.size;
  }
}
