/**
 * Call quality by the E-model (ITU-T G.107) from what a relay can measure, as P.800.1 names it: MOS-CQE with delay,
 * MOS-LQE without. Beside it the simplified formula that many tools show. Estimates, not listening tests.
 */
import type { Codec, Scale } from "./codecs.ts";
import type { RtpSnapshot } from "./rtp-stream.ts";

/** G.107 table 2, all defaults: Ro - Is, with nothing lost and no delay. */
export const R_DEFAULT = 93.2;
const R_MAX = 100;
const MOS_MIN = 1;
const MOS_MAX = 4.5;
/** An encoder's own impairment and loss never add up to more (G.107 §7.6). */
const IMPAIRMENT_MAX = 95;
/** Packets that phones send when nobody says otherwise (RFC 3551 §4.2). */
export const PACKET_MS_DEFAULT = 20;
/** A jitter buffer that holds twice the jitter, as the simplified formula assumes too. */
const BUFFER_JITTERS = 2;

export interface Quality {
  /** Listening quality: loss and codec only. R is 0 to 100. */
  readonly r_lq: number;
  readonly mos_lqe: number;
  /** Conversational quality: with delay. Null where the round trip is not known. */
  readonly r_cq: number | null;
  readonly mos_cqe: number | null;
  /** The simplified formula, for comparison with other tools; without a known round trip it counts none. */
  readonly mos_simple: number;
  /** The codec's bandwidth. W, S and F are still scored by the narrowband model (G.107), not G.107.1 or G.107.2. */
  readonly scale: Scale;
  /** False when G.113 lists no values for the codec and those of a similar one stand in. */
  readonly listed: boolean;
}

/** MOS of a rating factor (G.107 annex B): 1.00 to 4.50. */
export function mosOf(r: number): number {
  if (!(r > 0)) return MOS_MIN;
  if (r >= R_MAX) return MOS_MAX;
  // Below R = 6.5 the cubic dips under 1.
  return Math.max(MOS_MIN, 1 + 0.035 * r + r * (r - 60) * (R_MAX - r) * 7e-6);
}

/** Ie,eff = Ie + (95 - Ie) · Ppl / (Ppl/BurstR + Bpl) (G.107 §7.6), Ppl in percent. */
export function equipmentImpairment(
  codec: Pick<Codec, "ie" | "bpl">,
  loss_percent: number,
  burst_ratio = 1,
): number {
  return codec.ie + ((IMPAIRMENT_MAX - codec.ie) * loss_percent) / (loss_percent / burst_ratio + codec.bpl);
}

/**
 * Id of a one-way delay from mouth to ear: 0.024 d + 0.11 (d - 177.3) H(d - 177.3), the fit to G.107 with its default
 * echo (TELR 65 dB) by R. Cole and J. Rosenbluth, "Voice over IP performance monitoring" (ACM CCR 31-2, 2001).
 * Chosen over Idd alone because it is what other tools show and because the default R is defined with that echo.
 */
export function delayImpairment(one_way_ms: number): number {
  const late_ms = Math.max(0, one_way_ms - 177.3);
  return 0.024 * Math.max(0, one_way_ms) + 0.11 * late_ms;
}

/** R with all other G.107 parameters at their defaults: 0 to 100; 93.2 for an unimpaired narrowband call. */
export function rFactor(ie_eff: number, id: number): number {
  return Math.min(R_MAX, Math.max(0, R_DEFAULT - id - ie_eff));
}

/** Mouth to ear, as far as a relay can know: half the round trip, the jitter buffer, one packet and the look-ahead. */
export function oneWayDelay(
  round_trip_ms: number,
  jitter_ms: number,
  codec: Pick<Codec, "look_ahead_ms">,
  packet_ms = PACKET_MS_DEFAULT,
): number {
  return round_trip_ms / 2 + BUFFER_JITTERS * jitter_ms + packet_ms + codec.look_ahead_ms;
}

/** What the simplified formula adds for coding. */
const SIMPLE_CODING_MS = 10;
const SIMPLE_KNEE_MS = 160;
/** It takes so many points of R per percent lost. */
const SIMPLE_LOSS = 2.5;

/**
 * R by the simplified formula: an effective latency of the round trip, twice the jitter and 10 ms costs 1/40 per ms
 * up to 160 ms, 1/10 above, and each percent of loss 2.5. It knows no codec and no bursts.
 */
export function simpleR(latency_ms: number, jitter_ms: number, loss_percent: number): number {
  const effective_ms = latency_ms + 2 * jitter_ms + SIMPLE_CODING_MS;
  const delay = effective_ms < SIMPLE_KNEE_MS ? effective_ms / 40 : (effective_ms - 120) / 10;
  return Math.min(R_MAX, Math.max(0, R_DEFAULT - delay - loss_percent * SIMPLE_LOSS));
}

/** What the formulas take. Loss is what never came, in percent of what was expected. */
export interface Impairments {
  readonly loss_percent: number;
  /** 1 for independent losses (G.107 §7.6). */
  readonly burst_ratio: number;
  readonly jitter_ms: number;
  /** From phone to phone and back; null where RTCP does not tell. */
  readonly round_trip_ms: number | null;
  readonly packet_ms?: number;
}

export function quality(codec: Codec, impairments: Impairments): Quality {
  const { loss_percent, burst_ratio, jitter_ms, round_trip_ms } = impairments;
  const ie_eff = equipmentImpairment(codec, loss_percent, burst_ratio);
  const r_lq = rFactor(ie_eff, 0);
  let r_cq: number | null = null;
  if (round_trip_ms !== null) {
    const delay_ms = oneWayDelay(round_trip_ms, jitter_ms, codec, impairments.packet_ms);
    r_cq = rFactor(ie_eff, delayImpairment(delay_ms));
  }
  return {
    r_lq,
    mos_lqe: mosOf(r_lq),
    r_cq,
    mos_cqe: r_cq === null ? null : mosOf(r_cq),
    mos_simple: mosOf(simpleR(round_trip_ms ?? 0, jitter_ms, loss_percent)),
    scale: codec.scale,
    listed: codec.listed,
  };
}

/** The quality of a measured stream; null when its codec is unknown to the model or nothing was expected yet. */
export function streamQuality(
  stream: RtpSnapshot,
  codec: Codec | null,
  round_trip_ms: number | null,
  packet_ms = PACKET_MS_DEFAULT,
): Quality | null {
  if (codec === null || stream.expected === 0) return null;
  return quality(codec, {
    loss_percent: stream.missing_percent,
    burst_ratio: stream.loss_pattern.burst_ratio,
    jitter_ms: stream.jitter_mean_ms ?? 0,
    round_trip_ms,
    packet_ms,
  });
}
