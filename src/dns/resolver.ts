/**
 * Name service of our own: /etc/hosts, then the cache, then one query for everybody who asks the same,
 * to the servers of the name's suffix (RFC 1034 §5.3.1 calls it a stub resolver).
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { CacheEntry } from "./cache.ts";
import { cacheKey, DnsCache } from "./cache.ts";
import { DnsMetrics } from "./dns-metrics.ts";
import type { Exchanged } from "./exchange.ts";
import { Exchange } from "./exchange.ts";
import { localAnswer } from "./local-names.ts";
import type { Answer, AnyRecord, Failure, NameService, RecordData, RecordType } from "./records.ts";
import { asName } from "./records.ts";
import type { ResolverOptions } from "./resolver-options.ts";
import { ttlMs } from "./resolver-options.ts";
import { ServerChoice } from "./server-choice.ts";
import type { ServerSnapshot } from "./servers.ts";
import type { DnsSockets, Files } from "./sockets.ts";
import type { HostsTable } from "./system-files.ts";
import { parseHosts } from "./system-files.ts";
import { WatchedFile } from "./watched-file.ts";
import { ALIASES_MAX } from "./wire.ts";

export interface ResolverParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sockets: DnsSockets;
  readonly files: Files;
}

export interface ResolverSnapshot {
  readonly entries: number;
  readonly entries_max: number;
  readonly bytes: number;
  readonly bytes_max: number;
  /** Questions under way. */
  readonly underway: number;
  readonly servers: readonly ServerSnapshot[];
  readonly records: readonly RecordSnapshot[];
}

export interface RecordSnapshot {
  readonly name: string;
  readonly type: RecordType;
  readonly answer: Answer;
  /** Negative when it is kept for want of a better one. */
  readonly expires_in_ms: number;
  readonly hits: number;
}

/** Different questions under way at once. */
export const QUESTIONS_MAX = 1000;
/** Who waits for one and the same answer. */
export const WAITERS_MAX = 5000;
/** RFC 8767 §5: after this long a waiter gets the stale answer, while the query goes on. */
const STALE_AFTER_MS = 1800;
/** RFC 8767 §5: a failed refresh is not repeated sooner. */
const STALE_RECHECK_MS = 30_000;
/** An answer is fetched anew in the last tenth of its time when it was used this often. */
const PREFETCH_SHARE = 0.1;
const PREFETCH_HITS = 2;
const PREFETCH_TTL_MS_MIN = 5000;
/** RFC 9520 §3.2: a failure is remembered for at least a second. */
const FAILURE_MS = 1000;

type Done = (answer: Answer) => void;

/** A question under way. */
interface Pending {
  readonly name: string;
  readonly type: RecordType;
  waiters: Done[];
  /** The name that aliases have led to. */
  at: string;
  aliases: number;
  /** The least time to live of the aliases on the way. */
  ttl_s: number;
  stale: Answer | null;
  alarm: Alarm | null;
  exchange: Exchange | null;
}

export class Resolver implements NameService {
  readonly #parts: ResolverParts;
  readonly #metrics: DnsMetrics;
  readonly #cache: DnsCache;
  readonly #hosts: WatchedFile<HostsTable>;
  readonly #servers: ServerChoice;
  readonly #pending = new Map<string, Pending>();
  #options: ResolverOptions;
  #closed = false;

  constructor(parts: ResolverParts, options: ResolverOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#metrics = new DnsMetrics(parts.metrics);
    this.#cache = new DnsCache(options.cache, parts.metrics);
    this.#hosts = new WatchedFile(options.hosts_path, parseHosts, parts);
    this.#servers = new ServerChoice(options, parts, () => this.#cache.flush());
    parts.metrics.gauge(
      "sipedge_dns_questions_underway",
      "Questions to name servers under way",
      () => this.#pending.size,
    );
  }

  /** Takes over changed options; other servers may know other answers, so the cache begins anew with them. */
  configure(options: ResolverOptions): void {
    this.#options = options;
    this.#cache.limits = options.cache;
    this.#servers.configure(options);
  }

  ask<T extends RecordType>(text: string, type: T, done: (answer: Answer<RecordData[T]>) => void): void {
    // One map holds answers of all types; the key says which it is.
    this.#ask(text, type, done as unknown as Done);
  }

  /** Forgets the answers for one name, or all of them; returns how many there were. */
  flush(name?: string): number {
    return this.#cache.flush(name === undefined ? undefined : (asName(name) ?? name));
  }

