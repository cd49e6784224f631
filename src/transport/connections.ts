/**
 * All stream connections: by id, by remote address (RFC 3261 §18: "indexed by the tuple formed from
 * the address, port, and transport protocol at the far end"), their limits, and one sweep for all.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { FlowObserver, LocalEndpoint, Receiver, TransportName } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { FramingFault } from "../message/framing.ts";
import type { ConnectionOwner, TcpOptions, Wire } from "./connection.ts";
import { Connection } from "./connection.ts";
import { ipv6Groups } from "./endpoint.ts";
import type { CloseReason, RefusalReason, TransportMetrics } from "./transport-metrics.ts";

export interface ConnectionsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TransportMetrics;
  readonly receiver: Receiver;
  /** Whether anything from this address is looked at. */
  readonly admits: (address: string) => boolean;
}

export interface ConnectionSnapshot {
  readonly id: string;
  readonly remote_address: string;
  readonly remote_port: number;
  readonly outgoing: boolean;
  readonly state: string;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly messages_in: number;
  readonly queued_bytes: number;
  /** RFC 3339. */
  readonly since: string;
  readonly idle_s: number;
}

/** How often time limits are looked at; each is late by as much at most. */
const SWEEP_MS = 500;
/** §18.1.1: a peer that took a connection lately is worth another; how lately, and how many are remembered. */
const SPEAKS_TCP_MS = 10 * 60_000;
const SPEAKS_TCP_MAX = 4096;

export class Connections implements ConnectionOwner {
  readonly clock: Clock;
  readonly metrics: TransportMetrics;
  /** May be replaced while running; the framing limits then count for new connections. */
  options: TcpOptions;
  /** Accepted connections at once whose TLS handshake is not over. */
  handshakes_max = 0;
  readonly #handshaking = new Set<Connection>();
  readonly #log: Log;
  readonly #receiver: Receiver;
  readonly #admits: (address: string) => boolean;
  readonly #byId = new Map<string, Connection>();
  readonly #byRemote = new Map<string, Connection>();
  /** Accepted connections by the port that their peer says it listens on; one such name each (RFC 5923). */
  readonly #aliases = new Map<string, Connection>();
  /** Accepted connections per `limitKey`. */
  readonly #perAddress = new Map<string, number>();
  readonly #spokeTcpAt = new BoundedMap<string, number>(SPEAKS_TCP_MAX);
  #sweep: Alarm | null = null;
  /** Goes on after a restart, as far as seconds tell: what names a connection of before must not fit a new one. */
  #number: number;

