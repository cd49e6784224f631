/**
 * All listening sockets and connections of the appliance (RFC 3261 §18): opens what the operator
 * listed, follows the machine's addresses, and finds the flow to a peer. Reads no message.
 */
import { isIP } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Flow, LocalEndpoint, Receiver, TransportName, Transports } from "../base/flow.ts";
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { CertificateSnapshot, TlsRules } from "./certificates.ts";
import type { TcpOptions } from "./connection.ts";
import type { ConnectionSnapshot } from "./connections.ts";
import { Connections } from "./connections.ts";
import { familyOf, parseUdpFlowId } from "./endpoint.ts";
import type { ListenEntry, ListenFailure } from "./listen-plan.ts";
import type { StreamTransport } from "./listeners.ts";
import { Listeners } from "./listeners.ts";
import { localAddresses } from "./local-addresses.ts";
import { PortQuestions } from "./port-questions.ts";
import { Route } from "./route.ts";
import type { SocketOptions } from "./socket-options.ts";
import { loadSocketOptions } from "./socket-options.ts";
import { dial } from "./tcp-dial.ts";
import { NO_TLS } from "./tls.ts";
import { TransportMetrics } from "./transport-metrics.ts";
import type { UdpOptions } from "./udp-listener.ts";

export interface NetTransportsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly receiver: Receiver;
  /** What "any" stands for; default: the machine's addresses. */
  readonly addresses?: () => readonly string[];
  /** Whether anything from this address is looked at; default: yes. */
  readonly admits?: (address: string) => boolean;
  /** Default: libc by bun:ffi. */
  readonly socketOptions?: SocketOptions;
}

export interface TransportsSnapshot {
  readonly endpoints: readonly { transport: string; address: string; port: number; sent_by: string }[];
  readonly connections_total: number;
  /** The oldest ones, as many as were asked for. */
  readonly connections: readonly ConnectionSnapshot[];
}

const CONNECTIONS_SHOWN_MAX = 1000;
/** Until `listen` brings the operator's. */
const TCP_UNSET: TcpOptions = {
  connections_max: 0,
  connections_per_address_max: 0,
  idle_s: 0,
  first_message_s: 0,
  partial_message_s: 0,
  connect_timeout_ms: 0,
  queue_bytes_max: 0,
  header_bytes_max: 0,
  message_bytes_max: 0,
};

export class NetTransports implements Transports {
  readonly #log: Log;
  readonly #connections: Connections;
  readonly #listeners: Listeners;
  readonly #route: Route;
  readonly #questions: PortQuestions;
  #closed = false;

