/**
 * What the SIP side asks of whoever relays the media of a call: ports for each side of each stream, and what came of
 * it. Everything is answered at once; the packets themselves go elsewhere.
 */
import type { Direction } from "../message/sdp-section.ts";

/** Where a side is to send its media. */
export interface MediaPorts {
  readonly rtp_port: number;
  readonly rtcp_port: number;
}

/** What a session description says of one stream of one side. */
export interface RemoteMedia {
  /** Null: to nobody (0.0.0.0). */
  readonly address: string | null;
  readonly rtp_port: number;
  /** 0: it wants none. */
  readonly rtcp_port: number;
  readonly is_mux: boolean;
  /** Otherwise any datagram is its media (T.38, DTLS). */
  readonly is_rtp: boolean;
  /** As that side says it: `sendonly` has put the other on hold. */
  readonly direction: Direction;
  /** Null: any payload type may come. */
  readonly payloads:
    | readonly {
        readonly type: number;
        readonly name: string;
        /** Hz; 0 when unknown. */
        readonly clock_hz: number;
      }[]
    | null;
  readonly ptime_ms: number | null;
  readonly signalling_address: string;
  /** Whether it may send from another address than it says, being behind a NAT. */
  readonly is_nat: boolean;
  /** Whether its first packet is believed wherever it comes from. */
  readonly is_anywhere: boolean;
}

/** What is measured of one call. */
export interface MediaMeter {
  /** The last measurement, at most some seconds old; null: none yet. */
  readonly latest: MediaReport | null;
  /** Ends the relaying; the last measurement. */
  close(): Promise<MediaReport | null>;
}

/** The relay of one call. */
export interface MediaSession extends MediaMeter {
  /** The ports of a side of a stream, the same at each call; opens them the first time. Null: none are free. */
  side(stream: number, key: string, local_address: string): MediaPorts | null;
  /** What that side says of itself; each call lets it move to another address. */
  setRemote(stream: number, key: string, remote: RemoteMedia): void;
  /** The callee whose media the caller gets from now on; before, it gets the first callee's that sends any. */
  choose(key: string): void;
  /** Closes the ports of a callee that does not take part any more. */
  drop(key: string): void;
}

/** Makes sessions. */
export interface MediaRelay {
  /** Local addresses on which ports will be asked for; from others none can be had. */
  hold(addresses: readonly string[]): void;
  /** Null: it cannot take another call. `call`: names it in what is told back. */
  open(call: string): MediaSession | null;
}

/** What was measured of a call. */
export interface MediaReport {
  readonly streams: readonly StreamReport[];
}

/** One direction of one stream. */
export interface StreamReport {
  readonly stream: number;
  /** Who sends it. */
  readonly from: "caller" | "callee";
  /** Encoding name in lower case; "" when unknown. */
  readonly codec: string;
  readonly packets: number;
  readonly bytes: number;
  /** RFC 3550 §6.4.1, in percent of what was expected; null: nothing was yet. */
  readonly loss_percent: number | null;
  /** Interarrival jitter: its mean and its maximum. */
  readonly jitter_ms: number | null;
  readonly jitter_max_ms: number | null;
  /** Phone to phone and back, from RTCP; null: it does not say. */
  readonly round_trip_ms: number | null;
  /** Between us and the phone that sends this, and back. */
  readonly leg_round_trip_ms: number | null;
  /** What the phone that hears this says in its last report of what it lost of it, and of its jitter. */
  readonly far_loss_percent: number | null;
  readonly far_jitter_ms: number | null;
  /** ITU-T G.107 without delay, and with it; null: the codec has no values, or `round_trip_ms` is not known. */
  readonly r_lq: number | null;
  readonly r_cq: number | null;
  /** Listening and conversational quality, estimated from them (ITU-T P.800.1). */
  readonly mos_lqe: number | null;
  readonly mos_cqe: number | null;
  /** By the simple formula that many tools use: no codec, no bursts. */
  readonly mos_simple: number | null;
  /** The band of the codec, for which the MOS stands (ITU-T P.800.1): narrow, wide, super-wide, full. */
  readonly scale: "N" | "W" | "S" | "F" | null;
  readonly out_of_order: number;
  readonly duplicates: number;
  /** `address:port` it comes from; null: nothing has come. */
  readonly source: string | null;
  /** Packets to this side's port that came from somewhere else, or were no media. */
  readonly refused: number;
}
