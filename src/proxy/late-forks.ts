/**
 * Calls that ring, by the user they ring for: a phone that registers meanwhile joins.
 * Holds a call only while it may still be answered, so it is bounded by the transactions.
 */
import type { Binding } from "../location/binding.ts";

/** A call that takes phones in while it rings. */
export interface Ringing {
  join(user: string, bindings: readonly Binding[]): void;
}

export class LateForks {
  /** Nearly always one call for an address: it is held without a set of its own. */
  readonly #byUser = new Map<string, Ringing | Set<Ringing>>();

  add(users: readonly string[], call: Ringing): void {
    for (const user of users) {
      const calls = this.#byUser.get(user);
      if (calls === undefined) this.#byUser.set(user, call);
      else if (calls instanceof Set) calls.add(call);
      else this.#byUser.set(user, new Set([calls, call]));
    }
  }

  remove(users: readonly string[], call: Ringing): void {
    for (const user of users) {
      const calls = this.#byUser.get(user);
      if (calls === call) this.#byUser.delete(user);
      else if (calls instanceof Set && calls.delete(call) && calls.size === 0) this.#byUser.delete(user);
    }
  }

  /** The registration of `user` changed from `before` to `after`: contacts that are new, or came over a new flow, join. */
  registered(user: string, before: readonly Binding[], after: readonly Binding[]): void {
    const calls = this.#byUser.get(user);
    if (calls === undefined) return;
    const fresh = after.filter(
      ({ key, flow }) => !before.some((old) => old.key === key && old.flow.id === flow.id),
    );
    if (fresh.length === 0) return;
    if (calls instanceof Set) for (const call of [...calls]) call.join(user, fresh);
    else calls.join(user, fresh);
  }

  /** Users with a call that rings. */
  get size(): number {
    return this.#byUser.size;
  }
}
