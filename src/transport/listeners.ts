/**
 * The listening sockets: opens what the operator listed, goes over to other lists, and follows the machine's addresses.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { LocalEndpoint, Receiver } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { TlsRules } from "./certificates.ts";
import type { TcpOptions } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { ListenEntry, ListenFailure, ListenTransport, Wanted } from "./listen-plan.ts";
import { listenFailure, planListeners } from "./listen-plan.ts";
import { interfaceNetworks } from "./local-addresses.ts";
import type { SocketOptions } from "./socket-options.ts";
import { TcpListener } from "./tcp-listener.ts";
import type { Tls } from "./tls.ts";
import { loadTls } from "./tls.ts";
import type { TlsListener } from "./tls-listener.ts";
import type { TransportMetrics } from "./transport-metrics.ts";
import type { UdpOptions } from "./udp-listener.ts";
import { UdpListener } from "./udp-listener.ts";
import { WsListener } from "./ws-listener.ts";

export interface ListenersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly transportMetrics: TransportMetrics;
  readonly receiver: Receiver;
  readonly admits: (address: string) => boolean;
  readonly connections: Connections;
  readonly socketOptions: SocketOptions;
  /** What "any" stands for. */
  readonly addresses: () => readonly string[];
  /** Told whenever there are other listeners than before. */
  readonly changed: () => void;
}

/** What the operator wants. */
export interface ListenOptions {
  readonly tcp: TcpOptions;
  readonly udp: UdpOptions;
  readonly tls: TlsRules;
}

interface Listener {
  readonly wanted: Wanted;
  readonly socket: UdpListener | StreamListener;
}

/** A listener whose connections lead both ways. */
export type StreamListener = TcpListener | TlsListener | WsListener;
export type StreamTransport = Exclude<ListenTransport, "udp">;

const NO_STREAMS = { tcp: [], tls: [], ws: [], wss: [] };
const RESCAN_MS = 5000;

export class Listeners {
  // By kind, for the look-ups of each message.
  udp: readonly UdpListener[] = [];
  streams: Readonly<Record<StreamTransport, readonly StreamListener[]>> = NO_STREAMS;
  /** A new list whenever it changes. */
  endpoints: readonly LocalEndpoint[] = [];
  /** Null: nothing here has to do with TLS, whose code is not even loaded. */
  tls: Tls | null = null;
  readonly #parts: ListenersParts;
  readonly #connections: Connections;
  readonly #listeners = new Map<string, Listener>();
  #entries: readonly ListenEntry[] = [];
  #udpOptions: UdpOptions = { receive_buffer_bytes: 0, send_in_batches: false };
  #rescan: Alarm | null = null;
  /** Openings and closings run one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #accepting = true;
  #closed = false;

  constructor(parts: ListenersParts) {
    this.#parts = parts;
    this.#connections = parts.connections;
  }

  /** As `NetTransports.reconfigure`. */
  configure(entries: readonly ListenEntry[], options: ListenOptions): Promise<ListenFailure[]> {
    return this.#inTurn(() => this.#apply(entries, options));
  }

  stopAccepting(): void {
    this.#accepting = false;
    for (const listeners of Object.values(this.streams))
      for (const listener of listeners) listener.stopAccepting();
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#rescan?.cancel();
    this.#rescan = null;
    for (const { socket } of this.#listeners.values()) socket.close("shutdown");
    this.tls?.certificates.close();
    this.#listeners.clear();
    this.#changed();
  }

  /** Loads what TLS needs, and our certificates; sentences say what stands in the way. */
  async #useTls(wanted: readonly Wanted[], rules: TlsRules): Promise<ListenFailure[]> {
    const first = wanted.find(({ transport }) => transport === "tls" || transport === "wss");
    if (first === undefined) return [];
    this.tls ??= await loadTls(this.#parts, rules, () => this.#renew());
    this.#connections.handshakes_max = rules.handshakes_max;
    const problems = this.tls.certificates.configure(rules);
    return problems.map((message) => ({ index: first.index, code: "ECERT", message }));
  }

  #renew(): void {
    for (const listener of [...this.streams.tls, ...this.streams.wss])
      if (!(listener instanceof TcpListener)) listener.renew();
  }

