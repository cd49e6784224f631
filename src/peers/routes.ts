/**
 * The rules for calls to nobody here (`[[route]]`): what each asks for, and where those that fit lead.
 * Pure: neither peers' states nor registrations are looked at.
 */
import type { RouteKeys } from "../config/keys-routes.ts";
import type { CallerTest, Destination, Hours, NumberPattern } from "../config/route-forms.ts";
import {
  BY_ENUM,
  fitsPattern,
  NUMBER_HERE,
  readCaller,
  readDestination,
  readHours,
  readPattern,
} from "../config/route-forms.ts";
import { globalNumber } from "../dns/enum.ts";
import type { Refusal } from "../message/refusal.ts";
import { unescapeUser } from "../message/uri.ts";
import { numberOf, rewritten, userPartOf } from "./number.ts";
import { fitsHours, LocalTime } from "./week.ts";

/** Who calls. */
export interface RouteCaller {
  /** The account that was proved; null: none was. */
  readonly user: string | null;
  /** An account was proved, or the network is trusted. */
  readonly ours: boolean;
  /** The peer whose network it came from. */
  readonly peer: string | null;
}

export interface RouteQuestion {
  /** The Request-URI's user part as parseUri gives it; null when it has none. */
  readonly user: string | null;
  /** Its host, lower case. */
  readonly host: string;
  /** Whether that is one of our domains. */
  readonly ours: boolean;
  readonly caller: RouteCaller;
  /** Unix time, milliseconds. */
  readonly wall_ms: number;
}

/** One place to try. */
export interface Way {
  readonly route: string;
  /** The user part to send, rewritten and escaped; null when the URI had none. */
  readonly user: string | null;
  readonly to:
    | { readonly kind: "peer"; readonly peer: string }
    | { readonly kind: "local"; readonly name: string }
    /** A global number, like +49301. */
    | { readonly kind: "enum"; readonly number: string };
  /** How long it may ring; null: the route does not say. */
  readonly ring_ms: number | null;
}

/** What the rules say. No way and no refusal: no rule fits. */
export interface Decision {
  /** In the order to try. */
  readonly ways: readonly Way[];
  /** The answer when there is no way. */
  readonly refusal: Refusal | null;
}

/** Whether a route fits and why (not), in words. */
export interface RouteTrace {
  readonly route: string;
  readonly fits: boolean;
  readonly why: readonly string[];
}

/** Destinations of one call at most; what further routes say is left out. */
export const WAYS_MAX = 32;

export class Routes {
  readonly #routes: readonly CompiledRoute[];

  /** Entries as the config schema let them pass. */
  constructor(entries: readonly RouteKeys[]) {
    this.#routes = entries.map(compiled);
  }

  get size(): number {
    return this.#routes.length;
  }

  /** Asks every rule in its order. With `trace`, what each one said is added to it. */
  decide(question: RouteQuestion, trace: RouteTrace[] | null = null): Decision {
    const ways: Way[] = [];
    const number = question.user === null ? null : numberOf(question.user);
    for (const route of this.#routes) {
      const why = misfit(route, question, number);
      if (why === null && trace !== null) trace.push(fitting(route, number));
      else trace?.push({ route: route.name, fits: false, why: [why!] });
      if (why !== null) continue;
      const refusal = addWays(ways, route, question.user, number);
      if (refusal !== null) return { ways, refusal: ways.length === 0 ? refusal : null };
      if (route.last || ways.length >= WAYS_MAX) break;
    }
    return { ways, refusal: null };
  }
}

interface CompiledRoute extends Omit<RouteKeys, "domains" | "numbers" | "callers" | "times" | "to"> {
  readonly domains: readonly string[];
  readonly numbers: readonly { readonly text: string; readonly pattern: NumberPattern }[];
  readonly callers: readonly CallerTest[];
  readonly times: readonly Hours[];
  readonly timesText: string;
  readonly clock: LocalTime | null;
  readonly to: readonly Destination[];
}

function compiled(route: RouteKeys): CompiledRoute {
  const times = all(route.times, readHours);
  return {
    ...route,
    domains: route.domains.map((host) => host.toLowerCase().replace(/^\[(.*)\]$/, "$1")),
    numbers: all(route.numbers, (text) => {
      const pattern = readPattern(text);
      return pattern === null ? null : { text, pattern };
    }),
    callers: all(route.callers, readCaller),
    times,
    timesText: route.times.join(" or "),
    clock: times.length === 0 ? null : new LocalTime(route.time_zone),
    to: all(route.to, readDestination),
  };
}

/** The schema has refused what cannot be read. */
function all<T>(texts: readonly string[], read: (text: string) => T | null): T[] {
  return texts.map(read).filter((value) => value !== null);
}

type Test = (route: CompiledRoute, question: RouteQuestion, number: string | null) => string | null;

