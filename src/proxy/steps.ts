/**
 * The steps of a search, from one round to the next: when each may be taken, and rounds whose targets have
 * to be found out first.
 */
import type { Refusal } from "../message/refusal.ts";
import type { TrunkWay } from "./directory.ts";
import type { Outcome } from "./responses.ts";
import type { Round } from "./round.ts";
import type { Target } from "./targets.ts";

/** A round whose targets are not known yet. */
export interface SoughtRound extends Round {
  /** Calls `begin` once, at once or later: with the round to begin, or with why the search is over. */
  readonly seek: (begin: (found: Round | Refusal) => void) => void;
}

export const isSought = (round: Round): round is SoughtRound => "seek" in round;

/** After what a step is taken. */
export type StepAfter = readonly Outcome[] | "anything";

/** A round, made when its turn comes; null: there is nobody in it. */
export interface Step {
  readonly after: StepAfter;
  readonly make: () => Round | null;
}

/** Nobody was there: what a peer or its callee has decided stands. */
export const AFTER_NOBODY: StepAfter = ["unreachable"];
/** Nor did anybody answer in the time that the route gives. */
const AFTER_RINGING: StepAfter = ["unreachable", "no_answer"];

export const step = (make: () => Round | null, after: StepAfter = "anything"): Step => ({ after, make });

/** Whether the step may follow a round that ended so, the outcome that tells most first. */
export function mayFollow({ after }: Step, outcomes: readonly Outcome[]): boolean {
  const [outcome] = outcomes;
  return after === "anything" || (outcome !== undefined && after.includes(outcome));
}

/** The round with so much ring time at most; null: as it is. */
export function within(round: Round, ring_ms: number | null): Round {
  if (ring_ms === null || (round.ring_ms !== null && round.ring_ms <= ring_ms)) return round;
  return { ...round, ring_ms };
}

/** The step with rounds that ring so long at most. */
export const stepWithin = ({ after, make }: Step, ring_ms: number | null): Step => ({
  after,
  make: () => {
    const round = make();
    return round === null ? null : within(round, ring_ms);
  },
});

/**
 * A step for each way, the first one last. The one after a way with a ring time is also taken when nobody
 * answered there in that time.
 */
export function waySteps(ways: readonly TrunkWay[], make: (way: TrunkWay) => Round | null): readonly Step[] {
  const steps = ways.map((way, i) => {
    const rang = i > 0 && ways[i - 1]!.ring_ms !== null;
    return step(() => make(way), rang ? AFTER_RINGING : AFTER_NOBODY);
  });
  return steps.toReversed();
}

/** One round for each group of targets: as all together would be, but only the last one rings as long. */
export function huntRounds(groups: readonly Target[][], all: Round, hunt_ms: number): readonly Round[] {
  const last = groups.length - 1;
  return groups.map((targets, i) => ({ ...all, targets, ring_ms: i < last ? hunt_ms : all.ring_ms }));
}

/** The rounds but the first, which is begun at once. */
export const laterSteps = (rounds: readonly Round[], after: StepAfter = "anything"): readonly Step[] =>
  rounds
    .slice(1)
    .toReversed()
    .map((round) => step(() => round, after));

/** A round of nobody until `seek` has found somebody. */
export const sought = (seek: SoughtRound["seek"]): SoughtRound => ({
  targets: [],
  ring_ms: null,
  users: [],
  retarget: null,
  seek,
});
