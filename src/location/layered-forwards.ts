/**
 * What all stores of forwarding rules share: stored rules before those of the config, checks, and the
 * ordered list.
 */
import {
  checkForwards,
  checkForwardUser,
  type ForwardEntry,
  type ForwardFailure,
  type ForwardRules,
  type ForwardStore,
  NO_FORWARDS,
} from "./forwards.ts";

export abstract class LayeredForwards implements ForwardStore {
  #config: ReadonlyMap<string, ForwardRules> = new Map();
  #listed: readonly ForwardEntry[] = [];
  /** The revision `#listed` was made of; null: of none. */
  #listed_revision: number | null = null;

  /** The stored rules; those without any rule are NO_FORWARDS itself. */
  protected abstract stored(): ReadonlyMap<string, ForwardRules>;
  /** Another number whenever `stored` may have changed. */
  protected abstract revision(): number;
  /** Stores what `edit` makes of the user's stored rules, checked; null stands for none. */
  protected abstract update(
    user: string,
    edit: (rules: ForwardRules | null) => ForwardRules | null,
  ): ForwardFailure | null;

  rulesOf(user: string): ForwardRules | null {
    const rules = this.stored().get(user) ?? this.#config.get(user);
    return rules === undefined || rules === NO_FORWARDS ? null : rules;
  }

  /** What the config says, stored rules left aside; null: nothing. */
  configRulesOf(user: string): ForwardRules | null {
    return this.#config.get(user) ?? null;
  }

  set(user: string, rules: ForwardRules): ForwardFailure | null {
    return checkEntry(rules, user) ?? this.update(user, () => asRules(rules));
  }

  /**
   * Stores what `edit` makes of the rules that hold for the user at this moment, though another
   * process may have written them; null forgets what is stored. Null: it is on disk.
   */
  change(user: string, edit: (rules: ForwardRules) => ForwardRules | null): ForwardFailure | null {
    return this.update(user, (stored) => {
      const rules = edit(stored ?? this.#config.get(user) ?? NO_FORWARDS);
      return rules === null ? null : asRules(rules);
    });
  }

  remove(user: string): ForwardFailure | null {
    if (this.stored().has(user)) return this.update(user, () => null);
    const where = this.#config.has(user) ? "is in the config file" : "is not stored";
    return { code: "unknown_user", message: `forwarding of ${user} ${where}` };
  }

  list(): readonly ForwardEntry[] {
    const stored = this.stored();
    if (this.#listed_revision === this.revision()) return this.#listed;
    const entries = [...stored].map(([user, rules]) => entry(user, rules, "store"));
    for (const [user, rules] of this.#config)
      if (!stored.has(user)) entries.push(entry(user, rules, "config"));
    this.#listed = entries.sort((a, b) => (a.user < b.user ? -1 : 1));
    this.#listed_revision = this.revision();
    return this.#listed;
  }

  setConfigForwards(list: ReadonlyMap<string, ForwardRules>): void {
    const some = [...list].map(([user, rules]) => [user, asRules(rules)] as const);
    this.#config = new Map(some.filter(([, rules]) => rules !== NO_FORWARDS));
    this.#listed_revision = null;
  }
}

/** Why the rules cannot be stored; null when they can. */
export function checkEntry(rules: ForwardRules, user: string): ForwardFailure | null {
  const message = checkForwardUser(user) ?? checkForwards(rules);
  return message === null ? null : { code: "bad_forward", message };
}

/** The rules and nothing else of an object; NO_FORWARDS itself when there are none. */
export function asRules(given: ForwardRules): ForwardRules {
  const { always, busy, no_answer, not_registered, unreachable, no_answer_after_s } = given;
  const rules = { always, busy, no_answer, not_registered, unreachable, no_answer_after_s };
  return Object.values(rules).every((value) => value === null) ? NO_FORWARDS : Object.freeze(rules);
}

function entry(user: string, rules: ForwardRules, source: ForwardEntry["source"]): ForwardEntry {
  return { user, rules, source };
}
