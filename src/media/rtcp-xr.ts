/**
 * Extended reports as phones send them (RFC 3611): VoIP metrics (§4.7), statistics summary (§4.6), and the two
 * blocks receivers measure a round trip with (§4.4, §4.5). Blocks of other types are skipped.
 */
import { uint16, uint32 } from "./rtp.ts";

/** Blocks of one kind that are kept of one packet. */
export const XR_BLOCKS_MAX = 16;

/** RFC 3611 §4.7; null where the phone wrote "unavailable" or a value outside the field's range. */
export interface VoipMetrics {
  readonly ssrc: number;
  /** Of packets expected since the start: lost on the way, and discarded by the jitter buffer (§4.7.1). */
  readonly loss_percent: number;
  readonly discard_percent: number;
  /** Lost and discarded within bursts and within gaps, of those expected there (§4.7.2). */
  readonly burst_density_percent: number;
  readonly gap_density_percent: number;
  readonly burst_ms: number;
  readonly gap_ms: number;
  /** Between the two RTP interfaces as RTCP measured it; null when 0, which stands for not measured (§4.7.3). */
  readonly round_trip_ms: number | null;
  /** Encoding, decoding and jitter buffer of the reporting end. */
  readonly end_system_ms: number | null;
  /** dBm0 (§4.7.4). */
  readonly signal_dbm0: number | null;
  readonly noise_dbm0: number | null;
  /** Residual echo return loss in dB. */
  readonly rerl_db: number | null;
  readonly g_min: number;
  /** 0 to 100 (§4.7.5). */
  readonly r_factor: number | null;
  /** R of a network segment beyond this session, a mobile one for instance. */
  readonly external_r_factor: number | null;
  readonly mos_lq: number | null;
  readonly mos_cq: number | null;
  /** §4.7.6: how lost packets are concealed. */
  readonly concealment: "unspecified" | "disabled" | "enhanced" | "standard";
  readonly jitter_buffer: "unknown" | "reserved" | "fixed" | "adaptive";
  /** 0 to 15: a measure of how fast an adaptive buffer follows. */
  readonly jitter_buffer_rate: number;
  readonly jitter_buffer_ms: number;
  readonly jitter_buffer_max_ms: number;
  readonly jitter_buffer_abs_max_ms: number;
}

/** RFC 3611 §4.6; null where the report's flags say that the field holds nothing. Jitter is in timestamp units. */
export interface StatisticsSummary {
  readonly ssrc: number;
  readonly begin_seq: number;
  /** One past the last sequence number. */
  readonly end_seq: number;
  readonly lost: number | null;
  readonly duplicates: number | null;
  readonly jitter: {
    readonly min: number;
    readonly max: number;
    readonly mean: number;
    readonly dev: number;
  } | null;
}

/** RFC 3611 §4.5: what a receiver saw of our side's RRTR. Times in 1/65536 s; 0 when it has seen none. */
export interface DelayReport {
  readonly ssrc: number;
  readonly lrr: number;
  readonly dlrr: number;
}

export interface ExtendedReport {
  readonly voip: readonly VoipMetrics[];
  readonly summaries: readonly StatisticsSummary[];
  /** The middle 32 bits of the NTP time of an RRTR block (§4.4); null without one. */
  readonly reference_time: number | null;
  readonly delays: readonly DelayReport[];
}

const BT = { ReferenceTime: 4, Delay: 5, Summary: 6, Voip: 7 } as const;
const BLOCK_HEADER_BYTES = 4;
const VOIP_BYTES = 32;
const SUMMARY_BYTES = 36;
const REFERENCE_BYTES = 8;
const DELAY_BYTES = 12;

