/**
 * One side of one stream of a relayed call: what its phone sends comes here, is measured, and goes on as it came from
 * the other side's ports (symmetric RTP, RFC 4961). Bytes are never changed.
 */
import type { Clock } from "../base/clock.ts";
import { PayloadTypes } from "./codecs.ts";
import { Latch } from "./latch.ts";
import type { RemoteMedia } from "./media-session.ts";
import type { PairUser, PortPair } from "./port-stock.ts";
import type { RelayMetrics } from "./relay-metrics.ts";
import type { RtcpLegs, Side } from "./rtcp-legs.ts";
import { isRtcp, isRtp, payloadType, ssrc } from "./rtp.ts";
import { RtpStream } from "./rtp-stream.ts";

/** What a side needs of its call. */
export interface SideHost {
  /** Where what this side sends goes; null: nowhere now. */
  otherOf(side: RelaySide): RelaySide | null;
  /** The phone of this side is heard from another address than before. */
  moved(side: RelaySide, from: string, to: string): void;
}

export interface SideParts {
  readonly clock: Clock;
  readonly metrics: RelayMetrics;
  readonly host: SideHost;
  /** Of both sides of the stream. */
  readonly legs: RtcpLegs;
}

/** First bytes of DTLS records (RFC 7983 §7). */
const DTLS_FIRST = 20;
const DTLS_LAST = 63;

export class RelaySide implements PairUser {
  readonly key: string;
  readonly role: Side;
  readonly pair: PortPair;
  readonly meter: RtpStream;
  readonly latch = new Latch();
  readonly #rtcpLatch = new Latch();
  readonly #parts: SideParts;
  remote: RemoteMedia | null = null;
  types = new PayloadTypes();
  #payloads: ReadonlySet<number> | null = null;
  /** When its phone was last heard, `clock.now()`. */
  heard_ms: number;
  /** Datagrams that were not passed on, because they came from elsewhere or were no media. */
  refused = 0;

  constructor(parts: SideParts, key: string, role: Side, pair: PortPair) {
    this.#parts = parts;
    this.key = key;
    this.role = role;
    this.pair = pair;
    this.heard_ms = parts.clock.now();
    this.meter = new RtpStream(this.types, pair.address.includes(":") ? 6 : 4);
    pair.user = this;
  }

