/** What the branches of one request come to together. */
import type { Branch } from "./branch.ts";
import type { Final } from "./responses.ts";

/** What is left of a share of Max-Breadth (RFC 5393 §5.3.3). */
export function breadthLeft(breadth: number, branches: readonly Branch[]): number {
  let left = breadth;
  for (const branch of branches) if (branch.running || branch.pending) left -= branch.breadth;
  return left;
}

/** The results of the branches from that one on; `all`: of those too that were followed up elsewhere. */
export function finalsOf(branches: readonly Branch[], from: number, all: boolean): Final[] {
  const finals: Final[] = [];
  for (let i = from; i < branches.length; i++) {
    const { final, followed } = branches[i]!;
    if (final !== null && (all || !followed)) finals.push(final);
  }
  return finals;
}
