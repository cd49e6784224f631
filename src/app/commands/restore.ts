/**
 * `sipedge restore FILE`: puts a backup in place of what is there, which is kept beside it. Refused
 * while the appliance runs, and for a backup that this version cannot open.
 */
import { Database } from "bun:sqlite";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../config/load.ts";
import { giveToFolderOwner } from "../../location/folder-owner.ts";
import { NewerDatabaseError, pending } from "../../location/migrations.ts";
import { STORE_FILE_NAME } from "../../location/sqlite-file.ts";
import type { Backup } from "../archive.ts";
import { ARCHIVE_BYTES_MAX, KEY_FILE, unpacked } from "../archive.ts";
import { lockStore } from "../store-lock.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

export async function restore({ words, config: file, force }: Invocation): Promise<number> {
  const [source, ...more] = words;
  if (source === undefined || more.length > 0)
    return usage("restore takes one FILE, and --config FILE, --force");
  try {
    if (statSync(source).size > ARCHIVE_BYTES_MAX) return complain(`${source}: too large to be a backup`);
    const found = await unpacked(readFileSync(source));
    if (typeof found === "string") return complain(`${source}: ${found}`);
    const dataDir = targetOf(found, file);
    return dataDir === null ? 1 : replace(dataDir, found, file, force);
  } catch (error) {
    return complain(`${source}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Where the data goes: by the config file that is there, else by the one in the backup. Null: said why. */
function targetOf({ config: text }: Backup, file: string | null): string | null {
  if (file === null || existsSync(file) || text === null) {
    const config = configOrComplaint(file);
    return config === null ? null : dataDirOf(config, file);
  }
  // Its secrets may not be here yet: they do not matter for the place of the data. Long enough for a token, and a hash.
  const anySecret = () => "0".repeat(32);
  const parsed = parseConfig(text, { readFile: anySecret, readVariable: anySecret });
  if ("config" in parsed) return dataDirOf(parsed.config, file);
  complain("the config file in it is not one for this version; give one that is: --config FILE");
  return null;
}

function replace(dataDir: string, found: Backup, file: string | null, force: boolean): number {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const store = join(dataDir, STORE_FILE_NAME);
  const fresh = `${store}.restored`;
  put(fresh, found.database);
  const fault = faultOf(fresh, found.version);
  const lock = fault !== null || !existsSync(store) ? null : lockStore(store);
  const refusal = fault ?? refusalOf(lock, store, force);
  if (refusal !== null) {
    rmSync(fresh, { force: true });
    return complain(refusal);
  }
  const kept = setAside(dataDir);
  renameSync(fresh, store);
  for (const [name, bytes] of found.keys) put(join(dataDir, name), bytes);
  if (lock !== null && typeof lock === "object") lock.release();
  process.stdout.write(`${dataDir}: as it was at ${found.made_at} (sipedge ${found.version})\n`);
  if (kept !== null) process.stdout.write(`what was there is in ${kept}\n`);
  putConfig(found.config, file, force);
  return 0;
}

function refusalOf(lock: ReturnType<typeof lockStore> | null, store: string, force: boolean): string | null {
  if (lock === "in use") return `${store} is in use: stop sipedge first`;
  if (lock === "damaged" && !force)
    return `${store} is damaged, so nobody can tell whether it is in use: stop sipedge, then add --force`;
  return null;
}

/** Why a database cannot be taken; null: it can. */
function faultOf(path: string, version: string): string | null {
  let db: Database | null = null;
  try {
    db = new Database(path, { readonly: true });
    const [verdict] = db.prepare("PRAGMA quick_check(1)").values()[0] as [string];
    if (verdict !== "ok") return `the database in it is damaged: ${verdict}`;
    pending(db);
    return null;
  } catch (error) {
    if (error instanceof NewerDatabaseError) return `it needs sipedge ${version} or later: ${error.message}`;
    return `the database in it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    db?.close(true);
  }
}

/** Moves store and keys into a folder of their own; null when there are none. */
function setAside(dataDir: string): string | null {
  const names = readdirSync(dataDir).filter(
    (name) =>
      KEY_FILE.test(name) ||
      [STORE_FILE_NAME, `${STORE_FILE_NAME}-wal`, `${STORE_FILE_NAME}-shm`].includes(name),
  );
  if (names.length === 0) return null;
  const stamp = new Date(systemClock.wall()).toISOString().replace(/[-:]|\.\d+/g, "");
  let kept = join(dataDir, `before-restore-${stamp}`);
  for (let n = 2; existsSync(kept); n++) kept = join(dataDir, `before-restore-${stamp}-${n}`);
  mkdirSync(kept, { mode: 0o700 });
  giveToFolderOwner(kept);
  for (const name of names) renameSync(join(dataDir, name), join(kept, name));
  return kept;
}

/** A config file that is there is the operator's: it stays unless `force`. */
function putConfig(text: string | null, file: string | null, force: boolean): void {
  if (text === null) return;
  if (file === null) {
    process.stdout.write("the config file in it was left out: --config FILE says where it goes\n");
  } else if (existsSync(file) && !force) {
    if (readFileSync(file, "utf8") !== text)
      process.stdout.write(`${file} was left as it is; --force takes the one from the backup\n`);
  } else {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    writeFileSync(file, text, { mode: 0o640 });
    chmodSync(file, 0o640); // as init makes it, whatever the umask
    process.stdout.write(`${file}: written\n`);
  }
}

/** Whole or not at all, for its owner alone. */
function put(path: string, bytes: Uint8Array): void {
  rmSync(`${path}.new`, { force: true });
  writeFileSync(`${path}.new`, bytes, { mode: 0o600, flag: "wx" });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  giveToFolderOwner(path);
}

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}
