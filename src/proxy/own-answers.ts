/**
 * What a caller is told when the search ends without anybody's answer.
 */
import type { Refusal } from "../message/refusal.ts";
import type { Final } from "./responses.ts";

/** RFC 4320 §4.1: nor does a 408 of somebody below us go up. */
export function isSilence(final: Final, method: string): boolean {
  return final.status === 408 && (final.response === null || method !== "INVITE");
}

export const CANCELLED: Refusal = { status: 487, reason: "The caller cancelled", section: "RFC 3261 §9.2" };

export const NO_VIA_LEFT: Refusal = {
  status: 502,
  reason: "The answer came back without the sender's Via",
  section: "RFC 3261 §16.7 step 3",
};

export const TOO_MANY: Refusal = {
  status: 440,
  reason: "Max-Breadth or limits.branches_max used up",
  section: "RFC 5393 §5.3.3",
};

/** A 503 of somebody else says nothing about us; one that came of no target (`other`) does: we lack what the call needs. */
export function refusalOf(final: Final): Refusal {
  const status = final.status === 503 && final.outcome !== "other" ? 500 : final.status;
  return { status, reason: final.reason, section: "RFC 3261 §16.7 step 6" };
}

/** RFC 3326: a phone whose call was answered elsewhere shows no missed call. */
export const COMPLETED_ELSEWHERE = ['Reason: SIP;cause=200;text="Call completed elsewhere"'];
