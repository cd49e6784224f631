/** What was counted each minute of the last day, for charts. */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Answer } from "./schemas.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

const EVERY_MS = 60_000;
/** A day of minutes. */
export const SAMPLES_MAX = 1440;

/** What is read of the appliance for one sample; totals are since its start. */
export interface Measured {
  readonly registrations: number;
  readonly calls: number;
  readonly calls_begun: number;
  readonly calls_answered: number;
  readonly rss_bytes: number;
  readonly cpu_s: number;
}

interface HistorySample extends Omit<Measured, "cpu_s"> {
  readonly at_ms: number;
  readonly cpu_percent: number;
}

export class History {
  readonly #clock: Clock;
  readonly #measure: () => Measured;
  readonly #samples: HistorySample[] = [];
  #last: { readonly at: number; readonly measured: Measured } | null = null;
  #alarm: Alarm | null = null;

  constructor(clock: Clock, measure: () => Measured) {
    this.#clock = clock;
    this.#measure = measure;
  }

  start(): void {
    this.#last = { at: this.#clock.now(), measured: this.#measure() };
    this.#arm();
  }

  close(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
  }

  /** The oldest first. */
  get samples(): readonly HistorySample[] {
    return this.#samples;
  }

  #arm(): void {
    this.#alarm = this.#clock.after(EVERY_MS, () => {
      this.#sample();
      this.#arm();
    });
  }

  #sample(): void {
    const at = this.#clock.now();
    const measured = this.#measure();
    const before = this.#last ?? { at, measured };
    const past_s = Math.max(0.001, (at - before.at) / 1000);
    const { cpu_s, ...counted } = measured;
    if (this.#samples.length >= SAMPLES_MAX) this.#samples.shift();
    this.#samples.push({
      ...counted,
      at_ms: this.#clock.wall(),
      calls_begun: measured.calls_begun - before.measured.calls_begun,
      calls_answered: measured.calls_answered - before.measured.calls_answered,
      cpu_percent: Math.round((1000 * (cpu_s - before.measured.cpu_s)) / past_s) / 10,
    });
    this.#last = { at, measured };
  }
}

export function measuredOf(sources: ApiSources): Measured {
  const { rss_bytes, cpu_user_s, cpu_system_s } = sources.process();
  const { begun, answered } = sources.calls.totals();
  return {
    registrations: sources.store.size,
    calls: sources.calls.count(),
    calls_begun: begun,
    calls_answered: answered,
    rss_bytes,
    cpu_s: cpu_user_s + cpu_system_s,
  };
}

export function historyView({ history }: ApiSources): Answer<"History"> {
  return {
    every_s: EVERY_MS / 1000,
    samples: history.samples.map(({ at_ms, ...sample }) => ({ at: rfc3339(at_ms), ...sample })),
  };
}
