/** What stands for somebody who is not there: where the call goes instead, or what its caller is told. */
import type { ForwardRules } from "../location/forwards.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SearchRules } from "./directory.ts";
import type { Outcome } from "./responses.ts";

/** A user without a rule for being away gets the nearest one. */
export function destinationFor(rules: ForwardRules, outcome: Exclude<Outcome, "other">): string | null {
  if (outcome === "busy") return rules.busy;
  if (outcome === "no_answer") return rules.no_answer;
  if (outcome === "not_registered") return rules.not_registered ?? rules.unreachable;
  return rules.unreachable ?? rules.not_registered ?? rules.no_answer;
}

/** How long a phone rings before its forward for that applies. */
export function noAnswerMs({ no_answer_after_s: seconds }: ForwardRules, rules: SearchRules): number {
  return seconds === null ? rules.no_answer_ms : seconds * 1000;
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

/** What a forward names, a user of ours or a URI, as a URI. */
export function uriOfDestination(destination: string, domain: string): string {
  return /^sips?:/i.test(destination) ? destination : `sip:${destination}@${domain}`;
}
