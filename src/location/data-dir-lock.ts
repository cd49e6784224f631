/**
 * One appliance for each data directory: told by SQLite's locks on a file of its own, which end with the process that
 * holds them, however it ends.
 */
import { Database } from "bun:sqlite";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { giveToFolderOwner } from "./folder-owner.ts";

const LOCK_FILE_NAME = "sipedge.lock";

export interface DataDirLock {
  release(): void;
}

/**
 * Keeps every other appliance out of the directory until released. "in use": one has it. A directory that cannot be
 * written to is not refused here: opening the store says more about it.
 */
export function lockDataDir(data_dir: string): DataDirLock | "in use" {
  const path = join(data_dir, LOCK_FILE_NAME);
  let db: Database | null = null;
  try {
    mkdirSync(data_dir, { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    giveToFolderOwner(path);
    db = new Database(path, { readwrite: true, create: false });
    db.run("PRAGMA journal_mode = MEMORY"); // else there is a second file beside it
    db.run("BEGIN EXCLUSIVE");
    const held = db;
    return { release: () => held.close(true) };
  } catch (error) {
    db?.close(true);
    return String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY") ? "in use" : UNLOCKED;
  }
}

const UNLOCKED: DataDirLock = { release() {} };
