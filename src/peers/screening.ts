/**
 * Which calls are not let through: rules by who calls, what is dialled and when, and how many calls one account may
 * make. It asks nobody and changes nothing but its own counts.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { ACTION, ANONYMOUS } from "../config/keys-screen.ts";
import type { Hours, NumberPattern } from "../config/route-forms.ts";
import { fitsPattern, readHours, readPattern } from "../config/route-forms.ts";
import type { Config } from "../config/schema.ts";
import type { Refusal } from "../message/refusal.ts";
import { digitsIn, numberOf } from "./number.ts";
import { fitsHours, LocalTime } from "./week.ts";

/** A call that somebody begins, or a forward of somebody that makes one. */
export interface ScreenedCall {
  /** The account that pays for it: it was proved, or the forward is its own; null: none. */
  readonly account: string | null;
  /** The user part of From, unescaped; null: it has none. */
  readonly caller: string | null;
  /** The user part of where it goes, unescaped; null: it has none. */
  readonly called: string | null;
}

export interface ScreeningParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Calls that this account began and that are not over. */
  readonly callsOf: (account: string) => number;
}

interface Rule {
  readonly name: string;
  readonly users: readonly string[];
  readonly callers: readonly { readonly text: string; readonly pattern: NumberPattern | null }[];
  readonly numbers: readonly NumberPattern[];
  readonly called: readonly string[];
  readonly times: readonly Hours[];
  readonly clock: LocalTime | null;
  /** Null: the call is let through. */
  readonly refusal: Refusal | null;
}

interface Limits {
  readonly atOnce: number;
  readonly perMinute: number;
}

/** Accounts whose rate is remembered. */
const ACCOUNTS_MAX = 100_000;
const MINUTE_MS = 60_000;

export class Screening {
  readonly #parts: ScreeningParts;
  readonly #refused: (rule: string) => Counter;
  /** How many calls an account may begin now, and when that was so. */
  readonly #rates = new BoundedMap<string, { left: number; at: number }>(ACCOUNTS_MAX);
  #rules: readonly Rule[] = [];
  #limits: Limits = { atOnce: 0, perMinute: 0 };
  #ofUser: ReadonlyMap<string, Limits> = new Map();

  constructor(parts: ScreeningParts, config: Config) {
    this.#parts = parts;
    this.#refused = (rule) =>
      parts.metrics.counter("sipedge_calls_screened_total", "Calls that were not let through, by rule", {
        rule,
      });
    this.configure(config);
  }

  configure({ calls, screen, user }: Config): void {
    this.#rules = screen.map(compiled);
    this.#limits = { atOnce: calls.calls_at_once_max, perMinute: calls.calls_per_minute_max };
    this.#ofUser = new Map(
      user.flatMap(({ name, calls_at_once_max, calls_per_minute_max }) =>
        calls_at_once_max === undefined && calls_per_minute_max === undefined
          ? []
          : [
              [
                name,
                {
                  atOnce: calls_at_once_max ?? calls.calls_at_once_max,
                  perMinute: calls_per_minute_max ?? calls.calls_per_minute_max,
                },
              ],
            ],
      ),
    );
  }

  /** Why the call is not let through; null: it is, and counts as begun. */
  refusal(call: ScreenedCall): Refusal | null {
    return this.#counted(this.#byRule(call) ?? this.#byLimit(call.account));
  }

  /** The same for another number that a call which has begun turns to: rules are asked, and nothing is counted. */
  refusalOfNumber(call: ScreenedCall): Refusal | null {
    return this.#counted(this.#byRule(call));
  }

  #counted(refusal: Refusal | null): Refusal | null {
    if (refusal !== null) this.#refused(ruleOf(refusal) ?? "").inc();
    return refusal;
  }

  #byRule(call: ScreenedCall): Refusal | null {
    if (this.#rules.length === 0) return null;
    const dialled = readDialled(call.called);
    const wall_ms = this.#parts.clock.wall();
    return this.#rules.find((rule) => fits(rule, call, dialled, wall_ms))?.refusal ?? null;
  }

  #byLimit(account: string | null): Refusal | null {
    if (account === null) return null;
    const { atOnce, perMinute } = this.#ofUser.get(account) ?? this.#limits;
    if (atOnce > 0 && this.#parts.callsOf(account) >= atOnce)
      return tooMany("calls_at_once_max", atOnce, "at once");
    if (perMinute > 0 && !this.#take(account, perMinute))
      return tooMany("calls_per_minute_max", perMinute, "in a minute");
    return null;
  }

  #take(account: string, perMinute: number): boolean {
    const now = this.#parts.clock.now();
    const rate = this.#rates.get(account) ?? { left: perMinute, at: now };
    rate.left = Math.min(perMinute, rate.left + ((now - rate.at) / MINUTE_MS) * perMinute);
    rate.at = now;
    this.#rates.set(account, rate);
    if (rate.left < 1) return false;
    rate.left--;
    return true;
  }
}

