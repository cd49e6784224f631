/**
 * One running appliance: makes every part from the config, wires them, starts and stops them in order.
 */
import type { ReloadSnapshot } from "../api/sources.ts";
import { systemClock } from "../base/clock.ts";
import { SystemDice } from "../base/dice.ts";
import type { Receiver } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import { Metrics } from "../base/metrics.ts";
import { SqliteRecords } from "../calls/sqlite-records.ts";
import { diffConfig, needsRestart } from "../config/diff.ts";
import type { Config } from "../config/schema.ts";
import { nodeFiles } from "../dns/node-files.ts";
import { nodeSockets } from "../dns/node-sockets.ts";
import { Resolver } from "../dns/resolver.ts";
import { resolverOptions } from "../dns/resolver-options.ts";
import { BANS_MAX } from "../guard/bans.ts";
import type { Binding } from "../location/binding.ts";
import type { DataDirLock } from "../location/data-dir-lock.ts";
import { lockDataDir } from "../location/data-dir-lock.ts";
import { FORWARDS_MAX } from "../location/forwards.ts";
import { SqliteBans } from "../location/sqlite-bans.ts";
import { StoreOpenError } from "../location/sqlite-errors.ts";
import { SqliteFile } from "../location/sqlite-file.ts";
import { SqliteForwardStore } from "../location/sqlite-forwards.ts";
import { SqliteKeptFlows } from "../location/sqlite-kept-flows.ts";
import { SqliteStore } from "../location/sqlite-store.ts";
import { SqliteUserStore } from "../location/sqlite-users.ts";
import type { BindingEventKind } from "../location/store.ts";
import type { LocalRelay } from "../media/local-relay.ts";
import type { NgPool } from "../media/ng-pool.ts";
import { NetTransports } from "../transport/net-transports.ts";
import { configUsers } from "./accounts.ts";
import { ApiService } from "./api-service.ts";
import { Capture } from "./capture.ts";
import { Core } from "./core.ts";
import { secretKey } from "./data-dir.ts";
import { engineRules, makeEngine } from "./engine.ts";
import { makeMedia } from "./media.ts";
import { NftMirror } from "./nft-mirror.ts";
import { connectionsWithin, filesMax } from "./open-files.ts";
import { RecordOutlets } from "./record-outlets.ts";
import { outletRules, realmOf, realmsOf, tlsRules } from "./room-rules.ts";
import { apiSources } from "./sources.ts";

/** Stored accounts at most. */
export const USERS_MAX = 100_000;
/** How often a stopping appliance looks whether its transactions are through. */
const DRAIN_LOOK_MS = 50;
/** How often one that is to end after its last call looks for calls. */
const IDLE_LOOK_MS = 500;

/** Why it cannot start: sentences for the operator, each naming what to change. */
export class StartError extends Error {
  readonly reasons: readonly string[];
  constructor(reasons: readonly string[]) {
    super(reasons.join("\n"));
    this.reasons = reasons;
  }
}

export class Appliance {
  readonly startedAt = systemClock.now();
  readonly metrics = new Metrics();
  readonly log: Log;
  readonly dataDir: string;
  readonly #dataDirLock: DataDirLock;
  readonly store: SqliteStore;
  readonly users: SqliteUserStore;
  readonly forwards: SqliteForwardStore;
  readonly records: SqliteRecords;
  readonly transports: NetTransports;
  readonly resolver: Resolver;
  readonly core: Core;
  readonly api = new ApiService(systemClock, this.metrics, () => apiSources(this));
  config: Config;
  /** What it was started with: keys that need a restart still have these values. */
  readonly #startConfig: Config;
  reload: ReloadSnapshot | null = null;
  readonly #keptFlows: SqliteKeptFlows;
  readonly #media: LocalRelay;
  /** Who relays media in its place; null: nobody. */
  readonly engine: NgPool | null;
  readonly #outlets: RecordOutlets;
  readonly #capture: Capture;
  #stopping: Promise<void> | null = null;
  readonly #stopped = Promise.withResolvers<void>();

