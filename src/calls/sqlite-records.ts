/**
 * Call records in SQLite: written behind, once a second at most, so that calls cost the disk one commit; the oldest go
 * when there are too many or they are too old, for flash is small. A disk that fails costs records, and no call.
 */
import { desc, lt, lte, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { callRecords } from "../location/schema.ts";
import type { SqliteFile } from "../location/sqlite-file.ts";
import type { CallRecord } from "./call-record.ts";

export interface RecordRules {
  readonly enabled: boolean;
  /** Records kept; the oldest go first. */
  readonly rows_max: number;
  readonly days: number;
}

/** A record and its number, which grows. */
export interface StoredRecord extends CallRecord {
  readonly seq: number;
}

/** Records that wait for the disk; one more is lost, and counted. */
const WAITING_MAX = 10_000;
const WRITE_MS = 1000;
const DAY_MS = 24 * 3600 * 1000;
/** Old rows are looked for after so many new ones: until then there are that many too many at most. */
const TRIM_AFTER = 1000;

export class SqliteRecords {
  rules: RecordRules;
  readonly #file: SqliteFile;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #written: Counter;
  readonly #lost: Counter;
  readonly #statements: () => ReturnType<typeof statements>;
  #waiting: CallRecord[] = [];
  /** Rows written since the last look for old ones; a start begins with one. */
  #untrimmed = TRIM_AFTER;
  #alarm: Alarm | null = null;

  constructor(
    file: SqliteFile,
    { clock, log, metrics }: { clock: Clock; log: Log; metrics: Metrics },
    rules: RecordRules,
  ) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.rules = rules;
    this.#statements = file.prepared(statements);
    this.#written = metrics.counter("sipedge_call_records_total", "Call records written");
    this.#lost = metrics.counter(
      "sipedge_call_records_lost_total",
      "Call records that did not reach the disk",
    );
  }

  add(record: CallRecord): void {
    if (!this.rules.enabled) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#lost.inc();
      return;
    }
    this.#waiting.push(record);
    this.#alarm ??= this.#clock.after(WRITE_MS, () => this.flush());
  }

  /** The newest first, at most `max`, all older than number `before`. Throws nothing; empty when it cannot be read. */
  newest(max: number, before: number = Number.MAX_SAFE_INTEGER): readonly StoredRecord[] {
    this.flush();
    try {
      const limit = Math.min(max, this.rules.rows_max);
      return this.#statements()
        .newest.all({ before, limit })
        .filter(({ ended_ms }) => ended_ms >= this.#oldest_ms())
        .map(({ seq, record }) => ({ ...(JSON.parse(record) as CallRecord), seq }));
    } catch (error) {
      this.#log.warn("call-records-not-read", { ...this.#file.failure(error) });
      return [];
    }
  }

  /** Writes what waits, and clears what is too much. */
  flush(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    const records = this.#waiting;
    if (records.length === 0) return;
    this.#waiting = [];
    try {
      this.#file.transaction(() => {
        const { add } = this.#statements();
        for (const record of records) add.run({ ended_ms: record.ended_ms, record: JSON.stringify(record) });
        this.#untrimmed += records.length;
        if (this.#untrimmed >= TRIM_AFTER) this.#trim();
      });
      this.#written.inc(records.length);
    } catch (error) {
      this.#lost.inc(records.length);
      this.#log.warn("call-records-lost", { ...this.#file.failure(error), records: records.length });
    }
  }

  #trim(): void {
    const { removeOld, removeMany } = this.#statements();
    removeMany.run({ rows: this.rules.rows_max });
    removeOld.run({ before: this.#oldest_ms() });
    this.#untrimmed = 0;
  }

  #oldest_ms(): number {
    return this.#clock.wall() - this.rules.days * DAY_MS;
  }
}

function statements(orm: BunSQLiteDatabase) {
  const { seq, ended_ms } = callRecords;
  const values = { ended_ms: sql.placeholder("ended_ms"), record: sql.placeholder("record") };
  return {
    add: orm.insert(callRecords).values(values).prepare(),
    newest: orm
      .select()
      .from(callRecords)
      .where(lt(seq, sql.placeholder("before")))
      .orderBy(desc(seq))
      .limit(sql.placeholder("limit"))
      .prepare(),
    removeMany: orm
      .delete(callRecords)
      .where(lte(seq, sql`(SELECT max(seq) FROM call_records) - ${sql.placeholder("rows")}`))
      .prepare(),
    removeOld: orm
      .delete(callRecords)
      .where(lt(ended_ms, sql.placeholder("before")))
      .prepare(),
  };
}
