import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { MIGRATIONS, migrate, NewerDatabaseError } from "../../src/location/migrations.ts";
import * as schema from "../../src/location/schema.ts";

const TABLES: SQLiteTable[] = Object.values(schema);

function migrated(): Database {
  const db = new Database(":memory:");
  migrate(db, 1);
  return db;
}

describe("schema.ts and the migrated database agree", () => {
  test("on the tables", () => {
    const found = migrated()
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
      )
      .values();
    expect(found.flat()).toEqual(TABLES.map((table) => getTableConfig(table).name).sort());
  });

  test.each(TABLES.map((table) => [getTableConfig(table).name, table] as const))("on %s", (name, table) => {
    const found = migrated()
      .prepare(`SELECT name, type, "notnull", pk FROM pragma_table_info('${name}')`)
      .values();
    const { columns, primaryKeys } = getTableConfig(table);
    const together = primaryKeys.flatMap((key) => key.columns.map((column) => column.name));
    const expected = columns.map((column) => {
      // SQLite says 0 for an INTEGER PRIMARY KEY, which cannot be null anyway.
      const rowid = column.primary && column.getSQLType() === "integer";
      return [
        column.name,
        column.getSQLType().toUpperCase(),
        Number(column.notNull && !rowid),
        Number(column.primary) + together.indexOf(column.name) + 1,
      ];
    });
    expect(found).toEqual(expected);
  });

  test("on the types of what is in it: every table is STRICT", () => {
    const loose = migrated()
      .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0")
      .values();
    expect(loose.flat()).toEqual(["sqlite_schema"]);
  });
});

describe("migrations", () => {
  test("every file in migrations/ is embedded, under its name and in order", () => {
    const folder = join(import.meta.dir, "../../migrations");
    const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
    expect(MIGRATIONS.map(({ name }) => `${name}.sql`)).toEqual(files.sort());
    for (const { name, sql } of MIGRATIONS)
      expect(sql).toBe(readFileSync(join(folder, `${name}.sql`), "utf8"));
  });

  test("applied twice: the second time writes nothing", () => {
    const db = migrated();
    const dump = () => db.prepare("SELECT * FROM sqlite_schema").values();
    const [schema_before, changes_before] = [dump(), db.prepare("SELECT total_changes()").values()];
    migrate(db, 2);
    expect(dump()).toEqual(schema_before);
    expect(db.prepare("SELECT total_changes()").values()).toEqual(changes_before);
    expect(db.prepare("SELECT DISTINCT applied_at_ms FROM migrations").values()).toEqual([[1]]);
  });

  test("bindings of one contact under two names of the site become one of the user, the younger one", () => {
    const db = new Database(":memory:");
    migrate(db, 1, MIGRATIONS.slice(0, 7));
    const filled = db
      .prepare(
        "SELECT name, type FROM pragma_table_info('bindings') WHERE \"notnull\" = 1 AND dflt_value IS NULL",
      )
      .values() as [string, string][];
    const put = (id: number, aor: string, key: string): void => {
      const row = {
        ...Object.fromEntries(filled.map(([name, type]) => [name, type === "TEXT" ? "" : 0])),
        id,
        aor,
        key,
      };
      const names = Object.keys(row);
      db.prepare(`INSERT INTO bindings (${names.join()}) VALUES (${names.map(() => "?").join()})`).run(
        ...Object.values(row),
      );
    };
    put(1, "alice@a.test", "desk");
    put(2, "alice@b.test", "desk");
    put(3, "alice@b.test", "mobile");
    put(4, "a%40b@a.test", "desk");
    put(5, "x@y@2001:db8::1", "desk");
    migrate(db, 2);
    expect(db.prepare("SELECT id, user, key FROM bindings ORDER BY id").values()).toEqual([
      [2, "alice", "desk"],
      [3, "alice", "mobile"],
      [4, "a%40b", "desk"],
      [5, "x@y", "desk"],
    ]);
    expect(db.prepare("SELECT user FROM registrations ORDER BY user").values().flat()).toEqual([
      "a%40b",
      "alice",
      "alice",
      "x@y",
    ]);
  });

  test("one that was merged late runs, though a later one has run", () => {
    const db = new Database(":memory:");
    const first = { name: "0001-a", sql: "CREATE TABLE a (x)" };
    const late = { name: "0002-b", sql: "CREATE TABLE b (x)" };
    const third = { name: "0003-c", sql: "CREATE TABLE c (x)" };
    migrate(db, 1, [first, third]);
    migrate(db, 2, [first, late, third]);
    expect(db.prepare("SELECT name, applied_at_ms FROM migrations ORDER BY name").values()).toEqual([
      ["0001-a", 1],
      ["0002-b", 2],
      ["0003-c", 1],
    ]);
    expect(db.prepare("SELECT * FROM b").values()).toEqual([]);
  });

  test("one that fails leaves nothing of itself behind, and those before it stand", () => {
    const db = new Database(":memory:");
    const good = { name: "0001-a", sql: "CREATE TABLE a (x)" };
    const bad = { name: "0002-b", sql: "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)" };
    expect(() => migrate(db, 1, [good, bad])).toThrow("nowhere");
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").values()).toEqual([
      ["a"],
      ["migrations"],
    ]);
    expect(db.prepare("SELECT name FROM migrations").values()).toEqual([["0001-a"]]);
  });

  test("a database with an unknown one is refused by name, untouched", () => {
    const db = migrated();
    db.run("INSERT INTO migrations VALUES ('0099-from-the-future', 5)");
    expect(() => migrate(db, 1)).toThrow(NewerDatabaseError);
    expect(() => migrate(db, 1)).toThrow("0099-from-the-future");
  });
});
