/**
 * Why a peer cannot be had now, and what its caller is told when nobody else can be had either.
 */
import type { Refusal } from "../message/refusal.ts";
import type { LimitReached } from "./call-gate.ts";
import type { Peer } from "./peer.ts";

export type NoPeerWhy = "unknown" | "down" | "aside" | LimitReached;

export interface NoPeer {
  readonly peer: string;
  readonly why: NoPeerWhy;
  /** When to ask again, whole seconds; null: nobody knows. */
  readonly retry_after_s: number | null;
}

const WORDS: Readonly<Record<NoPeerWhy, string>> = {
  unknown: "There is no such peer",
  down: "No probe reaches the peer",
  aside: "The peer asked to be left alone, or did not answer",
  calls_max: "The peer has all the calls it may have",
  calls_per_s: "The peer gets as many new calls as it may",
};

/**
 * The answer to a call that only this peer could have taken. A peer that fails says nothing about us, so
 * it is no 503 (RFC 3261 §16.7 step 6); one that is full is 480, or 503 where its `over_limit` says so.
 */
export function refusalOf({ why, retry_after_s }: NoPeer, peer: Peer | null): Refusal {
  const isFull = why === "calls_max" || why === "calls_per_s";
  const status = isFull ? Number(peer?.rules.over_limit ?? "480") : 500;
  const headers = retry_after_s === null ? [] : [`Retry-After: ${retry_after_s}`];
  const section = isFull ? `peer.${why}` : "RFC 3261 §16.7 step 6";
  return { status, reason: WORDS[why], section, headers };
}
