/**
 * The sum over several sources of one RTP stream: counters add up, the mean jitter is weighted by its samples.
 */
import { LossRuns } from "./loss-runs.ts";
import type { RtpSource } from "./rtp-source.ts";

export class RtpTotals {
  expected = 0;
  received = 0;
  duplicates = 0;
  reordered = 0;
  restarts = 0;
  timeline_jumps = 0;
  jitter_samples = 0;
  jitter_mean_ms = 0;
  jitter_max_ms = 0;
  readonly losses: LossRuns = new LossRuns();

  /** Takes in one source as it stands; sources that were never proven have no losses and no jitter. */
  add(source: RtpSource): void {
    if (!source.valid) return;
    this.expected += source.expected;
    this.received += source.received;
    this.duplicates += source.duplicates;
    this.reordered += source.reordered;
    this.restarts += source.restarts;
    this.timeline_jumps += source.timeline_jumps;
    this.#jitter(source);
    const losses = source.lossesToNow();
    losses.finish();
    this.losses.add(losses);
  }

  sum(other: RtpTotals): void {
    this.expected += other.expected;
    this.received += other.received;
    this.duplicates += other.duplicates;
    this.reordered += other.reordered;
    this.restarts += other.restarts;
    this.timeline_jumps += other.timeline_jumps;
    this.#jitter(other);
    this.losses.add(other.losses);
  }

  #jitter(other: Pick<RtpTotals, "jitter_samples" | "jitter_mean_ms" | "jitter_max_ms">): void {
    const samples = this.jitter_samples + other.jitter_samples;
    if (samples === 0) return;
    const weight = other.jitter_samples / samples;
    this.jitter_mean_ms += (other.jitter_mean_ms - this.jitter_mean_ms) * weight;
    this.jitter_samples = samples;
    this.jitter_max_ms = Math.max(this.jitter_max_ms, other.jitter_max_ms);
  }
}
