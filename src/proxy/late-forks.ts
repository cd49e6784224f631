/**
 * Calls that ring, by the address-of-record they ring for: a phone that registers meanwhile joins.
 * Holds a call only while it may still be answered, so it is bounded by the transactions.
 */
import type { Binding } from "../location/binding.ts";

/** A call that takes phones in while it rings. */
export interface Ringing {
  join(aor: string, bindings: readonly Binding[]): void;
}

export class LateForks {
  /** Nearly always one call for an address: it is held without a set of its own. */
  readonly #byAor = new Map<string, Ringing | Set<Ringing>>();

  add(aors: readonly string[], call: Ringing): void {
    for (const aor of aors) {
      const calls = this.#byAor.get(aor);
      if (calls === undefined) this.#byAor.set(aor, call);
      else if (calls instanceof Set) calls.add(call);
      else this.#byAor.set(aor, new Set([calls, call]));
    }
  }

  remove(aors: readonly string[], call: Ringing): void {
    for (const aor of aors) {
      const calls = this.#byAor.get(aor);
      if (calls === call) this.#byAor.delete(aor);
      else if (calls instanceof Set && calls.delete(call) && calls.size === 0) this.#byAor.delete(aor);
    }
  }

  /** The registration of `aor` changed from `before` to `after`: contacts that are new, or came over a new flow, join. */
  registered(aor: string, before: readonly Binding[], after: readonly Binding[]): void {
    const calls = this.#byAor.get(aor);
    if (calls === undefined) return;
    const fresh = after.filter(
      ({ key, flow }) => !before.some((old) => old.key === key && old.flow.id === flow.id),
    );
    if (fresh.length === 0) return;
    if (calls instanceof Set) for (const call of [...calls]) call.join(aor, fresh);
    else calls.join(aor, fresh);
  }

  /** Addresses-of-record with a call that rings. */
  get size(): number {
    return this.#byAor.size;
  }
}
