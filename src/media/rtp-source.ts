/**
 * Statistics of one synchronisation source: sequence numbers (RFC 3550 appendix A.1), loss (A.3) and interarrival
 * jitter (A.8). Some additions and no garbage per packet; times come from the caller.
 */
import { LossRuns } from "./loss-runs.ts";

/** A.1 MIN_SEQUENTIAL: so many packets in sequence make a source valid. */
export const MIN_SEQUENTIAL = 2;
/** A.1 MAX_DROPOUT: a jump ahead of this many sequence numbers or more is a restart until the next packet says no. */
export const MAX_DROPOUT = 3000;
/** A.1 MAX_MISORDER: a packet this far behind or further is a restart until the next packet says no. */
export const MAX_MISORDER = 100;
/** Packets behind the newest of which it is known whether they came; what comes later counts as reordered. */
export const WINDOW_PACKETS = 64;
/** A timestamp that leaves the clock by more, either way, began a new timeline (a transfer, music on hold): no jitter. */
export const TIMELINE_JUMP_MS = 10_000;

const SEQ_MOD = 65_536;
const NO_SEQ = -1;

export class RtpSource {
  ssrc = 0;
  /** True once MIN_SEQUENTIAL packets came in sequence; before, nothing of it is expected or lost. */
  valid = false;
  /** Departs from A.1: the packets of the probation count once it is passed, so that nothing on the wire is missing. */
  received = 0;
  duplicates = 0;
  /** Came after a packet with a higher sequence number. */
  reordered = 0;
  /** The source began anew with other sequence numbers (A.1's `bad_seq` path). */
  restarts = 0;
  /** Timestamps that left the clock by more than TIMELINE_JUMP_MS. */
  timeline_jumps = 0;
  /** A.8, in milliseconds: J += (|D| - J) / 16. */
  jitter_ms = 0;
  jitter_max_ms = 0;
  /** The mean of J after each packet, as tshark prints it. */
  jitter_mean_ms = 0;
  /** The packets behind that mean. */
  jitter_samples = 0;
  /** When its last packet came. */
  last_ms = 0;
  readonly losses: LossRuns = new LossRuns();

  #probation = MIN_SEQUENTIAL;
  /** Extended sequence numbers: cycles times 65536 plus the number itself; they never fall. */
  #base = 0;
  #highest = 0;
  #bad_seq = NO_SEQ;
  /** What earlier runs of this source expected, before its restarts. */
  #expected_before = 0;
  /** Bit i: the packet i behind the newest came; 0 to 31 and 32 to 63. */
  #window = -1;
  #window_old = -1;
  #clock_hz = 0;
  #timestamp = 0;
  #arrival_ms = 0;

  /** Makes the object ready for another source. */
  start(ssrc: number): void {
    this.ssrc = ssrc;
    this.valid = false;
    this.received = 0;
    this.duplicates = 0;
    this.reordered = 0;
    this.restarts = 0;
    this.timeline_jumps = 0;
    this.jitter_ms = 0;
    this.jitter_max_ms = 0;
    this.jitter_mean_ms = 0;
    this.jitter_samples = 0;
    this.last_ms = 0;
    this.losses.reset();
    this.#probation = MIN_SEQUENTIAL;
    this.#expected_before = 0;
    this.#bad_seq = NO_SEQ;
    this.#clock_hz = 0;
  }

  /** A.3: how many packets the sequence numbers seen so far stand for. */
  get expected(): number {
    return this.valid ? this.#expected_before + this.#highest - this.#base + 1 : this.#expected_before;
  }

  /** Highest extended sequence number (RFC 3550 §6.4.1): cycles in the upper bits. */
  get highest(): number {
    return this.#highest;
  }

  /**
   * One packet: its sequence number, timestamp and marker, the rate of its clock (0: unknown, or it says nothing
   * about time) and when it came. False: its sequence number is off the track, and what follows decides.
   */
  packet(seq: number, timestamp: number, clock_hz: number, marker: boolean, now_ms: number): boolean {
    this.last_ms = now_ms;
    const taken = this.valid ? this.#follow(seq) : this.#tryOut(seq);
    if (taken) this.#jitter(timestamp, clock_hz, marker, now_ms);
    return taken;
  }