/** The blocks that lie in `from`..`to`, which must be inside the datagram. A block that does not fit ends the reading. */
export function readXrBlocks(bytes: Uint8Array, from: number, to: number): ExtendedReport {
  const voip: VoipMetrics[] = [];
  const summaries: StatisticsSummary[] = [];
  const delays: DelayReport[] = [];
  let reference_time: number | null = null;
  for (let at = from; at + BLOCK_HEADER_BYTES <= to; ) {
    const type = bytes[at]!;
    const body = at + BLOCK_HEADER_BYTES;
    const length = 4 * uint16(bytes, at + 2);
    if (body + length > to) break;
    if (type === BT.Voip && length >= VOIP_BYTES) keep(voip, () => voipAt(bytes, body));
    else if (type === BT.Summary && length >= SUMMARY_BYTES)
      keep(summaries, () => summaryAt(bytes, body, bytes[at + 1]!));
    else if (type === BT.ReferenceTime && length >= REFERENCE_BYTES) reference_time = middle32(bytes, body);
    else if (type === BT.Delay)
      for (let i = body; i + DELAY_BYTES <= body + length; i += DELAY_BYTES)
        keep(delays, () => delayAt(bytes, i));
    at = body + length;
  }
  return { voip, summaries, reference_time, delays };
}

/** The middle 32 bits of a 64-bit NTP time (RFC 3550 §6.4.1). */
export function middle32(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at + 2);
}

function keep<T>(list: T[], read: () => T): void {
  if (list.length < XR_BLOCKS_MAX) list.push(read());
}

function delayAt(bytes: Uint8Array, at: number): DelayReport {
  return { ssrc: uint32(bytes, at), lrr: uint32(bytes, at + 4), dlrr: uint32(bytes, at + 8) };
}

const LOST_FLAG = 0x80;
const DUPLICATES_FLAG = 0x40;
const JITTER_FLAG = 0x20;

function summaryAt(bytes: Uint8Array, at: number, flags: number): StatisticsSummary {
  const word = (n: number) => uint32(bytes, at + 4 * n);
  return {
    ssrc: word(0),
    begin_seq: uint16(bytes, at + 4),
    end_seq: uint16(bytes, at + 6),
    lost: flags & LOST_FLAG ? word(2) : null,
    duplicates: flags & DUPLICATES_FLAG ? word(3) : null,
    jitter: flags & JITTER_FLAG ? { min: word(4), max: word(5), mean: word(6), dev: word(7) } : null,
  };
}

const CONCEALMENT = ["unspecified", "disabled", "enhanced", "standard"] as const;
const JITTER_BUFFER = ["unknown", "reserved", "fixed", "adaptive"] as const;
const UNAVAILABLE = 127;
const R_MAX = 100;
const MOS_MIN = 10;
const MOS_MAX = 50;

function voipAt(bytes: Uint8Array, at: number): VoipMetrics {
  const byte = (offset: number) => bytes[at + offset]!;
  const share = (offset: number) => (byte(offset) * 100) / 256;
  const known = (value: number) => (value === UNAVAILABLE ? null : value);
  const signed = (value: number) => known((value << 24) >> 24);
  const positive = (value: number) => (value === 0 ? null : value);
  const factor = (value: number) => (value <= R_MAX ? value : null);
  const mos = (value: number) => (value >= MOS_MIN && value <= MOS_MAX ? value / 10 : null);
  return {
    ssrc: uint32(bytes, at),
    loss_percent: share(4),
    discard_percent: share(5),
    burst_density_percent: share(6),
    gap_density_percent: share(7),
    burst_ms: uint16(bytes, at + 8),
    gap_ms: uint16(bytes, at + 10),
    round_trip_ms: positive(uint16(bytes, at + 12)),
    end_system_ms: positive(uint16(bytes, at + 14)),
    signal_dbm0: signed(byte(16)),
    noise_dbm0: signed(byte(17)),
    rerl_db: known(byte(18)),
    g_min: byte(19),
    r_factor: factor(byte(20)),
    external_r_factor: factor(byte(21)),
    mos_lq: mos(byte(22)),
    mos_cq: mos(byte(23)),
    concealment: CONCEALMENT[byte(24) >> 6]!,
    jitter_buffer: JITTER_BUFFER[(byte(24) >> 4) & 3]!,
    jitter_buffer_rate: byte(24) & 15,
    jitter_buffer_ms: uint16(bytes, at + 26),
    jitter_buffer_max_ms: uint16(bytes, at + 28),
    jitter_buffer_abs_max_ms: uint16(bytes, at + 30),
  };
}