/** Every condition, the cheapest first; each says what does not fit. */
const TESTS: readonly Test[] = [domainMisfit, callerMisfit, numberMisfit, rewriteMisfit, timeMisfit];

function misfit(route: CompiledRoute, question: RouteQuestion, number: string | null): string | null {
  for (const test of TESTS) {
    const why = test(route, question, number);
    if (why !== null) return why;
  }
  return null;
}

function domainMisfit({ domains }: CompiledRoute, { host, ours }: RouteQuestion): string | null {
  for (const domain of domains) {
    if (domain === "ours" ? ours : domain === "foreign" ? !ours : domain === host) return null;
  }
  return `${host} (${ours ? "ours" : "foreign"}) is none of its domains: ${domains.join(", ")}`;
}

function callerMisfit({ callers }: CompiledRoute, { caller }: RouteQuestion): string | null {
  if (callers.some((test) => isCaller(test, caller))) return null;
  return `${callerText(caller)} is none of its callers`;
}

function isCaller(test: CallerTest, { user, ours, peer }: RouteCaller): boolean {
  switch (test.kind) {
    case "anyone":
      return true;
    case "users":
      return ours;
    case "peers":
      return peer !== null;
    case "peer":
      return peer === test.name;
    case "user":
      return ours && user === test.name;
  }
}

/** The caller in words. */
export function callerText({ user, ours, peer }: RouteCaller): string {
  if (ours) return user === null ? "a caller of ours" : `our user ${user}`;
  return peer === null ? "a stranger" : `peer ${peer}`;
}

function numberMisfit(
  { numbers }: CompiledRoute,
  { user }: RouteQuestion,
  number: string | null,
): string | null {
  if (numbers.length === 0) return null;
  if (number === null) return user === null ? "nobody is named" : "that is a name, and it asks for numbers";
  return patternOf(numbers, number) === null ? `${number} fits none of its numbers` : null;
}

function patternOf(numbers: CompiledRoute["numbers"], number: string): string | null {
  for (const { text, pattern } of numbers) if (fitsPattern(pattern, number)) return text;
  return null;
}

function rewriteMisfit(route: CompiledRoute, _: RouteQuestion, number: string | null): string | null {
  return number === null || rewritten(number, route) !== null
    ? null
    : `nothing is left of ${number} when it is rewritten, or it gets too long`;
}

function timeMisfit({ times, clock, timesText }: CompiledRoute, { wall_ms }: RouteQuestion): string | null {
  if (clock === null) return null;
  const { day, minute, text } = clock.at(wall_ms);
  if (times.some((hours) => fitsHours(hours, day, minute))) return null;
  return `it is ${text}, and it asks for ${timesText}`;
}

/** Not null: the refusal that ends the list. */
function addWays(
  ways: Way[],
  route: CompiledRoute,
  asked: string | null,
  number: string | null,
): Refusal | null {
  const changed = number === null ? null : rewritten(number, route);
  const user = changed === null || changed === number ? asked : userPartOf(changed);
  const ring_ms = route.ring_s === null ? null : route.ring_s * 1000;
  const way = { route: route.name, user, ring_ms };
  for (const to of route.to) {
    if (to.kind === "refuse") return { status: to.status, reason: to.reason, section: `route ${route.name}` };
    if (ways.length >= WAYS_MAX) return null;
    if (to.kind === "peer") ways.push({ ...way, to });
    else if (to.kind === "enum") {
      const global = changed === null ? null : globalNumber(changed); // other numbers have no place in the tree
      if (global !== null) ways.push({ ...way, to: { kind: "enum", number: global } });
    } else {
      const name = to.name ?? (changed === null ? (asked === null ? null : unescapeUser(asked)) : changed);
      if (name !== null) ways.push({ ...way, to: { kind: "local", name } });
    }
  }
  return null;
}

function fitting(route: CompiledRoute, number: string | null): RouteTrace {
  const why: string[] = [];
  if (number !== null && route.numbers.length > 0)
    why.push(`${number} fits ${patternOf(route.numbers, number)}`);
  if (number !== null) {
    const changed = rewritten(number, route);
    if (changed !== null && changed !== number) why.push(`${number} becomes ${changed}`);
  }
  if (route.clock !== null) why.push(`it is within ${route.timesText}`);
  why.push(
    `leads to ${route.to.map(destinationText).join(", then ")}${route.last ? ", and to no later route" : ""}`,
  );
  if (route.ring_s !== null) why.push(`each may take ${route.ring_s} s to answer`);
  return { route: route.name, fits: true, why };
}

function destinationText(to: Destination): string {
  if (to.kind === "peer") return `peer ${to.peer}`;
  if (to.kind === "local") return to.name ?? NUMBER_HERE;
  if (to.kind === "enum") return BY_ENUM;
  return `the refusal ${to.status} ${to.reason}`;
}
