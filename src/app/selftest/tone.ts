/**
 * The media of a test phone: a tone in G.711 as RTP (RFC 3550, RFC 3551 §4.5.14), and what is heard of the other's.
 */
import type { Alarm, Clock } from "../../base/clock.ts";
import type { Dice } from "../../base/dice.ts";
import { PayloadTypes } from "../../media/codecs.ts";
import type { MediaSocket } from "../../media/port-stock.ts";
import { streamQuality } from "../../media/quality.ts";
import { headerLength, isRtp, payloadType, RTP_HEADER_BYTES } from "../../media/rtp.ts";
import { RtpStream } from "../../media/rtp-stream.ts";

export const PCMU = 0;
export const PCMA = 8;
const SAMPLES_HZ = 8000;
const PACKET_MS = 20;
const PACKET_SAMPLES = (SAMPLES_HZ * PACKET_MS) / 1000;
const AMPLITUDE = 8000;
/** Whole periods in a packet: each of its packets has the same payload, and no other tone has it. */
export const CALLER_HZ = 400;
export const CALLEE_HZ = 1000;

export interface Heard {
  readonly packets: number;
  /** Packets that were not the other phone's tone. */
  readonly others: number;
  readonly loss_percent: number;
  readonly jitter_ms: number;
  /** Listening quality by the E-model; null: nothing was heard. */
  readonly mos: number | null;
}

export interface ToneParts {
  readonly clock: Clock;
  readonly dice: Dice;
}

/** One phone's side of the media. */
export class Tone {
  readonly #clock: Clock;
  readonly #payload: (type: number) => Uint8Array;
  readonly #other: (type: number) => Uint8Array;
  readonly #types = new PayloadTypes();
  readonly #stream = new RtpStream(this.#types);
  readonly #packet = Buffer.alloc(RTP_HEADER_BYTES + PACKET_SAMPLES);
  #sequence: number;
  #timestamp = 0;
  #others = 0;
  sent = 0;

  /** Sends a tone of one frequency, and listens for the other. */
  constructor({ clock, dice }: ToneParts, own_hz: number, other_hz: number) {
    this.#clock = clock;
    this.#payload = payloadOf(own_hz);
    this.#other = payloadOf(other_hz);
    this.#sequence = Math.floor(dice.fraction() * 0x8000);
    this.#packet.set(dice.bytes(4), 8); // SSRC
  }

  /** A datagram that came to the phone's RTP port. */
  heard(bytes: Buffer): void {
    this.#stream.packet(bytes, this.#clock.now());
    if (!isRtp(bytes)) return;
    const expected = this.#other(payloadType(bytes));
    if (Buffer.compare(bytes.subarray(headerLength(bytes)), expected) !== 0) this.#others++;
  }

  /** Sends for `ms`; `done` follows the last packet. The packets keep their pace also where timers are late. */
  play(socket: MediaSocket, to: { address: string; port: number; type: number }, ms: number): Playing {
    const { promise, resolve } = Promise.withResolvers<void>();
    const payload = this.#payload(to.type);
    const began = this.#clock.now();
    const count = Math.round(ms / PACKET_MS);
    let alarm: Alarm | null = null;
    let sent = 0;
    const next = (): void => {
      const due = Math.min(count, Math.floor((this.#clock.now() - began) / PACKET_MS) + 1);
      for (; sent < due; sent++) socket.send(this.#next(to.type, payload), to.port, to.address);
      if (sent === count) resolve();
      else alarm = this.#clock.after(began + sent * PACKET_MS - this.#clock.now(), next);
    };
    next();
    return { done: promise, stop: () => alarm?.cancel() };
  }

  report(): Heard {
    const seen = this.#stream.snapshot(this.#clock.now());
    const codec = seen.payload_type === null ? null : this.#types.codec(seen.payload_type);
    return {
      packets: seen.packets,
      others: this.#others,
      loss_percent: seen.missing_percent,
      jitter_ms: seen.jitter_mean_ms ?? 0,
      mos: streamQuality(seen, codec, null)?.mos_lqe ?? null,
    };
  }

  #next(type: number, payload: Uint8Array): Uint8Array {
    const packet = Buffer.from(this.#packet);
    packet[0] = 0x80;
    packet[1] = type | (this.sent === 0 ? 0x80 : 0); // the marker begins a talk spurt
    packet.writeUInt16BE(this.#sequence++ & 0xffff, 2);
    packet.writeUInt32BE(this.#timestamp, 4);
    packet.set(payload, RTP_HEADER_BYTES);
    this.#timestamp += PACKET_SAMPLES;
    this.sent++;
    return packet;
  }
}

export interface Playing {
  readonly done: Promise<void>;
  stop(): void;
}

function payloadOf(hz: number): (type: number) => Uint8Array {
  const samples = Array.from({ length: PACKET_SAMPLES }, (_, i) =>
    Math.round(AMPLITUDE * Math.sin((2 * Math.PI * hz * i) / SAMPLES_HZ)),
  );
  const [a, u] = [Uint8Array.from(samples, aLaw), Uint8Array.from(samples, muLaw)];
  return (type) => (type === PCMU ? u : a);
}

/** ITU-T G.711 table 1: sign, segment and step of a 13-bit sample, every second bit inverted. */
function aLaw(sample: number): number {
  const isPositive = sample >= 0;
  const magnitude = Math.min(0xfff, (isPositive ? sample : -sample - 1) >> 3);
  const segment = Math.max(0, 27 - Math.clz32(magnitude));
  const step = (magnitude >> Math.max(1, segment)) & 0x0f;
  return ((segment << 4) | step) ^ (isPositive ? 0xd5 : 0x55);
}

/** ITU-T G.711 table 2: the same of a 14-bit sample with a bias, all bits inverted. */
function muLaw(sample: number): number {
  const magnitude = Math.min(0x1fff, Math.abs(sample) >> 2) + 33;
  const segment = 26 - Math.clz32(Math.min(0x1fff, magnitude));
  const step = (magnitude >> (segment + 1)) & 0x0f;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
}
