/**
 * Forwarding rules in SQLite, held in memory; `sipedge forward` changes them from another process.
 */
import { eq, getTableColumns, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ForwardFailure, ForwardRules } from "./forwards.ts";
import { asRules, checkEntry, LayeredForwards } from "./layered-forwards.ts";
import { forwards } from "./schema.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { type RowStatements, StoredRows } from "./stored-rows.ts";

export interface SqliteForwardsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Most users with stored rules; `set` refuses to grow beyond it. */
  readonly forwards_max: number;
}

export class SqliteForwardStore extends LayeredForwards {
  readonly #stored: StoredRows<ForwardRules, ForwardFailure>;

  /** Loads all rules. Throws StoreOpenError. */
  constructor(file: SqliteFile, { clock, log, forwards_max }: SqliteForwardsOptions) {
    super();
    this.#stored = new StoredRows(file, {
      clock,
      log,
      what: "forwards",
      rows_max: forwards_max,
      statements: forwardStatements,
      check: checkEntry,
    });
  }

  protected stored(): ReadonlyMap<string, ForwardRules> {
    return this.#stored.rows;
  }

  protected revision(): number {
    return this.#stored.revision;
  }

  protected update(
    user: string,
    edit: (rules: ForwardRules | null) => ForwardRules | null,
  ): ForwardFailure | null {
    return this.#stored.update(user, edit);
  }
}

function forwardStatements(orm: BunSQLiteDatabase): RowStatements<ForwardRules> {
  const { user: _, ...rules } = getTableColumns(forwards);
  const names = Object.keys(rules) as (keyof ForwardRules)[];
  const values = Object.fromEntries(names.map((name) => [name, sql.placeholder(name)]));
  const set = Object.fromEntries(names.map((name) => [name, sql.raw(`excluded.${name}`)]));
  const user = sql.placeholder("user");
  const all = orm.select().from(forwards).prepare();
  const put = orm
    .insert(forwards)
    .values({ user, ...values })
    .onConflictDoUpdate({ target: forwards.user, set })
    .prepare();
  const remove = orm.delete(forwards).where(eq(forwards.user, user)).prepare();
  return {
    all: () => all.all().map((row) => [row.user, asRules(row)] as const),
    put(name, row) {
      put.run({ user: name, ...row });
    },
    remove(name) {
      remove.run({ user: name });
    },
  };
}
