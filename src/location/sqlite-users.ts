/**
 * Users in SQLite, held in memory. `sipedge user` changes them from another process: who asks for a
 * user has the database's change counter looked at, at most once a second; nobody polls.
 */
import { eq, getTableColumns, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { users } from "./schema.ts";
import { openError } from "./sqlite-errors.ts";
import type { Reopened, SqliteFile } from "./sqlite-file.ts";
import { checkUser, type User, type UserFailure, type UserStore } from "./users.ts";

export interface SqliteUsersOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Most users stored; `put` refuses to grow beyond it. */
  readonly users_max: number;
}

const LOOK_INTERVAL_MS = 1000;

export class SqliteUserStore implements UserStore {
  readonly #file: SqliteFile;
  readonly #options: SqliteUsersOptions;
  readonly #statements: () => UserStatements;
  #stored = new Map<string, User>();
  #config = new Map<string, User>();
  #version = 0;
  #looked_at_ms = 0;

  /** Loads all users. Throws StoreOpenError. */
  constructor(file: SqliteFile, options: SqliteUsersOptions) {
    this.#file = file;
    this.#options = options;
    this.#statements = file.prepared(userStatements);
    try {
      this.#load();
    } catch (error) {
      throw openError(error, file.path);
    }
    file.onReopen((how) => this.#reopened(how));
  }

  find(name: string): User | null {
    this.#look();
    return this.#config.get(name) ?? this.#stored.get(name) ?? null;
  }

  list(): readonly User[] {
    this.#look();
    const all = new Map([...this.#stored, ...this.#config]);
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(user: User): UserFailure | null {
    const failure = checkUser(user) ?? this.#room(user.name);
    if (failure !== null) return failure;
    const stored = asStored(user);
    return this.#write(() => {
      this.#statements().put.run(rowOf(stored));
      return () => this.#stored.set(stored.name, stored);
    });
  }

  remove(name: string): UserFailure | null {
    this.#look();
    if (!this.#stored.has(name)) {
      const where = this.#config.has(name) ? "is in the config file" : "is not stored";
      return { code: "unknown_user", message: `user ${name} ${where}` };
    }
    return this.#write(() => {
      this.#statements().remove.run({ name });
      return () => this.#stored.delete(name);
    });
  }

  setConfigUsers(list: readonly User[]): void {
    this.#config = new Map(list.map((user) => [user.name, { ...user, source: "config" }]));
  }

  #room(name: string): UserFailure | null {
    const { users_max } = this.#options;
    if (this.#stored.has(name) || this.#stored.size < users_max) return null;
    return { code: "full_table", message: `the store holds users_max = ${users_max} users` };
  }

  /** `work` writes, and returns what memory does once that is on disk. */
  #write(work: () => () => void): UserFailure | null {
    let remember = () => {};
    try {
      this.#file.transaction(() => {
        remember = work();
      });
    } catch (error) {
      return this.#file.failure(error);
    }
    remember();
    return null;
  }

  /** A database that cannot be read now leaves us with what we know. */
  #look(): void {
    const now = this.#options.clock.now();
    if (now - this.#looked_at_ms < LOOK_INTERVAL_MS) return;
    this.#looked_at_ms = now;
    try {
      if (this.#file.dataVersion() !== this.#version) this.#load();
    } catch (error) {
      const { code, message } = this.#file.failure(error);
      this.#options.log.warn("users-not-read", { code, message });
    }
  }

  #load(): void {
    this.#looked_at_ms = this.#options.clock.now();
    const version = this.#file.dataVersion(); // before the rows: a change in between is seen next time
    this.#stored = new Map(
      this.#statements()
        .all.all()
        .map((row) => [row.name, asStored(row)]),
    );
    this.#version = version;
  }

  /** A file that was gone knows no users: ours are all there are. */
  #reopened(how: Reopened): void {
    if (how === "new") {
      this.#file.transaction(() => {
        for (const user of this.#stored.values()) this.#statements().put.run(rowOf(user));
      });
    }
    this.#load();
  }
}

function userStatements(orm: BunSQLiteDatabase) {
  const row = {
    name: sql.placeholder("name"),
    realm: sql.placeholder("realm"),
    ha1_md5: sql.placeholder("ha1_md5"),
    ha1_sha256: sql.placeholder("ha1_sha256"),
    disabled: sql.placeholder("disabled"),
  };
  const { name: _, ...rest } = getTableColumns(users);
  const set = Object.fromEntries(Object.keys(rest).map((column) => [column, sql.raw(`excluded.${column}`)]));
  return {
    all: orm.select().from(users).prepare(),
    put: orm.insert(users).values(row).onConflictDoUpdate({ target: users.name, set }).prepare(),
    remove: orm
      .delete(users)
      .where(eq(users.name, sql.placeholder("name")))
      .prepare(),
  };
}

type UserStatements = ReturnType<typeof userStatements>;

function rowOf({ name, realm, ha1_md5, ha1_sha256, disabled = false }: User): typeof users.$inferInsert {
  return { name, realm, ha1_md5, ha1_sha256, disabled };
}

function asStored({ name, realm, ha1_md5, ha1_sha256, disabled = false }: Omit<User, "source">): User {
  return { name, realm, ha1_md5, ha1_sha256, disabled, source: "store" };
}
