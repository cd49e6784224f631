/**
 * Keeps strangers out before a message of theirs is read. Whom we know (registered phones, peers, trusted networks) it
 * does not hold up; a stranger is let in at a bounded rate, and one that guesses passwords is kept out for a while.
 *
 * The sender of a datagram can be forged, so what alone it says bans nobody: only what shows that its answers are
 * received (a digest over a nonce that was issued to this very address, or anything on a connection).
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { Networks } from "../base/networks.ts";
import type { BanStore } from "./bans.ts";
import { Bans, sourceNamed, sourceOf } from "./bans.ts";
import { Buckets, FadingPoints } from "./buckets.ts";
import { Scanners } from "./scanners.ts";

export interface GuardRules {
  readonly enabled: boolean;
  /** Where nobody is let in from. */
  readonly deny: readonly string[];
  /** Where alone somebody is let in from; empty: anywhere. */
  readonly allow: readonly string[];
  /** So many wrong passwords within the window, and the source is banned. */
  readonly tries: number;
  readonly window_s: number;
  /** The first ban; each next one of a source is twice as long, up to `ban_max_s`. */
  readonly ban_s: number;
  readonly ban_max_s: number;
  /** Wrong passwords for one account, from anywhere, until strangers may not try it any more. */
  readonly account_tries: number;
  /** Messages of a stranger. */
  readonly rate_per_s: number;
  readonly burst: number;
  /** User-Agents of scanners beside the known ones. */
  readonly scanners: readonly string[];
}

export interface GuardParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: BanStore;
  /** Whether this address is never held up: a trusted network, or a peer. */
  readonly isExempt: (address: string) => boolean;
  /** Told that what came from there is to end: its connections are closed. */
  readonly onBanned: (source: string) => void;
}

type DropReason = "banned" | "denied" | "not_allowed" | "scanner" | "rate";

/** Sources whose rate and offences are remembered. */
const SOURCES_MAX = 50_000;
const ACCOUNTS_MAX = 10_000;
const LOOPBACK = new Networks(["127.0.0.0/8", "::1"]);

export class Guard {
  readonly bans: Bans;
  readonly #parts: GuardParts;
  readonly #buckets: Buckets;
  readonly #offences: FadingPoints;
  readonly #accounts: FadingPoints;
  /** Addresses with a registration, until when it ends (`clock.wall()`). */
  readonly #known = new Map<string, number>();
  readonly #dropped: Readonly<Record<DropReason, Counter>>;
  #rules: GuardRules;
  #deny: Networks;
  #allow: Networks | null;
  #scanners: Scanners;