  private constructor(config: Config, dataDir: string, lock: DataDirLock, log: Log) {
    const dice = new SystemDice();
    const metrics = this.metrics;
    const clock = systemClock;
    this.config = config;
    this.#startConfig = config;
    this.dataDir = dataDir;
    this.#dataDirLock = lock;
    this.log = log;
    const file = new SqliteFile(dataDir, clock);
    const { bindings_max } = config.limits;
    this.store = new SqliteStore(file, { clock, log, metrics, bindings_max });
    this.store.watch((kind, binding) => this.#tell(kind, binding));
    this.users = new SqliteUserStore(file, { clock, log, users_max: USERS_MAX });
    this.users.setConfigUsers(configUsers(config));
    this.forwards = new SqliteForwardStore(file, { clock, log, forwards_max: FORWARDS_MAX });
    this.#keptFlows = new SqliteKeptFlows(file, { clock, log, metrics });
    this.records = new SqliteRecords(file, { clock, log, metrics }, config.records);
    this.#outlets = new RecordOutlets({ clock, log, metrics }, outletRules(config));
    const receiver: Receiver = {
      message: (bytes, flow) => {
        clock.hold();
        try {
          this.core.receiver.message(bytes, flow);
        } finally {
          clock.release();
        }
      },
      broken: (head, flow, code) => this.core.receiver.broken(head, flow, code),
    };
    const admits = (address: string): boolean => this.core.guard.admits(address);
    this.transports = new NetTransports({ clock, log, metrics, receiver, admits });
    this.resolver = new Resolver(
      { clock, dice, log, metrics, sockets: nodeSockets, files: nodeFiles },
      resolverOptions(config.dns),
    );
    this.#media = makeMedia({ clock, dice, log, metrics }, config.media, (call, silent_ms) =>
      this.core.calls.silent(call, silent_ms),
    );
    this.engine = makeEngine({ clock, dice, log, metrics }, config);
    this.core = new Core({
      clock,
      dice,
      log,
      metrics,
      transports: this.transports,
      store: this.store,
      users: this.users,
      forwards: this.forwards,
      resolver: this.resolver,
      keptState: this.#keptFlows,
      bans: new SqliteBans(file, { clock, log, rows_max: BANS_MAX }),
      onBanned: () => this.transports.dropUnwelcome(),
      record: (record) => {
        this.records.add(record);
        this.#outlets.add(record);
      },
      tokenKey: secretKey(dataDir, "dialog", dice),
      media: this.#media,
      engine: this.engine,
      config,
    });
    this.#capture = new Capture({ clock, log, metrics, names: this.resolver }, this.core.traces);
  }

  /** Starts everything; StartError says all that stands in the way. Nothing is left open then. */
  static async start(config: Config, dataDir: string, log: Log): Promise<Appliance> {
    const lock = lockDataDir(dataDir);
    if (lock === "in use")
      throw new StartError([
        `data_dir: ${dataDir} is in use by another sipedge; stop that one, or give this one a data_dir of its own`,
      ]);
    let appliance: Appliance;
    try {
      appliance = new Appliance(config, dataDir, lock, log);
    } catch (error) {
      lock.release();
      if (error instanceof StoreOpenError) throw new StartError([`data_dir: ${error.message}`]);
      throw error;
    }
    const reasons = await appliance.#open(config);
    if (reasons.length > 0) {
      await appliance.#close();
      throw new StartError(reasons);
    }
    const { nft_set } = config.guard;
    if (nft_set !== null) appliance.core.guard.bans.mirror = new NftMirror(nft_set, log, appliance.metrics);
    await appliance.engine?.start();
    appliance.core.start();
    appliance.api.history.start();
    appliance.#capture.configure(config.hep);
    appliance.#warnOfOldRealms();
    return appliance;
  }

  /**
   * Takes over another config: all of it, or nothing when its listeners cannot be had. Returns what
   * stands in the way.
   */
  async reconfigure(next: Config): Promise<readonly string[]> {
    const changed = diffConfig(this.config, next);
    const errors = await this.#listen(next);
    if (errors.length === 0 && changed.some((path) => path.startsWith("http")))
      errors.push(...(await this.api.serve(next)));
    if (errors.length > 0) {
      await this.#listen(this.config);
      return errors;
    }
    this.config = next;
    this.users.setConfigUsers(configUsers(next));
    if (changed.some((path) => path.startsWith("dns"))) this.resolver.configure(resolverOptions(next.dns));
    this.records.rules = next.records;
    this.#outlets.configure(outletRules(next));
    this.#media.silence_ms = next.media.silence_s * 1000;
    if (next.media.engine === "rtpengine") await this.engine?.configure(engineRules(next));
    this.core.configure(next);
    this.#capture.configure(next.hep);
    this.log.info("config-reloaded", { changed: changed.join(",") || "nothing" });
    const late = this.#restartNeeded();
    if (late.length > 0) this.log.warn("restart-needed", { keys: late.join(",") });
    this.#warnOfOldRealms();
    return [];
  }

