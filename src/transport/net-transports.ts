/**
 * All listening sockets and connections of the appliance (RFC 3261 §18): opens what the operator
 * listed, follows the machine's addresses, and finds the flow to a peer. Reads no message.
 */
import { isIP } from "node:net";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Flow, LocalEndpoint, Receiver, TransportName, Transports } from "../base/flow.ts";
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { TcpOptions } from "./connection.ts";
import type { ConnectionSnapshot } from "./connections.ts";
import { Connections } from "./connections.ts";
import { familyOf, parseUdpFlowId } from "./endpoint.ts";
import type { ListenEntry, ListenFailure, Wanted } from "./listen-plan.ts";
import { listenFailure, planListeners } from "./listen-plan.ts";
import { interfaceNetworks, localAddresses } from "./local-addresses.ts";
import { PortQuestions } from "./port-questions.ts";
import { Route } from "./route.ts";
import type { SocketOptions } from "./socket-options.ts";
import { loadSocketOptions } from "./socket-options.ts";
import { dial } from "./tcp-dial.ts";
import { TcpListener } from "./tcp-listener.ts";
import { TransportMetrics } from "./transport-metrics.ts";
import type { UdpOptions } from "./udp-listener.ts";
import { UdpListener } from "./udp-listener.ts";

export interface NetTransportsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly receiver: Receiver;
  /** What "any" stands for; default: the machine's addresses. */
  readonly addresses?: () => readonly string[];
  /** Default: libc by bun:ffi. */
  readonly socketOptions?: SocketOptions;
}

export interface TransportsSnapshot {
  readonly endpoints: readonly { transport: string; address: string; port: number; sent_by: string }[];
  readonly connections_total: number;
  /** The oldest ones, as many as were asked for. */
  readonly connections: readonly ConnectionSnapshot[];
}

type Listener = { readonly wanted: Wanted } & (
  | { readonly udp: UdpListener; readonly tcp?: undefined }
  | { readonly tcp: TcpListener; readonly udp?: undefined }
);

const RESCAN_MS = 5000;
const CONNECTIONS_SHOWN_MAX = 1000;
/** Until `listen` brings the operator's. */
const TCP_UNSET: TcpOptions = {
  connections_max: 0,
  connections_per_address_max: 0,
  idle_s: 0,
  partial_message_s: 0,
  connect_timeout_ms: 0,
  queue_bytes_max: 0,
  header_bytes_max: 0,
  message_bytes_max: 0,
};

export class NetTransports implements Transports {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #receiver: Receiver;
  readonly #metrics: TransportMetrics;
  readonly #connections: Connections;
  readonly #socketOptions: SocketOptions;
  readonly #route: Route;
  readonly #questions: PortQuestions;
  readonly #addresses: () => readonly string[];
  readonly #listeners = new Map<string, Listener>();
  // The same listeners by kind, for the look-ups of each message.
  #udp: UdpListener[] = [];
  #tcp: TcpListener[] = [];
  #endpoints: readonly LocalEndpoint[] = [];
  #entries: readonly ListenEntry[] = [];
  #udpOptions: UdpOptions = { receive_buffer_bytes: 0 };
  #rescan: Alarm | null = null;
  /** Openings and closings run one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #accepting = true;
  #closed = false;

  constructor(parts: NetTransportsParts) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#receiver = parts.receiver;
    this.#metrics = new TransportMetrics(parts.metrics);
    this.#addresses = parts.addresses ?? localAddresses;
    this.#socketOptions = parts.socketOptions ?? loadSocketOptions(parts.log);
    this.#questions = new PortQuestions(parts.clock, parts.metrics);
    this.#route = new Route(parts.clock, this.#socketOptions);
    this.#connections = new Connections({ ...parts, metrics: this.#metrics }, TCP_UNSET);
  }

  /**
   * Opens a socket for each entry. When one cannot be had, those opened by this call are closed again
   * and the failures say why.
   */
  listen(entries: readonly ListenEntry[], tcp: TcpOptions, udp: UdpOptions): Promise<ListenFailure[]> {
    return this.#inTurn(() => this.#apply(entries, tcp, udp));
  }

  /**
   * Goes over to other entries: opens what is new, then closes what is gone; a socket of the same
   * transport, address and port stays, with its flows. On a failure everything stays as it was. UDP
   * options count for sockets opened from now on, TCP limits for all.
   */
  reconfigure(entries: readonly ListenEntry[], tcp: TcpOptions, udp: UdpOptions): Promise<ListenFailure[]> {
    return this.listen(entries, tcp, udp);
  }

  flowTo(transport: TransportName, to: string, port: number, from?: LocalEndpoint): Flow | null {
    const address = plainAddress(to);
    if (isIP(address) === 0 || address.includes("%") || port < 1 || port > 65535) return null;
    if (transport === "udp") return this.#route.pick(this.#udp, address, from)?.flow(address, port) ?? null;
    if (transport !== "tcp") return null;
    return this.#connections.to(address, port) ?? this.#connect(address, port, from);
  }

  connectionTo(address: string, port: number): Flow | null {
    return this.#connections.to(address, port);
  }

