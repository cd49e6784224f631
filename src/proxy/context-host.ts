/**
 * What a response context needs of the proxy that made it.
 */
import type { Flow } from "../base/flow.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import type { Branch, BranchUser } from "./branch.ts";
import type { Forwarding } from "./forward.ts";
import type { Ringing } from "./late-forks.ts";
import type { MediaGate } from "./media-gate.ts";
import type { Final } from "./responses.ts";
import type { Target } from "./targets.ts";

/** The rules of a call, as far as its answers go. */
export interface AnswerRules {
  /** A 6xx ends the search (§16.7 step 5). */
  readonly decline_ends_search: boolean;
  /** A 3xx of one of ours is followed here. */
  readonly follow_redirects: boolean;
  /** Whose early media the caller gets. */
  readonly early_media: "all" | "first";
  /** Phones that register while it rings join. */
  readonly late_forking: boolean;
}

/** A context as its host sees it: whoever hears of its branches, and since when it lives. */
export interface ContextLife extends BranchUser {
  /** `wheel.now()` when it began. */
  readonly startedAt: number;
}

/** What the context needs of the proxy that made it; `F` is how the proxy knows the request. */
export interface ContextHost<F extends Forwarding> {
  /** `buildResponseCopy` for the sender of this request. */
  copyBack(
    response: SipMessage,
    to: ServerTransaction,
    from: Branch,
    status?: number,
    extra?: string,
  ): Buffer | null;
  /** Asked before an answer goes back; null: nobody is. */
  readonly gate: MediaGate | null;
  readonly answerRules: AnswerRules;
  /** `wheel.now()`. */
  now(): number;
  /** Copies of one request at most. */
  readonly branchesMax: number;
  /** A branch that rings until then at most (null: until Timer C), and never beyond the life time of `context`. */
  branch(context: ContextLife, target: Target, breadth: number, until: number | null): Branch;
  /** Whether its life time is over: nothing new is begun. */
  isOver(context: ContextLife): boolean;
  /** Finds the way for the branch and sends its copy. */
  dispatch(branch: Branch, forwarding: F): void;
  /** From now on phones that register for these join the call; and no longer. */
  ringing(users: readonly string[], context: Ringing): void;
  quiet(users: readonly string[], context: Ringing): void;
  /** Nothing else is tried for the target of this branch: every place of it has had its turn. */
  targetEnded(branch: Branch, final: Final): void;
  /** What came of a branch, at one place of its target. */
  branchEnded(branch: Branch, final: Final): void;
  /** A 2xx came on a branch, the first one of it. */
  branchAccepted(branch: Branch, response: SipMessage, forwarding: F | null): void;
  /** So many targets got no copy: Max-Breadth or branchesMax is used up. */
  noRoom(targets: number): void;
  /** Answers the request ourselves. */
  answer(transaction: ServerTransaction, refusal: Refusal): void;
  /** An ACK for a 2xx that was matched to this INVITE. */
  ack(ack: SipMessage, flow: Flow): void;
  /** A provisional answer of a branch goes back. */
  branchRang(branch: Branch, response: SipMessage, forwarding: F): void;
  /** The request has its final answer of this status, ours or another's (`own`); 0: it ended without one. */
  finished(forwarding: F, status: number, reason: string, own: boolean): void;
}
