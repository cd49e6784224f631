/**
 * What names stand for, from the configuration and the stores: users, groups, forwards, calls for help.
 */
import { readStep } from "../config/keys-calls.ts";
import type { Config } from "../config/schema.ts";
import type { ForwardRules, ForwardStore } from "../location/forwards.ts";
import type { UserStore } from "../location/users.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri, unescapeUser } from "../message/uri.ts";
import type { Screening } from "../peers/screening.ts";
import type { Directory, ForkMode, GroupPlan, UserPlan } from "../proxy/directory.ts";

export interface DirectoryStores {
  readonly users: UserStore;
  readonly forwards: ForwardStore;
  /** Null: nobody's forward is refused. */
  readonly screening: Screening | null;
}

export class ConfigDirectory implements Directory {
  readonly #stores: DirectoryStores;
  #config: Config["emergency"];
  #fork: ForkMode = "q";
  #plans: ReadonlyMap<string, UserPlan> = new Map();
  #groups: ReadonlyMap<string, GroupPlan> = new Map();
  #forks: ReadonlyMap<string, ForkMode> = new Map();
  #numbers: ReadonlySet<string> = new Set();

  constructor(stores: DirectoryStores, config: Config) {
    this.#stores = stores;
    this.#config = config.emergency;
    this.configure(config);
  }

  configure(config: Config): void {
    const { calls, emergency } = config;
    this.#config = emergency;
    this.#fork = calls.fork;
    this.#plans = new Map(config.user.map((user) => [user.name, userPlan(user)]));
    this.#groups = new Map(config.group.map((group) => [group.name, groupPlan(group, calls.hunt_s)]));
    this.#forks = new Map(
      config.called_domain.map(({ name, fork }) => [name.toLowerCase(), fork ?? calls.fork]),
    );
    this.#numbers = new Set(emergency.to === null ? [] : emergency.numbers.map(asUserPart));
    this.#stores.forwards.setConfigForwards(configForwards(config));
  }

  knowsUser(name: string): boolean {
    return this.#stores.users.find(name) !== null;
  }

  userPlan(name: string): UserPlan | null {
    return this.#plans.get(name) ?? null;
  }

  forwardsOf(user: string): ForwardRules | null {
    return this.#stores.forwards.rulesOf(user);
  }

  group(name: string): GroupPlan | null {
    return this.#groups.get(name) ?? null;
  }

  forkOf(host: string): ForkMode {
    return this.#forks.get(host) ?? this.#fork;
  }

  refusesForward(owner: string, { user }: SipUri, caller: string | null): Refusal | null {
    const called = user === null ? null : unescapeUser(user);
    return this.#stores.screening?.refusal({ account: owner, caller, called }) ?? null;
  }

  /** urn:service:sos (RFC 5031) as the first of `emergency.numbers`; null: calls for help are not set up. */
  sosUri(domain: string): SipUri | null {
    const [number] = this.#numbers;
    const uri = number === undefined ? null : parseUri(`sip:${number}@${domain}`);
    return uri instanceof ParseError ? null : uri;
  }

  emergency(user: string): string | null {
    return this.#numbers.has(user) ? (this.#config.to?.replaceAll("{number}", user) ?? null) : null;
  }
}

/** A number as the user part of a URI has it: the one character of it that is escaped there (RFC 3261 §25.1). */
const asUserPart = (number: string): string => number.replaceAll("#", "%23");

type ConfigUser = Config["user"][number];
type ConfigGroup = Config["group"][number];

function userPlan({ fork, redirect }: ConfigUser): UserPlan {
  return { fork: fork ?? null, redirect };
}

function groupPlan(group: ConfigGroup, hunt_s: number): GroupPlan {
  const steps = group.ring.flatMap((step) => {
    const read = readStep(step);
    return read === null ? [] : [{ users: read.users, ring_ms: (read.ring_s ?? hunt_s) * 1000 }];
  });
  return { steps, forwards: { always: null, ...failureRoutes(group), no_answer_after_s: null } };
}

function failureRoutes(entry: ConfigUser | ConfigGroup) {
  return {
    busy: entry.forward_busy,
    no_answer: entry.forward_no_answer,
    not_registered: entry.forward_not_registered,
    unreachable: entry.forward_unreachable,
  };
}

/** The forwards of `[[user]]`, of those who have any. */
function configForwards(config: Config): ReadonlyMap<string, ForwardRules> {
  const forwards = new Map<string, ForwardRules>();
  for (const user of config.user) {
    const routes = failureRoutes(user);
    if (user.forward_always === null && Object.values(routes).every((to) => to === null)) continue;
    const no_answer_after_s = user.no_answer_s ?? null;
    forwards.set(user.name, { always: user.forward_always, ...routes, no_answer_after_s });
  }
  return forwards;
}