  constructor(parts: GuardParts, rules: GuardRules) {
    const { clock, metrics } = parts;
    this.#parts = parts;
    this.bans = new Bans(parts);
    this.#buckets = new Buckets(clock, SOURCES_MAX, rules.rate_per_s, rules.burst);
    this.#offences = new FadingPoints(clock, SOURCES_MAX);
    this.#accounts = new FadingPoints(clock, ACCOUNTS_MAX);
    const drops = (reason: DropReason): Counter =>
      metrics.counter("sipedge_guard_dropped_total", "Messages and connections that were not let in", {
        reason,
      });
    this.#dropped = {
      banned: drops("banned"),
      denied: drops("denied"),
      not_allowed: drops("not_allowed"),
      scanner: drops("scanner"),
      rate: drops("rate"),
    };
    this.#rules = rules;
    this.#deny = new Networks(rules.deny);
    this.#allow = rules.allow.length === 0 ? null : new Networks(rules.allow);
    this.#scanners = new Scanners(rules.scanners);
  }

  configure(rules: GuardRules): void {
    this.#rules = rules;
    this.#deny = new Networks(rules.deny);
    this.#allow = rules.allow.length === 0 ? null : new Networks(rules.allow);
    this.#scanners = new Scanners(rules.scanners);
    this.#buckets.rate_per_s = rules.rate_per_s;
    this.#buckets.burst = rules.burst;
  }

  /** Whether anything that comes from there is looked at: datagrams of any kind, connections. */
  admits(address: string): boolean {
    if (this.bans.has(address)) return this.#drop("banned");
    if (this.#deny.has(address)) return this.#drop("denied");
    if (this.#allow !== null && !this.#allow.has(address)) return this.#drop("not_allowed");
    return true;
  }

  /** Whether this message, from whom `admits` lets in, is read. `isProved`: its sender gets what is sent there. */
  takes(bytes: Buffer, address: string, isProved: boolean): boolean {
    if (!this.#rules.enabled || this.#isKnown(address) || this.#parts.isExempt(address)) return true;
    if (this.#scanners.names(bytes)) {
      if (isProved) this.#ban(sourceOf(address), "a scanner by its own name");
      return this.#drop("scanner");
    }
    return this.#buckets.take(sourceOf(address)) || this.#drop("rate");
  }

  /** A phone has registered from there until then (Unix milliseconds). */
  registered(address: string, until_ms: number): void {
    const before = this.#known.get(address) ?? 0;
    if (until_ms > before) this.#known.set(address, until_ms);
    this.#offences.forget(sourceOf(address));
  }

  /** Whether a phone registered from there, or proved an account lately. */
  knows(address: string): boolean {
    return this.#isKnown(address);
  }

  /** Whether somebody at this address may try the password of that account now. */
  mayTry(address: string, account: string): boolean {
    const { account_tries, enabled, window_s } = this.#rules;
    if (!enabled || this.#accounts.of(account, account_tries, window_s * 1000) < account_tries) return true;
    return this.#isKnown(address) || this.#parts.isExempt(address);
  }

  /** A wrong password or an account that is not here; `isProved`: the sender receives what is sent to the address. */
  failed(address: string, account: string, isProved: boolean): void {
    const { account_tries, enabled, window_s } = this.#rules;
    if (!enabled || !isProved) return;
    const { log } = this.#parts;
    const ofAccount = this.#accounts.add(account, 1, account_tries, window_s * 1000);
    if (ofAccount >= account_tries && ofAccount < account_tries + 1)
      log.warn("account-under-attack", { account, tries: account_tries });
    this.#offend(address, "wrong passwords");
  }

  /** A wrong token of the API, over a connection, so the address is that of its sender. */
  wrongToken(address: string): void {
    if (!this.#rules.enabled || LOOPBACK.has(address)) return; // a proxy in front of the API stands for everybody
    this.#offend(address, "wrong tokens or passwords");
  }

  #offend(address: string, what: string): void {
    if (this.#isKnown(address) || this.#parts.isExempt(address)) return; // one phone of many with an old password
    const { tries, window_s } = this.#rules;
    const source = sourceOf(address);
    if (this.#offences.add(source, 1, tries, window_s * 1000) >= tries) this.#ban(source, `${tries} ${what}`);
  }

  /** By the operator. Null: the text is no address and no network. */
  banBy(text: string, by: string, reason: string, seconds: number): string | null {
    const source = sourceNamed(text);
    if (source === null) return null;
    this.bans.add(source, { reason, by, seconds });
    this.#parts.log.warn("banned", { source, reason, by, seconds });
    this.#parts.onBanned(source);
    return source;
  }

  /** False: it is not banned. */
  lift(text: string, by: string): boolean {
    const source = sourceNamed(text);
    if (source === null || !this.bans.lift(source)) return false;
    this.#offences.forget(source);
    this.#parts.log.info("ban-lifted", { source, by });
    return true;
  }

  #ban(source: string, reason: string): void {
    const { ban_s, ban_max_s } = this.#rules;
    const seconds = Math.min(ban_max_s, ban_s * 2 ** Math.min(30, this.bans.timesOf(source)));
    this.#offences.forget(source);
    this.bans.add(source, { reason, by: "guard", seconds });
    this.#parts.log.warn("banned", { source, reason, seconds });
    this.#parts.onBanned(source);
  }

  #isKnown(address: string): boolean {
    const until_ms = this.#known.get(address);
    if (until_ms === undefined) return false;
    if (until_ms > this.#parts.clock.wall()) return true;
    this.#known.delete(address);
    return false;
  }

  #drop(reason: DropReason): false {
    this.#dropped[reason].inc();
    return false;
  }
}
