/**
 * Connections from balancers that begin with a PROXY header (proxy-protocol.txt §2): until it is here and good, they
 * are nobody's. Whoever is not named must not send one: what it says is not believed.
 */
import type { Alarm } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Networks } from "../base/networks.ts";
import type { Connection, Wire } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { ProxySource } from "./proxy-header.ts";
import { readProxyHeader } from "./proxy-header.ts";

/** What a socket tells whoever it belongs to. */
export type Incoming = Pick<Connection, "received" | "drained" | "peerEnded" | "wireClosed">;

/** The header is here: whose connection it is, and what came behind it. */
type Arrived = (source: ProxySource, rest: Buffer) => void;

/** Connections of one listener at once whose header is not complete. */
const WAITING_MAX = 1000;

export class ProxyGate {
  readonly #connections: Connections;
  readonly #log: Log;
  readonly #balancers: Networks;
  readonly #waiting = new Set<HeaderWait>();

  /** Each of the networks must pass `parseNetwork`. */
  constructor(connections: Connections, log: Log, balancers: readonly string[]) {
    this.#connections = connections;
    this.#log = log;
    this.#balancers = new Networks(balancers);
  }

  /** Whether a connection from this address has to begin with the header. */
  expects(address: string): boolean {
    return this.#balancers.has(address);
  }

  /** Takes the bytes of a new connection until its header is complete; null: too many wait, close it. */
  wait(from: ProxySource, wire: Pick<Wire, "reset">, arrived: Arrived): Incoming | null {
    if (this.#waiting.size >= WAITING_MAX) {
      this.#connections.metrics.proxyHeader("waiting_max");
      return null;
    }
    const wait = new HeaderWait(this, from, wire, arrived);
    this.#waiting.add(wait);
    // No longer than a handshake or a connection of our own may take.
    const { clock, options } = this.#connections;
    wait.alarm = clock.after(options.connect_timeout_ms, () => wait.refuse("too_slow"));
    return wait;
  }

  /** Closes those that still wait. */
  close(): void {
    for (const wait of [...this.#waiting]) wait.refuse("closed");
  }

  /** One of them waits no more. */
  left(wait: HeaderWait, from: ProxySource, how: ProxyHeaderEnd): void {
    this.#waiting.delete(wait);
    this.#connections.metrics.proxyHeader(how);
    if (how === "malformed" || how === "too_slow")
      this.#log.warn("proxy-header-refused", { from: from.address, why: how });
  }
}

/** What became of a header: `own` is a good one of a connection that is the balancer's own. */
export type ProxyHeaderEnd = "good" | "own" | "malformed" | "too_slow" | "closed" | "waiting_max";

class HeaderWait implements Incoming {
  alarm: Alarm | null = null;
  readonly #gate: ProxyGate;
  readonly #from: ProxySource;
  readonly #wire: Pick<Wire, "reset">;
  readonly #arrived: Arrived;
  #bytes: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(gate: ProxyGate, from: ProxySource, wire: Pick<Wire, "reset">, arrived: Arrived) {
    this.#gate = gate;
    this.#from = from;
    this.#wire = wire;
    this.#arrived = arrived;
  }

  received(segment: Buffer): void {
    if (this.#over) return;
    this.#bytes = Buffer.concat([this.#bytes, segment]);
    const header = readProxyHeader(this.#bytes);
    if (header === "incomplete") return; // so it is shorter than PROXY_HEADER_BYTES_MAX
    if (header === "malformed") {
      this.refuse("malformed");
      return;
    }
    this.#end(header.source === null ? "own" : "good");
    this.#arrived(header.source ?? this.#from, this.#bytes.subarray(header.bytes));
  }

  drained(): void {}

  peerEnded(): void {
    this.refuse("closed");
  }

  wireClosed(): void {
    if (!this.#over) this.#end("closed");
  }

  refuse(why: ProxyHeaderEnd): void {
    if (this.#over) return;
    this.#end(why);
    this.#wire.reset();
  }

  #end(how: ProxyHeaderEnd): void {
    this.#over = true;
    this.alarm?.cancel();
    this.#gate.left(this, this.#from, how);
  }
}
