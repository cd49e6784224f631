/**
 * The search for somebody who takes a request (RFC 3261 §16.5; RFC 5359 §2.7–2.9, §2.12): rounds of
 * targets that ring together, one round after the other, and where a call goes that nobody took.
 */
import type { Binding } from "../location/binding.ts";
import type { Domains } from "../location/domains.ts";
import type { ForwardRules } from "../location/forwards.ts";
import type { LocationStore } from "../location/store.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri } from "../message/uri.ts";
import {
  destinationFor,
  GOES_ROUND,
  NO_SUCH_USER,
  NOT_REGISTERED,
  noAnswerMs,
  uriOfDestination,
} from "./absence.ts";
import type { Caller, Directory, Find, SearchRules, Trunks, TrunkWay } from "./directory.ts";
import { Reach } from "./reach.ts";
import { contactOf, movedTo } from "./redirect.ts";
import type { Outcome } from "./responses.ts";
import type { ForwardCause, Retarget } from "./retarget.ts";
import type { Round } from "./round.ts";
import { direct, NOBODY } from "./round.ts";
import type { Routing } from "./route.ts";
import type { SoughtRound, Step } from "./steps.ts";
import * as steps from "./steps.ts";
import type { Target } from "./targets.ts";
import { contactTargets, directTarget, hopTarget, roundsOf, withoutHeaders } from "./targets.ts";
import { NO_FORWARDS_YET, Trail } from "./trail.ts";

export interface SearchRooms {
  readonly trunks: Trunks;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly directory: Directory;
}

const NO_STEPS: readonly Step[] = [];
const BUSY: readonly Outcome[] = ["busy"];
const ABSENT: readonly Outcome[] = ["not_registered"];
const UNREACHABLE: readonly Outcome[] = ["unreachable"];

export class Search {
  readonly #rooms: SearchRooms;
  readonly #rules: SearchRules;
  readonly #request: SipMessage;
  readonly #routing: Routing;
  readonly #caller: Caller;
  /** Steps still to come of the name that is being tried, the first one last. */
  #rest: readonly Step[] = NO_STEPS;
  /** Why the last way of a route could not be taken. */
  #noWay: Refusal | null = null;
  /** Who is being called now: a user or group; null: nobody of ours. */
  #callee: string | null = null;
  #forwards: ForwardRules | null = null;
  readonly #trail: Trail;
  readonly #reach: Reach;
  /** One number is looked up for each call: what it leads to may be another number. */
  #hasSought = false;

  constructor(rooms: SearchRooms, rules: SearchRules, request: SipMessage, routing: Routing, caller: Caller) {
    this.#caller = caller;
    this.#trail = new Trail(rules, request, caller.isVouched);
    this.#rooms = rooms;
    const refusalOf = (user: string, to: SipUri) => this.#refusalOf(user, to);
    this.#reach = new Reach(rooms.store, routing.uri, this.#trail, refusalOf);
    this.#rules = rules;
    this.#request = request;
    this.#routing = routing;
  }

