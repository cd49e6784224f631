/**
 * One stream connection as a Flow: framing of what comes, a bounded queue for what leaves, and one
 * end. It knows nothing of how the bytes travel: that is its Wire.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow, FlowObserver, LocalEndpoint, TransportName } from "../base/flow.ts";
import type { FramingLimits } from "../message/framing.ts";
import { FramingFault, StreamFramer } from "../message/framing.ts";
import { provesName } from "./certificate-names.ts";
import { flowId } from "./endpoint.ts";
import { SendQueue } from "./send-queue.ts";
import type { CloseReason, TransportMetrics } from "./transport-metrics.ts";

/** A socket, whichever kind. None of these throws or calls back before it returns. */
export interface Wire {
  /** How many of the bytes were taken; after fewer than all, `drained` follows. -1: closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN behind what was taken; reading goes on. */
  finish(): void;
  /** Closes: what was taken still leaves. */
  close(): void;
  /** Closes with RST: what was taken is thrown away. */
  reset(): void;
}

export interface TcpOptions extends FramingLimits {
  /** Connections of the whole appliance, both directions. */
  readonly connections_max: number;
  /** Accepted connections per peer address (IPv6: per /64). */
  readonly connections_per_address_max: number;
  /** A connection that moves nothing for so long is closed (RFC 3261 §18: at least 64*T1). */
  readonly idle_s: number;
  /** A connection that was accepted must bring a first message within so long. */
  readonly first_message_s: number;
  /** A message must be complete so long after its first byte. */
  readonly partial_message_s: number;
  readonly connect_timeout_ms: number;
  /** Bytes that may wait for one slow peer. */
  readonly queue_bytes_max: number;
}

/** What a connection needs of the table it lives in. */
export interface ConnectionOwner {
  readonly clock: Clock;
  readonly metrics: TransportMetrics;
  readonly options: TcpOptions;
  /** Hands a message to the receiver; never throws. */
  deliver(bytes: Buffer, connection: Connection): void;
  /** Hands a broken stream's head to the receiver; never throws. */
  deliverBroken(fault: FramingFault, connection: Connection): void;
  established(connection: Connection): void;
  /** Forgets the connection and tells the watchers at the end of the turn. */
  closed(connection: Connection, reason: CloseReason, watchers: ReadonlySet<FlowObserver> | null): void;
}

export type ConnectionState = "connecting" | "open" | "finishing" | "closed";

/** How long a connection may take to send its last words and see the peer's FIN. */
const FINISH_MS_MAX = 3000;
const PONG = Buffer.from("\r\n");
/** A double CRLF. */
const PING_BYTES = 4;
/** Ends after which nothing more is owed to the peer, and kernel memory should not be either. */
const ABRUPT: ReadonlySet<CloseReason> = new Set([
  "queue_full",
  "partial_message_stalled",
  "connect_timeout",
  "certificate_refused",
  "banned",
  "no_message",
]);

/** CR and LF only (RFC 5626 §3.5.1). */
function isBlank(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 13 && bytes[i] !== 10) return false;
  return true;
}

export class Connection implements Flow {
  readonly transport: TransportName;
  readonly local: LocalEndpoint;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly reliable = true;
  readonly id: string;
  readonly outgoing: boolean;
  /** What the peer's certificate proves (RFC 5922 §7); null: it showed none that was checked. */
  names: readonly string[] | null = null;
  /** The other name it has in the table; null: none. */
  alias: string | null = null;
  /** The domain that an outgoing TLS connection is for. */
  serverName: string | null = null;
  /** Unix milliseconds of its beginning. */
  readonly since: number;
  bytesIn = 0;
  bytesOut = 0;
  messagesIn = 0;
  readonly #owner: ConnectionOwner;
  readonly #framer: StreamFramer;
  readonly #queue = new SendQueue();
  #wire: Wire | null = null;
  #state: ConnectionState = "connecting";
  #watchers: Set<FlowObserver> | null = null;
  readonly #acceptedAt: number;
  /** When bytes moved last; while connecting or finishing: when that began. */
  #movedAt: number;
  /** When the first byte came of the message that is still incomplete. */
  #partialSince: number | null = null;
  #finishReason: CloseReason = "shutdown";

