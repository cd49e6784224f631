/**
 * The statistics of one RTP stream as it passes: what one side sends for one m-line. Its sources (RFC 3550 SSRCs)
 * are measured apart and summed; what earlier ones counted is kept. Pure: times come from the caller.
 */
import type { PayloadTypes } from "./codecs.ts";
import type { LossPattern } from "./loss-runs.ts";
import { hasMarker, isRtp, payloadType, sequenceNumber, ssrc, timestamp } from "./rtp.ts";
import { RtpSource } from "./rtp-source.ts";
import { RtpTotals } from "./rtp-totals.ts";

/** Sources of a stream that are told apart; one more, and the one heard longest ago is summed and forgotten. */
export const SOURCES_MAX = 8;

/** What stands around each packet on the wire: IP header and UDP header. */
const HEADERS_BYTES = { 4: 20 + 8, 6: 40 + 8 } as const;

/** What came since the interval before was closed. */
export interface RtpInterval {
  readonly ms: number;
  readonly packets: number;
  /** With IP and UDP headers, as a line carries them: G.711 with 20 ms per packet is 80. */
  readonly kbit_s: number;
  /** RFC 3550 A.3: lost of expected in this interval, 0 to 100; duplicates make up for losses, as there. */
  readonly loss_percent: number;
}

/** Times are monotonic milliseconds of the caller's clock; null: nothing came yet. */
export interface RtpSnapshot {
  /** Every RTP packet of the stream, those of unproven sources too. */
  readonly packets: number;
  /** Their bytes from RTP header to end of payload, without IP and UDP. */
  readonly bytes: number;
  /** Datagrams that were no RTP. */
  readonly not_rtp: number;
  readonly ssrc: number | null;
  /** How many sources there were, and how often packets changed from one to another. */
  readonly sources: number;
  readonly ssrc_changes: number;
  /** The last payload type that carried media (no events, no comfort noise). */
  readonly payload_type: number | null;
  readonly codec: string;
  /** By sequence numbers, over all proven sources (RFC 3550 A.3). */
  readonly expected: number;
  readonly received: number;
  /** Expected minus received: below zero when there were more duplicates than losses. */
  readonly lost: number;
  /** `lost` of `expected`, never below 0. */
  readonly loss_percent: number;
  /** Packets that never came: losses with no duplicate set off against them. What a listener misses. */
  readonly missing: number;
  readonly missing_percent: number;
  readonly duplicates: number;
  readonly reordered: number;
  readonly restarts: number;
  readonly timeline_jumps: number;
  /** Interarrival jitter now, its mean over all packets and its maximum; null where no clock is known. */
  readonly jitter_ms: number | null;
  readonly jitter_mean_ms: number | null;
  readonly jitter_max_ms: number | null;
  readonly loss_pattern: LossPattern;
  readonly interval: RtpInterval | null;
  readonly first_ms: number | null;
  readonly last_ms: number | null;
  /** The longest time between two packets, the time since the last one included. */
  readonly longest_silence_ms: number;
}

const COMFORT_NOISE = 13; // RFC 3389
const NONE = -1;
/** Stands for no source yet, so that the hot path never looks for null. Nothing is ever counted on it. */
const NOBODY: RtpSource = new RtpSource();

export class RtpStream {
  #types: PayloadTypes;
  #headers_bytes: number;
  #current = NOBODY;
  readonly #sources: RtpSource[] = [];
  readonly #past = new RtpTotals();
  #packets = 0;
  #bytes = 0;
  #not_rtp = 0;
  #sources_seen = 0;
  #ssrc_changes = 0;
  #payload_type = NONE;
  #first_ms = NONE;
  #last_ms = NONE;
  #silence_ms = 0;
  #interval: RtpInterval | null = null;
  #interval_start_ms = NONE;
  #interval_packets = 0;
  #interval_bytes = 0;
  #interval_expected = 0;
  #interval_received = 0;

  /** `family`: of the addresses the packets travel between, for the bandwidth on the line. */
  constructor(types: PayloadTypes, family: 4 | 6 = 4) {
    this.#types = types;
    this.#headers_bytes = HEADERS_BYTES[family];
  }

  /** The side described itself anew; what was counted stays. */
  describe(types: PayloadTypes, family: 4 | 6): void {
    this.#types = types;
    this.#headers_bytes = HEADERS_BYTES[family];
  }

