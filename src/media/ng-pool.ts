/**
 * The rtpengines of this site: which of them answer, and which takes the next call. A dead one is asked every few
 * seconds whether it is back.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { textAt } from "./bencode.ts";
import type { NgCommand, NgDone } from "./ng-client.ts";
import { NgClient } from "./ng-client.ts";

export interface NgPlace {
  readonly address: string;
  readonly port: number;
  /** Its share of the calls; 0: it gets calls only when no other answers. */
  readonly weight: number;
}

export interface NgSocket {
  send(bytes: Uint8Array, port: number, address: string): boolean;
  close(): void;
}

export type NgReceive = (bytes: Buffer, port: number, address: string) => void;

/** Gives the socket for a local address; null: it cannot be had. */
export type NgOpen = (local_address: string, receive: NgReceive) => Promise<NgSocket | null>;

export interface NgPoolParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly open: NgOpen;
}

export interface NgPoolRules {
  readonly timeout_ms: number;
  readonly ping_ms: number;
  readonly places: readonly NgPlace[];
}

/** One of them as the status shows it. */
export interface NgSnapshot {
  readonly instance: string;
  readonly weight: number;
  readonly up: boolean;
  readonly calls: number;
  readonly commands_under_way: number;
  /** `clock.now()` since when it is as it is. */
  readonly since: number;
}

export class NgInstance {
  readonly name: string;
  place: NgPlace;
  readonly client: NgClient;
  /** Until it fails for the first time it counts as there. */
  isUp = true;
  since: number;
  /** Calls that it has. */
  calls = 0;

  constructor(place: NgPlace, client: NgClient, name: string, since: number) {
    this.place = place;
    this.client = client;
    this.name = name;
    this.since = since;
  }
}

export class NgPool {
  readonly #parts: NgPoolParts;
  #rules: NgPoolRules;
  #instances: readonly NgInstance[] = [];
  /** Those that the config names no more, for as long as they have calls. */
  #left: readonly NgInstance[] = [];
  /** By the local address they send from. */
  readonly #sockets = new Map<string, NgSocket>();
  readonly #changes: (instance: string, to: string) => Counter;
  #alarm: Alarm | null = null;
  #isClosed = false;

  constructor(parts: NgPoolParts, rules: NgPoolRules) {
    this.#parts = parts;
    this.#rules = rules;
    const { metrics } = parts;
    this.#changes = (instance, to) =>
      metrics.counter("sipedge_rtpengine_changes_total", "An rtpengine came or went", { instance, to });
    this.#name(rules);
    metrics.gauges("sipedge_rtpengine_up", "1: this rtpengine answers", () =>
      this.#instances.map(({ name, isUp }) => ({ labels: { instance: name }, value: isUp ? 1 : 0 })),
    );
    metrics.gauges("sipedge_rtpengine_calls", "Calls relayed by this rtpengine", () =>
      this.#instances.map(({ name, calls }) => ({ labels: { instance: name }, value: calls })),
    );
  }

  /** Opens the sockets and begins to ask who is there. */
  async start(): Promise<void> {
    await this.#open();
    this.#ping();
  }

  /** Takes over a changed config; calls stay where they are. */
  async configure(rules: NgPoolRules): Promise<void> {
    this.#name(rules);
    await this.#open();
  }

  #name(rules: NgPoolRules): void {
    const known = new Map([...this.#left, ...this.#instances].map((each) => [each.name, each]));
    this.#rules = rules;
    this.#instances = rules.places.map((place) => {
      const instance = known.get(nameOf(place)) ?? this.#make(place);
      known.delete(instance.name);
      instance.place = place;
      instance.client.timeout_ms = rules.timeout_ms;
      return instance;
    });
    this.#left = [...known.values()];
  }

  async #open(): Promise<void> {
    for (const local of new Set(this.#instances.map(({ place }) => localFor(place.address)))) {
      if (this.#sockets.has(local)) continue;
      const socket = await this.#parts.open(local, (bytes, port, address) =>
        this.#received(bytes, port, address),
      );
      if (socket === null) this.#parts.log.error("rtpengine-socket-failed", { local });
      else if (this.#isClosed) socket.close();
      else this.#sockets.set(local, socket);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm?.cancel();
    for (const { client } of [...this.#instances, ...this.#left]) client.close();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** The one for a new call, none of `except`; null: nobody is left that answers. */
  choose(except: ReadonlySet<NgInstance>): NgInstance | null {
    const there = this.#instances.filter((each) => each.isUp && !except.has(each));
    const shared = there.filter(({ place }) => place.weight > 0);
    if (shared.length === 0) return there[0] ?? null;
    const total = shared.reduce((sum, { place }) => sum + place.weight, 0);
    let left = this.#parts.dice.fraction() * total;
    for (const each of shared) {
      left -= each.place.weight;
      if (left < 0) return each;
    }
    return shared.at(-1) ?? null;
  }

  /** Silence means that it is gone, until it answers a ping. */
  ask(instance: NgInstance, command: NgCommand, done: NgDone): void {
    instance.client.ask(command, (answer) => {
      if (answer === null) this.#mark(instance, false);
      done(answer);
    });
  }

  snapshot(): readonly NgSnapshot[] {
    return this.#instances.map(({ name, place, isUp, calls, client, since }) => ({
      instance: name,
      weight: place.weight,
      up: isUp,
      calls,
      commands_under_way: client.underWay,
      since,
    }));
  }

  #make(place: NgPlace): NgInstance {
    const { address, port } = place;
    const { clock, dice, metrics } = this.#parts;
    const name = nameOf(place);
    const send = (bytes: Uint8Array): boolean =>
      this.#sockets.get(localFor(address))?.send(bytes, port, address) ?? false;
    const client = new NgClient({ clock, dice, metrics, name, send }, this.#rules.timeout_ms);
    return new NgInstance(place, client, name, clock.now());
  }

  #received(bytes: Buffer, port: number, address: string): void {
    const from = [...this.#instances, ...this.#left].find(
      ({ place }) => place.port === port && place.address === address,
    );
    from?.client.received(bytes);
  }

  #ping(): void {
    if (this.#isClosed) return;
    this.#left = this.#left.filter(({ calls, client }) => calls > 0 || client.underWay > 0);
    for (const instance of this.#instances)
      instance.client.ask({ command: "ping" }, (answer) => {
        this.#mark(instance, answer !== null && textAt(answer, "result") === "pong");
      });
    this.#alarm = this.#parts.clock.after(this.#rules.ping_ms, () => this.#ping());
  }

  #mark(instance: NgInstance, isUp: boolean): void {
    if (instance.isUp === isUp || this.#isClosed) return;
    instance.isUp = isUp;
    instance.since = this.#parts.clock.now();
    this.#changes(instance.name, isUp ? "up" : "down").inc();
    const { log } = this.#parts;
    const fields = { instance: instance.name, calls: instance.calls };
    if (isUp) log.info("rtpengine-found", fields);
    else log.warn("rtpengine-lost", fields);
  }
}

const nameOf = ({ address, port }: NgPlace): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** What is on this machine is asked from the loopback address, to which nobody else can send. */
function localFor(address: string): string {
  if (address.startsWith("127.")) return "127.0.0.1";
  if (address === "::1") return "::1";
  return address.includes(":") ? "::" : "0.0.0.0";
}
