/** RTP and RTCP packets for tests, and seeded traffic with loss, duplicates, reordering and jitter. */
import { SeededDice } from "../support/seeded-dice.ts";

export interface RtpFields {
  readonly seq?: number;
  readonly timestamp?: number;
  readonly ssrc?: number;
  readonly type?: number;
  readonly marker?: boolean;
  readonly payload_bytes?: number;
}

export const SSRC = 0x1234abcd;

/** G.711, 20 ms, unless the fields say otherwise; numbers wrap. */
export function rtp(fields: RtpFields = {}): Buffer {
  const bytes = Buffer.alloc(12 + (fields.payload_bytes ?? 160));
  bytes[0] = 0x80;
  bytes[1] = (fields.marker ? 0x80 : 0) | (fields.type ?? 0);
  bytes.writeUInt16BE((fields.seq ?? 0) & 0xffff, 2);
  bytes.writeUInt32BE((fields.timestamp ?? 0) >>> 0, 4);
  bytes.writeUInt32BE(fields.ssrc ?? SSRC, 8);
  return bytes;
}

/** Packet `n` of an even G.711 stream. */
export function g711(n: number, fields: RtpFields = {}): Buffer {
  return rtp({ seq: n, timestamp: n * 160, ...fields });
}

export interface Arrival {
  readonly at_ms: number;
  readonly bytes: Buffer;
}

export interface Path {
  readonly seed: number;
  readonly packets: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly jitter_ms: number;
  readonly first_seq?: number;
  readonly first_timestamp?: number;
  readonly ssrc?: number;
  readonly start_ms?: number;
}

const LATE_MS = 50;
/** Its ends are clean, so that counts do not depend on how a tool takes the first and the last packet. */
const CLEAN = 10;

/** An even G.711 stream through a path that loses, repeats, delays and reorders; times are whole microseconds. */
export function traffic(path: Path): Arrival[] {
  const dice = new SeededDice(path.seed);
  const arrivals: Arrival[] = [];
  for (let n = 0; n < path.packets; n++) {
    const clean = n < CLEAN || n >= path.packets - CLEAN;
    const chance = (rate: number) => dice.fraction() < rate && !clean;
    let at_ms = (path.start_ms ?? 0) + n * 20 + dice.fraction() * path.jitter_ms;
    if (chance(path.loss)) continue;
    if (chance(path.reorder)) at_ms += LATE_MS;
    const bytes = rtp({
      seq: (path.first_seq ?? 0) + n,
      timestamp: (path.first_timestamp ?? 0) + n * 160,
      ssrc: path.ssrc ?? SSRC,
      marker: n % 40 === 39,
    });
    arrivals.push({ at_ms: Math.round(at_ms * 1000) / 1000, bytes });
    if (chance(path.duplicate)) arrivals.push({ at_ms: Math.round((at_ms + 1) * 1000) / 1000, bytes });
  }
  return arrivals.sort((a, b) => a.at_ms - b.at_ms);
}

/** One RTCP packet: words behind the header as given; the length follows from them. */
export function rtcp(type: number, count: number, body: Buffer): Buffer {
  const head = Buffer.from([0x80 | count, type, 0, 0]);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

/** A reception report block (RFC 3550 §6.4.1); `fraction` of 256. */
export function block(fields: {
  readonly ssrc: number;
  readonly fraction?: number;
  readonly lost?: number;
  readonly highest?: number;
  readonly jitter?: number;
  readonly lsr?: number;
  readonly dlsr?: number;
}): Buffer {
  const { ssrc, fraction = 0, lost = 0, highest = 0, jitter = 0, lsr = 0, dlsr = 0 } = fields;
  return words(ssrc, (fraction << 24) | (lost & 0xffffff), highest, jitter, lsr, dlsr);
}

/** A sender report whose NTP time has `ntp` as its middle 32 bits. */
export function sr(ssrc: number, ntp: number, ...blocks: readonly Buffer[]): Buffer {
  const time = [ntp >>> 16, (ntp & 0xffff) << 16];
  return rtcp(200, blocks.length, Buffer.concat([words(ssrc, ...time, 8000, 50, 8000), ...blocks]));
}

export function rr(ssrc: number, ...blocks: readonly Buffer[]): Buffer {
  return rtcp(201, blocks.length, Buffer.concat([words(ssrc), ...blocks]));
}

export function sdes(ssrc: number, cname: string): Buffer {
  const text = Buffer.from(cname);
  const item = Buffer.concat([Buffer.from([1, text.length]), text]);
  const chunk = Buffer.alloc(Math.ceil((item.length + 1) / 4) * 4);
  item.copy(chunk);
  return rtcp(202, 1, Buffer.concat([words(ssrc), chunk]));
}

/** An extended report (RFC 3611 §2) with whole blocks. */
export function xr(ssrc: number, ...blocks: readonly Buffer[]): Buffer {
  return rtcp(207, 0, Buffer.concat([words(ssrc), ...blocks]));
}

/** One XR block (RFC 3611 §3). */
export function xrBlock(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.from([type, flags, 0, 0]);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
}
