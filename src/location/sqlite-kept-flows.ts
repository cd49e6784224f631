/**
 * The UDP flows that are kept open for calls and subscriptions, so that they stay open over a restart. Written
 * behind, once a second at most: losing the last second costs a few pings, and a disk that fails costs no call.
 */
import { and, desc, eq, getTableColumns, lte, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { keptFlows } from "./schema.ts";
import type { SqliteFile } from "./sqlite-file.ts";

/** One row, in the shape that keep-alive gives it (`nat/kept-flow.ts`). */
export interface StoredFlow {
  readonly condition: "registration" | "subscription" | "dialog";
  readonly key: string;
  readonly until_ms: number;
  readonly flow: {
    readonly transport: "udp" | "tcp" | "tls" | "ws" | "wss";
    readonly local_address: string;
    readonly local_port: number;
    readonly remote_address: string;
    readonly remote_port: number;
    readonly id: string;
  };
}

/** Rows loaded at a start, and changes that wait for the disk. */
export const KEPT_FLOWS_MAX = 100_000;
const WRITE_MS = 1000;

type Row = typeof keptFlows.$inferSelect;
type Key = Pick<Row, "condition" | "key" | "flow_id">;

export class SqliteKeptFlows {
  readonly #file: SqliteFile;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failed: Counter;
  readonly #statements: () => ReturnType<typeof statements>;
  /** What is not on disk yet: a row, or the key of one that goes. */
  readonly #waiting: BoundedMap<string, Row | Key>;
  #alarm: Alarm | null = null;

  constructor(file: SqliteFile, { clock, log, metrics }: { clock: Clock; log: Log; metrics: Metrics }) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#statements = file.prepared(statements);
    this.#failed = metrics.counter(
      "sipedge_kept_flows_unsaved_total",
      "Kept flows that did not reach the disk",
    );
    this.#waiting = new BoundedMap(KEPT_FLOWS_MAX, () => this.#failed.inc());
  }

  /** Those that have not ended; the others are removed. Empty when the file cannot be read. */
  load(): readonly StoredFlow[] {
    try {
      const { all, removeOld } = this.#statements();
      removeOld.run({ now: this.#clock.wall() });
      return all.all({ count: KEPT_FLOWS_MAX }).map(storedFlow);
    } catch (error) {
      this.#fail(error, 0);
      return [];
    }
  }

  put({ condition, key, until_ms, flow }: StoredFlow): void {
    const { local_address, local_port, remote_address, remote_port, id: flow_id } = flow;
    this.#change({
      condition,
      key,
      flow_id,
      local_address,
      local_port,
      remote_address,
      remote_port,
      until_ms,
    });
  }

  drop(condition: StoredFlow["condition"], key: string, flow_id: string): void {
    this.#change({ condition, key, flow_id });
  }

  /** Writes what waits, now. */
  flush(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    const changes = [...this.#waiting.entries()].map(([, change]) => change);
    this.#waiting.clear();
    if (changes.length === 0) return;
    try {
      this.#file.transaction(() => {
        const { put, remove } = this.#statements();
        for (const change of changes) {
          if ("until_ms" in change) put.run(change);
          else remove.run(change);
        }
      });
    } catch (error) {
      this.#fail(error, changes.length);
    }
  }

  #change(change: Row | Key): void {
    this.#waiting.set(`${change.condition} ${change.key} ${change.flow_id}`, change);
    this.#alarm ??= this.#clock.after(WRITE_MS, () => this.flush());
  }

  #fail(error: unknown, rows: number): void {
    this.#failed.inc(rows);
    this.#log.warn("kept-flows-not-saved", { ...this.#file.failure(error), rows });
  }
}

function storedFlow({ condition, key, until_ms, flow_id: id, ...ends }: Row): StoredFlow {
  const { local_address, local_port, remote_address, remote_port } = ends;
  return {
    condition: condition === "subscription" ? condition : "dialog",
    key,
    until_ms,
    flow: { transport: "udp", local_address, local_port, remote_address, remote_port, id },
  };
}

function statements(orm: BunSQLiteDatabase) {
  const names = Object.keys(getTableColumns(keptFlows)) as (keyof Row)[];
  const values = Object.fromEntries(names.map((name) => [name, sql.placeholder(name)]));
  const { condition, key, flow_id, until_ms } = keptFlows;
  return {
    all: orm.select().from(keptFlows).orderBy(desc(until_ms)).limit(sql.placeholder("count")).prepare(),
    put: orm
      .insert(keptFlows)
      .values(values as never)
      .onConflictDoUpdate({ target: [condition, key, flow_id], set: { until_ms: sql`excluded.until_ms` } })
      .prepare(),
    remove: orm
      .delete(keptFlows)
      .where(
        and(
          eq(condition, sql.placeholder("condition")),
          eq(key, sql.placeholder("key")),
          eq(flow_id, sql.placeholder("flow_id")),
        ),
      )
      .prepare(),
    removeOld: orm
      .delete(keptFlows)
      .where(lte(until_ms, sql.placeholder("now")))
      .prepare(),
  };
}