  /** One datagram of this stream, at `now_ms` of a clock that never goes back. Anything but RTP is only counted. */
  packet(bytes: Uint8Array, now_ms: number): void {
    if (!isRtp(bytes)) {
      this.#not_rtp++;
      return;
    }
    this.#packets++;
    this.#bytes += bytes.length;
    if (this.#last_ms !== NONE) {
      const silence_ms = now_ms - this.#last_ms;
      if (silence_ms > this.#silence_ms) this.#silence_ms = silence_ms;
    } else this.#begin(now_ms);
    this.#last_ms = now_ms;
    const type = payloadType(bytes);
    const clock_hz = this.#types.pacing[type]!;
    if (clock_hz !== 0 && type !== COMFORT_NOISE) this.#payload_type = type;
    const source = ssrc(bytes);
    if (source !== this.#current.ssrc || this.#current === NOBODY) this.#switchTo(source);
    this.#current.packet(sequenceNumber(bytes), timestamp(bytes), clock_hz, hasMarker(bytes), now_ms);
  }

  /** Ends the current interval; the figures stand in the snapshots until the next one ends. Null before any packet. */
  closeInterval(now_ms: number): RtpInterval | null {
    if (this.#first_ms === NONE) return null;
    const total = this.#total();
    const ms = Math.max(0, now_ms - this.#interval_start_ms);
    const packets = this.#packets - this.#interval_packets;
    const on_line = this.#bytes - this.#interval_bytes + packets * this.#headers_bytes;
    const expected = total.expected - this.#interval_expected;
    const lost = expected - (total.received - this.#interval_received);
    this.#interval_start_ms = now_ms;
    this.#interval_packets = this.#packets;
    this.#interval_bytes = this.#bytes;
    this.#interval_expected = total.expected;
    this.#interval_received = total.received;
    this.#interval = {
      ms,
      packets,
      kbit_s: ms > 0 ? (on_line * 8) / ms : 0,
      loss_percent: percent(lost, expected),
    };
    return this.#interval;
  }

  snapshot(now_ms: number): RtpSnapshot {
    const total = this.#total();
    const lost = total.expected - total.received;
    const missing = Math.max(0, lost + total.duplicates);
    const measured = total.jitter_samples > 0;
    return {
      packets: this.#packets,
      bytes: this.#bytes,
      not_rtp: this.#not_rtp,
      ssrc: this.#current === NOBODY ? null : this.#current.ssrc,
      sources: this.#sources_seen,
      ssrc_changes: this.#ssrc_changes,
      payload_type: this.#payload_type === NONE ? null : this.#payload_type,
      codec: this.#types.name(this.#payload_type),
      expected: total.expected,
      received: total.received,
      lost,
      loss_percent: percent(lost, total.expected),
      missing,
      missing_percent: percent(missing, total.expected),
      duplicates: total.duplicates,
      reordered: total.reordered,
      restarts: total.restarts,
      timeline_jumps: total.timeline_jumps,
      jitter_ms: measured ? this.#current.jitter_ms : null,
      jitter_mean_ms: measured ? total.jitter_mean_ms : null,
      jitter_max_ms: measured ? total.jitter_max_ms : null,
      loss_pattern: total.losses.pattern(),
      interval: this.#interval,
      first_ms: this.#first_ms === NONE ? null : this.#first_ms,
      last_ms: this.#last_ms === NONE ? null : this.#last_ms,
      longest_silence_ms: this.#last_ms === NONE ? 0 : Math.max(this.#silence_ms, now_ms - this.#last_ms),
    };
  }

  #begin(now_ms: number): void {
    this.#first_ms = now_ms;
    this.#interval_start_ms = now_ms;
  }

  #switchTo(id: number): void {
    if (this.#current !== NOBODY) this.#ssrc_changes++;
    for (const source of this.#sources) {
      if (source.ssrc === id) {
        this.#current = source;
        return;
      }
    }
    this.#sources_seen++;
    this.#current = this.#place();
    this.#current.start(id);
  }

  /** A free object, or that of the source heard longest ago; unproven ones go first, so that a flood takes no proven one. */
  #place(): RtpSource {
    if (this.#sources.length < SOURCES_MAX) {
      const fresh = new RtpSource();
      this.#sources.push(fresh);
      return fresh;
    }
    let oldest = this.#sources[0]!;
    for (const source of this.#sources) {
      const sooner = source.valid === oldest.valid ? source.last_ms < oldest.last_ms : oldest.valid;
      if (sooner) oldest = source;
    }
    this.#past.add(oldest);
    return oldest;
  }

  #total(): RtpTotals {
    const total = new RtpTotals();
    total.sum(this.#past);
    for (const source of this.#sources) total.add(source);
    return total;
  }
}

function percent(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0;
}
