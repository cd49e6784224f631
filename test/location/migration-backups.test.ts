/** What an upgrade keeps: the database as it was, for whoever must go back. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chownSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { MIGRATIONS, migrate } from "../../src/location/migrations.ts";
import { StoreOpenError } from "../../src/location/sqlite-errors.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { temporaryDir } from "./sqlite-fixture.ts";

const LAST = MIGRATIONS.at(-1)!.name;

describe("ARC-50 a backup before each migration", () => {
  const clock = new VirtualClock();
  let dir: ReturnType<typeof temporaryDir>;
  let path: string;
  let folder: string;
  beforeEach(() => {
    dir = temporaryDir();
    path = join(dir.data_dir, "sipedge.db");
    folder = join(dir.data_dir, "before-migration");
  });
  afterEach(() => dir.remove());

  const open = () => new SqliteFile(dir.data_dir, clock).close();

  /** Puts a database of the version before in its place. */
  function age(): void {
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    const db = new Database(path);
    migrate(db, 1, MIGRATIONS.slice(0, -1));
    db.close(true);
  }

  test("a new database needs none, one that is up to date neither", () => {
    open();
    open();
    expect(readdirSync(dir.data_dir)).not.toContain("before-migration");
  });

  test("an old one is copied before it is changed, for the owner alone", () => {
    open();
    age();
    open();
    const [name, ...more] = readdirSync(folder);
    expect(more).toEqual([]);
    expect(name).toEndWith(`-${LAST}.db`);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const copy = new Database(join(folder, name!), { readonly: true });
    const names = copy.prepare("SELECT name FROM migrations").values().flat();
    copy.close(true);
    expect(names).toEqual(MIGRATIONS.slice(0, -1).map((each) => each.name));
  });

  test("only the newest three stay", () => {
    open();
    for (let i = 0; i < 5; i++) {
      age();
      clock.advance(60_000);
      open();
    }
    expect(readdirSync(folder)).toHaveLength(3);
  });

  test("going back: the refusal names the copy to put in its place", () => {
    open();
    age();
    open();
    const [name] = readdirSync(folder);
    const later = new Database(path);
    later.prepare("UPDATE migrations SET name = '0999-future' WHERE name = ?").run(LAST);
    later.close(true);
    const renamed = join(folder, name!.replace(LAST, "0999-future"));
    renameSync(join(folder, name!), renamed);
    try {
      open();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreOpenError);
      expect(String(error)).toContain(`put ${renamed} in its place`);
      return;
    }
    throw new Error("it was opened");
  });
});

test.skipIf(process.getuid?.() !== 0)("what root makes belongs to the owner of the folder", () => {
  const dir = temporaryDir();
  try {
    chownSync(dir.data_dir, 65534, 65534);
    new SqliteFile(dir.data_dir, new VirtualClock()).close();
    expect(statSync(join(dir.data_dir, "sipedge.db")).uid).toBe(65534);
  } finally {
    dir.remove();
  }
});