  constructor(parts: NetTransportsParts) {
    const { clock, log, metrics } = parts;
    const transportMetrics = new TransportMetrics(metrics);
    const socketOptions = parts.socketOptions ?? loadSocketOptions(log);
    this.#log = log;
    this.#questions = new PortQuestions(clock, metrics);
    this.#route = new Route(clock, socketOptions);
    const admits = parts.admits ?? (() => true);
    this.#connections = new Connections({ ...parts, admits, metrics: transportMetrics }, TCP_UNSET);
    this.#listeners = new Listeners({
      ...parts,
      ...{ admits, transportMetrics, socketOptions, connections: this.#connections },
      addresses: parts.addresses ?? localAddresses,
      changed: () => this.#route.forget(),
    });
  }

  /**
   * Opens a socket for each entry. When one cannot be had, those opened by this call are closed again
   * and the failures say why.
   */
  listen(
    entries: readonly ListenEntry[],
    tcp: TcpOptions,
    udp: UdpOptions,
    tls: TlsRules = NO_TLS,
  ): Promise<ListenFailure[]> {
    return this.#listeners.configure(entries, { tcp, udp, tls });
  }

  /**
   * Goes over to other entries: opens what is new, then closes what is gone; a socket of the same
   * transport, address and port stays, with its flows. On a failure everything stays as it was. UDP
   * options count for sockets opened from now on, TCP limits for all.
   */
  reconfigure(
    entries: readonly ListenEntry[],
    tcp: TcpOptions,
    udp: UdpOptions,
    tls: TlsRules = NO_TLS,
  ): Promise<ListenFailure[]> {
    return this.listen(entries, tcp, udp, tls);
  }

  flowTo(
    transport: TransportName,
    to: string,
    port: number,
    from?: LocalEndpoint,
    name?: string,
  ): Flow | null {
    const address = plainAddress(to);
    if (isIP(address) === 0 || address.includes("%") || port < 1 || port > 65535) return null;
    if (transport === "udp")
      return this.#route.pick(this.#listeners.udp, address, from)?.flow(address, port) ?? null;
    const live = this.#connections.to(transport, address, port);
    if (live !== null && (name === undefined || live.isFor(name))) return live;
    const alias = this.#connections.aliased(transport, address, port);
    if (alias?.isFor(name ?? address) === true) return alias;
    if (transport !== "tcp" && transport !== "tls") return null; // browsers take no connections
    return this.#connect(transport, address, port, from, name ?? address);
  }

  connectionTo(transport: TransportName, address: string, port: number): Flow | null {
    return this.#connections.to(transport, address, port);
  }

  alias(flow: Flow, port: number): void {
    const connection = this.#connections.byId(flow.id);
    if (connection !== null && connection.transport === "tls" && !connection.outgoing)
      this.#connections.alias(connection, port);
  }

  /** What we show to TLS peers. */
  certificates(): readonly CertificateSnapshot[] {
    return this.#listeners.tls?.certificates.snapshot() ?? [];
  }

  flowById(id: string): Flow | null {
    const ends = parseUdpFlowId(id);
    if (ends === null) return this.#connections.byId(id);
    const { local, remote } = ends;
    if (familyOf(local.address) !== familyOf(remote.address)) return null;
    const listener = this.#listeners.udp.find(
      ({ endpoint }) => endpoint.address === local.address && endpoint.port === local.port,
    );
    return listener?.flow(remote.address, remote.port) ?? null;
  }

  askPort(address: string, port: number, refused: () => void): void {
    if (!this.#closed) this.#questions.ask(plainAddress(address), port, refused);
  }

  endpoints(): readonly LocalEndpoint[] {
    return this.#listeners.endpoints;
  }

  speaksTcp(address: string, port: number): boolean {
    return this.#connections.speaksTcp(address, port);
  }

  /** Accepts no more connections, now and after later changes; flows that exist and UDP go on. */
  stopAccepting(): void {
    this.#listeners.stopAccepting();
  }

  /** Ends the connections of those that are not admitted any more. */
  dropUnwelcome(): void {
    this.#connections.dropUnwelcome();
  }

  /** Closes everything, for good. */
  close(): void {
    this.#closed = true;
    this.#listeners.close();
    this.#connections.closeAll("shutdown");
  }

  snapshot(connections_max: number = CONNECTIONS_SHOWN_MAX): TransportsSnapshot {
    return {
      endpoints: this.#listeners.endpoints.map(({ transport, address, port, sentBy }) => ({
        transport,
        address,
        port,
        sent_by: sentBy,
      })),
      connections_total: this.#connections.size,
      connections: this.#connections.snapshot(connections_max),
    };
  }

  #connect(
    transport: StreamTransport,
    address: string,
    port: number,
    from: LocalEndpoint | undefined,
    name: string,
  ): Flow | null {
    const listener = this.#route.pick(this.#listeners.streams[transport], address, from);
    if (listener === null) return null;
    const connection = this.#connections.outgoing(listener.endpoint, address, port);
    if (connection === null) return null;
    const { tls } = this.#listeners;
    if (transport === "tls") tls?.dial(connection, name, tls.certificates, this.#log);
    else dial(connection);
    return connection.open ? connection : null;
  }
}
