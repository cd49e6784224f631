/**
 * What the API reads, and what it changes. `app` implements it; every function
 * answers at once with a plain snapshot and must not throw.
 */
import type { Clock } from "../base/clock.ts";
import type { LocalEndpoint } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Call } from "../calls/call.ts";
import type { StoredRecord } from "../calls/sqlite-records.ts";
import type { DeadTarget } from "../dns/dead-targets.ts";
import type { ResolverSnapshot } from "../dns/resolver.ts";
import type { Ban } from "../guard/bans.ts";
import type { Binding } from "../location/binding.ts";
import type { ForwardStore } from "../location/forwards.ts";
import type { LocationStore } from "../location/store.ts";
import type { UserStore } from "../location/users.ts";
import type { NgSnapshot } from "../media/ng-pool.ts";
import type { VqReport } from "../media/vq-report.ts";
import type { PeerSnapshot } from "../peers/snapshot.ts";
import type { Trace, TraceState } from "../trace/trace.ts";
import type { TransactionsSnapshot } from "../transaction/snapshot.ts";
import type { CertificateSnapshot } from "../transport/certificates.ts";
import type { ConnectionSnapshot } from "../transport/connections.ts";
import type { Events } from "./events.ts";
import type { History } from "./history.ts";

/** The last time the config file was read again. */
export interface ReloadSnapshot {
  /** Unix time. */
  readonly at_ms: number;
  readonly ok: boolean;
  /** Why the old state stays, one sentence each with its key path; empty when `ok`. */
  readonly errors: readonly string[];
  /** Key paths that changed since the start and count only after a restart. */
  readonly restart_needed: readonly string[];
}

export interface ApplianceSnapshot {
  readonly version: string;
  /** Null in a source tree. */
  readonly commit: string | null;
  /** `Clock.now()` at the start: the wall clock of a board may learn the date later. */
  readonly started_ms: number;
  readonly phase: "starting" | "running" | "draining";
  /** Every point that takes messages now. */
  readonly listeners: readonly LocalEndpoint[];
  /** The names the appliance answers for, configured ones first. */
  readonly domains: readonly string[];
  /** What stands behind the @ of every AOR: the first configured name. */
  readonly aor_domain: string;
  /** The digest realm. */
  readonly realm: string;
  /** Null: not read again since the start. */
  readonly reload: ReloadSnapshot | null;
}

export interface ProcessSnapshot {
  readonly rss_bytes: number;
  readonly heap_bytes: number;
  /** CPU time since the start, in seconds with a fraction. */
  readonly cpu_user_s: number;
  readonly cpu_system_s: number;
}

export interface DnsSource {
  /** Counts of all, and at most `max` answers. */
  snapshot(max: number): ResolverSnapshot;
  deadTargets(): readonly DeadTarget[];
  /** Forgets every answer; how many there were. */
  flush(): number;
}

/** A flow that pings keep open. */
export interface KeptEndpointSnapshot {
  readonly flow_id: string;
  readonly remote: string;
  readonly conditions: readonly ("registration" | "subscription" | "dialog")[];
  readonly sent: number;
  readonly answered: number;
  readonly missed: number;
  readonly latency_ms: number | null;
  readonly lost: boolean;
}

/** Who is kept out. */
export interface BansSource {
  /** Those that run, the newest first. */
  running(): readonly (Ban & { readonly source: string })[];
  /** The source as it is listed; null: the text is no address and no network. */
  ban(text: string, by: string, reason: string, seconds: number): string | null;
  /** Somebody at that address has sent a wrong token; enough of them, and it is banned. */
  wrongToken(address: string): void;
  /** False: it is not banned. */
  lift(text: string, by: string): boolean;
}

/** Messages that are kept. */
export interface TracesSource {
  readonly size: number;
  readonly bytes: number;
  /** By its id or its Call-ID. */
  find(name: string): Trace | null;
  /** The newest first; `state`: only these. */
  newest(max: number, state: TraceState | null): readonly Trace[];
}

export interface KeepaliveSource {
  enabled(): boolean;
  setEnabled(enabled: boolean): void;
  counts(): {
    readonly all: number;
    readonly registration: number;
    readonly subscription: number;
    readonly dialog: number;
  };
  /** At most `max` of them. */
  endpoints(max: number): readonly KeptEndpointSnapshot[];
  /** How a registered phone can be reached now. */
  reach(binding: Binding): {
    readonly reachable: boolean;
    readonly latency_ms: number | null;
    readonly missed: number;
  };
}

export interface CallsSource {
  count(): number;
  /** The oldest, at most `max`. */
  some(max: number): readonly Call[];
  byId(id: string): Call | null;
  /** False: it is not up. */
  hangUp(call: Call): boolean;
  /** Call attempts since the start, and those of them that were answered. */
  totals(): { readonly begun: number; readonly answered: number };
  /** Those that are over, the newest first, with numbers below `before`. */
  records(max: number, before: number): readonly StoredRecord[];
}

export interface QualityReportSnapshot {
  readonly at_ms: number;
  readonly user: string | null;
  readonly source: string;
  readonly report: VqReport;
}

export interface ApiSources {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: LocationStore;
  readonly users: UserStore;
  readonly forwards: ForwardStore;
  /** Whether a group of that name is configured. */
  isGroup(name: string): boolean;
  appliance(): ApplianceSnapshot;
  /** The configuration in effect, without its secrets. */
  config(): Readonly<Record<string, unknown>>;
  process(): ProcessSnapshot;
  /** How many run: asked for often, so it must cost nothing. */
  transactionCounts(): { readonly server: number; readonly client: number };
  /** Counts of all, and at most `max` rows. */
  transactions(max: number): TransactionsSnapshot;
  readonly dns: DnsSource;
  readonly keepalive: KeepaliveSource;
  readonly calls: CallsSource;
  readonly bans: BansSource;
  readonly traces: TracesSource;
  /** What TLS peers are shown. */
  certificates(): readonly CertificateSnapshot[];
  /** The newest first. */
  qualityReports(max: number): readonly QualityReportSnapshot[];
  /** Who relays media in our place. */
  engines(): readonly NgSnapshot[];
  readonly history: History;
  readonly events: Events;
  /** At most `max` of the peers. */
  peers(max: number): readonly PeerSnapshot[];
  /** Begins nothing new from now on, and ends the process after the last call. */
  drain(): void;
  /** How many connections there are. */
  connectionCount(): number;
  /** At most `max` of them. */
  connections(max: number): readonly ConnectionSnapshot[];
}
