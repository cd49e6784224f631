/**
 * The way of an answer whose own connection is gone: the place the request came from, by its sent-by port
 * (RFC 3261 §18.2.2), then what its sent-by stands for (RFC 3263 §5). A flow like any other; it queues while
 * a name is looked up.
 */
import type { Flow, FlowObserver, LocalEndpoint, TransportName, Transports } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import type { TimerOwner, TimerWheel, Timer as WheelTimer } from "../base/timers.ts";
import { Timer } from "../base/timers.ts";
import type { Via } from "../message/via.ts";
import { asksForSource } from "./reply-flow.ts";

export interface ReplyPlace {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/**
 * Looks the sent-by of a Via up (RFC 3263 §5); `found` is called once, at once or later, with the places in
 * the order in which to try them.
 */
export type LookUpReply = (
  sentBy: Pick<Via, "host" | "port"> & { readonly transport: TransportName },
  found: (places: readonly ReplyPlace[]) => void,
) => void;

export interface DetourParts {
  readonly transports: Transports;
  readonly wheel: TimerWheel;
  readonly lookUp: LookUpReply | null;
}

/** A connection that is still open after so long has taken what it was given. */
const SETTLED_MS = 5000;
/** Answers of one request that are kept until then: provisional ones, and a 2xx of each fork. */
const KEPT_MAX = 8;

export class Detour implements Flow, FlowObserver, TimerOwner {
  readonly transport: TransportName;
  readonly local: LocalEndpoint;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly reliable: boolean;
  readonly id: string;
  /** False once no place is left to try. */
  open = true;
  readonly #parts: DetourParts;
  readonly #via: Via;
  readonly #tried = new Set<string>();
  readonly #observers = new Set<FlowObserver>();
  readonly #timer: WheelTimer = new Timer(this);
  #places: readonly ReplyPlace[];
  #asked = false;
  /** The name is being looked up. */
  #looking = false;
  /** Within a call of `send`, which tells the end itself. */
  #sending = false;
  #current: Flow | null = null;
  /** What the next place has to be told, too. */
  #kept: Uint8Array[] = [];

  /** `source` is the flow that the request came on, `via` the topmost Via it came with. */
  constructor(parts: DetourParts, source: Flow, via: Via) {
    const { transport, local, remoteAddress, remotePort, reliable, id } = source;
    this.#parts = parts;
    this.#via = via;
    this.transport = transport;
    this.local = local;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.reliable = reliable;
    this.id = `${id} by its Via`;
    const port = !reliable && asksForSource(via, source) ? remotePort : (via.port ?? defaultPort(transport));
    this.#places = [{ transport, address: remoteAddress, port }];
  }

  send(bytes: Uint8Array): boolean {
    if (!this.open) return false;
    if (this.#kept.length === KEPT_MAX) this.#kept.shift();
    this.#kept.push(bytes);
    if (this.#looking || (this.#current?.open === true && this.#current.send(bytes))) return true;
    this.#sending = true;
    this.#goOn();
    this.#sending = false;
    return this.open;
  }

  watch(observer: FlowObserver): void {
    this.#observers.add(observer);
  }

  unwatch(observer: FlowObserver): void {
    this.#observers.delete(observer);
  }

  toPort(): null {
    return null;
  }

  /** The connection could not be opened, or broke before it can have taken everything. */
  flowClosed(flow: Flow): void {
    if (flow === this.#current) this.#goOn();
  }

  timerFired(): void {
    this.#leave();
    this.#kept = [];
  }

  /** The next place that takes what is kept. */
  #goOn(): void {
    this.#leave();
    for (const [i, place] of this.#places.entries()) {
      const { transport, address, port } = place;
      const key = `${transport} ${hostPort(address, port)}`;
      if (this.#tried.has(key)) continue;
      this.#tried.add(key);
      const flow = this.#parts.transports.flowTo(transport, address, port, this.local, this.#via.host);
      if (flow === null || !this.#kept.every((bytes) => flow.send(bytes))) continue;
      this.#places = this.#places.slice(i + 1);
      this.#current = flow;
      flow.watch(this);
      this.#parts.wheel.set(this.#timer, "detour", SETTLED_MS);
      return;
    }
    this.#places = [];
    if (this.#asked || this.#parts.lookUp === null) this.#end();
    else this.#ask(this.#parts.lookUp);
  }

  #ask(lookUp: LookUpReply): void {
    const { host, port } = this.#via;
    this.#asked = true;
    this.#looking = true;
    lookUp({ transport: this.transport, host, port }, (places) => {
      this.#looking = false;
      this.#places = places;
      this.#goOn();
    });
  }

  #leave(): void {
    this.#current?.unwatch(this);
    this.#parts.wheel.stop(this.#timer);
  }

  #end(): void {
    this.open = false;
    this.#kept = [];
    if (this.#sending) return;
    for (const observer of [...this.#observers]) observer.flowClosed(this, "no way to the sent-by");
  }
}

/** RFC 3261 §18.2.2: the default of the transport. */
const defaultPort = (transport: TransportName): number => (transport === "tls" ? 5061 : 5060);