  /** The pattern of losses including the packets that may still come late, as if they were lost. */
  lossesToNow(): LossRuns {
    const now = this.losses.copy();
    if (!this.valid) return now;
    const pending = Math.min(WINDOW_PACKETS, this.#highest - this.#base + 1);
    for (let back = pending - 1; back >= 0; back--) {
      if (this.#came(back)) now.received();
      else now.lost(1);
    }
    return now;
  }

  /** A.1: a source is believed when two packets in a row are in sequence. */
  #tryOut(seq: number): boolean {
    if (this.#probation === MIN_SEQUENTIAL || seq !== ((this.#highest + 1) & 0xffff)) {
      this.#probation = MIN_SEQUENTIAL - 1;
      this.#base = seq;
      this.#highest = seq;
      this.#clock_hz = 0;
      this.received = 1;
      return true;
    }
    this.#highest++;
    this.received++;
    if (--this.#probation === 0) this.#begin();
    return true;
  }

  #begin(): void {
    this.valid = true;
    this.#bad_seq = NO_SEQ;
    this.#window = -1; // what lies before the base counts as received (RFC 3611 §4.7.2)
    this.#window_old = -1;
  }

  #follow(seq: number): boolean {
    const ahead = (seq - this.#highest) & 0xffff;
    if (ahead === 1) this.#advance(1);
    else if (ahead > 0 && ahead < MAX_DROPOUT) this.#advance(ahead);
    else if (ahead === 0 || ahead > SEQ_MOD - MAX_MISORDER) this.#behind((SEQ_MOD - ahead) & 0xffff);
    else return this.#offTrack(seq);
    this.received++;
    return true;
  }

  /** The newest packet so far, `n` behind the one that was the newest: those in between have not come yet. */
  #advance(n: number): void {
    const missing = n - 1;
    const shifts = missing < WINDOW_PACKETS ? missing : WINDOW_PACKETS;
    for (let i = 0; i < shifts; i++) this.#shift(0);
    if (missing > shifts) this.losses.lost(missing - shifts);
    this.#shift(1);
    this.#highest += missing - shifts;
  }

  /** The oldest packet leaves the window and is judged; the next in sequence enters it. */
  #shift(came: 0 | 1): void {
    if (this.#highest - this.#base >= WINDOW_PACKETS - 1) {
      if (this.#window_old < 0) this.losses.received();
      else this.losses.lost(1);
    }
    this.#window_old = (this.#window_old << 1) | (this.#window >>> 31);
    this.#window = (this.#window << 1) | came;
    this.#highest++;
  }

  /** RFC 3550 §6.4.1: late packets are no loss, and duplicates are received packets. */
  #behind(back: number): void {
    if (back >= WINDOW_PACKETS) this.reordered++;
    else if (this.#came(back)) this.duplicates++;
    else {
      this.reordered++;
      if (back < 32) this.#window |= 1 << back;
      else this.#window_old |= 1 << (back - 32);
    }
  }

  #came(back: number): boolean {
    return (back < 32 ? (this.#window >>> back) & 1 : (this.#window_old >>> (back - 32)) & 1) === 1;
  }

  /** A.1: two packets in sequence far from the others mean that the source began anew without saying so. */
  #offTrack(seq: number): boolean {
    if (seq !== this.#bad_seq) {
      this.#bad_seq = (seq + 1) & 0xffff;
      return false;
    }
    this.#expected_before += this.#highest - this.#base + 1;
    this.#settle();
    this.restarts++;
    // The packet before was the first of the new run; it was not counted when it came.
    this.#base = seq - 1; // -1 stands for 65535 of the cycle before: only differences count
    this.#highest = this.#base + 1;
    this.received += 2;
    this.#clock_hz = 0;
    this.#begin();
    return true;
  }

  /** Judges what is still in the window. */
  #settle(): void {
    const settled = this.lossesToNow();
    settled.finish();
    this.losses.reset();
    this.losses.add(settled);
  }

  /** A.8, between packets in order of arrival, whatever their sequence numbers (RFC 3550 §6.4.1). */
  #jitter(timestamp: number, clock_hz: number, marker: boolean, now_ms: number): void {
    if (clock_hz === 0) return;
    if (clock_hz === this.#clock_hz) {
      const units = (timestamp - this.#timestamp) | 0; // wraps like the 32 bits of the header
      const d = Math.abs(now_ms - this.#arrival_ms - (units * 1000) / clock_hz);
      if (d < TIMELINE_JUMP_MS) {
        this.jitter_ms += (d - this.jitter_ms) / 16;
        this.jitter_samples++;
        if (!marker) this.#summarise();
      } else this.timeline_jumps++;
    }
    this.#clock_hz = clock_hz; // another clock: nothing to compare with until its next packet (RFC 7160 §4.2)
    this.#timestamp = timestamp;
    this.#arrival_ms = now_ms;
  }

  /** A talk spurt's first packet (marker) moves J but neither mean nor maximum: tshark's rule. */
  #summarise(): void {
    const jitter_ms = this.jitter_ms;
    if (jitter_ms > this.jitter_max_ms) this.jitter_max_ms = jitter_ms;
    this.jitter_mean_ms += (jitter_ms - this.jitter_mean_ms) / this.jitter_samples;
  }
}
