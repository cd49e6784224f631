/**
 * The relay in this process: a pair of ports for each side of each stream of each call, what was measured of them,
 * and which calls have fallen silent.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Metrics } from "../base/metrics.ts";
import { CALLER } from "./call-media.ts";
import type {
  MediaPorts,
  MediaRelay,
  MediaReport,
  MediaSession,
  RemoteMedia,
  StreamReport,
} from "./media-session.ts";
import type { PortStock } from "./port-stock.ts";
import { streamQuality } from "./quality.ts";
import { RelayMetrics } from "./relay-metrics.ts";
import type { SideHost } from "./relay-side.ts";
import { RelaySide } from "./relay-side.ts";
import { RtcpLegs } from "./rtcp-legs.ts";

/** What a relay tells of calls by itself. */
export interface RelayObserver {
  /** Neither side has been heard for so long, though nobody is on hold. Told once. */
  silent(call: string, silent_ms: number): void;
  /** `address:port` of a phone that has got another one. */
  moved(call: string, key: string, from: string, to: string): void;
}

export interface LocalRelayParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly stock: PortStock;
  readonly observer: RelayObserver;
}

/** Streams of one call; more of them pass as they came. */
const STREAMS_MAX = 16;
const LOOK_MS = 1000;

export class LocalRelay implements MediaRelay {
  /** 0: never. */
  silence_ms = 0;
  readonly #parts: LocalRelayParts;
  readonly #metrics: RelayMetrics;
  readonly #sessions = new Set<Session>();
  #alarm: Alarm | null = null;

