/**
 * The location store in SQLite: a turn's changes in one transaction, before anybody is answered. After
 * a failed write it answers from memory, refuses changes, and tries until writes work again.
 */
import type { Alarm } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { BindingLedger } from "./binding-ledger.ts";
import { openError } from "./sqlite-errors.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import type { LocationSnapshot, StoreFailure, StoreHealth } from "./store.ts";
import { type Change, type LocationOptions, TurnStore } from "./turn-store.ts";

/** Rows written between two checkpoints: some 2 MB of log, 10 ms on a good disk. */
const ROWS_PER_CHECKPOINT = 4000;
/** A log this long after a checkpoint (64 MB) has a reader who does not let go. */
const LOG_PAGES_MAX = 16_384;
/** Between two steps of upkeep, for the calls to pass. */
const UPKEEP_MS = 20;
const TRIAL_FIRST_MS = 250;
const TRIAL_MAX_MS = 5000;
/** How often a write looks whether the file is still the one that was opened. */
const LOOK_INTERVAL_MS = 1000;

export class SqliteStore extends TurnStore {
  readonly #file: SqliteFile;
  readonly #metrics: Metrics;
  readonly #ledger: BindingLedger;
  readonly #commits: Counter;
  readonly #long_log: Counter;
  #failure: StoreFailure | null = null;
  #since_ms: number;
  #trial: Alarm | null = null;
  #trial_ms = TRIAL_FIRST_MS;
  #upkeep: Alarm | null = null;
  #rows_at_checkpoint = 0;
  #looked_at_ms: number;

  /** Loads every binding that has not expired. The file is closed with the store. Throws StoreOpenError. */
  constructor(file: SqliteFile, options: LocationOptions) {
    super(options);
    const { clock, metrics } = options;
    this.#file = file;
    this.#metrics = metrics;
    this.#ledger = new BindingLedger(file);
    this.#commits = metrics.counter("sipedge_location_commits_total", "Transactions that stored bindings");
    this.#long_log = metrics.counter(
      "sipedge_location_long_log_total",
      "Checkpoints after which the write-ahead log was still longer than 64 MB",
    );
    metrics.gauge("sipedge_location_healthy", "1 while changes can be stored", () => (this.resting ? 0 : 1));
    this.#since_ms = clock.wall();
    this.#looked_at_ms = clock.now();
    try {
      this.#load();
    } catch (error) {
      throw openError(error, file.path);
    }
    file.onReopen((how) => {
      if (how !== "same") this.#ledger.rewrite(this.table.allHeld());
    });
    this.startSweep();
    this.#keepUp();
  }

  health(): StoreHealth {
    const { code, message } = this.#failure ?? { code: null, message: "" };
    return { ok: this.#failure === null, code, message, since_ms: this.#since_ms };
  }

  snapshot(): LocationSnapshot {
    const details = {
      file: this.#file.path,
      commits: this.#commits.value,
      rows_written: this.#ledger.rows,
      refresh_rows: this.#ledger.refreshes,
    };
    return { ...this.baseSnapshot("sqlite"), details };
  }

  override close(): void {
    super.close();
    this.#trial?.cancel();
    this.#upkeep?.cancel();
    this.#file.close();
  }

  protected override get resting(): boolean {
    return this.#failure !== null;
  }

  protected write(changes: readonly Change[]): StoreFailure | null {
    if (this.#failure !== null) return this.#failure;
    if (changes.every(({ before, after }) => before === after)) return null;
    if (!this.#stillThere()) return this.#fail(this.#gone());
    try {
      this.#ledger.write(changes);
    } catch (error) {
      return this.#fail(this.#file.failure(error));
    }
    this.#commits.inc();
    this.#keepUp();
    return null;
  }

  #load(): void {
    const by_user = Map.groupBy(this.#ledger.load(this.clock.wall()), (binding) => binding.user);
    for (const [user, bindings] of by_user) this.table.put(user, bindings);
    this.log.info("location-loaded", { bindings: this.size, users: this.users, file: this.#file.path });
  }

  #stillThere(): boolean {
    const now = this.clock.now();
    if (now - this.#looked_at_ms < LOOK_INTERVAL_MS) return true;
    this.#looked_at_ms = now;
    return this.#file.inPlace();
  }

  #gone(): StoreFailure {
    return { code: "io", message: `${this.#file.path}: the file was removed or replaced while in use` };
  }

  #fail(failure: StoreFailure): StoreFailure {
    this.#metrics
      .counter("sipedge_location_failures_total", "Writes of bindings that failed", { code: failure.code })
      .inc();
    const { code, message } = failure;
    if (this.#failure?.code !== code) this.log.error("location-store-failed", { code, message });
    if (this.#failure === null) {
      this.#since_ms = this.clock.wall();
      this.#trial_ms = TRIAL_FIRST_MS;
    }
    this.#failure = failure;
    if (!this.closed && this.#trial === null)
      this.#trial = this.clock.after(this.#trial_ms, () => this.#try());
    return failure;
  }

  /** Refused changes were taken back in memory, so the file holds what memory holds once it takes writes. */
  #try(): void {
    this.#trial = null;
    this.#trial_ms = Math.min(2 * this.#trial_ms, TRIAL_MAX_MS);
    try {
      if (this.#needsReopening()) this.#file.reopen();
      this.#file.tryWrite();
    } catch (error) {
      this.#fail(this.#file.failure(error));
      return;
    }
    const ill_ms = this.clock.wall() - this.#since_ms;
    this.log.info("location-store-recovered", { was: this.#failure?.code, ill_ms });
    this.#failure = null;
    this.#since_ms = this.clock.wall();
    this.startSweep();
    this.#keepUp();
  }

  /** A full or locked file is fine as it is; anything else may be cured by opening it again. */
  #needsReopening(): boolean {
    const code = this.#failure?.code;
    return !this.#file.open || !this.#file.inPlace() || (code !== "full" && code !== "busy");
  }

  #keepUp(): void {
    if (this.#upkeep !== null || this.#failure !== null || this.closed) return;
    if (!this.#ledger.untidy && !this.#checkpointDue()) return;
    this.#upkeep = this.clock.after(UPKEEP_MS, () => {
      this.#upkeep = null;
      this.#upkeepStep();
    });
  }

  #upkeepStep(): void {
    if (this.#failure !== null) return;
    try {
      if (this.#ledger.untidy) this.#ledger.clearSome();
      if (this.#checkpointDue()) this.#checkpoint();
    } catch (error) {
      this.#fail(this.#file.failure(error));
    }
    this.#keepUp();
  }

  #checkpointDue(): boolean {
    return this.#ledger.rows - this.#rows_at_checkpoint >= ROWS_PER_CHECKPOINT;
  }

  #checkpoint(): void {
    this.#rows_at_checkpoint = this.#ledger.rows;
    const pages = this.#file.checkpoint();
    if (pages < LOG_PAGES_MAX) return;
    this.#long_log.inc();
    this.log.warn("location-log-long", { pages, hint: "another process keeps reading the database" });
  }
}
