/**
 * "Did you mean": the known word a mistyped one is closest to.
 */

/** The word closest to `typed`, or null when none is near. Case and `-` for `_` do not count. */
export function nearest(typed: string, words: readonly string[]): string | null {
  const wanted = plain(typed);
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const limit = Math.max(1, Math.floor(word.length / 3));
    if (Math.abs(wanted.length - word.length) > limit) continue;
    const distance = editDistance(wanted, plain(word));
    if (distance <= limit && distance < least) {
      best = word;
      least = distance;
    }
  }
  return best;
}

const plain = (word: string) => word.toLowerCase().replaceAll("-", "_");

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