  constructor(parts: LocalRelayParts) {
    this.#parts = parts;
    this.#metrics = new RelayMetrics(parts.metrics);
    parts.metrics.gauge("sipedge_media_calls", "Calls that are relayed", () => this.#sessions.size);
  }

  open(call: string): MediaSession {
    const session = new Session(call, this.#parts, this.#metrics, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    this.#look();
    return session;
  }

  hold(addresses: readonly string[]): void {
    this.#parts.stock.hold(addresses);
  }

  close(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    for (const session of this.#sessions) void session.close();
    this.#parts.stock.close();
  }

  #look(): void {
    this.#alarm ??= this.#parts.clock.after(LOOK_MS, () => {
      this.#alarm = null;
      if (this.silence_ms > 0) for (const session of this.#sessions) this.#listen(session);
      if (this.#sessions.size > 0) this.#look();
    });
  }

  #listen(session: Session): void {
    const silent_ms = session.silentFor(this.#parts.clock.now());
    if (silent_ms < this.silence_ms || session.wasSilent) return;
    session.wasSilent = true;
    this.#parts.observer.silent(session.call, silent_ms);
  }
}

/** One m= line: the caller's side, and one of each callee. */
class Stream implements SideHost {
  readonly legs = new RtcpLegs();
  readonly sides = new Map<string, RelaySide>();
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  otherOf(side: RelaySide): RelaySide | null {
    if (side.key === CALLER) return this.sides.get(this.#session.callee ?? "") ?? this.#described();
    return this.#session.speaks(side.key) ? (this.sides.get(CALLER) ?? null) : null;
  }

  moved(side: RelaySide, from: string, to: string): void {
    this.#session.moved(side, from, to);
  }

  /** Nobody has spoken yet: the first callee that said where it listens, for it may wait to be spoken to. */
  #described(): RelaySide | null {
    for (const side of this.sides.values()) if (side.key !== CALLER && side.remote !== null) return side;
    return null;
  }
}

class Session implements MediaSession {
  readonly call: string;
  wasSilent = false;
  readonly #parts: LocalRelayParts;
  readonly #metrics: RelayMetrics;
  readonly #streams: (Stream | undefined)[] = [];
  readonly #closed: () => void;
  /** The callee that took the call; null: nobody yet. */
  #chosen: string | null = null;
  /** The first callee that sent media before. */
  #early: string | null = null;
  #isClosed = false;

  constructor(call: string, parts: LocalRelayParts, metrics: RelayMetrics, closed: () => void) {
    this.call = call;
    this.#parts = parts;
    this.#metrics = metrics;
    this.#closed = closed;
  }

  side(number: number, key: string, local_address: string): MediaPorts | null {
    if (number >= STREAMS_MAX || this.#isClosed) return null;
    const stream = this.#streams[number] ?? new Stream(this);
    this.#streams[number] = stream;
    let side = stream.sides.get(key);
    if (side === undefined) {
      const pair = this.#parts.stock.take(local_address);
      if (pair === null) return null;
      const parts = { clock: this.#parts.clock, metrics: this.#metrics, host: stream, legs: stream.legs };
      side = new RelaySide(parts, key, key === CALLER ? "caller" : "callee", pair);
      stream.sides.set(key, side);
    }
    return { rtp_port: side.pair.port, rtcp_port: side.pair.port + 1 };
  }

  setRemote(number: number, key: string, remote: RemoteMedia): void {
    this.#streams[number]?.sides.get(key)?.describe(remote);
  }

  choose(key: string): void {
    this.#chosen = key;
  }

  drop(key: string): void {
    if (this.#early === key) this.#early = null;
    for (const stream of this.#streams) {
      const side = stream?.sides.get(key);
      if (stream === undefined || side === undefined) continue;
      stream.sides.delete(key);
      this.#parts.stock.release(side.pair);
    }
  }

  get latest(): MediaReport {
    const now = this.#parts.clock.now();
    const streams = this.#streams.flatMap((stream, number) =>
      stream === undefined
        ? []
        : [...stream.sides.values()].map((side) => reportOf(side, stream, number, now)),
    );
    return { streams };
  }

  close(): Promise<MediaReport | null> {
    const report = this.latest;
    if (!this.#isClosed) {
      this.#isClosed = true;
      for (const stream of this.#streams)
        for (const { pair } of stream?.sides.values() ?? []) this.#parts.stock.release(pair);
      this.#streams.length = 0;
      this.#closed();
    }
    return Promise.resolve(report);
  }

  /** The callee that took the call or spoke first, to whom the caller's media goes; null: none yet. */
  get callee(): string | null {
    return this.#chosen ?? this.#early;
  }

  /** A callee has sent media: whether the caller gets it. */
  speaks(key: string): boolean {
    if (this.#chosen !== null) return key === this.#chosen;
    this.#early ??= key;
    return key === this.#early;
  }

  moved({ key }: RelaySide, from: string, to: string): void {
    this.#metrics.moves.inc();
    this.#parts.observer.moved(this.call, key, from, to);
  }

  /** How long nobody was heard; 0 while somebody is on hold, or nobody has taken the call. */
  silentFor(now: number): number {
    if (this.#chosen === null) return 0;
    let heard = Number.NEGATIVE_INFINITY;
    for (const stream of this.#streams)
      for (const { heard_ms, remote } of stream?.sides.values() ?? []) {
        if (remote !== null && (remote.address === null || remote.direction !== "sendrecv")) return 0;
        heard = Math.max(heard, heard_ms);
      }
    return heard === Number.NEGATIVE_INFINITY ? 0 : now - heard;
  }
}

function reportOf(side: RelaySide, { legs }: Stream, stream: number, now: number): StreamReport {
  const { address, port } = side.latch;
  const snapshot = side.meter.snapshot(now);
  const { payload_type } = snapshot;
  const codec = payload_type === null ? null : side.types.codec(payload_type);
  const rtcp = legs.snapshot();
  const { round_trip_ms } = rtcp;
  const { far_end } = rtcp[side.role === "caller" ? "callee" : "caller"];
  const quality = streamQuality(snapshot, codec, round_trip_ms, side.remote?.ptime_ms ?? undefined);
  const hasAny = snapshot.expected > 0;
  return {
    stream,
    from: side.role,
    codec: snapshot.codec,
    packets: snapshot.packets,
    bytes: snapshot.bytes,
    loss_percent: hasAny ? snapshot.loss_percent : null,
    jitter_ms: snapshot.jitter_mean_ms,
    jitter_max_ms: snapshot.jitter_max_ms,
    round_trip_ms,
    leg_round_trip_ms: rtcp[side.role].round_trip_ms,
    far_loss_percent: far_end?.loss_percent ?? null,
    far_jitter_ms: far_end?.jitter_ms ?? null,
    r_lq: quality?.r_lq ?? null,
    r_cq: quality?.r_cq ?? null,
    mos_lqe: quality?.mos_lqe ?? null,
    mos_cqe: quality?.mos_cqe ?? null,
    mos_simple: quality?.mos_simple ?? null,
    scale: quality?.scale ?? null,
    out_of_order: snapshot.reordered,
    duplicates: snapshot.duplicates,
    source: address === null ? null : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    refused: side.refused,
  };
}
