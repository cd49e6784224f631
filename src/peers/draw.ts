/**
 * The order in which URIs are tried: by priority, and by a weighted draw among equals (RFC 2782).
 */
import type { Dice } from "../base/dice.ts";

export interface Weighted {
  readonly priority: number;
  readonly weight: number;
}

/**
 * Lower priorities first. Among equals each place is drawn by weight; departs from RFC 2782: those of
 * weight 0 come after all others, in a random order, as spares.
 */
export function drawOrder<T extends Weighted>(entries: readonly T[], dice: Dice): T[] {
  if (entries.length < 2) return [...entries];
  const left = entries.toSorted((a, b) => a.priority - b.priority);
  const drawn: T[] = [];
  while (left.length > 0) {
    const { priority } = left[0]!;
    const end = left.findIndex((entry) => entry.priority !== priority);
    drawn.push(left.splice(drawOne(left, end < 0 ? left.length : end, dice), 1)[0]!);
  }
  return drawn;
}

/** An index among the first `count`, each as probable as its weight says. */
function drawOne(entries: readonly Weighted[], count: number, dice: Dice): number {
  if (count === 1) return 0;
  let total = 0;
  for (let i = 0; i < count; i++) total += entries[i]!.weight;
  if (total === 0) return Math.floor(dice.fraction() * count);
  let rest = dice.fraction() * total;
  for (let i = 0; i < count; i++) {
    rest -= entries[i]!.weight;
    if (rest < 0) return i;
  }
  return count - 1;
}
