/**
 * How many calls a peer takes at once, and how many new ones in a second (call gapping): a token
 * bucket, kept as the time at which it will be full again, so that no fraction of a token is ever lost.
 */

export interface CallLimits {
  /** 0: no limit, for each of them. */
  readonly calls_max: number;
  readonly calls_per_s: number;
  /** 0: as many as calls_per_s. */
  readonly calls_burst: number;
}

export type LimitReached = "calls_max" | "calls_per_s";

/** Far below a clock's step, far above what sums of fractions lose. */
const ROUNDING_MS = 1e-6;

export class CallGate {
  #limits: CallLimits;
  #calls = 0;
  /** Monotonic milliseconds at which the bucket is full again. */
  #full_at = Number.NEGATIVE_INFINITY;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** Other limits from now on; calls and tokens used up stay so. */
  configure(limits: CallLimits): void {
    this.#limits = limits;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Why no call may begin now; null: one may. */
  closedBy(now: number): LimitReached | null {
    const { calls_max, calls_per_s } = this.#limits;
    if (calls_max > 0 && this.#calls >= calls_max) return "calls_max";
    return calls_per_s > 0 && this.waitMs(now) > 0 ? "calls_per_s" : null;
  }

  /** How long until there is a token, milliseconds; 0: there is one. */
  waitMs(now: number): number {
    const { calls_per_s, calls_burst } = this.#limits;
    if (calls_per_s === 0) return 0;
    const step_ms = 1000 / calls_per_s;
    const depth = calls_burst === 0 ? calls_per_s : calls_burst;
    const wait_ms = this.#full_at - (depth - 1) * step_ms - now;
    return wait_ms > ROUNDING_MS ? wait_ms : 0;
  }

  /** Counts a call and takes a token. False: it is closed, and nothing was counted. */
  begin(now: number): boolean {
    if (this.closedBy(now) !== null) return false;
    const { calls_per_s } = this.#limits;
    if (calls_per_s > 0) this.#full_at = Math.max(this.#full_at, now) + 1000 / calls_per_s;
    this.#calls++;
    return true;
  }

  /** False: none was counted. */
  end(): boolean {
    if (this.#calls === 0) return false;
    this.#calls--;
    return true;
  }
}
