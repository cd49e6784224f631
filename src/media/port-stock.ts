/**
 * Pairs of UDP ports for media, RTP even and RTCP the next (RFC 3550 §11): opened ahead, because a call cannot wait,
 * and taken from anywhere in the range, so that nobody can guess the next one.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";

/** What happens with a datagram. Must not throw. */
export type Receive = (bytes: Buffer, port: number, address: string) => void;

export interface MediaSocket {
  /** Never throws. False: it was dropped. */
  send(bytes: Uint8Array, port: number, address: string): boolean;
  close(): void;
}

/** Opens a UDP socket; the name of the system's error when it cannot be had. */
export type OpenSocket = (address: string, port: number, receive: Receive) => Promise<MediaSocket | string>;

export interface PairUser {
  rtp(bytes: Buffer, port: number, address: string): void;
  rtcp(bytes: Buffer, port: number, address: string): void;
}

/** Two sockets of one side of a stream. */
export interface PortPair {
  /** The local address. */
  readonly address: string;
  readonly port: number;
  readonly rtp: MediaSocket;
  readonly rtcp: MediaSocket;
  /** Who gets what arrives; null: it is dropped. */
  user: PairUser | null;
}

export interface PortRules {
  readonly port_min: number;
  readonly port_max: number;
}

export interface PortStockParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly open: OpenSocket;
}

/** Pairs of each local address that are open ahead. */
export const STOCK_PAIRS = 32;
/** Pairs of one address that are being opened at once. */
const OPENING_MAX = 8;
/** Ports that turn out to be taken, before the next try is put off. */
const TRIES_MAX = 64;
const RETRY_MS = 1000;
/** A port that was in use rests: what still comes for the old call must not reach a new one. */
const REST_MS = 5000;

class Shelf {
  readonly pairs: PortPair[] = [];
  opening = 0;
  /** The last try found none; said once in the log, until one is had again. */
  isFailing = false;
}

export class PortStock {
  readonly #parts: PortStockParts;
  readonly #rules: PortRules;
  readonly #shelves = new Map<string, Shelf>();
  /** `address port` of pairs that are open, or rest until then. */
  readonly #taken = new Map<string, number>();
  readonly #idle: Counter;
  #isOpen = true;
  #isWaiting = false;

  constructor(parts: PortStockParts, rules: PortRules) {
    this.#parts = parts;
    this.#rules = rules;
    const { metrics } = parts;
    this.#idle = metrics.counter("sipedge_media_idle_packets_total", "Datagrams to media ports of no call");
    metrics.gauge("sipedge_media_ports_ready", "Pairs of media ports that are open for the next calls", () =>
      this.ready(),
    );
  }

  /** Opens pairs ahead at these local addresses, and closes those at others. */
  hold(addresses: readonly string[]): void {
    for (const [address, shelf] of this.#shelves)
      if (!addresses.includes(address)) {
        for (const pair of shelf.pairs) this.release(pair);
        this.#shelves.delete(address);
      }
    for (const address of addresses) {
      if (!this.#shelves.has(address)) this.#shelves.set(address, new Shelf());
      this.#fill(address);
    }
  }

  ready(): number {
    let ready = 0;
    for (const { pairs } of this.#shelves.values()) ready += pairs.length;
    return ready;
  }

  /** Null: none is ready. */
  take(address: string): PortPair | null {
    const pair = this.#shelves.get(address)?.pairs.pop() ?? null;
    this.#fill(address);
    return pair;
  }

  /** Closes a pair. Its ports rest before they are used again. */
  release(pair: PortPair): void {
    pair.user = null;
    pair.rtp.close();
    pair.rtcp.close();
    this.#taken.set(keyOf(pair.address, pair.port), this.#parts.clock.now() + REST_MS);
  }

  close(): void {
    this.#isOpen = false;
    for (const { pairs } of this.#shelves.values()) for (const pair of pairs.splice(0)) this.release(pair);
    this.#shelves.clear();
  }

  #fill(address: string): void {
    const shelf = this.#shelves.get(address);
    if (shelf === undefined || !this.#isOpen) return;
    while (shelf.opening < OPENING_MAX && shelf.pairs.length + shelf.opening < STOCK_PAIRS) {
      shelf.opening++;
      void this.#add(address, shelf);
    }
  }

  async #add(address: string, shelf: Shelf): Promise<void> {
    const pair = await this.#openAny(address);
    shelf.opening--;
    if (typeof pair === "string") {
      if (!shelf.isFailing) this.#parts.log.warn("media-ports-failed", { address, code: pair });
      shelf.isFailing = true;
      return this.#later(address);
    }
    shelf.isFailing = false;
    if (!this.#isOpen || this.#shelves.get(address) !== shelf) return this.release(pair);
    shelf.pairs.push(pair);
    this.#fill(address);
  }

  /** The name of the system's error when there is none: EADDRINUSE when the range is used up. */
  async #openAny(address: string): Promise<PortPair | string> {
    for (let tries = 0; tries < TRIES_MAX && this.#isOpen; tries++) {
      const port = this.#anyPort();
      const key = keyOf(address, port);
      const until = this.#taken.get(key);
      if (until !== undefined && until > this.#parts.clock.now()) continue;
      this.#taken.set(key, Number.POSITIVE_INFINITY);
      const pair = await this.#openPair(address, port);
      if (typeof pair !== "string") return pair;
      this.#taken.delete(key);
      if (pair !== "EADDRINUSE") return pair;
    }
    return "EADDRINUSE";
  }

  #anyPort(): number {
    const { port_min, port_max } = this.#rules;
    const first = port_min + (port_min & 1);
    const pairs = Math.floor((port_max + 1 - first) / 2);
    return first + 2 * Math.floor(this.#parts.dice.fraction() * pairs);
  }

  async #openPair(address: string, port: number): Promise<PortPair | string> {
    const idle = this.#idle;
    let pair: PortPair | null = null;
    const rtp = await this.#parts.open(address, port, (bytes, fromPort, from) => {
      if (pair === null || pair.user === null) idle.inc();
      else pair.user.rtp(bytes, fromPort, from);
    });
    if (typeof rtp === "string") return rtp;
    const rtcp = await this.#parts.open(address, port + 1, (bytes, fromPort, from) => {
      if (pair === null || pair.user === null) idle.inc();
      else pair.user.rtcp(bytes, fromPort, from);
    });
    if (typeof rtcp === "string") {
      rtp.close();
      return rtcp;
    }
    pair = { address, port, rtp, rtcp, user: null };
    return pair;
  }

  #later(address: string): void {
    if (this.#isWaiting || !this.#isOpen) return;
    this.#isWaiting = true;
    this.#parts.clock.after(RETRY_MS, () => {
      this.#isWaiting = false;
      this.#fill(address);
    });
  }
}

const keyOf = (address: string, port: number): string => `${address} ${port}`;