  /** Says how a re-reading went, for the log and the status API. */
  reloaded(errors: readonly string[]): void {
    const restart_needed = this.#restartNeeded();
    this.reload = { at_ms: systemClock.wall(), ok: errors.length === 0, errors, restart_needed };
    for (const error of errors) this.log.error("config-refused", { error });
  }

  #restartNeeded(): readonly string[] {
    return diffConfig(this.#startConfig, this.config).filter(needsRestart);
  }

  /** Stops cleanly: no new work, running transactions finish or time out within `shutdown.drain_s`. */
  stop(): Promise<void> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  /** Resolves once it has stopped, whoever asked for it. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Begins nothing new, and stops when the last call is over (`calls.max_duration_s` ends each). */
  stopWhenIdle(): void {
    if (this.core.draining) return;
    this.core.drain();
    this.log.info("draining", { calls: this.core.calls.table.size });
    const look = (): void => {
      if (this.#stopping !== null) return;
      if (this.core.calls.table.size === 0) void this.stop();
      else systemClock.after(IDLE_LOOK_MS, look);
    };
    systemClock.after(IDLE_LOOK_MS, look);
  }

  async #drain(): Promise<void> {
    this.core.drain();
    this.transports.stopAccepting();
    const end = systemClock.now() + this.config.shutdown.drain_s * 1000;
    this.log.info("stopping", { unanswered: this.core.layer.unanswered });
    while (this.core.layer.unanswered > 0 && systemClock.now() < end) await pause(DRAIN_LOOK_MS);
    await this.#close();
    this.log.info("stopped");
    this.#stopped.resolve();
  }

  async #open(config: Config): Promise<string[]> {
    const reasons = await this.#listen(config);
    if (reasons.length === 0) reasons.push(...(await this.api.serve(config)));
    return reasons;
  }

  async #listen(config: Config): Promise<string[]> {
    const { tcp, udp, limits } = config;
    const options = {
      ...tcp,
      connections_max: connectionsWithin(tcp.connections_max, filesMax()),
      header_bytes_max: limits.message_bytes_max,
      message_bytes_max: limits.message_bytes_max,
    };
    const failures = await this.transports.reconfigure(config.listen, options, udp, tlsRules(config));
    return failures.map((failure) => `listen[${failure.index}]: ${failure.message}`);
  }

  /** Who comes and goes; a refresh is no news. */
  #tell(kind: BindingEventKind, { user, contact, flow, user_agent }: Binding): void {
    this.api.bindingChanged();
    if (kind === "refreshed") return;
    const aor = this.core.domains.aorOf(user);
    this.log.info(`registration-${kind}`, { aor, contact, from: flow.id, device: user_agent });
    if (kind === "added" && flow.alg !== "")
      this.log.warn("alg-suspected", { aor, from: flow.id, device: user_agent, signs: flow.alg });
  }

  /** Accounts whose hashes were made under another realm cannot log in: better said than searched for. */
  #warnOfOldRealms(): void {
    const realm = realmOf(this.config);
    const realms = new Set([realm, ...realmsOf(this.config).values()]);
    const old = this.users.list().filter((user) => !realms.has(user.realm));
    if (old.length > 0)
      this.log.warn("users-of-another-realm", {
        realm,
        users: old.length,
        first: old[0]?.name ?? "",
        cure: "sipedge user passwd NAME",
      });
  }

  async #close(): Promise<void> {
    this.api.history.close();
    await this.api.stop();
    this.core.close();
    this.#capture.close();
    this.#media.close();
    this.engine?.close();
    this.core.locator.close();
    this.resolver.close();
    this.transports.close();
    this.#keptFlows.flush();
    this.records.flush();
    await this.#outlets.close();
    this.store.close();
    this.#dataDirLock.release();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve));
}
