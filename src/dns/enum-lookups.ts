/**
 * Numbers that are being looked up (RFC 6116): off without a suffix, bounded in number and in time,
 * counted by how they ended.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { EnumFound } from "./enum.ts";
import { lookUpEnum } from "./enum.ts";
import type { NameService } from "./records.ts";

export interface EnumOptions {
  /** Under which the numbers stand, like e164.arpa; null: no number is looked up. */
  readonly suffix: string | null;
  /** One number in all. */
  readonly lookup_ms: number;
}

export interface EnumParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly names: NameService;
}

/** Numbers under way at once; one more fails at once. */
export const ENUM_LOOKUPS_MAX = 1000;

type End = "found" | "absent" | "failed" | "refused";

export class EnumLookups {
  options: EnumOptions;
  readonly #parts: EnumParts;
  readonly #ends: Readonly<Record<End, Counter>>;
  #underway = 0;

  constructor(parts: EnumParts, options: EnumOptions) {
    this.#parts = parts;
    this.options = options;
    const counter = (end: End) =>
      parts.metrics.counter("sipedge_enum_lookups_total", "Numbers looked up by ENUM, by how they ended", {
        end,
      });
    this.#ends = {
      found: counter("found"),
      absent: counter("absent"),
      failed: counter("failed"),
      refused: counter("refused"),
    };
  }

  get isOn(): boolean {
    return this.options.suffix !== null;
  }

  /** Looks a number up (as `globalNumber` gives it); `found` is called once, in the same turn when the cache answers. */
  lookUp(number: string, found: EnumFound): void {
    const { suffix, lookup_ms } = this.options;
    if (suffix === null) return found(null);
    if (this.#underway >= ENUM_LOOKUPS_MAX) {
      this.#ends.refused.inc();
      return found("failed");
    }
    this.#underway++;
    let alarm: Alarm | null = null;
    let over = false;
    const end: EnumFound = (uri) => {
      if (over) return;
      over = true;
      alarm?.cancel();
      this.#underway--;
      this.#ends[uri === null ? "absent" : uri === "failed" ? "failed" : "found"].inc();
      found(uri);
    };
    lookUpEnum(this.#parts.names, number, suffix, end);
    if (!over) alarm = this.#parts.clock.after(lookup_ms, () => end("failed"));
  }
}