  constructor(
    owner: ConnectionOwner,
    local: LocalEndpoint,
    remote: { address: string; port: number; number: number; outgoing: boolean },
  ) {
    this.#owner = owner;
    this.transport = local.transport;
    this.local = local;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.outgoing = remote.outgoing;
    this.id = `${flowId(local, remote.address, remote.port)}#${remote.number}`;
    this.since = owner.clock.wall();
    this.#movedAt = owner.clock.now();
    this.#acceptedAt = this.#movedAt;
    this.#framer = new StreamFramer(owner.options);
  }

  get open(): boolean {
    return this.#state === "connecting" || this.#state === "open";
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether what is meant for this domain may go over it: nobody else can be at its other end (RFC 5923 §5). */
  isFor(name: string): boolean {
    if (this.transport !== "tls" && this.transport !== "wss") return true;
    return this.serverName === name || (this.names !== null && provesName(this.names, name));
  }

  /** Bytes that wait for the peer to read. */
  get queued(): number {
    return this.#queue.bytes;
  }

  /** Milliseconds since bytes moved. */
  get idle_ms(): number {
    return this.#owner.clock.now() - this.#movedAt;
  }

  /** The bytes are kept until they have left: they must not change. */
  send(bytes: Uint8Array): boolean {
    if (!this.open) {
      this.#owner.metrics.tcpSendFailed("closed");
      return false;
    }
    const taken = this.#state === "open" && this.#queue.bytes === 0 ? this.#write(bytes) : 0;
    if (taken < bytes.length && !this.#enqueue(bytes, taken)) return false;
    this.#owner.metrics.tcpSent.inc();
    return true;
  }

  /** Told once, at the end of the event-loop turn in which the connection closes; never from inside `send`. */
  watch(observer: FlowObserver): void {
    if (this.#state === "closed") return;
    this.#watchers ??= new Set();
    this.#watchers.add(observer);
  }

  unwatch(observer: FlowObserver): void {
    this.#watchers?.delete(observer);
  }

  toPort(_port: number): null {
    return null;
  }

  /** The wire is there, accepted or still connecting. */
  attach(wire: Wire): void {
    if (this.#state === "connecting") this.#wire = wire;
    else wire.close();
  }

  /** The wire works: sends what waited for that. */
  connected(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#movedAt = this.#owner.clock.now();
    this.#owner.established(this);
    this.drained();
  }

  /** The wire takes bytes again. */
  drained(): void {
    if (this.#state === "connecting" || this.#queue.bytes === 0) return;
    const empty = this.#queue.flush((bytes) => this.#write(bytes));
    if (empty && this.#state === "finishing") this.#wire?.finish();
  }

  /** Bytes from the peer. */
  received(segment: Buffer): void {
    if (!this.#isReading()) return; // what comes behind a broken message is read and thrown away
    const now = this.#owner.clock.now();
    this.bytesIn += segment.length;
    this.#movedAt = now;
    this.#framer.feed(segment);
    let frames = 0;
    for (let frame = this.#framer.next(); frame !== null; frame = this.#framer.next()) {
      frames++;
      if (frame instanceof FramingFault) this.#broken(frame);
      else if (frame === "ping") this.#answerPing();
      else if (frame === "pong") this.#owner.metrics.pongs.inc();
      else this.#message(frame);
      if (!this.#isReading()) return; // closed by what that led to
    }
    if (!this.#framer.partial) this.#partialSince = null;
    else if (frames > 0 || this.#partialSince === null) this.#partialSince = now;
  }

  /** A whole message from the peer, or what keeps the path open (RFC 5626 §4.4.1). */
  frame(bytes: Buffer): void {
    if (!this.#isReading()) return;
    this.bytesIn += bytes.length;
    this.alive();
    if (!isBlank(bytes)) this.#message(bytes);
    else if (bytes.length === PING_BYTES) this.#answerPing();
    else this.#owner.metrics.pongs.inc(); // what is answered by such a one, for ever
  }

  /** The peer has shown that it is there. */
  alive(): void {
    this.#movedAt = this.#owner.clock.now();
  }

  /** The peer sends nothing more (FIN). Half-open connections serve nobody here: ours ends as well. */
  peerEnded(): void {
    if (this.#state === "finishing") this.close(this.#finishReason);
    else this.close(this.#framer.partial ? "peer_closed_in_message" : "peer_closed");
  }

  /** The wire is gone. */
  wireClosed(reason: CloseReason): void {
    this.#wire = null;
    if (reason === "peer_closed" || this.#state === "finishing") this.peerEnded();
    else this.close(reason);
  }

  /** Closes now; what waits is dropped. Harmless when it is closed. */
  close(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (ABRUPT.has(reason)) this.#wire?.reset();
    else this.#wire?.close();
    this.#wire = null;
    this.#queue.clear();
    const watchers = this.#watchers;
    this.#watchers = null;
    this.#owner.closed(this, reason, watchers);
  }

  /** Takes nothing more, lets what waits leave, then closes; all within a bounded time. */
  finish(reason: CloseReason): void {
    if (this.#state !== "open") {
      this.close(reason);
      return;
    }
    this.#state = "finishing";
    this.#finishReason = reason;
    this.#movedAt = this.#owner.clock.now();
    if (this.#queue.bytes === 0) this.#wire?.finish();
  }

  /** Closes it when one of its time limits is over: the table's sweep calls this. */
  check(now: number): void {
    const { connect_timeout_ms, first_message_s, idle_s, partial_message_s } = this.#owner.options;
    const still = now - this.#movedAt;
    if (this.#state === "connecting") {
      if (still >= connect_timeout_ms) this.close("connect_timeout");
    } else if (this.#state === "finishing") {
      if (still >= FINISH_MS_MAX) this.close(this.#finishReason);
    } else if (this.#partialSince !== null && now - this.#partialSince >= partial_message_s * 1000) {
      this.close("partial_message_stalled");
    } else if (still >= idle_s * 1000) this.close("idle");
    else if (this.messagesIn === 0 && !this.outgoing && now - this.#acceptedAt >= first_message_s * 1000)
      this.close("no_message");
  }

  #isReading(): boolean {
    return this.#state === "open";
  }

  #message(bytes: Buffer): void {
    this.messagesIn++;
    this.#owner.metrics.tcpReceived.inc();
    this.#owner.deliver(bytes, this);
  }

  #broken(fault: FramingFault): void {
    this.#owner.metrics.streamBroken(fault.code);
    this.#owner.deliverBroken(fault, this);
    if (this.#state === "open") this.finish("broken");
  }

  /** RFC 5626 §4.4.1: one CRLF. Left out while bytes wait: a peer that does not read must not fill the queue. */
  #answerPing(): void {
    this.#owner.metrics.pings.inc();
    if (this.#queue.bytes === 0 && this.#write(PONG) === 0) this.#enqueue(PONG, 0);
  }

  #write(bytes: Uint8Array): number {
    const taken = this.#wire?.write(bytes) ?? 0;
    if (taken <= 0) return 0; // closed: the wire's own end follows
    this.bytesOut += taken;
    this.#movedAt = this.#owner.clock.now();
    return taken;
  }

  #enqueue(bytes: Uint8Array, from: number): boolean {
    const rest = from === 0 ? bytes : bytes.subarray(from);
    if (this.#queue.push(rest, this.#owner.options.queue_bytes_max)) return true;
    this.#owner.metrics.tcpSendFailed("queue_full");
    this.close("queue_full");
    return false;
  }
}
