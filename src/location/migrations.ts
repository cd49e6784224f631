/**
 * The database's migrations, embedded in the executable and applied by name: one that was merged
 * late still runs, and a database from a newer version is refused.
 */
import type { Database } from "bun:sqlite";
import bindingsAndUsers from "../../migrations/0001-bindings-and-users.sql" with { type: "text" };
import forwards from "../../migrations/0002-forwards.sql" with { type: "text" };
import flows from "../../migrations/0003-flows.sql" with { type: "text" };
import keptFlows from "../../migrations/0004-kept-flows.sql" with { type: "text" };
import callRecords from "../../migrations/0005-call-records.sql" with { type: "text" };
import bans from "../../migrations/0006-bans.sql" with { type: "text" };
import sha512Hashes from "../../migrations/0007-sha512-256.sql" with { type: "text" };
import bindingsByUser from "../../migrations/0008-bindings-by-user.sql" with { type: "text" };

export interface Migration {
  /** The file's name without `.sql`. */
  readonly name: string;
  readonly sql: string;
}

/** In the order they run. A released one never changes. */
export const MIGRATIONS: readonly Migration[] = [
  { name: "0001-bindings-and-users", sql: bindingsAndUsers },
  { name: "0002-forwards", sql: forwards },
  { name: "0003-flows", sql: flows },
  { name: "0004-kept-flows", sql: keptFlows },
  { name: "0005-call-records", sql: callRecords },
  { name: "0006-bans", sql: bans },
  { name: "0007-sha512-256", sql: sha512Hashes },
  { name: "0008-bindings-by-user", sql: bindingsByUser },
];

/** The database knows migrations that this version does not. */
export class NewerDatabaseError extends Error {
  /** The oldest of them. */
  readonly first: string;
  constructor(unknown: readonly string[]) {
    super(`it was written by a newer version (unknown migrations: ${unknown.join(", ")})`);
    this.name = "NewerDatabaseError";
    this.first = unknown[0] ?? "";
  }
}

/**
 * Brings the database up to date, each migration in a transaction of its own; writes nothing when it
 * is. Throws NewerDatabaseError, or what SQLite throws.
 */
export function migrate(db: Database, wall_ms: number, migrations: readonly Migration[] = MIGRATIONS): void {
  for (const { name, sql } of pending(db, migrations)) applyOne(db, name, sql, wall_ms);
}

/** Those a database lacks, in order. Throws NewerDatabaseError. */
export function pending(db: Database, migrations: readonly Migration[] = MIGRATIONS): readonly Migration[] {
  const applied = appliedNames(db);
  const unknown = [...applied].filter((name) => !migrations.some((known) => known.name === name));
  if (unknown.length > 0) throw new NewerDatabaseError(unknown.sort());
  return migrations.filter(({ name }) => !applied.has(name));
}

/** Empty: a database nobody has written to. */
export function appliedNames(db: Database): Set<string> {
  const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'");
  if (table.get() === null) return new Set();
  const rows = db.prepare("SELECT name FROM migrations").values() as [string][];
  return new Set(rows.map(([name]) => name));
}

/** `sipedge user` may start beside `serve`: whoever gets the lock second finds the work done. */
function applyOne(db: Database, name: string, sql: string, wall_ms: number): void {
  db.transaction(() => {
    db.run(
      "CREATE TABLE IF NOT EXISTS migrations " +
        "(name TEXT PRIMARY KEY NOT NULL, applied_at_ms INTEGER NOT NULL) STRICT",
    );
    if (appliedNames(db).has(name)) return;
    db.run(sql);
    db.prepare("INSERT INTO migrations (name, applied_at_ms) VALUES (?, ?)").run(name, wall_ms);
  }).immediate();
}
