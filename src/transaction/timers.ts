/**
 * The timers of RFC 3261 §17 and Table 4, RFC 6026 §8 and RFC 4320 §4.1: how long each one runs, and
 * which of a transaction's two clocks it uses.
 */
import type { TimerLetter } from "./machine.ts";

export interface TimerSettings {
  /** Round-trip estimate, default 500 ms (§17.1.1.1). */
  readonly t1_ms: number;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE answers, default 4 s. */
  readonly t2_ms: number;
  /** How long a message stays in the network, default 5 s. */
  readonly t4_ms: number;
}

export interface TimerRule {
  /** Retransmission timers repeat; lifetime timers end a state. One of each runs at a time. */
  readonly kind: "retransmit" | "lifetime";
  /** Milliseconds; 0 means at once (a lifetime) or not at all (a retransmission on a reliable transport). */
  readonly first: (settings: TimerSettings, reliable: boolean) => number;
  /** The interval after `interval`; only for retransmission timers. */
  readonly next?: (settings: TimerSettings, interval: number) => number;
}

const wait64 = (s: TimerSettings) => 64 * s.t1_ms;
const unlessReliable = (pick: (s: TimerSettings) => number) => (s: TimerSettings, reliable: boolean) =>
  reliable ? 0 : pick(s);
const doubledToT2 = (s: TimerSettings, interval: number) => Math.min(interval * 2, s.t2_ms);

/** How long it takes a client's Timer E to be reset to T2: 3.5 s with the default timers (RFC 4320 §4.1). */
function untilTimerEIsT2({ t1_ms, t2_ms }: TimerSettings): number {
  let waited = t1_ms;
  for (let interval = t1_ms * 2; interval < t2_ms; interval *= 2) waited += interval;
  return waited;
}

export const TIMER_RULES: Readonly<Record<TimerLetter, TimerRule>> = {
  A: { kind: "retransmit", first: unlessReliable((s) => s.t1_ms), next: (_, interval) => interval * 2 },
  B: { kind: "lifetime", first: wait64 },
  D: { kind: "lifetime", first: unlessReliable((s) => Math.max(32_000, wait64(s))) },
  E: { kind: "retransmit", first: unlessReliable((s) => s.t1_ms), next: doubledToT2 },
  F: { kind: "lifetime", first: wait64 },
  G: { kind: "retransmit", first: unlessReliable((s) => s.t1_ms), next: doubledToT2 },
  H: { kind: "lifetime", first: wait64 },
  I: { kind: "lifetime", first: unlessReliable((s) => s.t4_ms) },
  J: { kind: "lifetime", first: unlessReliable(wait64) },
  K: { kind: "lifetime", first: unlessReliable((s) => s.t4_ms) },
  L: { kind: "lifetime", first: wait64 },
  M: { kind: "lifetime", first: wait64 },
  "100": { kind: "lifetime", first: untilTimerEIsT2 },
};
