/** Whether a database is in use, told by SQLite's own locks, which end with the process that holds them. */
import { Database } from "bun:sqlite";

/** A command waits this long for a reader to finish. */
const BUSY_MS = 500;

export interface StoreLock {
  release(): void;
}

/**
 * Keeps everybody else out of the database until released: whoever has it open as a write-ahead log
 * prevents that. `damaged`: it is no database any more, so nobody can tell.
 */
export function lockStore(path: string): StoreLock | "in use" | "damaged" {
  let db: Database | null = null;
  try {
    db = new Database(path, { readwrite: true, create: false });
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    db.prepare("PRAGMA journal_mode = DELETE").values(); // refused while anybody else is connected
    db.run("BEGIN EXCLUSIVE");
    const held = db;
    return { release: () => held.close(true) };
  } catch (error) {
    db?.close(true);
    const { code } = error as { code?: unknown };
    return String(code).startsWith("SQLITE_BUSY") || String(code).startsWith("SQLITE_LOCKED")
      ? "in use"
      : "damaged";
  }
}
