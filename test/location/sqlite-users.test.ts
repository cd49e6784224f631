import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteUserStore } from "../../src/location/sqlite-users.ts";
import { USER_NAME_CHARS_MAX, type User } from "../../src/location/users.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { temporaryDir } from "./sqlite-fixture.ts";

const MD5 = "00112233445566778899aabbccddeeff";
const SHA256 = MD5 + MD5;

function user(name: string, changes: Partial<User> = {}): User {
  const hashes = { ha1_md5: MD5, ha1_sha256: SHA256, ha1_sha512_256: SHA256 };
  return { name, realm: "example.test", ...hashes, source: "store", ...changes };
}

describe("SqliteUserStore", () => {
  let clock: VirtualClock;
  let dir: ReturnType<typeof temporaryDir>;
  let file: SqliteFile;
  let users: SqliteUserStore;

  function open(): void {
    file = new SqliteFile(dir.data_dir, clock);
    users = new SqliteUserStore(file, { clock, log: silentLog, users_max: 3 });
  }
  beforeEach(() => {
    clock = new VirtualClock();
    dir = temporaryDir();
    open();
  });
  afterEach(() => {
    file.close();
    dir.remove();
  });

  /** The same in another process; returns its failure. */
  function elsewhere(...args: string[]): unknown {
    const script = join(import.meta.dir, "user-process.ts");
    const { stdout, stderr } = spawnSync(process.execPath, [script, dir.data_dir, ...args]);
    expect(stderr.toString()).toBe("");
    return JSON.parse(stdout.toString());
  }

  test("put, find, replace, remove; nobody else is found", () => {
    expect(users.find("alice")).toBeNull();
    expect(users.put(user("alice"))).toBeNull();
    expect(users.find("alice")).toEqual(user("alice", { disabled: false }));
    expect(users.put(user("alice", { realm: "other.test", disabled: true }))).toBeNull();
    expect(users.find("alice")).toEqual(user("alice", { realm: "other.test", disabled: true }));
    expect(users.find("Alice")).toBeNull();
    expect(users.remove("alice")).toBeNull();
    expect(users.find("alice")).toBeNull();
    expect(users.remove("alice")).toMatchObject({ code: "unknown_user" });
  });

  test("survive a restart, one hash alone and every byte of UTF-8 names too", () => {
    const high = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => 128 + i));
    expect(users.put(user("alice", { ha1_sha256: null }))).toBeNull();
    expect(users.put(user(high, { ha1_md5: null }))).toBeNull();
    file.close();
    open();
    expect(users.find("alice")?.ha1_sha256).toBeNull();
    expect(users.find(high)).toMatchObject({ ha1_md5: null, ha1_sha256: SHA256 });
  });

  test("users of the config hide stored ones, and are not stored", () => {
    users.put(user("alice"));
    users.put(user("bob"));
    users.setConfigUsers([user("alice", { realm: "config.test" }), user("carol")]);
    expect(users.find("alice")).toMatchObject({ realm: "config.test", source: "config" });
    expect(users.list().map(({ name, source }) => [name, source])).toEqual([
      ["alice", "config"],
      ["bob", "store"],
      ["carol", "config"],
    ]);
    expect(users.remove("carol")).toMatchObject({
      code: "unknown_user",
      message: "user carol is in the config file",
    });
    users.setConfigUsers([]);
    expect(users.find("alice")).toMatchObject({ realm: "example.test", source: "store" });
    expect(users.find("carol")).toBeNull();
  });

  test.each<[string, User]>([
    ["no name", user("")],
    ["a long name", user("a".repeat(USER_NAME_CHARS_MAX + 1))],
    ["a colon in the name", user("a:b")],
    ["a line break in the name", user("a\nb")],
    ["no realm", user("a", { realm: "" })],
    ["a quote in the realm", user("a", { realm: 'x"y' })],
    ["no hash", user("a", { ha1_md5: null, ha1_sha256: null })],
    ["a password for a hash", user("a", { ha1_md5: "secret" })],
    ["upper-case hex", user("a", { ha1_md5: MD5.toUpperCase() })],
    ["a short SHA-256", user("a", { ha1_sha256: MD5 })],
    ["a short SHA-512/256", user("a", { ha1_sha512_256: MD5 })],
  ])("%s: bad_user, nothing stored", (_, given) => {
    expect(users.put(given)).toMatchObject({ code: "bad_user" });
    expect(users.list()).toEqual([]);
  });

  test("users_max: no more, but those that are there can change", () => {
    for (const name of ["a", "b", "c"]) expect(users.put(user(name))).toBeNull();
    expect(users.put(user("d"))).toMatchObject({ code: "full_table" });
    expect(users.put(user("c", { disabled: true }))).toBeNull();
    users.remove("a");
    expect(users.put(user("d"))).toBeNull();
  });

  test("changes of another process are seen within a second of asking, and not looked for before", () => {
    users.put(user("alice"));
    expect(elsewhere("put", "bob", "example.test")).toBeNull();
    expect(elsewhere("remove", "alice")).toBeNull();
    expect(users.find("bob")).toBeNull();
    expect(users.find("alice")).not.toBeNull();
    expect(clock.pending).toBe(0);
    clock.advance(1000);
    expect(users.find("bob")).toMatchObject({ realm: "example.test", source: "store" });
    expect(users.find("alice")).toBeNull();
  });

  test("a write that fails changes nothing, and says why", () => {
    users.put(user("alice"));
    file.db.run("PRAGMA query_only = ON");
    expect(users.put(user("bob"))).toMatchObject({ code: "readonly" });
    expect(users.remove("alice")).toMatchObject({ code: "readonly" });
    expect(users.list().map(({ name }) => name)).toEqual(["alice"]);
  });

  test("a database that cannot be read: those known before are still found", () => {
    users.put(user("alice"));
    file.close();
    clock.advance(5000);
    expect(users.find("alice")).toMatchObject({ name: "alice" });
    expect(users.put(user("bob"))).toMatchObject({ code: "io" });
  });

  test("the file was lost and is opened anew: users are written back", () => {
    users.put(user("alice"));
    for (const end of ["", "-wal", "-shm"]) rmSync(join(dir.data_dir, `sipedge.db${end}`), { force: true });
    file.reopen();
    expect(users.find("alice")).not.toBeNull();
    file.close();
    open();
    expect(users.find("alice")).toMatchObject({ name: "alice", ha1_md5: MD5 });
  });
});