const SECTION = "screen ";

/** The name of the rule or the key of the limit by which a call was refused; null: it was not by one of these. */
export function ruleOf({ section }: Refusal): string | null {
  return section.startsWith(SECTION) ? section.slice(SECTION.length) : null;
}

/** A number as we read it, and as a gateway might. */
interface Dialled {
  readonly number: string | null;
  readonly digits: string | null;
}

function readDialled(called: string | null): Dialled {
  const number = called === null ? null : numberOf(called);
  return { number, digits: called === null ? null : (number ?? digitsIn(called)) };
}

const tooMany = (key: string, max: number, when: string): Refusal => ({
  status: 403,
  reason: `This account may make ${max} calls ${when} (${key})`,
  section: `${SECTION}${key}`,
});

function compiled(rule: Config["screen"][number]): Rule {
  const times = rule.times.flatMap((text) => readHours(text) ?? []);
  return {
    name: rule.name,
    users: rule.users,
    callers: rule.callers.map((text) => ({ text: text.toLowerCase(), pattern: readPattern(text) })),
    numbers: rule.numbers.flatMap((text) => readPattern(text) ?? []),
    called: rule.called,
    times,
    clock: times.length === 0 ? null : new LocalTime(rule.time_zone),
    refusal: refusalOf(rule.action, rule.name),
  };
}

function refusalOf(action: string, name: string): Refusal | null {
  const [, word, status = "403", words = ""] = ACTION.exec(action) ?? [];
  if (word === "allow") return null;
  const reason = words.trim() === "" ? `Refused by the rule ${name}` : words.trim();
  return { status: Number(status), reason, section: `${SECTION}${name}` };
}

function fits(
  rule: Rule,
  { account, caller, called }: ScreenedCall,
  { number, digits }: Dialled,
  wall_ms: number,
): boolean {
  if (rule.users.length > 0 && (account === null || !rule.users.includes(account))) return false;
  if (rule.called.length > 0 && (called === null || !rule.called.includes(called))) return false;
  const counted = rule.refusal === null ? number : digits; // in doubt a call is refused, and never allowed
  if (
    rule.numbers.length > 0 &&
    (counted === null || !rule.numbers.some((pattern) => fitsPattern(pattern, counted)))
  )
    return false;
  if (rule.callers.length > 0 && !rule.callers.some((each) => isCaller(each, caller))) return false;
  if (rule.clock === null) return true;
  const { day, minute } = rule.clock.at(wall_ms);
  return rule.times.some((hours) => fitsHours(hours, day, minute));
}

function isCaller({ text, pattern }: Rule["callers"][number], caller: string | null): boolean {
  if (caller === null || caller === "") return text === ANONYMOUS;
  if (caller.toLowerCase() === text) return true;
  const number = pattern === null ? null : numberOf(caller);
  return number !== null && pattern !== null && fitsPattern(pattern, number);
}
