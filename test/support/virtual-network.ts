/**
 * A network without sockets: hosts with addresses, NATs, datagrams and connections between them, delay,
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
import { Networks } from "../../src/base/networks.ts";
import type { NatOptions, Place } from "./nat-box.ts";
import { NatBox, nameOf } from "./nat-box.ts";
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
  readonly #nats = new Map<string, NatBox>();
  readonly #sites: Site[] = [];
  /** Where hosts that are made now stand; null: on the open network. */
  placing: NatBox | null = null;

  constructor(clock: Clock, dice: SeededDice, options: NetworkOptions = {}) {
    this.#clock = clock;
    this.#dice = dice;
    this.options = options;
  }

  attach(endpoint: LocalEndpoint, host: VirtualTransports): void {
    const hosts = host.nat === null ? this.#hosts : host.nat.hosts;
    hosts.set(nameOf(endpoint.transport, endpoint.address, endpoint.port), host);
  }

  /** A NAT with this address towards the open network. */
  nat(address: string, options: NatOptions = {}): NatBox {
    const box = new NatBox(this, address, options);
    this.#nats.set(address, box);
    return box;
  }

  /**
   * A 1:1 NAT before `inner`: hosts outside `lan` know it as `outer` only, those inside as `inner` only
   * (there is no hairpin).
   */
  oneToOne(outer: string, inner: string, lan: readonly string[]): void {
    this.#sites.push({ outer, inner, lan: new Networks(lan) });
  }

  #throughSites(local: Place, to: Place): { source: Place; at: Place } | null {
    let [source, at] = [local, to];
    for (const { outer, inner, lan } of this.#sites) {
      if (to.address === outer) {
        if (lan.has(local.address)) return null;
        at = { address: inner, port: to.port };
      } else if (to.address === inner && !lan.has(local.address)) return null;
      if (local.address === inner && !lan.has(to.address)) source = { address: outer, port: local.port };
    }
    return { source, at };
  }

  /** How a message from that host arrives at `to`; null: nobody is there, or a NAT lets it through to nobody. */
  passage(from: VirtualTransports, transport: TransportName, local: Place, to: Place): Passage | null {
    const near = from.nat?.hosts.get(nameOf(transport, to.address, to.port));
    if (near !== undefined) return { host: near, at: to, source: local };
    const translated = from.nat === null ? local : from.nat.outward(transport, from, local, to);
    const sited = this.#throughSites(translated, to);
    if (sited === null) return null;
    const { source, at } = sited;
    const host = this.#hosts.get(nameOf(transport, at.address, at.port));
    if (host !== undefined) return { host, at, source };
    const inner = this.#nats.get(to.address)?.inward(transport, to.port, source);
    return inner === undefined ? null : { host: inner.host, at: inner.local, source };
  }

  /** After the time a packet takes there and back. */
  soon(run: () => void): void {
    this.#clock.after(2 * (this.options.delayMs ?? 1), run);
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

interface Site {
  readonly outer: string;
  readonly inner: string;
  readonly lan: Networks;
}

interface Passage {
  readonly host: VirtualTransports;
  /** Its own address, to which the message comes in the end. */
  readonly at: Place;
  /** Whom it sees as the sender. */
  readonly source: Place;
}

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
  /** Which connection of its host it is; 0 for datagrams. */
  readonly #serial: number;

  constructor(host: VirtualTransports, local: LocalEndpoint, address: string, port: number) {
    this.#host = host;
    this.#serial = isReliable(local.transport) ? host.nextSerial() : 0;
    this.local = local;
    this.transport = local.transport;
    this.reliable = isReliable(local.transport);
    this.remoteAddress = address;
    this.remotePort = port;
  }

  get id(): string {
    const number = this.reliable ? `#${this.#serial}` : "";
    return `${this.transport}:${hostPort(this.local.address, this.local.port)}>${hostPort(this.remoteAddress, this.remotePort)}${number}`;
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
    const to = { address: this.remoteAddress, port: this.remotePort };
    const passage = this.#host.network.passage(this.#host, this.transport, this.local, to);
    passage?.host.receiveDatagram(bytes, passage.at, passage.source);
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
  /** The NAT it stands behind; null: none. */
  readonly nat: NatBox | null;
  #endpoints: readonly LocalEndpoint[] = [];
  #nextPort = 40_000;
  #serial = 0;

  constructor(network: VirtualNetwork) {
    this.network = network;
    this.nat = network.placing;
  }

  nextSerial(): number {
    return ++this.#serial;
  }

  /** `localNetworks`: whose hosts are told the address itself, in the place of `advertise`. */
  listen(
    transport: TransportName,
    address: string,
    port: number,
    advertise?: string,
    localNetworks: readonly string[] = [],
  ): LocalEndpoint {
    const bound = hostPort(address, port);
    const inside = { networks: new Networks(localNetworks), sentBy: bound };
    const endpoint = { transport, address, port, sentBy: advertise ?? bound, inside };
    this.#endpoints = [...this.#endpoints, endpoint]; // a new list whenever it changes
    this.network.attach(endpoint, this);
    return endpoint;
  }

  endpoints(): readonly LocalEndpoint[] {
    return this.#endpoints;
  }

  flowTo(transport: TransportName, address: string, port: number, from?: LocalEndpoint): VirtualFlow | null {
    const family = address.includes(":");
    const fits = (e: LocalEndpoint) => e.transport === transport && e.address.includes(":") === family;
    const same = (e: LocalEndpoint) => fits(e) && e.address === from?.address && e.port === from.port;
    const local = this.#endpoints.find(same) ?? this.#endpoints.find(fits);
    if (local === undefined) return null;
    if (transport === "udp") return new VirtualFlow(this, local, address, port);
    const live = this.connectionTo(transport, address, port) as VirtualFlow | null;
    return live ?? this.#connect(local, address, port);
  }

  /** Nobody has a certificate here. */
  alias(): void {}

  connectionTo(transport: TransportName, address: string, port: number): Flow | null {
    const isIt = (c: VirtualFlow): boolean =>
      c.open && c.transport === transport && c.remoteAddress === address && c.remotePort === port;
    return this.connections.find(isIt) ?? null;
  }

  flowById(id: string): Flow | null {
    const live = this.connections.find((connection) => connection.open && connection.id === id);
    if (live) return live;
    const match = /^udp:(.+)>\[?([^\]]+)\]?:(\d+)$/.exec(id);
    if (!match) return null;
    const local = this.#endpoints.find((e) => hostPort(e.address, e.port) === match[1]);
    return local ? new VirtualFlow(this, local, match[2]!, Number(match[3])) : null;
  }

  /** What asked ports answer: `host:port` of those that ICMP says are closed. */
  readonly closedPorts = new Set<string>();

  askPort(address: string, port: number, refused: () => void): void {
    if (this.closedPorts.has(hostPort(address, port))) this.network.soon(refused);
  }

  speaksTcp(address: string, port: number): boolean {
    return this.connections.some((c) => c.open && c.remoteAddress === address && c.remotePort === port);
  }

  receiveDatagram(bytes: Buffer, at: Place, source: Place): void {
    const local = this.#endpoints.find(
      (e) => e.transport === "udp" && e.address === at.address && e.port === at.port,
    );
    if (local) this.deliver(bytes, new VirtualFlow(this, local, source.address, source.port));
  }

  deliver(bytes: Buffer, flow: VirtualFlow): void {
    this.receiver.message(bytes, flow);
  }

  #connect(local: LocalEndpoint, address: string, port: number): VirtualFlow | null {
    const here = new VirtualFlow(this, local, address, port);
    const own = { address: local.address, port: this.#nextPort++ };
    const passage = this.network.passage(this, local.transport, own, { address, port });
    const there = passage?.host
      .endpoints()
      .find((e) => e.address === passage.at.address && e.port === passage.at.port && e.transport !== "udp");
    if (!passage || !there) {
      here.open = false;
      return here; // refused: the first send fails
    }
    const { host, source } = passage;
    here.twin = new VirtualFlow(host, there, source.address, source.port);
    here.twin.twin = here;
    this.connections.push(here);
    host.connections.push(here.twin);
    return here;
  }
}
