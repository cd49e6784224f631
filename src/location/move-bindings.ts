/**
 * Registrations stand under the main name of the site. When that changes, what stands under another one moves: the
 * phones know nothing of it until their next refresh, and are to be called meanwhile.
 */
import type { Binding } from "./binding.ts";
import { withKey } from "./binding.ts";
import { userOfAor } from "./domains.ts";
import type { LocationStore } from "./store.ts";

/**
 * Moves every binding to `user@canonical`; how many moved. Where a phone stands under both, its newer registration
 * counts. Stored like any change; a store that fails leaves them where they are.
 */
export function moveBindings(store: LocationStore, canonical: string): number {
  const elsewhere = new Set<string>();
  for (const { aor } of store.all()) if (aor !== under(canonical, aor)) elsewhere.add(aor);
  let moved = 0;
  for (const aor of elsewhere) {
    const now = under(canonical, aor);
    const bindings = store.bindings(aor).map((binding) => ({ ...binding, aor: now }));
    moved += bindings.length;
    store.replace(aor, [], stored);
    store.replace(now, merged(store.bindings(now), bindings), stored);
  }
  return moved;
}

const under = (canonical: string, aor: string): string => `${userOfAor(aor)}@${canonical}`;

function merged(there: readonly Binding[], moved: readonly Binding[]): readonly Binding[] {
  const isNewest = (binding: Binding, others: readonly Binding[]): boolean => {
    const other = withKey(others, binding.key);
    return other === null || other.registered_at_ms < binding.registered_at_ms;
  };
  const kept = moved.filter((binding) => isNewest(binding, there));
  return [...there.filter((binding) => withKey(kept, binding.key) === null), ...kept];
}

/** The store says itself when it cannot store. */
const stored = (): void => {};
