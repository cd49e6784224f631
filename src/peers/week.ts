/**
 * Where a moment lies in the week of a time zone, and whether that is within given hours.
 */
import type { Hours } from "../config/route-forms.ts";
import { WEEKDAYS } from "../config/route-forms.ts";

export interface WeekMoment {
  /** 0 is Monday. */
  readonly day: number;
  /** Since midnight. */
  readonly minute: number;
  /** "Mon 08:30 Europe/Berlin" */
  readonly text: string;
}

export class LocalTime {
  readonly #format: Intl.DateTimeFormat;
  readonly #zone: string;

  /** `zone` as the config schema let it pass; null: the machine's. */
  constructor(zone: string | null) {
    this.#format = new Intl.DateTimeFormat("en-GB", {
      ...(zone !== null && { timeZone: zone }),
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    this.#zone = this.#format.resolvedOptions().timeZone;
  }

  at(wall_ms: number): WeekMoment {
    const text = this.#format.format(wall_ms).replace(",", ""); // "Mon 08:30"
    const [weekday = "", time = ""] = text.split(" ");
    const day = WEEKDAYS.indexOf(weekday);
    const minute = Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
    return { day, minute, text: `${text} ${this.#zone}` };
  }
}

/** Whether the moment is in the hours; those that go past midnight belong to the day they began on. */
export function fitsHours({ days, from, to }: Hours, day: number, minute: number): boolean {
  const isDay = (days & (1 << day)) !== 0;
  if (from < to) return isDay && minute >= from && minute < to;
  const wasYesterday = (days & (1 << ((day + 6) % WEEKDAYS.length))) !== 0;
  return (isDay && minute >= from) || (wasYesterday && minute < to);
}
