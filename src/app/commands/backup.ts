/** `sipedge backup FILE`: everything a new box needs to take over, from a running or a stopped appliance. */
import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { STORE_FILE_NAME } from "../../location/sqlite-file.ts";
import { ARCHIVE_BYTES_MAX, KEY_FILE, packed } from "../archive.ts";
import { VERSION } from "../version.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

const BUSY_MS = 10_000;

export async function backup({ words, config: file, force }: Invocation): Promise<number> {
  const [target, ...more] = words;
  if (target === undefined || more.length > 0) return usage("backup takes one FILE, and --force");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const dataDir = dataDirOf(config, file);
  const store = join(dataDir, STORE_FILE_NAME);
  if (!existsSync(store)) return complain(`${store} is not there: nothing to back up`);
  if (existsSync(target) && !force) return complain(`${target} is there already; --force writes over it`);
  try {
    const database = copyOf(store, dirname(resolve(target)));
    if (database.length > ARCHIVE_BYTES_MAX) return complain(`${store} is too large for one archive`);
    const text = file === null ? null : readFileSync(file, "utf8");
    const made_at = new Date(systemClock.wall()).toISOString();
    const bytes = await packed({ version: VERSION, made_at, database, keys: keysIn(dataDir), config: text });
    rmSync(target, { force: true }); // it must be made anew to be readable by nobody else
    writeFileSync(target, bytes, { mode: 0o600, flag: "wx" });
    process.stdout.write(`${target}: ${bytes.length} bytes; it holds passwords' hashes and keys\n`);
    for (const name of secretFiles(text ?? ""))
      process.stdout.write(`not in it: ${name}, which the config names\n`);
    return 0;
  } catch (error) {
    return complain(`no backup was made: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The database as of now, in one piece; a server beside goes on writing. */
function copyOf(store: string, besides: string): Uint8Array {
  const folder = mkdtempSync(join(besides, ".sipedge-backup-"));
  try {
    const copy = join(folder, STORE_FILE_NAME);
    const db = new Database(store, { readwrite: true, create: false });
    try {
      db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
      db.prepare("VACUUM INTO ?").run(copy);
    } finally {
      db.close(true);
    }
    return readFileSync(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function keysIn(dataDir: string): Map<string, Uint8Array> {
  const names = readdirSync(dataDir).filter((name) => KEY_FILE.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(dataDir, name))]));
}

/** Files that the config takes secrets from. */
const secretFiles = (toml: string): string[] =>
  [...toml.matchAll(/^[^#\n]*=\s*["']file:([^"'\n]+)["']/gm)].map(([, name]) => name!);

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}
