/**
 * Who is kept out, and until when: sources (an IPv4 address, an IPv6 /64) by what they did, networks by the operator.
 */
import { ipFamily } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { Networks, parseNetwork } from "../base/networks.ts";

/** Times are Unix milliseconds. */
export interface Ban {
  readonly reason: string;
  /** `guard`, or who asked over the API. */
  readonly by: string;
  readonly since_ms: number;
  readonly until_ms: number;
  /** How often the source was banned, this time included. */
  readonly times: number;
}

/** Where bans outlive a restart. Must not throw. */
export interface BanStore {
  load(): ReadonlyMap<string, Ban>;
  put(source: string, ban: Ban): void;
  remove(source: string): void;
}

/** Told of every ban and of its end, to keep a firewall's list alike. Must not throw. */
export interface BanMirror {
  banned(source: string, seconds: number): void;
  lifted(source: string): void;
}

/** Bans held, over ones included: they make the next one longer. */
export const BANS_MAX = 10_000;
/** Over bans are remembered for so long. */
const REMEMBERED_MS = 7 * 86_400_000;

export class Bans {
  mirror: BanMirror | null = null;
  readonly #clock: Clock;
  readonly #store: BanStore;
  readonly #evicted: Counter;
  /** By source; the oldest first. */
  readonly #bans = new Map<string, Ban>();
  /** Of the bans that run, those that are whole networks. */
  #networks: Networks | null = null;

  constructor({ clock, metrics, store }: { clock: Clock; metrics: Metrics; store: BanStore }) {
    this.#clock = clock;
    this.#store = store;
    for (const [source, ban] of store.load()) this.#bans.set(source, ban);
    this.#renewNetworks();
    metrics.gauge("sipedge_bans", "Sources that are kept out now", () => this.running().length);
    this.#evicted = metrics.counter(
      "sipedge_bans_forgotten_total",
      "Bans that gave way because there were too many",
    );
  }

  /** The cheapest answer first: nobody is banned. */
  has(address: string): boolean {
    if (this.#bans.size === 0) return false;
    const ban = this.#bans.get(sourceOf(address));
    if (ban !== undefined && ban.until_ms > this.#clock.wall()) return true;
    return this.#networks?.has(address) ?? false;
  }

  /** How often it was banned so far. */
  timesOf(source: string): number {
    return this.#bans.get(source)?.times ?? 0;
  }

  /** `source`: as `sourceOf` gives it, or a network. */
  add(source: string, { reason, by, seconds }: { reason: string; by: string; seconds: number }): Ban {
    const since_ms = this.#clock.wall();
    const times = this.timesOf(source) + 1;
    const ban = { reason, by, since_ms, until_ms: since_ms + seconds * 1000, times };
    this.#bans.delete(source);
    this.#makeRoom();
    this.#bans.set(source, ban);
    this.#store.put(source, ban);
    if (isNetwork(source)) this.#renewNetworks();
    this.mirror?.banned(source, seconds);
    return ban;
  }

  /** False: there is none of it. */
  lift(source: string): boolean {
    if (!this.#bans.delete(source)) return false;
    this.#store.remove(source);
    if (isNetwork(source)) this.#renewNetworks();
    this.mirror?.lifted(source);
    return true;
  }

  /** Those that are not over, the newest first. */
  running(): readonly (Ban & { readonly source: string })[] {
    const now = this.#clock.wall();
    const found: (Ban & { source: string })[] = [];
    for (const [source, ban] of this.#bans) if (ban.until_ms > now) found.push({ source, ...ban });
    return found.toReversed();
  }

  /** What is long over goes first, then the oldest. */
  #makeRoom(): void {
    if (this.#bans.size < BANS_MAX) return;
    const before = this.#clock.wall() - REMEMBERED_MS;
    for (const [source, { until_ms }] of this.#bans) if (until_ms < before) this.#drop(source);
    for (const [source] of this.#bans) {
      if (this.#bans.size < BANS_MAX) return;
      this.#drop(source);
      this.#evicted.inc();
    }
  }

  #drop(source: string): void {
    this.#bans.delete(source);
    this.#store.remove(source);
  }

  #renewNetworks(): void {
    const networks = this.running().flatMap(({ source }) => (isNetwork(source) ? [source] : []));
    this.#networks = networks.length === 0 ? null : new UntilOver(networks, this);
  }

  isRunning(source: string): boolean {
    return (this.#bans.get(source)?.until_ms ?? 0) > this.#clock.wall();
  }
}

/** Networks whose bans end by themselves. */
class UntilOver extends Networks {
  readonly #sources: readonly string[];
  readonly #bans: Bans;

  constructor(sources: readonly string[], bans: Bans) {
    super(sources);
    this.#sources = sources;
    this.#bans = bans;
  }

  override has(address: string): boolean {
    return (
      super.has(address) &&
      this.#sources.some((source) => this.#bans.isRunning(source) && new Networks([source]).has(address))
    );
  }
}

/**
 * What is counted and banned as one: an IPv4 address, or the /64 of which an IPv6 host can pick any address. `address`:
 * as sockets give it, in canonical form.
 */
export function sourceOf(address: string): string {
  if (ipFamily(address) !== 6) return address;
  const [head = "", tail] = address.split("%", 1)[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  const behind = tail === undefined || tail === "" ? [] : tail.split(":");
  while (tail !== undefined && groups.length + behind.length < 8) groups.push("0");
  const prefix = [...groups, ...behind].slice(0, 4);
  while (prefix.at(-1) === "0") prefix.pop();
  return `${prefix.join(":")}::/64`;
}

/** The operator's word for a source: an address or a network; null: it is neither. */
export function sourceNamed(text: string): string | null {
  const network = parseNetwork(text);
  if (network === null) return null;
  const isWhole = network.prefix === (network.family === 4 ? 32 : 128);
  if (!isWhole) return text;
  return sourceOf(
    network.family === 4 ? network.address : new URL(`http://[${network.address}]/`).hostname.slice(1, -1),
  );
}

const isNetwork = (source: string): boolean => source.includes("/") && !/::\/64$/.test(source);
