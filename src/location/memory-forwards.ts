/**
 * Forwarding rules that are forgotten at the end: for tests and benchmarks.
 */
import { FORWARDS_MAX, type ForwardFailure, type ForwardRules } from "./forwards.ts";
import { checkEntry, LayeredForwards } from "./layered-forwards.ts";

export class MemoryForwardStore extends LayeredForwards {
  readonly #rules = new Map<string, ForwardRules>();
  readonly #forwards_max: number;
  #revision = 0;

  constructor(forwards_max = FORWARDS_MAX) {
    super();
    this.#forwards_max = forwards_max;
  }

  protected stored(): ReadonlyMap<string, ForwardRules> {
    return this.#rules;
  }

  protected revision(): number {
    return this.#revision;
  }

  protected update(
    user: string,
    edit: (rules: ForwardRules | null) => ForwardRules | null,
  ): ForwardFailure | null {
    const rules = edit(this.#rules.get(user) ?? null);
    const failure = rules === null ? null : (checkEntry(rules, user) ?? this.#room(user));
    if (failure !== null) return failure;
    if (rules === null) this.#rules.delete(user);
    else this.#rules.set(user, rules);
    this.#revision++;
    return null;
  }

  #room(user: string): ForwardFailure | null {
    if (this.#rules.has(user) || this.#rules.size < this.#forwards_max) return null;
    const message = `the store holds forwards_max = ${this.#forwards_max} forwards`;
    return { code: "full_table", message };
  }
}
