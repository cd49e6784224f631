/**
 * Places that failed lately. They are tried last, never left out: when all have failed, one of them may
 * have come back (RFC 3263 §4.3 leaves it to the client to remember). A place that somebody wanted
 * meanwhile is asked whether it is back before it is tried first again.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Place } from "./place.ts";
import { placeKey } from "./place.ts";

export interface DeadTarget {
  readonly place: Place;
  /** For the trace: "refused", "no reply", "503" … */
  readonly reason: string;
  /** Until when it is left alone; past while it is probed, or waits for that. */
  readonly until_ms: number;
  /** Probes sent to it since it failed. */
  readonly probes: number;
}

/**
 * Asks a place whether it is there and says the status of its answer; null: none could be had. `done` may
 * come at once, late, twice or never.
 */
export type ProbePlace = (place: Place, done: (status: number | null) => void) => void;

/** Places remembered at once; the one that failed first is forgotten for the next. */
export const DEAD_TARGETS_MAX = 1000;
/** Places that are probed at the same time, each once; the others wait for their turn. */
export const PROBES_MAX = 10;
/** How long the answer to a probe may take. */
const PROBE_TIMEOUT_MS = 4000;

interface Entry {
  readonly place: Place;
  readonly reason: string;
  until_ms: number;
  probes: number;
  /** Whether it was among somebody's places since it failed, or since its last probe left. */
  wanted: boolean;
  probing: boolean;
}

export class DeadTargets {
  /** How long a place counts as dead; 0: not at all. */
  dead_ms: number;
  /** Null: no place is probed, each counts as alive again after its time. */
  probe: ProbePlace | null = null;
  readonly #clock: Clock;
  readonly #dead: BoundedMap<string, Entry>;
  readonly #failures: Counter;
  readonly #probes: Readonly<Record<"answered" | "failed", Counter>>;
  #underway = 0;
  #alarm: Alarm | null = null;
  #alarmAt_ms = 0;

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
    const probes = (result: string) =>
      metrics.counter(
        "sipedge_dns_dead_target_probes_total",
        "OPTIONS to places that had failed, by what came of them",
        { result },
      );
    this.#probes = { answered: probes("answered"), failed: probes("failed") };
    metrics.gauge("sipedge_dns_dead_targets", "Places that count as failed", () => this.#dead.size);
  }

  /** The place failed: no reply, no connection, 503 (RFC 3263 §4.3). For `ms`, a Retry-After, when given. */
  failed(place: Place, reason: string, ms = this.dead_ms): void {
    this.#failures.inc();
    if (ms <= 0) return;
    const key = placeKey(place);
    const probes = this.#dead.peek(key)?.probes ?? 0;
    this.#dead.delete(key);
    const until_ms = this.#clock.now() + ms;
    this.#dead.set(key, { place, reason, until_ms, probes, wanted: false, probing: false });
    this.#wakeAt(until_ms);
  }

  /** The place answered. */
  alive(place: Place): void {
    if (this.#dead.size > 0) this.#dead.delete(placeKey(place));
  }

  /** Whether it failed and has not been heard of since. To be asked by who wants to send there. */
  isDead(place: Place): boolean {
    if (this.#dead.size === 0) return false;
    const target = this.#dead.peek(placeKey(place));
    if (target === undefined) return false;
    target.wanted = true;
    return true;
  }

  /** The same places, those that failed lately at the end; the order stays otherwise. */
  order(places: readonly Place[]): readonly Place[] {
    if (this.#dead.size === 0) return places;
    const dead = places.filter((place) => this.isDead(place));
    if (dead.length === 0 || dead.length === places.length) return places;
    return [...places.filter((place) => !dead.includes(place)), ...dead];
  }

  /** Those that count as failed now, the oldest failure first. */
  snapshot(): DeadTarget[] {
    return [...this.#dead.entries()].map(([, { place, reason, until_ms, probes }]) => ({
      place,
      reason,
      until_ms,
      probes,
    }));
  }

  /** Forgets all; no probe is sent any more. */
  stop(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    this.probe = null;
    this.#dead.clear();
  }

  #wakeAt(at_ms: number): void {
    if (this.#alarm !== null && this.#alarmAt_ms <= at_ms) return;
    this.#alarm?.cancel();
    this.#alarmAt_ms = at_ms;
    this.#alarm = this.#clock.after(Math.max(0, at_ms - this.#clock.now()), () => {
      this.#alarm = null;
      this.#lookThrough();
    });
  }

  /** Whose time is over is forgotten or, when somebody wanted it, probed. */
  #lookThrough(): void {
    const now = this.#clock.now();
    let next_ms = Number.POSITIVE_INFINITY;
    for (const [key, entry] of [...this.#dead.entries()]) {
      if (entry.until_ms > now) next_ms = Math.min(next_ms, entry.until_ms);
      else if (this.probe === null || (!entry.wanted && !entry.probing)) this.#dead.delete(key);
      else if (!entry.probing && this.#underway < PROBES_MAX) this.#send(this.probe, key, entry);
    }
    if (next_ms < Number.POSITIVE_INFINITY) this.#wakeAt(next_ms);
  }

  #send(probe: ProbePlace, key: string, entry: Entry): void {
    entry.probing = true;
    entry.wanted = false;
    entry.probes++;
    this.#underway++;
    let over = false;
    const end = (status: number | null): void => {
      if (over) return;
      over = true;
      alarm.cancel();
      this.#underway--;
      this.#probed(key, entry, status);
    };
    const alarm = this.#clock.after(PROBE_TIMEOUT_MS, () => end(null));
    probe(entry.place, end);
  }

  /** Any answer brings it back but 503, which is the failure itself. One that failed anew meanwhile is another entry. */
  #probed(key: string, entry: Entry, status: number | null): void {
    const answered = status !== null && status !== 503;
    this.#probes[answered ? "answered" : "failed"].inc();
    entry.probing = false;
    if (this.#dead.peek(key) === entry) {
      if (answered || this.dead_ms <= 0) this.#dead.delete(key);
      else entry.until_ms = this.#clock.now() + this.dead_ms;
    }
    if (this.probe !== null && this.#dead.size > 0) this.#wakeAt(this.#clock.now()); // a turn is free for another
  }
}