  constructor(parts: ConnectionsParts, options: TcpOptions) {
    this.clock = parts.clock;
    this.#number = Math.floor(parts.clock.wall() / 1000);
    this.metrics = parts.metrics;
    this.options = options;
    this.#log = parts.log;
    this.#receiver = parts.receiver;
    this.#admits = parts.admits;
    parts.metrics.tcpConnections(() => this.#byId.size);
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * A connection for a socket that was accepted; null when a limit refuses the newcomer. `handshakes`: it is
   * "connecting" until its TLS handshake is over.
   */
  accept(
    local: LocalEndpoint,
    address: string,
    port: number,
    wire: Wire,
    handshakes = false,
  ): Connection | null {
    if (!this.#admits(address)) return null;
    const refusal = this.#refusal(address) ?? (handshakes ? this.#handshakeRefusal() : null);
    if (refusal !== null) {
      this.metrics.tcpRefused("in", refusal);
      this.#log.info("connection-refused", { from: address, reason: refusal });
      return null;
    }
    const connection = this.#add(local, address, port, false);
    this.metrics.tcpAccepted.inc();
    connection.attach(wire);
    if (handshakes) this.#handshaking.add(connection);
    else connection.connected();
    return connection;
  }

  /** A connection that is about to be opened, and queues until `connected`; null when the limit is reached. */
  outgoing(local: LocalEndpoint, address: string, port: number): Connection | null {
    if (this.#byId.size >= this.options.connections_max) {
      this.metrics.tcpRefused("out", "connections_max");
      this.#log.warn("connection-not-opened", { to: address, reason: "connections_max" });
      return null;
    }
    return this.#add(local, address, port, true);
  }

  /** The live connection of this transport whose far end is `address:port`. */
  to(transport: TransportName, address: string, port: number): Connection | null {
    const connection = this.#byRemote.get(remoteKey(transport, address, port));
    return connection?.open ? connection : null;
  }

  /** Another name of an accepted connection: its peer's address with this port. The newest one has it. */
  alias(connection: Connection, port: number): void {
    const key = remoteKey(connection.transport, connection.remoteAddress, port);
    if (connection.alias !== key) {
      this.#dropAlias(connection);
      this.metrics.aliases.inc();
    }
    connection.alias = key;
    this.#aliases.set(key, connection);
  }

  /** The live connection that has this other name. */
  aliased(transport: TransportName, address: string, port: number): Connection | null {
    const connection = this.#aliases.get(remoteKey(transport, address, port));
    return connection?.open ? connection : null;
  }

  #dropAlias(connection: Connection): void {
    const { alias } = connection;
    if (alias !== null && this.#aliases.get(alias) === connection) this.#aliases.delete(alias);
  }

  byId(id: string): Connection | null {
    const connection = this.#byId.get(id);
    return connection?.open ? connection : null;
  }

  speaksTcp(address: string, port: number): boolean {
    const key = remoteKey("tcp", address, port);
    if (this.#byRemote.get(key)?.state === "open") return true;
    const at = this.#spokeTcpAt.peek(key);
    return at !== undefined && this.clock.now() - at < SPEAKS_TCP_MS;
  }

  dropUnwelcome(): void {
    for (const connection of [...this.#byId.values()])
      if (!connection.outgoing && !this.#admits(connection.remoteAddress)) connection.close("banned");
  }

  /** Closes every connection, or those of one endpoint. */
  closeAll(reason: CloseReason, of?: LocalEndpoint): void {
    for (const connection of [...this.#byId.values()]) {
      if (of === undefined || connection.local === of) connection.close(reason);
    }
  }

  snapshot(max: number): ConnectionSnapshot[] {
    const rows: ConnectionSnapshot[] = [];
    for (const connection of this.#byId.values()) {
      if (rows.length >= max) break;
      rows.push({
        id: connection.id,
        remote_address: connection.remoteAddress,
        remote_port: connection.remotePort,
        outgoing: connection.outgoing,
        state: connection.state,
        bytes_in: connection.bytesIn,
        bytes_out: connection.bytesOut,
        messages_in: connection.messagesIn,
        queued_bytes: connection.queued,
        since: new Date(connection.since).toISOString(),
        idle_s: Math.floor(connection.idle_ms / 1000),
      });
    }
    return rows;
  }

  // What connections report.

  deliver(bytes: Buffer, connection: Connection): void {
    try {
      this.#receiver.message(bytes, connection);
    } catch (error) {
      this.#fault(error);
    }
  }

  deliverBroken(fault: FramingFault, connection: Connection): void {
    this.#log.info("stream-broken", { flow: connection.id, code: fault.code });
    try {
      this.#receiver.broken(fault.head, connection, fault.code);
    } catch (error) {
      this.#fault(error);
    }
  }

  established(connection: Connection): void {
    this.#handshaking.delete(connection);
    if (!connection.outgoing) return;
    this.metrics.tcpOpened.inc();
    this.#spokeTcpAt.set(keyOf(connection), this.clock.now());
  }

  closed(connection: Connection, reason: CloseReason, watchers: ReadonlySet<FlowObserver> | null): void {
    this.#byId.delete(connection.id);
    this.#handshaking.delete(connection);
    const remote = keyOf(connection);
    if (this.#byRemote.get(remote) === connection) this.#byRemote.delete(remote);
    this.#dropAlias(connection);
    if (!connection.outgoing) this.#countAddress(connection.remoteAddress, -1);
    this.metrics.tcpClosed(reason);
    this.#log.debug("connection-closed", { flow: connection.id, reason });
    if (this.#byId.size === 0) {
      this.#sweep?.cancel();
      this.#sweep = null;
    }
    // Later, because a close can come from inside `send`, where the watcher is in the middle of a step.
    if (watchers?.size) this.clock.atTurnEnd(() => this.#tell(watchers, connection, reason));
  }

  #tell(watchers: ReadonlySet<FlowObserver>, connection: Connection, reason: CloseReason): void {
    for (const watcher of watchers) {
      try {
        watcher.flowClosed(connection, reason);
      } catch (error) {
        this.#fault(error);
      }
    }
  }

  #add(local: LocalEndpoint, address: string, port: number, outgoing: boolean): Connection {
    this.#number++;
    const connection = new Connection(this, local, { address, port, number: this.#number, outgoing });
    this.#byId.set(connection.id, connection);
    this.#byRemote.set(keyOf(connection), connection);
    if (!outgoing) this.#countAddress(address, 1);
    if (this.#sweep === null) this.#armSweep();
    return connection;
  }

  #refusal(address: string): RefusalReason | null {
    if (this.#byId.size >= this.options.connections_max) return "connections_max";
    const ofAddress = this.#perAddress.get(limitKey(address)) ?? 0;
    return ofAddress >= this.options.connections_per_address_max ? "connections_per_address_max" : null;
  }

  #handshakeRefusal(): RefusalReason | null {
    return this.#handshaking.size >= this.handshakes_max ? "handshakes_max" : null;
  }

  #countAddress(address: string, by: 1 | -1): void {
    const key = limitKey(address);
    const count = (this.#perAddress.get(key) ?? 0) + by;
    if (count > 0) this.#perAddress.set(key, count);
    else this.#perAddress.delete(key);
  }

  #armSweep(): void {
    this.#sweep = this.clock.after(SWEEP_MS, () => {
      const now = this.clock.now();
      for (const connection of this.#byId.values()) connection.check(now);
      this.#sweep = null;
      if (this.#byId.size > 0) this.#armSweep();
    });
  }

  #fault(error: unknown): void {
    this.metrics.receiverFaults.inc();
    this.#log.error("receiver-fault", { error: String(error) });
  }
}

const remoteKey = (transport: TransportName, address: string, port: number): string =>
  `${transport} ${address} ${port}`;
const keyOf = ({ transport, remoteAddress, remotePort }: Connection): string =>
  remoteKey(transport, remoteAddress, remotePort);

/** What shares one limit: an IPv4 address, or the /64 an IPv6 peer can pick any address of. */
export function limitKey(address: string): string {
  if (!address.includes(":")) return address;
  return ipv6Groups(address).slice(0, 4).join(":");
}