  /** What the status API shows: at most `max` answers, the one used last first. */
  snapshot(max: number): ResolverSnapshot {
    const now = this.#parts.clock.now();
    const { entries_max, bytes_max } = this.#cache.limits;
    return {
      entries: this.#cache.size,
      entries_max,
      bytes: this.#cache.bytes,
      bytes_max,
      underway: this.#pending.size,
      servers: this.#servers.snapshot(now),
      records: this.#cache.entries(max).map(({ name, type, answer, expires_ms, hits }) => ({
        name,
        type,
        answer,
        expires_in_ms: expires_ms - now,
        hits,
      })),
    };
  }

  /** Closes every socket; whoever waits is told that it failed. */
  close(): void {
    this.#closed = true;
    for (const pending of [...this.#pending.values()]) this.#settle(pending, failed("closed"));
  }

  #ask(text: string, type: RecordType, done: Done): void {
    const name = asName(text);
    if (name === null) return done({ kind: "none", exists: false });
    if (this.#closed) return done(failed("closed"));
    const local = localAnswer(name, type, this.#hosts.value);
    if (local !== null) {
      this.#metrics.uses.hosts.inc();
      return done(local);
    }
    this.#servers.refresh(); // a changed resolv.conf empties the cache
    const now = this.#parts.clock.now();
    const key = cacheKey(name, type);
    const entry = this.#cache.get(key, now);
    if (entry !== null && now < entry.expires_ms) {
      this.#metrics.uses.hit.inc();
      if (isWorthPrefetching(entry, now)) this.#prefetch(key, entry);
      return done(entry.answer);
    }
    this.#wait(key, { name, type }, entry, done);
  }

  /** Joins the question under way, or asks it. */
  #wait(key: string, what: { name: string; type: RecordType }, old: CacheEntry | null, done: Done): void {
    const open = this.#pending.get(key);
    if (open !== undefined && open.waiters.length < WAITERS_MAX) {
      this.#metrics.uses.joined.inc();
      // Whoever comes after the others have been given the stale answer gets it at once.
      if (open.stale !== null && open.alarm === null) return done(open.stale);
      open.waiters.push(done);
      return;
    }
    if (open !== undefined || this.#pending.size >= QUESTIONS_MAX) {
      this.#metrics.busy.inc();
      return done(failed("busy"));
    }
    this.#metrics.uses.miss.inc();
    const pending = this.#open(key, what, [done]);
    if (old === null || old.answer.kind === "failed") return;
    pending.stale = staleOf(old.answer);
    pending.alarm = this.#parts.clock.after(STALE_AFTER_MS, () => this.#answerStale(pending));
  }

  #prefetch(key: string, { name, type }: CacheEntry): void {
    if (this.#pending.has(key) || this.#pending.size >= QUESTIONS_MAX / 2) return;
    this.#metrics.prefetched.inc();
    this.#open(key, { name, type }, []);
  }

  #open(key: string, { name, type }: { name: string; type: RecordType }, waiters: Done[]): Pending {
    const pending: Pending = {
      name,
      type,
      waiters,
      at: name,
      aliases: 0,
      ttl_s: Number.POSITIVE_INFINITY,
      stale: null,
      alarm: null,
      exchange: null,
    };
    this.#pending.set(key, pending);
    this.#query(pending);
    return pending;
  }

  #query(pending: Pending): void {
    const { at, type } = pending;
    pending.exchange = new Exchange(
      { ...this.#parts, metrics: this.#metrics },
      { name: at, type },
      this.#servers.limits,
      (result) => this.#exchanged(pending, result),
      this.#servers.groupFor(at),
    );
    pending.exchange.start();
  }

  #exchanged(pending: Pending, result: Exchanged): void {
    if (result.kind === "alias") return this.#follow(pending, result.to, result.ttl_s);
    if (result.kind === "failed") return this.#failed(pending, result.reason);
    const ttl_ms = ttlMs(this.#options, result, pending.ttl_s);
    const answer: Answer =
      result.kind === "records"
        ? { kind: "records", records: result.records, authentic: result.authentic, stale: false }
        : { kind: "none", exists: result.exists };
    this.#cache.put(pending.name, pending.type, answer, ttl_ms, this.#parts.clock.now());
    this.#settle(pending, answer);
  }

  /** RFC 1034 §5.2.2: the rest of a chain of aliases, from the hosts file, the cache or the servers. */
  #follow(pending: Pending, to: string, ttl_s: number): void {
    pending.at = to;
    pending.ttl_s = Math.min(pending.ttl_s, ttl_s);
    if (++pending.aliases > ALIASES_MAX) return this.#failed(pending, "alias-loop");
    const local = localAnswer(to, pending.type, this.#hosts.value);
    if (local !== null) return this.#settle(pending, local);
    this.#query(pending);
  }

  /** RFC 8767: an old answer is better than none. A failure is never kept as "no such name" (RFC 2308 §7). */
  #failed(pending: Pending, reason: Failure): void {
    this.#metrics.failed.inc();
    const now = this.#parts.clock.now();
    if (pending.stale !== null) {
      this.#cache.put(pending.name, pending.type, pending.stale, STALE_RECHECK_MS, now);
      return this.#answerStale(pending, true);
    }
    const answer = failed(reason);
    // A prefetch that failed leaves the good answer where it is.
    if (pending.waiters.length > 0) this.#cache.put(pending.name, pending.type, answer, FAILURE_MS, now);
    this.#settle(pending, answer);
  }

  #answerStale(pending: Pending, over = false): void {
    const { stale } = pending;
    if (stale === null) return;
    this.#metrics.uses.stale.inc(pending.waiters.length);
    if (over) return this.#settle(pending, stale);
    pending.alarm = null;
    tell(pending, stale);
  }

  #settle(pending: Pending, answer: Answer): void {
    pending.alarm?.cancel();
    pending.exchange?.close();
    this.#pending.delete(cacheKey(pending.name, pending.type));
    tell(pending, answer);
  }
}

function tell(pending: Pending, answer: Answer): void {
  const { waiters } = pending;
  pending.waiters = [];
  for (const done of waiters) done(answer);
}

const failed = (reason: Failure): Answer<AnyRecord> => ({ kind: "failed", reason });

const staleOf = (answer: Answer): Answer => (answer.kind === "records" ? { ...answer, stale: true } : answer);

function isWorthPrefetching({ stored_ms, expires_ms, answer, hits }: CacheEntry, now_ms: number): boolean {
  const ttl_ms = expires_ms - stored_ms;
  if (answer.kind !== "records" || answer.stale) return false;
  return (
    ttl_ms >= PREFETCH_TTL_MS_MIN && hits >= PREFETCH_HITS && expires_ms - now_ms <= ttl_ms * PREFETCH_SHARE
  );
}
