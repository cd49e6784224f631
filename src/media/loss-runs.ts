/**
 * How losses of one source lie together: bursts and gaps (RFC 3611 §4.7.2), and the burst ratio that the
 * E-model asks for (ITU-T G.107 §7.6). Fed packet by packet in the order of sequence numbers.
 */

/** So many packets received in a row end a burst (RFC 3611 §4.7.2 recommends 16). */
export const G_MIN = 16;
/** The range for which G.107 (table 2) defines the burst ratio. */
const BURST_RATIO_MAX = 8;

export interface LossPattern {
  /** Bursts as of RFC 3611 §4.7.2: from loss to loss with fewer than G_MIN received in between, two losses at least. */
  readonly bursts: number;
  /** Packets lost in bursts, of those expected there: 0 to 1. */
  readonly burst_density: number;
  /** Packets lost outside bursts, of those expected there: 0 to 1. */
  readonly gap_density: number;
  /** Mean packets expected per burst; 0 without bursts. */
  readonly burst_packets: number;
  /** Mean packets expected per gap. */
  readonly gap_packets: number;
  /** Mean run of consecutive losses over what chance alone would give; 1 for random or no loss, at most 8. */
  readonly burst_ratio: number;
}

export class LossRuns {
  /** Received since the last loss, or since the start. */
  #run = 0;
  /** Losses and packets from the first loss of the episode that is still open to its last loss. */
  #open_lost = 0;
  #open_packets = 0;
  #bursts = 0;
  #burst_packets = 0;
  #burst_lost = 0;
  #gap_packets = 0;
  #gap_lost = 0;
  /** Runs of consecutive losses. */
  #loss_runs = 0;

  received(): void {
    this.#run++;
  }

  /** `n` packets in a row that never came, one at least. */
  lost(n: number): void {
    const run = this.#run;
    this.#run = 0;
    if (run > 0 || this.#loss_runs === 0) this.#loss_runs++;
    // The session counts as preceded by received packets: its first loss opens an episode.
    if (run >= G_MIN || this.#open_lost === 0) {
      this.#close();
      this.#gap_packets += run;
      this.#open_lost = n;
      this.#open_packets = n;
    } else {
      this.#open_lost += n;
      this.#open_packets += run + n;
    }
  }

  /** What has been seen so far, as if only received packets followed (RFC 3611 §4.7.2); the object goes on unchanged. */
  pattern(): LossPattern {
    const end = this.copy();
    end.#close();
    end.#gap_packets += end.#run;
    const expected = end.#gap_packets + end.#burst_packets;
    const lost = end.#gap_lost + end.#burst_lost;
    // One gap before the first burst, one after each.
    const gaps = end.#bursts + 1;
    return {
      bursts: end.#bursts,
      burst_density: ratio(end.#burst_lost, end.#burst_packets),
      gap_density: ratio(end.#gap_lost, end.#gap_packets),
      burst_packets: ratio(end.#burst_packets, end.#bursts),
      gap_packets: end.#gap_packets / gaps,
      burst_ratio: burstRatio(lost, expected, end.#loss_runs),
    };
  }

  copy(): LossRuns {
    const copy = new LossRuns();
    copy.add(this);
    copy.#run = this.#run;
    copy.#open_lost = this.#open_lost;
    copy.#open_packets = this.#open_packets;
    return copy;
  }

  /** Takes in what another source has finished: closed bursts and gaps, not its open episode. */
  add(other: LossRuns): void {
    this.#bursts += other.#bursts;
    this.#burst_packets += other.#burst_packets;
    this.#burst_lost += other.#burst_lost;
    this.#gap_packets += other.#gap_packets;
    this.#gap_lost += other.#gap_lost;
    this.#loss_runs += other.#loss_runs;
  }

  /** Ends the open episode and the gap behind it: nothing more comes from this source. */
  finish(): void {
    this.#close();
    this.#gap_packets += this.#run;
    this.#run = 0;
  }

  reset(): void {
    this.#run = 0;
    this.#open_lost = 0;
    this.#open_packets = 0;
    this.#bursts = 0;
    this.#burst_packets = 0;
    this.#burst_lost = 0;
    this.#gap_packets = 0;
    this.#gap_lost = 0;
    this.#loss_runs = 0;
  }

  /** A loss alone between G_MIN received packets on both sides belongs to the gap; more than one make a burst. */
  #close(): void {
    if (this.#open_lost === 1) {
      this.#gap_lost++;
      this.#gap_packets++;
    } else if (this.#open_lost > 1) {
      this.#bursts++;
      this.#burst_lost += this.#open_lost;
      this.#burst_packets += this.#open_packets;
    }
    this.#open_lost = 0;
    this.#open_packets = 0;
  }
}

/**
 * ITU-T G.107 §7.6: mean observed run of losses over the mean run 1/(1-p) that independent losses of the same
 * rate p give. Below 1 (losses further apart than by chance) counts as 1.
 */
export function burstRatio(lost: number, expected: number, runs: number): number {
  if (lost === 0 || runs === 0 || expected <= lost) return 1;
  return Math.min(BURST_RATIO_MAX, Math.max(1, (lost / runs) * (1 - lost / expected)));
}

function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
