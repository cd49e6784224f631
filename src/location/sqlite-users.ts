/**
 * Users in SQLite, held in memory; `sipedge user` changes them from another process.
 */
import { eq, getTableColumns, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { users } from "./schema.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { type RowStatements, StoredRows } from "./stored-rows.ts";
import { checkUser, type User, type UserFailure, type UserStore } from "./users.ts";

export interface SqliteUsersOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Most users stored; `put` refuses to grow beyond it. */
  readonly users_max: number;
}

export class SqliteUserStore implements UserStore {
  readonly #stored: StoredRows<User, UserFailure>;
  #config = new Map<string, User>();

  /** Loads all users. Throws StoreOpenError. */
  constructor(file: SqliteFile, { clock, log, users_max }: SqliteUsersOptions) {
    this.#stored = new StoredRows(file, {
      clock,
      log,
      what: "users",
      rows_max: users_max,
      statements: userStatements,
      check: checkUser,
    });
  }

  find(name: string): User | null {
    const stored = this.#stored.rows;
    return this.#config.get(name) ?? stored.get(name) ?? null;
  }

  list(): readonly User[] {
    const all = new Map([...this.#stored.rows, ...this.#config]);
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(user: User): UserFailure | null {
    return this.#stored.put(user.name, asStored(user));
  }

  remove(name: string): UserFailure | null {
    if (!this.#stored.rows.has(name)) {
      const where = this.#config.has(name) ? "is in the config file" : "is not stored";
      return { code: "unknown_user", message: `user ${name} ${where}` };
    }
    return this.#stored.remove(name);
  }

  setConfigUsers(list: readonly User[]): void {
    this.#config = new Map(list.map((user) => [user.name, { ...user, source: "config" }]));
  }
}

function userStatements(orm: BunSQLiteDatabase): RowStatements<User> {
  const row = {
    name: sql.placeholder("name"),
    realm: sql.placeholder("realm"),
    ha1_md5: sql.placeholder("ha1_md5"),
    ha1_sha256: sql.placeholder("ha1_sha256"),
    ha1_sha512_256: sql.placeholder("ha1_sha512_256"),
    disabled: sql.placeholder("disabled"),
  };
  const { name: _, ...rest } = getTableColumns(users);
  const set = Object.fromEntries(Object.keys(rest).map((column) => [column, sql.raw(`excluded.${column}`)]));
  const all = orm.select().from(users).prepare();
  const put = orm.insert(users).values(row).onConflictDoUpdate({ target: users.name, set }).prepare();
  const remove = orm
    .delete(users)
    .where(eq(users.name, sql.placeholder("name")))
    .prepare();
  return {
    all: () => all.all().map((user) => [user.name, asStored(user)] as const),
    put(_name, user) {
      put.run(rowOf(user));
    },
    remove(name) {
      remove.run({ name });
    },
  };
}

function rowOf(user: User): typeof users.$inferInsert {
  const { name, realm, ha1_md5, ha1_sha256, ha1_sha512_256 = null, disabled = false } = user;
  return { name, realm, ha1_md5, ha1_sha256, ha1_sha512_256, disabled };
}

function asStored(user: Omit<User, "source">): User {
  const { name, realm, ha1_md5, ha1_sha256, ha1_sha512_256 = null, disabled = false } = user;
  return { name, realm, ha1_md5, ha1_sha256, ha1_sha512_256, disabled, source: "store" };
}
