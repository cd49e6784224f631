/**
 * What is known of one URI of a peer: whether probes find it, until when it is left alone, how fast it answers.
 */
import type { PeerUri } from "./peer.ts";

/** Why a URI is left alone for a while: its own wish (503), or its silence. */
export type AsideWhy = "retry_after" | "unreachable";

/** Weight of a new sample (RFC 6298 §2.3 has the same). */
const LATENCY_ALPHA = 1 / 8;

export class UriState {
  /** The entry of the configuration that counts now. */
  at: PeerUri;
  /** What probes say; without probes always true. */
  up = true;
  asideWhy: AsideWhy | null = null;
  /** Smoothed time from probe to answer; null: none was answered yet. */
  latency_ms: number | null = null;
  /** When a probe was answered last, Unix milliseconds; null: never. */
  answered_ms: number | null = null;
  /** Probes of the other sort in a row: missed ones while up, answered ones while down. */
  streak = 0;
  calls = 0;
  #asideUntil = 0;

  constructor(at: PeerUri) {
    this.at = at;
  }

  /** The entry that counts from now on. Nothing would bring it up again without probes. */
  configure(at: PeerUri): void {
    this.at = at;
    if (at.peer.rules.probe_s > 0) return;
    this.up = true;
    this.streak = 0;
  }

  /** How long it is still left alone, milliseconds; 0: it is not. */
  asideMs(now: number): number {
    return this.asideWhy === null ? 0 : Math.max(0, this.#asideUntil - now);
  }

  /** Leaves it alone for so long; a longer time that is set already stays. False: it stays as it was. */
  putAside(why: AsideWhy, ms: number, now: number): boolean {
    if (ms <= 0 || this.asideMs(now) >= ms) return false;
    this.#asideUntil = now + ms;
    this.asideWhy = why;
    return true;
  }

  /** It answers, so its silence is over; its own wish to be left alone is not. */
  heard(): void {
    if (this.asideWhy === "unreachable") this.asideWhy = null;
  }

  sampled(latency_ms: number): void {
    this.latency_ms =
      this.latency_ms === null
        ? latency_ms
        : this.latency_ms + LATENCY_ALPHA * (latency_ms - this.latency_ms);
  }

  /** The outcome of a probe; true: it went up or down by it. */
  probed(found: boolean): boolean {
    if (found === this.up) {
      this.streak = 0;
      return false;
    }
    this.streak++;
    const { probe_up, probe_down } = this.at.peer.rules;
    if (this.streak < (found ? probe_up : probe_down)) return false;
    this.up = found;
    this.streak = 0;
    return true;
  }
}
