/**
 * One table of named rows, held in memory. Commands change it from another process: who asks has the
 * database's change counter looked at, at most once a second; nobody polls.
 */
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { openError } from "./sqlite-errors.ts";
import type { Reopened, SqliteFile } from "./sqlite-file.ts";
import type { StoreFailure } from "./store.ts";

/** The table's statements, prepared. Each throws what SQLite throws. */
export interface RowStatements<T> {
  all(): Iterable<readonly [name: string, row: T]>;
  /** In place of the row of that name. */
  put(name: string, row: T): void;
  remove(name: string): void;
}

export interface StoredRowsOptions<T, F> {
  readonly clock: Clock;
  readonly log: Log;
  /** What the rows are, in the plural: for the log. */
  readonly what: string;
  /** Most rows; the table refuses to grow beyond it. */
  readonly rows_max: number;
  readonly statements: (orm: BunSQLiteDatabase) => RowStatements<T>;
  /** Why a row cannot be stored; null when it can. */
  readonly check: (row: T, name: string) => F | null;
}

const LOOK_INTERVAL_MS = 1000;

export class StoredRows<T, F> {
  readonly #file: SqliteFile;
  readonly #options: StoredRowsOptions<T, F>;
  readonly #statements: () => RowStatements<T>;
  #rows = new Map<string, T>();
  #revision = 0;
  #version = 0;
  #looked_at_ms = 0;

  /** Loads all rows. Throws StoreOpenError. */
  constructor(file: SqliteFile, options: StoredRowsOptions<T, F>) {
    this.#file = file;
    this.#options = options;
    this.#statements = file.prepared(options.statements);
    try {
      this.#load();
    } catch (error) {
      throw openError(error, file.path);
    }
    file.onReopen((how) => this.#reopened(how));
  }

  /** Everything stored, not older than a second; while the database cannot be read, what we know. */
  get rows(): ReadonlyMap<string, T> {
    this.#look();
    return this.#rows;
  }

  /** Another number whenever `rows` may have changed. */
  get revision(): number {
    return this.#revision;
  }

  /** Stores the row in place of one of that name. Null: it is on disk. */
  put(name: string, row: T): F | StoreFailure | null {
    return this.#options.check(row, name) ?? this.update(name, () => row);
  }

  /** Null: no row of that name is on disk. */
  remove(name: string): F | StoreFailure | null {
    return this.update(name, () => null);
  }

  /** Stores what `edit` makes of the row as it is now, whoever wrote it; null stands for no row. */
  update(name: string, edit: (row: T | null) => T | null): F | StoreFailure | null {
    const outcome: { row: T | null; refused: F | StoreFailure | null } = { row: null, refused: null };
    try {
      this.#file.transaction(() => {
        this.#catchUp();
        outcome.row = edit(this.#rows.get(name) ?? null);
        outcome.refused = this.#write(name, outcome.row);
      });
    } catch (error) {
      return this.#file.failure(error);
    }
    if (outcome.refused !== null) return outcome.refused;
    if (outcome.row === null) this.#rows.delete(name);
    else this.#rows.set(name, outcome.row);
    this.#revision++;
    return null;
  }

  #write(name: string, row: T | null): F | StoreFailure | null {
    const statements = this.#statements();
    if (row === null) {
      statements.remove(name);
      return null;
    }
    const refused = this.#options.check(row, name) ?? this.#room(name);
    if (refused === null) statements.put(name, row);
    return refused;
  }

  #room(name: string): StoreFailure | null {
    const { what, rows_max } = this.#options;
    if (this.#rows.has(name) || this.#rows.size < rows_max) return null;
    return { code: "full_table", message: `the store holds ${what}_max = ${rows_max} ${what}` };
  }

  #look(): void {
    const now = this.#options.clock.now();
    if (now - this.#looked_at_ms < LOOK_INTERVAL_MS) return;
    this.#looked_at_ms = now;
    try {
      this.#catchUp();
    } catch (error) {
      const { code, message } = this.#file.failure(error);
      this.#options.log.warn(`${this.#options.what}-not-read`, { code, message });
    }
  }

  #catchUp(): void {
    if (this.#file.dataVersion() !== this.#version) this.#load();
  }

  #load(): void {
    this.#looked_at_ms = this.#options.clock.now();
    const version = this.#file.dataVersion(); // before the rows: a change in between is seen next time
    this.#rows = new Map(this.#statements().all());
    this.#version = version;
    this.#revision++;
  }

  /** A file that was gone knows no rows: ours are all there are. */
  #reopened(how: Reopened): void {
    if (how === "new") {
      this.#file.transaction(() => {
        for (const [name, row] of this.#rows) this.#statements().put(name, row);
      });
    }
    this.#load();
  }
}