  async #apply(entries: readonly ListenEntry[], { tcp, udp, tls }: ListenOptions): Promise<ListenFailure[]> {
    const { wanted, failures } = planListeners(entries, this.#parts.addresses(), interfaceNetworks);
    if (failures.length > 0) return failures;
    const tlsBefore = this.tls?.certificates.rules ?? null;
    failures.push(...(await this.#useTls(wanted, tls)));
    if (failures.length > 0) return failures;
    const before = { tcp: this.#connections.options, udp: this.#udpOptions };
    this.#connections.options = tcp;
    this.#udpOptions = udp;
    const opened: Listener[] = [];
    for (const each of wanted) {
      if (this.#listeners.has(each.key)) continue;
      const result = await this.#open(each);
      if ("code" in result) {
        if (!each.following || result.code !== "EADDRNOTAVAIL") failures.push(result);
      } else opened.push(result);
    }
    if (failures.length > 0 || this.#closed) {
      for (const { socket } of opened) socket.close("listener_gone");
      if (tlsBefore !== null) this.tls?.certificates.configure(tlsBefore);
      this.#connections.options = before.tcp;
      this.#udpOptions = before.udp;
      return failures;
    }
    this.#entries = entries;
    for (const listener of opened) this.#listeners.set(listener.wanted.key, listener);
    this.#keepOnly(wanted);
    this.#armRescan();
    return failures;
  }

  async #open(wanted: Wanted): Promise<Listener | ListenFailure> {
    try {
      if (wanted.transport === "udp") {
        const parts = { ...this.#parts, metrics: this.#parts.transportMetrics };
        return { wanted, socket: await UdpListener.open(parts, this.#udpOptions, wanted) };
      }
      const socket = await this.#openStream(wanted);
      if (!this.#accepting) socket.stopAccepting();
      return { wanted, socket };
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      return listenFailure(wanted, typeof code === "string" ? code : String(error));
    }
  }

  /** Throws, or rejects with, the system's error. */
  async #openStream(wanted: Wanted): Promise<StreamListener> {
    const { admits, log, socketOptions } = this.#parts;
    const connections = this.#connections;
    if (wanted.transport === "tls" && this.tls !== null) return this.tls.open(connections, wanted);
    if (wanted.transport === "tcp") return new TcpListener(connections, log, wanted);
    const certificates = wanted.transport === "wss" ? (this.tls?.certificates ?? null) : null;
    return new WsListener({ connections, admits, certificates, log, socketOptions }, wanted);
  }

  /** Closes what is not wanted any more and gives what stays the name it shall carry now. */
  #keepOnly(wanted: readonly Wanted[]): void {
    const byKey = new Map(wanted.map((each) => [each.key, each]));
    for (const [key, listener] of this.#listeners) {
      const stays = byKey.get(key);
      const { socket } = listener;
      if (stays) socket.endpoint.rename(stays);
      else {
        this.#listeners.delete(key);
        socket.close("listener_gone");
        this.#parts.log.info("listener-closed", {
          transport: listener.wanted.transport,
          address: listener.wanted.address,
        });
      }
    }
    this.#changed();
  }

  #changed(): void {
    const udp: UdpListener[] = [];
    const streams: Record<StreamTransport, StreamListener[]> = { tcp: [], tls: [], ws: [], wss: [] };
    for (const { socket } of this.#listeners.values()) {
      if (socket instanceof UdpListener) udp.push(socket);
      else streams[socket.endpoint.transport as StreamTransport].push(socket);
    }
    this.udp = udp;
    this.streams = streams;
    this.endpoints = [...this.#listeners.values()].map(({ socket }) => socket.endpoint);
    this.#parts.changed();
  }

  /** Looks again after a while, when an entry follows the machine's addresses. */
  #armRescan(): void {
    this.#rescan?.cancel();
    this.#rescan = null;
    if (this.#closed || !this.#entries.some((entry) => entry.address === "any")) return;
    this.#rescan = this.#parts.clock.after(RESCAN_MS, () => {
      void this.#inTurn(() => this.#follow()).then(() => this.#armRescan());
    });
  }

  /** Opens sockets on addresses that have come, closes those on addresses that are gone. */
  async #follow(): Promise<void> {
    const { wanted } = planListeners(this.#entries, this.#parts.addresses(), interfaceNetworks);
    for (const each of wanted) {
      if (this.#closed) return;
      if (this.#listeners.has(each.key)) continue;
      const result = await this.#open(each);
      if ("code" in result) {
        this.#parts.log.warn("listener-not-opened", { code: result.code, message: result.message });
      } else if (this.#closed) result.socket.close("shutdown");
      else {
        this.#listeners.set(each.key, result);
        this.#parts.log.info("listener-opened", { transport: each.transport, address: each.address });
      }
    }
    if (!this.#closed) this.#keepOnly(wanted);
  }

  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#work.then(job);
    this.#work = done.catch(() => undefined);
    return done;
  }
}
