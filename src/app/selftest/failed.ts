/** Why a step of the self-test failed, and waits that end: with the answer, at their time, or when somebody stops it. */
import type { Clock } from "../../base/clock.ts";

export class Failed extends Error {
  /** What to do about it. */
  readonly cure: string;
  constructor(what: string, cure: string) {
    super(what);
    this.cure = cure;
  }
}

export class Patience {
  readonly clock: Clock;
  readonly #stop: AbortSignal;
  #isTidying = false;

  /** Once `stop` is aborted, every wait ends with a Failed. */
  constructor(clock: Clock, stop: AbortSignal) {
    this.clock = clock;
    this.#stop = stop;
  }

  /** From here on nobody stops it: what was begun is being put away, each wait of it bounded. */
  tidy(): void {
    this.#isTidying = true;
  }

  /** What `given` resolves to; rejects with `late` after `ms`. */
  wait<T>(given: Promise<T>, ms: number, late: Failed): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stopped = (): void => {
      if (!this.#isTidying) reject(new Failed("stopped", "run it again: nothing is left behind"));
    };
    const alarm = this.clock.after(ms, () => reject(late));
    if (this.#stop.aborted) stopped();
    this.#stop.addEventListener("abort", stopped);
    given.then(resolve, reject);
    return promise.finally(() => {
      alarm.cancel();
      this.#stop.removeEventListener("abort", stopped);
    });
  }

  async pause(ms: number): Promise<void> {
    const over = new Promise<void>((resolve) => void this.clock.after(ms, resolve));
    await this.wait(over, 2 * ms + 1000, new Failed("the clock stands still", "look at this machine"));
  }

  /** Asks again every `each_ms` until it gets something; null: it never did within `ms`. */
  async until<T>(ask: () => Promise<T | null>, each_ms: number, ms: number): Promise<T | null> {
    const end = this.clock.now() + ms;
    for (;;) {
      const found = await ask();
      if (found !== null || this.clock.now() >= end) return found;
      await this.pause(each_ms);
    }
  }
}
