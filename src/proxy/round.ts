/**
 * Rounds: the targets that are tried together, and the steps from one round to the next.
 */
import type { SipUri } from "../message/uri.ts";
import type { Retarget } from "./retarget.ts";
import type { Target } from "./targets.ts";
import { directTarget } from "./targets.ts";

/** Targets that are tried together. */
export interface Round {
  readonly targets: readonly Target[];
  /** How long they ring before the search goes on; null: until Timer C. */
  readonly ring_ms: number | null;
  /** The addresses-of-record they belong to: a phone that registers for one meanwhile rings too. */
  readonly aors: readonly string[];
  /** What the copies tell of forwards; for phones that join. */
  readonly retarget: Retarget | null;
}

/** A round, made when its turn comes; null: there is nobody in it. */
export interface Step {
  /** Only when nobody was there before: what a peer or its callee has decided stands. */
  readonly onlyIfUnreachable: boolean;
  readonly make: () => Round | null;
}

export const step = (make: () => Round | null, onlyIfUnreachable = false): Step => ({
  make,
  onlyIfUnreachable,
});

const NO_AORS: readonly string[] = [];

/** What a dialog or a Route leads to: one target, and nowhere else to go. */
export function directRound(uri: SipUri): Round {
  return direct(directTarget(uri));
}

/** One target, and nowhere else to go. */
export function direct(target: Target): Round {
  return { targets: [target], ring_ms: null, aors: NO_AORS, retarget: target.retarget };
}
