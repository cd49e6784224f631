/**
 * What the RTCP of the two sides says in passing: round trip per leg (RFC 3550 §6.4.1, RFC 3611 §4.5) and how each
 * far end hears the other. We stand in the middle, so a leg's round trip is: now, minus when the report that the
 * answer names passed us on its way there, minus the time the far end held it.
 */
import type { ReportBlock, RtcpPacket } from "./rtcp.ts";
import { readRtcp } from "./rtcp.ts";
import type { DelayReport, StatisticsSummary, VoipMetrics } from "./rtcp-xr.ts";

export type Side = "caller" | "callee";

/** Sender reports of one side that an answer may still name; one more, and the oldest is forgotten. */
export const REPORTS_REMEMBERED_MAX = 8;
/** A longer round trip is nobody's call: the numbers are wrong. */
export const ROUND_TRIP_MS_MAX = 60_000;
/** Clocks that run at different speeds may make a short round trip look negative by so much. */
const NEGATIVE_MS_MAX = 5;
const UNITS_PER_MS = 65.536;

/** How the far end of a leg hears what the other side sends (its last report). */
export interface FarEnd {
  readonly ssrc: number;
  /** Between its last two reports. */
  readonly loss_percent: number;
  /** Since the start; negative with more duplicates than losses. */
  readonly lost: number;
  /** Null when the clock of what it hears is not known. */
  readonly jitter_ms: number | null;
  readonly at_ms: number;
}

/** One leg: from us to the phone of that side. Null: its RTCP has not said so. */
export interface LegReport {
  readonly rtcp_packets: number;
  readonly round_trip_ms: number | null;
  readonly round_trip_mean_ms: number | null;
  readonly round_trip_max_ms: number | null;
  readonly round_trips: number;
  readonly far_end: FarEnd | null;
  readonly voip: VoipMetrics | null;
  readonly summary: StatisticsSummary | null;
  readonly cname: string | null;
  readonly said_bye: boolean;
}

export interface LegsReport {
  readonly caller: LegReport;
  readonly callee: LegReport;
  /** Phone to phone and back: the sum of both legs, null unless both are known. */
  readonly round_trip_ms: number | null;
  /** Datagrams that were no RTCP, and those that ended early. */
  readonly malformed: number;
  /** Answers that gave no possible round trip. */
  readonly impossible: number;
}

/** A report that passed us, by the name that answers give it. */
interface Passed {
  readonly ssrc: number;
  readonly ntp: number;
  readonly at_ms: number;
}

class Leg {
  rtcp_packets = 0;
  clock_hz = 0;
  round_trip_ms: number | null = null;
  sum_ms = 0;
  max_ms = 0;
  round_trips = 0;
  block: ReportBlock | null = null;
  block_at_ms = 0;
  voip: VoipMetrics | null = null;
  summary: StatisticsSummary | null = null;
  cname: string | null = null;
  said_bye = false;
  /** Reports that this side sent, oldest first. */
  readonly sent: Passed[] = [];

  passed(ssrc: number, ntp: number, at_ms: number): void {
    if (this.sent.length >= REPORTS_REMEMBERED_MAX) this.sent.shift();
    this.sent.push({ ssrc, ntp, at_ms });
  }

  report(heard_hz: number): LegReport {
    const { block, round_trips } = this;
    return {
      rtcp_packets: this.rtcp_packets,
      round_trip_ms: this.round_trip_ms,
      round_trip_mean_ms: round_trips > 0 ? this.sum_ms / round_trips : null,
      round_trip_max_ms: round_trips > 0 ? this.max_ms : null,
      round_trips,
      far_end: block && {
        ssrc: block.ssrc,
        loss_percent: block.loss_percent,
        lost: block.lost,
        jitter_ms: heard_hz > 0 ? (block.jitter * 1000) / heard_hz : null,
        at_ms: this.block_at_ms,
      },
      voip: this.voip,
      summary: this.summary,
      cname: this.cname,
      said_bye: this.said_bye,
    };
  }
}

export class RtcpLegs {
  readonly #caller = new Leg();
  readonly #callee = new Leg();
  #malformed = 0;
  #impossible = 0;

  /** The clock of the media that a side sends; the other side's jitter reports are in its units. 0: not known. */
  setClock(side: Side, clock_hz: number): void {
    this.#leg(side).clock_hz = clock_hz;
  }

  /** One RTCP datagram from a side, as it passes. Never throws; not for SRTCP. */
  packet(bytes: Uint8Array, from: Side, now_ms: number): void {
    const compound = readRtcp(bytes);
    if (!compound?.complete) this.#malformed++;
    if (compound === null) return;
    const leg = this.#leg(from);
    leg.rtcp_packets++;
    for (const packet of compound.packets) this.#take(packet, leg, now_ms);
  }

  snapshot(): LegsReport {
    const caller = this.#caller.report(this.#callee.clock_hz);
    const callee = this.#callee.report(this.#caller.clock_hz);
    const both = caller.round_trip_ms !== null && callee.round_trip_ms !== null;
    return {
      caller,
      callee,
      round_trip_ms: both ? caller.round_trip_ms + callee.round_trip_ms : null,
      malformed: this.#malformed,
      impossible: this.#impossible,
    };
  }

  #leg(side: Side): Leg {
    return side === "caller" ? this.#caller : this.#callee;
  }

  #take(packet: RtcpPacket, leg: Leg, now_ms: number): void {
    switch (packet.kind) {
      case "sr":
        leg.passed(packet.ssrc, packet.ntp, now_ms);
        this.#heard(packet.blocks, leg, now_ms);
        break;
      case "rr":
        this.#heard(packet.blocks, leg, now_ms);
        break;
      case "sdes":
        leg.cname = packet.cname;
        break;
      case "bye":
        leg.said_bye = true;
        break;
      case "xr": {
        const { voip, summaries, reference_time, delays } = packet.report;
        leg.voip = voip.at(-1) ?? leg.voip;
        leg.summary = summaries.at(-1) ?? leg.summary;
        if (reference_time !== null) leg.passed(packet.ssrc, reference_time, now_ms);
        for (const delay of delays) this.#held(delay, leg, now_ms);
      }
    }
  }

  #heard(blocks: readonly ReportBlock[], leg: Leg, now_ms: number): void {
    for (const block of blocks) {
      leg.block = block;
      leg.block_at_ms = now_ms;
      this.#answered(block.ssrc, block.lsr, block.dlsr, leg, now_ms);
    }
  }

  #held({ ssrc, lrr, dlrr }: DelayReport, leg: Leg, now_ms: number): void {
    this.#answered(ssrc, lrr, dlrr, leg, now_ms);
  }

  /** RFC 3550 §6.4.1: A - LSR - DLSR, where LSR stands for the time at which that report passed us. */
  #answered(ssrc: number, ntp: number, delay: number, leg: Leg, now_ms: number): void {
    if (ntp === 0) return; // it has seen no report yet
    const other = leg === this.#caller ? this.#callee : this.#caller;
    const passed = other.sent.findLast((each) => each.ntp === ntp && each.ssrc === ssrc);
    if (passed === undefined) return;
    const ms = now_ms - passed.at_ms - delay / UNITS_PER_MS;
    if (ms < -NEGATIVE_MS_MAX || ms > ROUND_TRIP_MS_MAX) {
      this.#impossible++;
      return;
    }
    leg.round_trip_ms = Math.max(0, ms);
    leg.sum_ms += leg.round_trip_ms;
    leg.max_ms = Math.max(leg.max_ms, leg.round_trip_ms);
    leg.round_trips++;
  }
}
