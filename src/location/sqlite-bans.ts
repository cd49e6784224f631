/**
 * Bans in SQLite, so that they outlive a restart. A disk that fails costs memory of them, and lets nobody in.
 */
import { eq, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { bans } from "./schema.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import type { StoreFailure } from "./store.ts";
import type { RowStatements } from "./stored-rows.ts";
import { StoredRows } from "./stored-rows.ts";

/** All but the source. Times are Unix milliseconds. */
export interface BanRow {
  readonly reason: string;
  readonly by: string;
  readonly since_ms: number;
  readonly until_ms: number;
  readonly times: number;
}

export class SqliteBans {
  readonly #stored: StoredRows<BanRow, StoreFailure>;
  readonly #log: Log;

  /** Loads all. Throws StoreOpenError. */
  constructor(file: SqliteFile, { clock, log, rows_max }: { clock: Clock; log: Log; rows_max: number }) {
    this.#log = log;
    const check = (): StoreFailure | null => null;
    this.#stored = new StoredRows(file, { clock, log, what: "bans", rows_max, statements, check });
  }

  load(): ReadonlyMap<string, BanRow> {
    return this.#stored.rows;
  }

  put(source: string, row: BanRow): void {
    this.#tell(this.#stored.put(source, row));
  }

  remove(source: string): void {
    this.#tell(this.#stored.remove(source));
  }

  #tell(failure: { readonly code: string; readonly message: string } | null): void {
    if (failure !== null) this.#log.warn("ban-not-stored", { code: failure.code, message: failure.message });
  }
}

function statements(orm: BunSQLiteDatabase): RowStatements<BanRow> {
  const names = ["reason", "by", "since_ms", "until_ms", "times"] as const;
  const values = Object.fromEntries(names.map((name) => [name, sql.placeholder(name)]));
  const set = Object.fromEntries(names.map((name) => [name, sql.raw(`excluded.${name}`)]));
  const source = sql.placeholder("source");
  const all = orm.select().from(bans).prepare();
  const put = orm
    .insert(bans)
    .values({ source, ...values } as never)
    .onConflictDoUpdate({ target: bans.source, set })
    .prepare();
  const remove = orm.delete(bans).where(eq(bans.source, source)).prepare();
  return {
    all: () => all.all().map(({ source: name, ...row }) => [name, row] as const),
    put(name, row) {
      put.run({ source: name, ...row });
    },
    remove(name) {
      remove.run({ source: name });
    },
  };
}
