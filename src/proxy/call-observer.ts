/**
 * Who is told what becomes of forwarded requests: flows are kept open by it, and calls written down. Observers
 * change nothing, and must not throw.
 */
import type { Flow } from "../base/flow.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Branch } from "./branch.ts";
import type { Admitted } from "./sender.ts";
import type { Target } from "./targets.ts";

export interface CallObserver {
  /** A request is forwarded, its first copy is about to leave; `refusal`: it is not, for that reason. */
  begun(admitted: Admitted, refusal: Refusal | null): void;
  /** A copy leaves for a target. */
  sent(target: Target, flow: Flow, admitted: Admitted): void;
  /** A provisional answer came that goes back. */
  rang(branch: Branch, response: SipMessage, admitted: Admitted): void;
  /** The first 2xx of a branch came. */
  accepted(branch: Branch, response: SipMessage, admitted: Admitted): void;
  /** A branch is over without one, perhaps after the request had its final answer. */
  ended(branch: Branch): void;
  /** The request has its final answer of this status; 0: it gets none. `reason`: why; `own`: we said so, nobody else. */
  finished(admitted: Admitted, status: number, reason: string, own: boolean): void;
}