  /** It has described itself, perhaps anew. */
  describe(remote: RemoteMedia): void {
    const before = this.remote;
    this.remote = remote;
    this.heard_ms = this.#parts.clock.now();
    this.#payloads = remote.payloads === null ? null : new Set(remote.payloads.map(({ type }) => type));
    this.types = new PayloadTypes(remote.payloads ?? []);
    this.meter.describe(this.types, this.pair.address.includes(":") ? 6 : 4);
    this.#parts.legs.setClock(this.role, remote.payloads?.[0]?.clock_hz ?? 0);
    if (before !== null && isSamePlace(before, remote)) return;
    // One that says where it is: there, at once. One behind a NAT: where it was, until it is heard from elsewhere.
    for (const latch of [this.latch, this.#rtcpLatch])
      if (remote.is_nat) latch.loosen();
      else latch.forget();
  }

  rtp(bytes: Buffer, port: number, address: string): void {
    const { remote } = this;
    if (remote === null) return this.#refuse("unexpected");
    if (remote.is_rtp && isRtcp(bytes)) return this.#rtcp(bytes, port, address, this.latch);
    const isMedia = !remote.is_rtp || isRtp(bytes);
    if (!isMedia && !isDtls(bytes)) return this.#refuse("no_media");
    const now = this.#parts.clock.now();
    const source = remote.is_rtp && isMedia ? ssrc(bytes) : 0;
    if (!this.#hear(this.latch, isMedia ? bytes : null, port, address, source, now)) return;
    if (remote.is_rtp && isMedia) this.meter.packet(bytes, now);
    this.heard_ms = now;
    this.#parts.host.otherOf(this)?.pass(bytes);
  }

  rtcp(bytes: Buffer, port: number, address: string): void {
    if (this.remote === null) return this.#refuse("unexpected");
    if (!isRtcp(bytes) && !isDtls(bytes)) return this.#refuse("no_media");
    this.#rtcp(bytes, port, address, this.#rtcpLatch);
  }

  /** Sends to the phone of this side. */
  pass(bytes: Buffer): void {
    const { latch, remote } = this;
    if (remote === null || remote.address === null) return; // it is on hold in the old way (RFC 3264 §8.4)
    if (latch.address !== null) this.#send(bytes, latch.port, latch.address);
    else if (!remote.is_nat) this.#send(bytes, remote.rtp_port, remote.address);
    else this.#parts.metrics.dropped("not_heard_yet");
  }

  /** The same for RTCP; to one who muxes, on the port of RTP (RFC 5761). */
  passRtcp(bytes: Buffer): void {
    const { remote } = this;
    if (remote === null || remote.address === null) return;
    if (remote.is_mux) return this.pass(bytes);
    const latch = this.#rtcpLatch;
    const { rtcp } = this.pair;
    if (latch.address !== null) this.#count(rtcp.send(bytes, latch.port, latch.address), bytes);
    else if (!remote.is_nat && remote.rtcp_port > 0)
      this.#count(rtcp.send(bytes, remote.rtcp_port, remote.address), bytes);
  }

  #rtcp(bytes: Buffer, port: number, address: string, latch: Latch): void {
    const now = this.#parts.clock.now();
    if (!this.#hear(latch, null, port, address, 0, now)) return;
    this.#parts.legs.packet(bytes, this.role, now);
    this.#parts.host.otherOf(this)?.passRtcp(bytes);
  }

  /** `media`: null for RTCP and DTLS. False: it was refused. */
  #hear(
    latch: Latch,
    media: Buffer | null,
    port: number,
    address: string,
    source: number,
    now: number,
  ): boolean {
    const before = latch.address;
    const beforePort = latch.port;
    const isOwn = this.#isOwn(address) && (media === null || this.#isExpected(media));
    const verdict = latch.hear(address, port, source, isOwn, now);
    if (verdict === "refused") {
      this.#refuse("stranger");
      return false;
    }
    if (verdict === "moved" && latch === this.latch)
      this.#parts.host.moved(this, `${before}:${beforePort}`, `${address}:${port}`);
    return true;
  }

  /** An address that it names itself, from which it signals, or (for RTCP) from which its RTP comes. */
  #isOwn(address: string): boolean {
    const { latch, remote } = this;
    if (remote === null) return false;
    if (remote.is_anywhere) return true;
    return address === remote.address || address === remote.signalling_address || address === latch.address;
  }

  #isExpected(bytes: Buffer): boolean {
    return this.#payloads === null || !this.remote?.is_rtp || this.#payloads.has(payloadType(bytes));
  }

  #send(bytes: Buffer, port: number, address: string): void {
    this.#count(this.pair.rtp.send(bytes, port, address), bytes);
  }

  #count(isSent: boolean, bytes: Buffer): void {
    if (isSent) this.#parts.metrics.relayed(bytes.length);
    else this.#parts.metrics.dropped("send_failed");
  }

  #refuse(why: "stranger" | "no_media" | "unexpected"): void {
    this.refused++;
    this.#parts.metrics.dropped(why);
  }
}

/** Whether it says that it is where it was. */
function isSamePlace(before: RemoteMedia, now: RemoteMedia): boolean {
  return (
    before.address === now.address &&
    before.rtp_port === now.rtp_port &&
    before.signalling_address === now.signalling_address
  );
}

function isDtls(bytes: Buffer): boolean {
  const first = bytes[0] ?? 0;
  return first >= DTLS_FIRST && first <= DTLS_LAST;
}
