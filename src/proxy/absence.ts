import type { ForwardRules } from "../location/forwards.ts";
import type { Refusal } from "../message/refusal.ts";
import type { Outcome } from "./responses.ts";

/** A user without a rule for being away gets the nearest one. */
export function destinationFor(rules: ForwardRules, outcome: Exclude<Outcome, "other">): string | null {
  if (outcome === "busy") return rules.busy;
  if (outcome === "no_answer") return rules.no_answer;
  if (outcome === "not_registered") return rules.not_registered ?? rules.unreachable;
  return rules.unreachable ?? rules.not_registered ?? rules.no_answer;
}

export const NOT_REGISTERED: Refusal = {
  status: 480,
  reason: "The user is not registered",
  section: "RFC 3261 §16.5",
};
export const NO_SUCH_USER: Refusal = { status: 404, reason: "No such user", section: "RFC 3261 §16.5" };
export const GOES_ROUND: Refusal = {
  status: 482,
  reason: "Forwarding goes in a circle, or too far",
  section: "calls.forwards_max",
};
