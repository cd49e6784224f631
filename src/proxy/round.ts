/** Rounds: the targets that are tried together. */
import type { SipUri } from "../message/uri.ts";
import type { Retarget } from "./retarget.ts";
import type { Target } from "./targets.ts";
import { directTarget } from "./targets.ts";

/** Targets that are tried together. */
export interface Round {
  readonly targets: readonly Target[];
  /** How long they ring before the search goes on; null: until Timer C. */
  readonly ring_ms: number | null;
  /** The users they belong to: a phone that registers for one meanwhile rings too. */
  readonly users: readonly string[];
  /** What the copies tell of forwards; for phones that join. */
  readonly retarget: Retarget | null;
}

export const NOBODY: readonly string[] = [];

/** What a dialog or a Route leads to: one target, and nowhere else to go. */
export function directRound(uri: SipUri): Round {
  return direct(directTarget(uri));
}

/** One target, and nowhere else to go. */
export function direct(target: Target): Round {
  return { targets: [target], ring_ms: null, users: NOBODY, retarget: target.retarget };
}
