/**
 * Whether there is more to do than can be done: by how late a timer comes while requests arrive. Then new calls are
 * turned away first, everything else that is new next, and what belongs to a call that runs never.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";

/** 0: all is taken. 1: no new calls. 2: nothing new. */
export type OverloadLevel = 0 | 1 | 2;

/** How often it is looked, while something arrives. */
const LOOK_MS = 100;
/** How late looks may come before the level rises to 1 and to 2; it falls when they come at less than half of it. */
const LATE_MS = [250, 1000] as const;
/** So many late looks, one after the other: a single stall (a slow disk) turns nobody away. */
const LATE_LOOKS = 2;
/** So many looks on time, one after the other, and the level falls by one. */
const CALM_LOOKS = 5;

export class Overload {
  #level: OverloadLevel = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  #look: Alarm | null = null;
  #calm = 0;
  #late = 0;

  constructor({ clock, log, metrics }: { clock: Clock; log: Log; metrics: Metrics }) {
    this.#clock = clock;
    this.#log = log;
    metrics.gauge(
      "sipedge_overload_level",
      "0: all is taken, 1: no new calls, 2: nothing new",
      () => this.#level,
    );
  }

  get level(): OverloadLevel {
    return this.#level;
  }

  /** Whether a new request outside of any dialog is turned away. To be asked for each: it is what keeps it looking. */
  refuses(method: string): boolean {
    if (this.#look === null) this.#arm();
    return this.#level === 2 || (this.#level === 1 && method === "INVITE");
  }

  close(): void {
    this.#look?.cancel();
    this.#look = null;
  }

  #arm(): void {
    const due = this.#clock.now() + LOOK_MS;
    this.#look = this.#clock.after(LOOK_MS, () => {
      this.#look = null;
      this.#judge(this.#clock.now() - due);
      if (this.#level > 0) this.#arm(); // until it is calm, whether anything arrives or not
    });
  }

  #judge(late_ms: number): void {
    const level = this.#level;
    if (late_ms >= LATE_MS[Math.min(level, 1)]!) {
      this.#calm = 0;
      if (++this.#late >= LATE_LOOKS) this.#set(late_ms >= LATE_MS[1] ? 2 : 1);
      return;
    }
    this.#late = 0;
    if (level === 0 || late_ms >= LATE_MS[level - 1]! / 2) this.#calm = 0;
    else if (++this.#calm >= CALM_LOOKS) this.#set((level - 1) as OverloadLevel);
  }

  #set(level: OverloadLevel): void {
    this.#calm = 0;
    this.#late = 0;
    if (level === this.#level) return;
    this.#level = level;
    if (level === 0) this.#log.info("overload-over");
    else
      this.#log.warn("overload", {
        level,
        effect: level === 1 ? "new calls get 503" : "nothing new is taken",
      });
  }
}
