/**
 * SQLite's and the file system's errors as the store's own codes, and what the operator can do.
 */
import { SQLiteError } from "bun:sqlite";
import { backupBefore } from "./migration-backups.ts";
import { NewerDatabaseError } from "./migrations.ts";
import type { StoreFailure, StoreFailureCode } from "./store.ts";

export type OpenFailureCode = StoreFailureCode | "newer";

/** The store cannot be opened: `sipedge` must not start on it. The message names the file and what to do. */
export class StoreOpenError extends Error {
  readonly code: OpenFailureCode;
  readonly path: string;

  constructor(path: string, code: OpenFailureCode, why: string) {
    super(`${path}: ${why}; ${ADVICE[code]}`);
    this.name = "StoreOpenError";
    this.code = code;
    this.path = path;
  }
}

const ADVICE: Record<OpenFailureCode, string> = {
  full: "free some space on its disk",
  full_table: "raise bindings_max",
  readonly: "make the file and its directory writable for the user that runs sipedge",
  corrupt: "restore a backup, or move the file away to start with an empty store",
  busy: "end the process that holds it (another sipedge, a sqlite3 shell, a backup)",
  io: "check data_dir, its permissions and its disk",
  newer: "run the version that wrote it, or move the file away to start with an empty store",
};

/** SQLite's primary result codes; every extended code starts with one of them. */
const CODES: readonly (readonly [string, StoreFailureCode])[] = [
  ["SQLITE_FULL", "full"],
  ["SQLITE_READONLY", "readonly"],
  ["SQLITE_CORRUPT", "corrupt"],
  ["SQLITE_NOTADB", "corrupt"],
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_LOCKED", "busy"],
];

const SYSTEM_CODES: Readonly<Record<string, StoreFailureCode>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EROFS: "readonly",
  EACCES: "readonly",
  EPERM: "readonly",
};

/** What an error of the database or its file means for the store. */
export function storeFailure(error: unknown, path: string): StoreFailure {
  if (error instanceof StoreOpenError) {
    return { code: error.code === "newer" ? "io" : error.code, message: error.message };
  }
  const { code, message } = error as { code?: unknown; message?: unknown };
  const name = typeof code === "string" ? code : "";
  return { code: codeOf(name), message: `${path}: ${message ?? error}${name === "" ? "" : ` (${name})`}` };
}

/** The same for the start, when there is nothing to go on with. */
export function openError(error: unknown, path: string): StoreOpenError {
  if (error instanceof StoreOpenError) return error;
  if (error instanceof NewerDatabaseError) return newerError(error, path);
  const name = String((error as { code?: unknown }).code ?? "");
  const what = error instanceof SQLiteError ? "the database cannot be opened" : "cannot be made or opened";
  return new StoreOpenError(path, codeOf(name), `${what}: ${(error as Error).message} (${name})`);
}

/** What going back to this version takes: the copy from before, which lacks what happened since. */
function newerError({ message, first }: NewerDatabaseError, path: string): StoreOpenError {
  const copy = backupBefore(path, first);
  const way = copy === null ? "" : `; to go back to this version, put ${copy} in its place`;
  return new StoreOpenError(path, "newer", message + way);
}

function codeOf(name: string): StoreFailureCode {
  for (const [prefix, code] of CODES) if (name.startsWith(prefix)) return code;
  return SYSTEM_CODES[name] ?? "io";
}