  /** Whom to try first, or why there is nobody. What a Route leads elsewhere needs no search. */
  first(): Round | Refusal {
    const { uri } = this.#routing;
    const { domains, directory } = this.#rooms;
    if (!domains.isOurs(uri)) return this.#routed(uri, false) ?? direct(directTarget(uri));
    const name = domains.userOf(uri);
    if (name === null) return NO_SUCH_USER;
    if (!this.#isNewCall) return this.#everybody(name);
    const help = this.#caller.mayCallForHelp ? directory.emergency(name) : null;
    if (help !== null) return this.#help(help);
    return this.#enter(name);
  }

  /** Somebody elsewhere, or here. */
  #help(to: string): Round | Refusal {
    const uri = parseUri(to);
    const name = uri instanceof ParseError ? null : this.#rooms.domains.userOf(uri);
    return name === null ? (this.#elsewhere(to) ?? NO_SUCH_USER) : this.#enter(name);
  }

  /** Whom to try after a round ended so; null: nobody is left. */
  next(outcomes: readonly Outcome[]): Round | null {
    for (let last = this.#rest.at(-1); last !== undefined; last = this.#rest.at(-1)) {
      this.#rest = this.#rest.slice(0, -1);
      const round = steps.mayFollow(last, outcomes) ? last.make() : null;
      if (round !== null && (round.targets.length > 0 || steps.isSought(round))) return round;
    }
    return this.#forward(outcomes);
  }

  /** Where a round goes after one whose phone declined for all: only forwards for busy ones (600) are left. */
  afterDecline(outcomes: readonly Outcome[]): Round | null {
    this.#rest = NO_STEPS;
    return outcomes[0] === "busy" ? this.#forward(BUSY) : null;
  }

  /** Whether another round may follow. */
  get mayGoOn(): boolean {
    return this.#rest.length > 0 || (this.#forwards !== null && this.#isNewCall);
  }

  /**
   * The targets that a redirection by `redirecting` names (§16.5), its best first: users of ours, and others
   * only when `anywhere`; those that were tried are left out. Null: some contact may not be followed, or it
   * was forwarded too often, so the caller has to see them.
   */
  redirected(
    contacts: readonly SipUri[],
    { retarget: before, binding }: Target,
    anywhere: boolean,
  ): readonly Target[] | null {
    const { domains } = this.#rooms;
    const chain = before?.forwards ?? NO_FORWARDS_YET;
    if (this.#trail.isTooFar(chain)) return null;
    const from = chain.at(-1)?.to ?? this.#called;
    const targets: Target[] = [];
    for (const uri of contacts) {
      if (uri.scheme !== "sip" && uri.scheme !== "sips") return null;
      const name = domains.userOf(uri);
      if (name === null && (domains.isOurs(uri) || !anywhere || this.#reach.isTakenDown(uri))) return null;
      const to = domains.spelt(uri);
      if (this.#refusalOf(binding === null ? null : binding.user, uri) !== null) return null;
      if (to !== from && this.#wasAt(to)) continue;
      const retarget = this.#trail.note([...chain, { from, to, cause: "redirect" }]);
      if (name === null) targets.push(directTarget(withoutHeaders(uri), retarget));
      else targets.push(...contactTargets(this.#reach.bindings(name), retarget));
    }
    return targets;
  }

  /** Those of the contacts that this request may go to. */
  callable(bindings: readonly Binding[]): readonly Binding[] {
    return this.#reach.callable(bindings);
  }

  /** Only a call that is to begin is forwarded or hunted. */
  get #isNewCall(): boolean {
    return this.#request.method === "INVITE" && !this.#request.hasToTag;
  }

  /** The rounds of a name: a group's steps, or a user's phones. */
  #enter(name: string, mayRoute = true): Round | Refusal {
    const { directory } = this.#rooms;
    this.#callee = name;
    const group = directory.group(name);
    if (group === null) return this.#enterUser(name, mayRoute);
    this.#forwards = group.forwards;
    this.#rest = group.steps
      .toReversed()
      .map(({ users, ring_ms }) => steps.step(() => this.#members(users, ring_ms)));
    return this.next(ABSENT) ?? NOT_REGISTERED;
  }

  #enterUser(name: string, mayRoute: boolean): Round | Refusal {
    const { directory } = this.#rooms;
    const forwards = directory.forwardsOf(name);
    const plan = directory.userPlan(name);
    this.#forwards = forwards;
    this.#rest = NO_STEPS;
    if (forwards?.always) {
      if (plan?.redirect) return movedTo([`<${this.#uriOf(forwards.always)}>`]);
      return this.#go(forwards.always, "always");
    }
    const targets = contactTargets(this.#reach.bindings(name), this.#trail.retarget);
    if (targets.length === 0) return this.#forward(ABSENT) ?? this.#absent(name, mayRoute);
    if (plan?.redirect) return movedTo(targets.map(contactOf));
    const last_ms = forwards?.no_answer ? noAnswerMs(forwards, this.#rules) : null;
    const all: Round = { targets, ring_ms: last_ms, users: [name], retarget: this.#trail.retarget };
    if (targets.length === 1) return all;
    const fork = plan?.fork ?? directory.forkOf(this.#routing.uri.host);
    const rounds = steps.huntRounds(roundsOf(targets, fork), all, this.#rules.hunt_ms);
    this.#rest = steps.laterSteps(rounds);
    return rounds[0]!;
  }

  /** Where the routes take what is for nobody here; null: no rule fits, or it belongs to a dialog. */
  #routed(uri: SipUri, ours: boolean): Round | Refusal | null {
    if (this.#request.hasToTag) return null;
    const { ways, refusal } = this.#rooms.trunks.decide(uri, ours, this.#caller, this.#request.method);
    if (ways.length === 0) return refusal;
    this.#callee = null;
    this.#forwards = null;
    this.#rest = steps.waySteps(ways, (way) => this.#way(way));
    return this.next(UNREACHABLE) ?? this.#noWay ?? NOT_REGISTERED;
  }

  /** A peer's hops one after the other, a name here, or what has to be found out. */
  #way(way: TrunkWay): Round | null {
    const { ring_ms } = way;
    if (way.kind === "local") return this.#here(way.name, ring_ms);
    if (way.kind === "sought") return this.#hasSought ? null : this.#seek(way.find, ring_ms);
    const hops = way.hops();
    if ("status" in hops) {
      this.#noWay = hops;
      return null;
    }
    const rounds = hops.map((hop) => steps.within(direct(hopTarget(hop, this.#trail.retarget)), ring_ms));
    this.#rest = [...this.#rest, ...steps.laterSteps(rounds, steps.AFTER_NOBODY)];
    return rounds[0] ?? null;
  }

  /** A user or group that a route names; what the route says after it is left, as forwards would. */
  #here(name: string, ring_ms: number | null): Round | null {
    const later = this.#rest;
    const round = this.#enter(name, false);
    this.#rest = [...later, ...this.#rest.map((each) => steps.stepWithin(each, ring_ms))];
    return "status" in round ? null : steps.within(round, ring_ms);
  }

  #seek(find: Find, ring_ms: number | null): SoughtRound {
    this.#hasSought = true;
    return steps.sought((begin) =>
      find((found) => {
        const round = "status" in found ? null : this.#found(found, ring_ms);
        if ("status" in found) this.#noWay = found;
        begin(round ?? this.next(UNREACHABLE) ?? this.#noWay ?? NO_SUCH_USER);
      }),
    );
  }

  /** Somebody here, or elsewhere; null: nobody. */
  #found(uri: SipUri, ring_ms: number | null): Round | null {
    const { domains } = this.#rooms;
    const name = domains.userOf(uri);
    if (name !== null) return this.#here(name, ring_ms);
    if (domains.isOurs(uri) || this.#reach.isTakenDown(uri)) return null;
    return steps.within(direct(directTarget(withoutHeaders(uri), this.#trail.retarget)), ring_ms);
  }

  /** All phones at once: what is no new call goes to each. */
  #everybody(name: string): Round | Refusal {
    const { directory } = this.#rooms;
    const group = directory.group(name);
    if (group !== null) {
      const round = this.#members(new Set(group.steps.flatMap(({ users }) => users)), null);
      return round.targets.length > 0 ? round : NOT_REGISTERED;
    }
    const targets = contactTargets(this.#reach.bindings(name), null);
    if (targets.length === 0) return this.#absent(name, true);
    return { targets, ring_ms: null, users: NOBODY, retarget: null };
  }

  #members(names: Iterable<string>, ring_ms: number | null): Round {
    const users = [...new Set(names)];
    const targets = users.flatMap((user) => contactTargets(this.#reach.bindings(user), this.#trail.retarget));
    return { targets, ring_ms, users, retarget: this.#trail.retarget };
  }

  /** The first of the outcomes that has a rule decides. */
  #forward(outcomes: readonly Outcome[]): Round | null {
    const rules = this.#forwards;
    if (rules === null || !this.#isNewCall) return null;
    for (const outcome of outcomes) {
      const to = outcome === "other" ? null : destinationFor(rules, outcome);
      if (outcome === "other" || to === null) continue;
      const round = this.#go(to, outcome);
      return "status" in round ? null : round;
    }
    return null;
  }

  /** The call goes on to another destination, once. */
  #go(destination: string, cause: ForwardCause): Round | Refusal {
    const { domains } = this.#rooms;
    const uri = parseUri(this.#uriOf(destination));
    if (uri instanceof ParseError) return NO_SUCH_USER;
    const name = domains.userOf(uri);
    const to = domains.spelt(uri);
    if (this.#wasAt(to) || this.#trail.isTooFar()) return GOES_ROUND;
    this.#trail.goOn({ from: this.#called, to, cause });
    const refusal = this.#refusalOf(this.#callee, uri);
    if (refusal !== null) return refusal;
    if (name !== null) return this.#enter(name);
    if (this.#reach.isTakenDown(uri)) return NOT_REGISTERED;
    return this.#elsewhere(to, this.#trail.retarget) ?? NO_SUCH_USER;
  }

  #elsewhere(to: string, retarget: Retarget | null = null): Round | null {
    const uri = parseUri(to);
    if (uri instanceof ParseError) return null;
    this.#callee = null;
    this.#forwards = null;
    this.#rest = NO_STEPS;
    return direct(directTarget(uri, retarget));
  }

  /** Why this user may not take the call there; null: it may, or nobody forwards. */
  #refusalOf(user: string | null, uri: SipUri): Refusal | null {
    if (user === null || !this.#isNewCall) return null;
    return this.#rooms.directory.refusesForward(user, uri, this.#caller.name);
  }

  #wasAt(uri: string): boolean {
    return (this.#callee !== null && uri === this.#called) || this.#trail.wasAt(uri);
  }

  /** Who is being called now, as forwards name it. */
  get #called(): string {
    return this.#callee === null ? this.#routing.uri.text : `sip:${this.#rooms.domains.aorOf(this.#callee)}`;
  }

  #uriOf(destination: string): string {
    return uriOfDestination(destination, this.#rooms.domains.canonical);
  }

  #absent(name: string, mayRoute: boolean): Round | Refusal {
    const { directory, domains, store } = this.#rooms;
    if (directory.knowsUser(name) || store.bindings(name).length > 0) return this.#reach.absence;
    const uri = mayRoute ? parseUri(this.#uriOf(name)) : null;
    if (uri === null || uri instanceof ParseError || !domains.isOurs(uri)) return NO_SUCH_USER;
    return this.#routed(uri, true) ?? NO_SUCH_USER;
  }
}
