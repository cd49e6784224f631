/**
 * A network without sockets: hosts with addresses, datagrams and connections between them, delay,
 * loss and reordering from seeded dice, all on a virtual clock.
 */
import type { Clock } from "../../src/base/clock.ts";
import type {
  Flow,
  FlowObserver,
  LocalEndpoint,
  Receiver,
  TransportName,
  Transports,
} from "../../src/base/flow.ts";
import { hostPort, isReliable } from "../../src/base/flow.ts";
import type { SeededDice } from "./seeded-dice.ts";

export interface NetworkOptions {
  /** One-way delay. */
  readonly delayMs?: number;
  /** Added at random, so that datagrams overtake each other. */
  readonly jitterMs?: number;
  /** Share of datagrams lost, 0 to 1. */
  readonly loss?: number;
}

/** What travelled, for assertions: newest last. */
export interface Travelled {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly lost: boolean;
}

export class VirtualNetwork {
  readonly log: Travelled[] = [];
  options: NetworkOptions;
  readonly #clock: Clock;
  readonly #dice: SeededDice;
  readonly #hosts = new Map<string, VirtualTransports>();

  constructor(clock: Clock, dice: SeededDice, options: NetworkOptions = {}) {
    this.#clock = clock;
    this.#dice = dice;
    this.options = options;
  }

  attach(endpoint: LocalEndpoint, host: VirtualTransports): void {
    this.#hosts.set(nameOf(endpoint.transport, endpoint.address, endpoint.port), host);
  }

  find(transport: TransportName, address: string, port: number): VirtualTransports | undefined {
    return this.#hosts.get(nameOf(transport, address, port));
  }

  /** Carries one message; a datagram may get lost or late. */
  carry(flow: VirtualFlow, bytes: Buffer): void {
    const { delayMs = 1, jitterMs = 0, loss = 0 } = this.options;
    const lost = !flow.reliable && this.#dice.fraction() < loss;
    const from = hostPort(flow.local.address, flow.local.port);
    const to = hostPort(flow.remoteAddress, flow.remotePort);
    this.log.push({ from, to, text: bytes.toString("latin1"), lost });
    if (lost) return;
    const delay = delayMs + (flow.reliable ? 0 : this.#dice.fraction() * jitterMs);
    this.#clock.after(delay, () => flow.arrive(bytes));
  }
}

const nameOf = (transport: TransportName, address: string, port: number) =>
  `${isReliable(transport) ? "stream" : "udp"} ${hostPort(address, port)}`;

export class VirtualFlow implements Flow {
  readonly transport: TransportName;
  readonly local: LocalEndpoint;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly reliable: boolean;
  open = true;
  /** The same connection seen from the other side; null for datagrams. */
  twin: VirtualFlow | null = null;
  readonly #host: VirtualTransports;
  readonly #observers = new Set<FlowObserver>();

  constructor(host: VirtualTransports, local: LocalEndpoint, address: string, port: number) {
    this.#host = host;
    this.local = local;
    this.transport = local.transport;
    this.reliable = isReliable(local.transport);
    this.remoteAddress = address;
    this.remotePort = port;
  }

  get id(): string {
    return `${this.transport}:${hostPort(this.local.address, this.local.port)}>${hostPort(this.remoteAddress, this.remotePort)}`;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.open) return false;
    this.#host.network.carry(this, Buffer.from(bytes));
    return true;
  }

  /** The message is there. */
  arrive(bytes: Buffer): void {
    if (this.reliable) {
      if (this.twin?.open) this.twin.#host.deliver(bytes, this.twin);
      return;
    }
    const host = this.#host.network.find(this.transport, this.remoteAddress, this.remotePort);
    host?.receiveDatagram(bytes, this);
  }

  close(reason: string): void {
    if (!this.open) return;
    this.open = false;
    for (const observer of [...this.#observers]) observer.flowClosed(this, reason);
    this.twin?.close(reason);
  }

  watch(observer: FlowObserver): void {
    this.#observers.add(observer);
  }
  unwatch(observer: FlowObserver): void {
    this.#observers.delete(observer);
  }
  toPort(port: number): Flow | null {
    return this.reliable ? null : this.#host.flowTo(this.transport, this.remoteAddress, port, this.local);
  }
}

/** One host's sockets. */
export class VirtualTransports implements Transports {
  readonly network: VirtualNetwork;
  receiver: Receiver = { message() {}, broken() {} };
  readonly connections: VirtualFlow[] = [];
  readonly #endpoints: LocalEndpoint[] = [];
  #nextPort = 40_000;

  constructor(network: VirtualNetwork) {
    this.network = network;
  }

  listen(transport: TransportName, address: string, port: number, advertise?: string): LocalEndpoint {
    const endpoint = { transport, address, port, sentBy: advertise ?? hostPort(address, port) };
    this.#endpoints.push(endpoint);
    this.network.attach(endpoint, this);
    return endpoint;
  }

  endpoints(): readonly LocalEndpoint[] {
    return this.#endpoints;
  }

  flowTo(transport: TransportName, address: string, port: number, from?: LocalEndpoint): VirtualFlow | null {
    const family = address.includes(":");
    const fits = (e: LocalEndpoint) => e.transport === transport && e.address.includes(":") === family;
    const local = from && fits(from) ? from : this.#endpoints.find(fits);
    if (local === undefined) return null;
    if (transport === "udp") return new VirtualFlow(this, local, address, port);
    const live = this.connections.find((c) => c.open && c.remoteAddress === address && c.remotePort === port);
    return live ?? this.#connect(local, address, port);
  }

  connectionTo(address: string, port: number): Flow | null {
    return (
      this.connections.find((c) => c.open && c.remoteAddress === address && c.remotePort === port) ?? null
    );
  }

  flowById(id: string): Flow | null {
    const live = this.connections.find((connection) => connection.open && connection.id === id);
    if (live) return live;
    const match = /^udp:(.+)>\[?([^\]]+)\]?:(\d+)$/.exec(id);
    if (!match) return null;
    const local = this.#endpoints.find((e) => hostPort(e.address, e.port) === match[1]);
    return local ? new VirtualFlow(this, local, match[2]!, Number(match[3])) : null;
  }

  speaksTcp(address: string, port: number): boolean {
    return this.connections.some((c) => c.open && c.remoteAddress === address && c.remotePort === port);
  }

  receiveDatagram(bytes: Buffer, sent: VirtualFlow): void {
    const local = this.#endpoints.find(
      (e) => e.transport === "udp" && e.address === sent.remoteAddress && e.port === sent.remotePort,
    );
    if (local) this.deliver(bytes, new VirtualFlow(this, local, sent.local.address, sent.local.port));
  }

  deliver(bytes: Buffer, flow: VirtualFlow): void {
    this.receiver.message(bytes, flow);
  }

  #connect(local: LocalEndpoint, address: string, port: number): VirtualFlow | null {
    const host = this.network.find(local.transport, address, port);
    const here = new VirtualFlow(this, local, address, port);
    const there = host
      ?.endpoints()
      .find((e) => e.address === address && e.port === port && e.transport !== "udp");
    if (!host || !there) {
      here.open = false;
      return here; // refused: the first send fails
    }
    here.twin = new VirtualFlow(host, there, local.address, this.#nextPort++);
    here.twin.twin = here;
    this.connections.push(here);
    host.connections.push(here.twin);
    return here;
  }
}
