/**
 * The copy of the database before its shape changes, `<data_dir>/before-migration/`: an older version
 * can go on with it. Only the newest few stay.
 */
import type { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { giveToFolderOwner } from "./folder-owner.ts";

const FOLDER = "before-migration";
const KEPT_MAX = 3;

/** Writes the whole database as it is beside `path`, before `migration`. Throws what prevents it. */
export function backUpBefore(db: Database, path: string, migration: string, wall_ms: number): void {
  const folder = join(dirname(path), FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  giveToFolderOwner(folder);
  const stamp = new Date(wall_ms).toISOString().replace(/[-:]|\.\d+/g, "");
  const file = join(folder, `${stamp}-${migration}.db`);
  rmSync(`${file}.new`, { force: true }); // what a crash left: VACUUM INTO wants an empty place
  try {
    db.prepare("VACUUM INTO ?").run(`${file}.new`);
  } catch (error) {
    rmSync(`${file}.new`, { force: true });
    throw error;
  }
  renameSync(`${file}.new`, file);
  giveToFolderOwner(file);
  for (const old of kept(folder).slice(KEPT_MAX)) rmSync(join(folder, old), { force: true });
}

/** The newest copy that was made right before that migration; null when there is none. */
export function backupBefore(path: string, migration: string): string | null {
  const folder = join(dirname(path), FOLDER);
  const name = kept(folder).find((each) => each.endsWith(`-${migration}.db`));
  return name === undefined ? null : join(folder, name);
}

/** The newest first. */
function kept(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".db"))
      .sort()
      .reverse();
  } catch {
    return []; // there is no such folder yet
  }
}