  flowById(id: string): Flow | null {
    const ends = parseUdpFlowId(id);
    if (ends === null) return this.#connections.byId(id);
    const { local, remote } = ends;
    if (familyOf(local.address) !== familyOf(remote.address)) return null;
    const listener = this.#udp.find(
      ({ endpoint }) => endpoint.address === local.address && endpoint.port === local.port,
    );
    return listener?.flow(remote.address, remote.port) ?? null;
  }

  askPort(address: string, port: number, refused: () => void): void {
    if (!this.#closed) this.#questions.ask(plainAddress(address), port, refused);
  }

  endpoints(): readonly LocalEndpoint[] {
    return this.#endpoints;
  }

  speaksTcp(address: string, port: number): boolean {
    return this.#connections.speaksTcp(address, port);
  }

  /** Accepts no more connections, now and after later changes; flows that exist and UDP go on. */
  stopAccepting(): void {
    this.#accepting = false;
    for (const listener of this.#tcp) listener.stopAccepting();
  }

  /** Closes everything, for good. */
  close(): void {
    this.#closed = true;
    this.#rescan?.cancel();
    this.#rescan = null;
    for (const listener of this.#listeners.values()) (listener.udp ?? listener.tcp).close("shutdown");
    this.#listeners.clear();
    this.#connections.closeAll("shutdown");
    this.#listenersChanged();
  }

  snapshot(connections_max: number = CONNECTIONS_SHOWN_MAX): TransportsSnapshot {
    return {
      endpoints: this.#endpoints.map(({ transport, address, port, sentBy }) => ({
        transport,
        address,
        port,
        sent_by: sentBy,
      })),
      connections_total: this.#connections.size,
      connections: this.#connections.snapshot(connections_max),
    };
  }

  #connect(address: string, port: number, from: LocalEndpoint | undefined): Flow | null {
    const listener = this.#route.pick(this.#tcp, address, from);
    if (listener === null) return null;
    const connection = this.#connections.outgoing(listener.endpoint, address, port);
    if (connection === null) return null;
    dial(connection);
    return connection.open ? connection : null;
  }

  async #apply(entries: readonly ListenEntry[], tcp: TcpOptions, udp: UdpOptions): Promise<ListenFailure[]> {
    const { wanted, failures } = planListeners(entries, this.#addresses(), interfaceNetworks);
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
      for (const listener of opened) (listener.udp ?? listener.tcp).close("listener_gone");
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
        const parts = {
          log: this.#log,
          metrics: this.#metrics,
          receiver: this.#receiver,
          socketOptions: this.#socketOptions,
        };
        return { wanted, udp: await UdpListener.open(parts, this.#udpOptions, wanted) };
      }
      const tcp = new TcpListener(this.#connections, this.#log, wanted);
      if (!this.#accepting) tcp.stopAccepting();
      return { wanted, tcp };
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      return listenFailure(wanted, typeof code === "string" ? code : String(error));
    }
  }

  /** Closes what is not wanted any more and gives what stays the name it shall carry now. */
  #keepOnly(wanted: readonly Wanted[]): void {
    const byKey = new Map(wanted.map((each) => [each.key, each]));
    for (const [key, listener] of this.#listeners) {
      const stays = byKey.get(key);
      const socket = listener.udp ?? listener.tcp;
      if (stays) socket.endpoint.rename(stays);
      else {
        this.#listeners.delete(key);
        socket.close("listener_gone");
        this.#log.info("listener-closed", {
          transport: listener.wanted.transport,
          address: listener.wanted.address,
        });
      }
    }
    this.#listenersChanged();
  }

  #listenersChanged(): void {
    this.#route.forget();
    this.#udp = [];
    this.#tcp = [];
    for (const listener of this.#listeners.values()) {
      if (listener.udp) this.#udp.push(listener.udp);
      else this.#tcp.push(listener.tcp);
    }
    this.#endpoints = [...this.#listeners.values()].map((each) => (each.udp ?? each.tcp).endpoint);
  }

  /** Looks again after a while, when an entry follows the machine's addresses. */
  #armRescan(): void {
    this.#rescan?.cancel();
    this.#rescan = null;
    if (this.#closed || !this.#entries.some((entry) => entry.address === "any")) return;
    this.#rescan = this.#clock.after(RESCAN_MS, () => {
      void this.#inTurn(() => this.#follow()).then(() => this.#armRescan());
    });
  }

  /** Opens sockets on addresses that have come, closes those on addresses that are gone. */
  async #follow(): Promise<void> {
    const { wanted } = planListeners(this.#entries, this.#addresses(), interfaceNetworks);
    for (const each of wanted) {
      if (this.#closed) return;
      if (this.#listeners.has(each.key)) continue;
      const result = await this.#open(each);
      if ("code" in result) {
        this.#log.warn("listener-not-opened", { code: result.code, message: result.message });
      } else if (this.#closed) (result.udp ?? result.tcp).close("shutdown");
      else {
        this.#listeners.set(each.key, result);
        this.#log.info("listener-opened", { transport: each.transport, address: each.address });
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
