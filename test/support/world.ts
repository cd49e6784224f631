/**
 * The whole appliance on a virtual network and clock, and scripted phones around it.
 */

import { Core } from "../../src/app/core.ts";
import { ha1 } from "../../src/auth/digest.ts";
import type { Flow, LocalEndpoint, TransportName } from "../../src/base/flow.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { CallRecord } from "../../src/calls/call-record.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { MemoryForwardStore } from "../../src/location/memory-forwards.ts";
import { MemoryStore } from "../../src/location/memory-store.ts";
import type { User, UserStore } from "../../src/location/users.ts";
import type { MediaRelay } from "../../src/media/media-session.ts";
import type { NgPool } from "../../src/media/ng-pool.ts";
import { Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { NO_STATE } from "../../src/nat/kept-flow.ts";
import type { PromisedNames } from "../dns/promised-names.ts";
import { promisedNames } from "../dns/promised-names.ts";
import { SeededDice } from "./seeded-dice.ts";
import { VirtualClock } from "./virtual-clock.ts";
import type { NetworkOptions } from "./virtual-network.ts";
import { VirtualNetwork, VirtualTransports } from "./virtual-network.ts";

export const EDGE = "192.0.2.1";
export const REALM = "example.test";

export interface WorldOptions {
  readonly seed?: number;
  readonly network?: NetworkOptions;
  /** TOML put behind the world's own lines. */
  readonly toml?: string;
  readonly resolver?: PromisedNames;
  readonly media?: MediaRelay;
  /** Makes the rtpengines of this world. */
  readonly engine?: (world: World) => NgPool;
}

const NO_NAMES: PromisedNames = { addresses: async () => [], services: async () => [] };

/** A config as if read from a file; a mistake in it fails the test. */
export function configOf(toml: string): Config {
  const result = parseConfig(toml, {
    readFile: () => {
      throw new Error("no files in this test");
    },
    readVariable: () => undefined,
  });
  if ("errors" in result) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

export class World {
  readonly seed: number;
  readonly clock = new VirtualClock();
  readonly dice: SeededDice;
  readonly metrics = new Metrics();
  readonly network: VirtualNetwork;
  readonly transports: VirtualTransports;
  readonly users: UserStore;
  readonly forwards = new MemoryForwardStore();
  readonly store: MemoryStore;
  /** Of calls that are over. */
  readonly records: CallRecord[] = [];
  /** Sources, in the order in which they were banned. */
  readonly banned: string[] = [];
  readonly core: Core;
  readonly #accounts = new Map<string, User>();

  constructor(options: WorldOptions = {}) {
    this.seed = options.seed ?? 1;
    this.dice = new SeededDice(this.seed);
    this.network = new VirtualNetwork(this.clock, this.dice, options.network);
    this.transports = new VirtualTransports(this.network);
    this.transports.listen("udp", EDGE, 5060);
    this.transports.listen("tcp", EDGE, 5060);
    this.transports.listen("udp", "2001:db8::1", 5060);
    const config = configOf(`config_version = 1\ndomains = ["${REALM}"]\n${options.toml ?? ""}`);
    this.users = this.#userStore();
    this.store = new MemoryStore({
      clock: this.clock,
      log: silentLog,
      metrics: this.metrics,
      bindings_max: config.limits.bindings_max,
    });
    this.core = new Core({
      clock: this.clock,
      dice: this.dice,
      log: silentLog,
      metrics: this.metrics,
      transports: this.transports,
      store: this.store,
      users: this.users,
      forwards: this.forwards,
      resolver: promisedNames(options.resolver ?? NO_NAMES),
      keptState: NO_STATE,
      bans: { load: () => new Map(), put() {}, remove() {} },
      onBanned: (source) => void this.banned.push(source),
      record: (record) => void this.records.push(record),
      tokenKey: this.dice.bytes(32),
      media: options.media ?? null,
      engine: options.engine?.(this) ?? null,
      config,
    });
    this.transports.receiver = this.core.receiver;
  }

  /** An account with a password. */
  account(name: string, password: string): void {
    this.#accounts.set(name, {
      name,
      realm: REALM,
      ha1_md5: ha1("MD5", name, REALM, password),
      ha1_sha256: ha1("SHA-256", name, REALM, password),
      source: "store",
    });
  }

  /** A host that speaks SIP: what it receives is kept and given to `on`. */
  host(address: string, port = 5060, transport: TransportName = "udp"): Host {
    return new Host(this, address, port, transport);
  }

  /** Lets everything happen that falls due within `ms`. */
  run(ms = 100): void {
    this.clock.advance(ms);
  }

  /** The value of a counter, summed over its labels. */
  counter(name: string, labels: Record<string, string> = {}): number {
    const family = this.metrics.collect().find((each) => each.name === name);
    let sum = 0;
    for (const sample of family?.samples ?? [])
      if (Object.entries(labels).every(([key, value]) => sample.labels[key] === value)) sum += sample.value;
    return sum;
  }

  #userStore(): UserStore {
    return {
      find: (name) => this.#accounts.get(name) ?? null,
      list: () => [...this.#accounts.values()],
      put: () => null,
      remove: () => null,
      setConfigUsers: () => {},
    };
  }
}

/** A peer of the appliance: sends text, keeps what arrives. */
export class Host {
  readonly world: World;
  readonly transports: VirtualTransports;
  readonly endpoint: LocalEndpoint;
  readonly received: SipMessage[] = [];
  on: (message: SipMessage, flow: Flow) => void = () => {};
  readonly #scanner = new Scanner();

  constructor(world: World, address: string, port: number, transport: TransportName) {
    this.world = world;
    this.transports = new VirtualTransports(world.network);
    this.endpoint = this.transports.listen(transport, address, port);
    this.transports.receiver = {
      message: (bytes, flow) => {
        const message = this.#scanner.scan(bytes);
        if (message === null) return;
        this.received.push(message);
        this.on(message, flow);
      },
      broken() {},
    };
  }

  /** Sends to the appliance. Lines are joined with CRLF; text that holds a CRLF goes as it is. */
  send(message: string | readonly string[] | Buffer, to = EDGE, port = 5060): void {
    const bytes = Buffer.isBuffer(message) ? message : toBytes(message);
    this.transports.flowTo(this.endpoint.transport, to, port, this.endpoint)?.send(bytes);
  }

  /** The newest message received that fits; fails when there is none. */
  last(fits: (message: SipMessage) => boolean = () => true): SipMessage {
    const found = this.received.findLast(fits);
    if (!found) throw new Error(`nothing of that kind arrived at ${this.endpoint.sentBy}`);
    return found;
  }

  response(status: number): SipMessage {
    return this.last((message) => message.status === status);
  }

  request(method: string): SipMessage {
    return this.last((message) => message.method === method);
  }

  statuses(): number[] {
    return this.received.filter((message) => !message.isRequest).map((message) => message.status);
  }
}

export function toBytes(message: string | readonly string[]): Buffer {
  return Buffer.from(typeof message === "string" ? message : `${message.join("\r\n")}\r\n\r\n`, "latin1");
}
