/**
 * Which of our sockets a message to an address leaves from. On a machine with a leg in two networks
 * the wrong one means an answer that never comes back, so the kernel's routes decide.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { LocalEndpoint } from "../base/flow.ts";
import { familyOf, isLoopback } from "./endpoint.ts";
import type { SocketOptions } from "./socket-options.ts";

interface Source {
  readonly address: string | null;
  readonly at: number;
}

/** How long an answer of the kernel counts, and for how many peers it is remembered. */
const SOURCE_MS = 10_000;
const SOURCES_MAX = 4096;

export class Route {
  readonly #clock: Clock;
  readonly #kernel: SocketOptions;
  readonly #sources = new BoundedMap<string, Source>(SOURCES_MAX);

  constructor(clock: Clock, kernel: SocketOptions) {
    this.#clock = clock;
    this.#kernel = kernel;
  }

  /** The machine's addresses changed. */
  forget(): void {
    this.#sources.clear();
  }

  /**
   * Of the listeners of the peer's family: the one `from` names, else one on the same local address,
   * else the one on the address the kernel would send from, else the first. A loopback socket reaches
   * loopback peers only, and is the first choice for those. Null: there is none.
   */
  pick<L extends { readonly endpoint: LocalEndpoint }>(
    listeners: readonly L[],
    address: string,
    from: LocalEndpoint | undefined,
  ): L | null {
    const family = familyOf(address);
    const local = isLoopback(address);
    const fits = ({ endpoint }: L) =>
      familyOf(endpoint.address) === family && (local || !isLoopback(endpoint.address));
    const named = from === undefined ? undefined : listeners.find(({ endpoint }) => endpoint === from);
    if (named !== undefined && fits(named)) return named;
    const fitting = listeners.filter(fits);
    if (fitting.length < 2) return fitting[0] ?? null;
    return (
      (from &&
        fitting.find(({ endpoint }) => endpoint.address === from.address && endpoint.port === from.port)) ??
      (from && fitting.find(({ endpoint }) => endpoint.address === from.address)) ??
      (local ? fitting.find(({ endpoint }) => endpoint.address === address) : undefined) ??
      (local
        ? fitting.find(({ endpoint }) => isLoopback(endpoint.address))
        : this.#byKernel(fitting, address)) ??
      fitting[0] ??
      null
    );
  }

  #byKernel<L extends { readonly endpoint: LocalEndpoint }>(
    fitting: readonly L[],
    address: string,
  ): L | undefined {
    const source = this.#source(address);
    return source === null ? undefined : fitting.find(({ endpoint }) => endpoint.address === source);
  }

  #source(address: string): string | null {
    const now = this.#clock.now();
    const known = this.#sources.peek(address);
    if (known && now - known.at < SOURCE_MS) return known.address;
    const found = this.#kernel.sourceAddress(address);
    this.#sources.set(address, { address: found, at: now });
    return found;
  }
}
