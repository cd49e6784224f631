/**
 * The one database file of the appliance, `<data_dir>/sipedge.db`: opened, migrated, reopened after
 * trouble. Location store and user store share it, and its single connection.
 */
import { Database, type Statement } from "bun:sqlite";
import { closeSync, existsSync, mkdirSync, openSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { sql } from "drizzle-orm";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import type { Clock } from "../base/clock.ts";
import { giveToFolderOwner } from "./folder-owner.ts";
import { backUpBefore } from "./migration-backups.ts";
import { appliedNames, migrate, pending } from "./migrations.ts";
import { meta } from "./schema.ts";
import { openError, StoreOpenError, storeFailure } from "./sqlite-errors.ts";
import type { StoreFailure } from "./store.ts";

export const STORE_FILE_NAME = "sipedge.db";

/** A lock that is held longer than this fails the server's write: the wait blocks the event loop. */
const BUSY_MS = 50;
/** A command has nothing else to do than to wait. */
const BUSY_OF_COMMANDS_MS = 10_000;
/** While starting nobody waits for us. */
const BUSY_AT_OPEN_MS = 2000;
/** The file's write-ahead log is cut to this when it starts over. */
const WAL_BYTES_KEPT = 8 * 1024 * 1024;
/** A net below the location store's own checkpoints, in pages of 4096 bytes. */
const WAL_AUTOCHECKPOINT_PAGES = 8000;
/** What a trial write takes: one that fits must mean that a turn's worth of bindings does too. */
const TRIAL_BYTES = 64 * 1024;

/** `same`: the file we had; `other`: somebody put another in its place; `new`: it was gone. */
export type Reopened = "same" | "other" | "new";

interface Handle {
  readonly db: Database;
  readonly orm: BunSQLiteDatabase;
  readonly begin: Statement;
  readonly commit: Statement;
  readonly rollback: Statement;
  readonly version: Statement;
}

export class SqliteFile {
  readonly path: string;
  readonly #clock: Clock;
  readonly #guest: boolean;
  readonly #reopened: ((how: Reopened) => void)[] = [];
  #handle: Handle | null;
  #stats: Stats;
  #generation = 0;
  /** A reopening that failed half-way has made the file: the next one must not take it for somebody's. */
  #made = false;

  /**
   * Makes directory (0700) and file (0600) when missing. `guest`: a command beside a running server,
   * which waits for locks and leaves the write-ahead log to its owner. Throws StoreOpenError.
   */
  constructor(data_dir: string, clock: Clock, { guest = false } = {}) {
    this.path = join(data_dir, STORE_FILE_NAME);
    this.#clock = clock;
    this.#guest = guest;
    try {
      mkdirSync(data_dir, { recursive: true, mode: 0o700 });
      this.#handle = openHandle(this.path, clock.wall(), guest ? BUSY_OF_COMMANDS_MS : BUSY_AT_OPEN_MS);
      if (!guest) this.#handle.db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
      this.#stats = statSync(this.path);
    } catch (error) {
      throw openError(error, this.path);
    }
  }

  /** A statement set made of the open connection, and made anew after it was reopened. */
  prepared<T>(make: (orm: BunSQLiteDatabase) => T): () => T {
    let generation = -1;
    let made: T;
    return () => {
      const { orm } = this.#current();
      if (generation !== this.#generation) {
        made = make(orm);
        generation = this.#generation;
      }
      return made;
    };
  }

  /** False after a failed reopening, and once closed. */
  get open(): boolean {
    return this.#handle !== null;
  }

  /** The connection itself, for pragmas. Throws when reopening failed or the file is closed. */
  get db(): Database {
    return this.#current().db;
  }

  /** Runs `work` in one transaction: all of it is in the file when this returns, none when it throws. */
  transaction(work: () => void): void {
    const handle = this.#current();
    handle.begin.run();
    try {
      work();
      handle.commit.run();
    } catch (error) {
      rollBack(handle);
      throw error;
    }
  }

  /** A number that changes when another connection has changed the database. Throws when it cannot be read. */
  dataVersion(): number {
    return (this.#current().version.values()[0] as [number])[0];
  }

  /** False when the file was removed or replaced under us: what is written to it now is lost. */
  inPlace(): boolean {
    try {
      const now = statSync(this.path);
      return now.ino === this.#stats.ino && now.dev === this.#stats.dev;
    } catch {
      return false;
    }
  }

  /** Called when the connection is a new one; throwing there makes the reopening fail. */
  onReopen(listener: (how: Reopened) => void): void {
    this.#reopened.push(listener);
  }

  /** Closes and opens again, making the file when it is gone. Throws what prevents it; try again later. */
  reopen(): void {
    closeHandle(this.#handle);
    this.#handle = null;
    this.#made ||= !existsSync(this.path);
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 }); // it may have gone with the file
    const how = this.#made ? "new" : this.inPlace() ? "same" : "other";
    const handle = openHandle(this.path, this.#clock.wall(), BUSY_MS);
    this.#handle = handle;
    this.#generation++;
    try {
      for (const listener of this.#reopened) listener(how);
    } catch (error) {
      closeHandle(handle);
      this.#handle = null;
      throw error;
    }
    this.#stats = statSync(this.path);
    this.#made = false;
  }

  /** Proves that the file takes writes again, space for some included. Throws when it does not. */
  tryWrite(): void {
    const { orm } = this.#current();
    const value = sql`zeroblob(${TRIAL_BYTES})`;
    const row = { name: "trial", value };
    this.transaction(() =>
      orm.insert(meta).values(row).onConflictDoUpdate({ target: meta.name, set: { value } }).run(),
    );
    this.transaction(() => orm.delete(meta).run());
  }

  /**
   * Moves what the write-ahead log holds into the database, as far as readers allow; blocks for the
   * disk. Returns the pages that stay in the log. Throws when it fails.
   */
  checkpoint(): number {
    const row = this.db.prepare("PRAGMA wal_checkpoint(PASSIVE)").values()[0] as number[];
    return Math.max(0, row[1]! - row[2]!);
  }

  /** What an error thrown by any of these means. */
  failure(error: unknown): StoreFailure {
    return storeFailure(error, this.path);
  }

  /** Closes, the owner after a checkpoint; harmless when closed. */
  close(): void {
    closeHandle(this.#handle, this.#guest);
    this.#handle = null;
  }

  #current(): Handle {
    if (this.#handle === null) throw new StoreOpenError(this.path, "io", "the database is not open");
    return this.#handle;
  }
}

function openHandle(path: string, wall_ms: number, busy_ms: number): Handle {
  closeSync(openSync(path, "a", 0o600)); // SQLite gives -wal and -shm the same mode and owner
  giveToFolderOwner(path);
  const db = new Database(path, { readwrite: true, create: false });
  try {
    db.run(`PRAGMA busy_timeout = ${busy_ms}`);
    const [mode] = db.prepare("PRAGMA journal_mode = WAL").values()[0] as [string];
    if (mode !== "wal")
      throw new StoreOpenError(path, "io", `its file system has no write-ahead log (${mode})`);
    // NORMAL: a commit survives the process, not a power cut, which may cost the last second or so.
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA foreign_keys = ON");
    db.run(`PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`);
    db.run(`PRAGMA wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}`);
    checkIntegrity(db, path);
    const [first] = pending(db);
    if (first !== undefined && appliedNames(db).size > 0) backUpBefore(db, path, first.name, wall_ms);
    migrate(db, wall_ms);
    const orm = drizzle(db);
    const begin = db.prepare("BEGIN IMMEDIATE");
    const version = db.prepare("PRAGMA data_version");
    return { db, orm, begin, commit: db.prepare("COMMIT"), rollback: db.prepare("ROLLBACK"), version };
  } catch (error) {
    db.close(true);
    throw error;
  }
}

function checkIntegrity(db: Database, path: string): void {
  const [found] = db.prepare("PRAGMA quick_check(1)").values()[0] as [string];
  if (found !== "ok") throw new StoreOpenError(path, "corrupt", `the database is damaged: ${found}`);
}

/** SQLite has rolled back by itself after some errors (a full disk, say). */
function rollBack({ db, rollback }: Handle): void {
  try {
    if (db.inTransaction) rollback.run();
  } catch {
    // The error that led here says more; the next BEGIN fails if this one mattered.
  }
}

function closeHandle(handle: Handle | null, guest = false): void {
  if (handle === null) return;
  try {
    // Truncating keeps writers out while the disk works: a guest must not do that to the server.
    if (!guest) handle.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // A full or failing disk: the log stays beside the database and is read at the next start.
  }
  handle.db.close(true); // without true, prepared statements keep the file open until they are collected
}
