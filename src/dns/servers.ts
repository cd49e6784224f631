/**
 * Name servers and what is known of their health: one that stays silent is asked last, and tried again
 * beside a live one, so that nobody waits for it.
 */
import { hostPort } from "../base/flow.ts";
import type { ServerAddress } from "./sockets.ts";

/** Tries in a row without an answer after which a server counts as dead. */
const SILENT_MAX = 2;
/** How long it is left alone then, before one query is sent to it again. */
export const DEAD_MS = 30_000;

export interface ServerSnapshot {
  readonly server: string;
  readonly dead: boolean;
  /** Milliseconds until it is tried again; 0 when it is not dead. */
  readonly retry_in_ms: number;
  readonly sent: number;
  readonly answered: number;
  readonly silent: number;
}

export class Server {
  readonly at: ServerAddress;
  /** False once it has refused a query with EDNS (RFC 6891 §6.2.2). */
  edns = true;
  sent = 0;
  answered = 0;
  /** Tries it did not answer in time. */
  silent = 0;
  #silentInRow = 0;
  #deadUntil_ms = Number.NEGATIVE_INFINITY;
  #dead = false;

  constructor(at: ServerAddress) {
    this.at = at;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** It answered, with whatever. */
  spoke(): void {
    this.answered++;
    this.#silentInRow = 0;
    this.#dead = false;
  }

  /** A try went by without an answer. */
  staySilent(now_ms: number): void {
    this.silent++;
    this.#silentInRow++;
    if (this.#silentInRow >= SILENT_MAX) this.die(now_ms);
  }

  /** It cannot be reached: its machine says so. */
  die(now_ms: number): void {
    this.#dead = true;
    this.#deadUntil_ms = now_ms + DEAD_MS;
  }

  /** Whether a dead server may be sent a query again to see; the next one is due after another while. */
  takeProbe(now_ms: number): boolean {
    if (!this.#dead || now_ms < this.#deadUntil_ms) return false;
    this.#deadUntil_ms = now_ms + DEAD_MS;
    return true;
  }

  snapshot(now_ms: number): ServerSnapshot {
    return {
      server: hostPort(this.at.address, this.at.port),
      dead: this.#dead,
      retry_in_ms: this.#dead ? Math.max(0, this.#deadUntil_ms - now_ms) : 0,
      sent: this.sent,
      answered: this.answered,
      silent: this.silent,
    };
  }
}

/** Servers that answer for the same names, in the operator's order. */
export class ServerGroup {
  readonly servers: readonly Server[];

  constructor(addresses: readonly ServerAddress[], known: readonly Server[] = []) {
    this.servers = addresses.map(
      (at) =>
        known.find(({ at: old }) => old.address === at.address && old.port === at.port) ?? new Server(at),
    );
  }

  /** The order to ask in: the live ones, then the dead ones. */
  inOrder(): Server[] {
    return [
      ...this.servers.filter((server) => !server.dead),
      ...this.servers.filter((server) => server.dead),
    ];
  }
}
