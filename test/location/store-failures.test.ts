/** What goes wrong with a disk while the appliance runs, on a real file. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { LineLog } from "../../src/base/log.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, HOUR_MS, refreshed, stored } from "./bindings.ts";
import { openStore, type SqliteFixture, temporaryDir } from "./sqlite-fixture.ts";

const TRIAL_MAX_MS = 5000;

describe("a write fails", () => {
  let clock: VirtualClock;
  let dir: ReturnType<typeof temporaryDir>;
  let path: string;
  let lines: string[];
  let made: SqliteFixture;
  beforeEach(() => {
    clock = new VirtualClock();
    dir = temporaryDir();
    path = join(dir.data_dir, "sipedge.db");
    lines = [];
    made = openStore(clock, dir.data_dir, 100_000, new LineLog(clock, (line) => lines.push(line)));
  });
  afterEach(() => {
    made.store.close();
    dir.remove();
  });

  /** Two good bindings; a failing turn with an addition, a refresh and a removal; memory as before. */
  function expectTurnToFail(code: string): void {
    const { store } = made;
    const before = new Map(["alice", "bob", "carol"].map((user) => [user, store.bindings(user)]));
    const told: (string | undefined)[] = [];
    const done = (failure: { code: string } | null) => told.push(failure?.code);
    const [alice] = before.get("alice")!;
    const again = refreshed(clock, alice!);
    store.replace(alice!.user, [again], done);
    store.replace(alice!.user, [refreshed(clock, again), binding(clock, "alice", { key: "second" })], done);
    store.replace("bob", [], done);
    store.replace("carol", [binding(clock, "carol")], done);
    expect(store.bindings("bob")).toEqual([]);
    clock.endTurn();
    expect(told).toEqual([code, code, code, code]);
    for (const [user, bindings] of before) {
      expect(store.bindings(user)).toEqual(bindings as never);
    }
    expect(store.size).toBe(2);
    expect(store.health()).toMatchObject({ ok: false, code, since_ms: expect.any(Number) });
    expect(store.health().message).toContain(path);
  }

  function storeTwo(): void {
    for (const user of ["alice", "bob"]) {
      const each = binding(clock, user);
      expect(stored(clock, made.store, each.user, [each])).toEqual([null]);
    }
  }

  function expectRecovery(): void {
    const { store } = made;
    clock.advance(TRIAL_MAX_MS);
    expect(store.health()).toMatchObject({ ok: true, code: null, message: "" });
    expect(lines.filter((line) => line.includes("location-store-recovered"))).toHaveLength(1);
    const carol = binding(clock, "carol");
    const alice = refreshed(clock, store.bindings("alice")[0]!);
    expect(stored(clock, store, carol.user, [carol])).toEqual([null]);
    expect(stored(clock, store, alice.user, [alice])).toEqual([null]);
    const expected = [...store.all()];
    expect(expected).toHaveLength(3);
    store.close();
    made = openStore(clock, dir.data_dir);
    expect(new Set(made.store.all())).toEqual(new Set(expected));
  }

  test("full: fails, stays readable, recovers when there is space again", () => {
    storeTwo();
    const pages = made.file.db.prepare("PRAGMA page_count").values()[0]![0];
    made.file.db.run(`PRAGMA max_page_count = ${pages}`);
    const crowd = Array.from({ length: 300 }, (_, i) => binding(clock, "crowd", { key: `${i}` }));
    expect(stored(clock, made.store, "crowd", crowd)).toMatchObject([{ code: "full" }]);
    expect(made.store.bindings("crowd")).toEqual([]);
    expectTurnToFail("full");
    clock.advance(3 * TRIAL_MAX_MS);
    expect(made.store.health()).toMatchObject({ ok: false, code: "full" });
    made.file.db.run("PRAGMA max_page_count = 1000000");
    expectRecovery();
  });

  test("read-only: fails, recovers by opening the file again", () => {
    storeTwo();
    made.file.db.run("PRAGMA query_only = ON");
    expectTurnToFail("readonly");
    expectRecovery();
  });

  test("locked by another process: fails, refuses without waiting, recovers when it lets go", async () => {
    storeTwo();
    const holder = Bun.spawn([process.execPath, join(import.meta.dir, "lock-holder.ts"), path], {
      stdin: "pipe",
      stdout: "pipe",
      env: process.env,
    });
    const reader = holder.stdout.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("held\n");
    expectTurnToFail("busy");
    clock.advance(2 * TRIAL_MAX_MS);
    expect(made.store.health()).toMatchObject({ ok: false, code: "busy" });
    holder.stdin.end();
    await holder.exited;
    expectRecovery();
  });

  test("the file is gone: noticed, made anew from memory", () => {
    storeTwo();
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    clock.advance(1000);
    expectTurnToFail("io");
    expect(existsSync(path)).toBe(false);
    expectRecovery();
  });

  test("the file is replaced by one of another kind: says corrupt until it is moved away", () => {
    storeTwo();
    renameSync(path, `${path}.old`);
    writeFileSync(path, "this is not a database, and long enough to be looked at as one ".repeat(100));
    clock.advance(1000);
    expectTurnToFail("io");
    clock.advance(3 * TRIAL_MAX_MS);
    expect(made.store.health()).toMatchObject({ ok: false, code: "corrupt" });
    expect(made.store.health().message).toContain(path);
    expectTurnToFail("corrupt");
    rmSync(path);
    expectRecovery();
  });

  test("damaged pages: says corrupt, and serves what it knows", () => {
    storeTwo();
    made.file.checkpoint();
    // Another connection makes ours drop its cache, then finds the damage with us.
    const other = new Database(path, { readwrite: true });
    other.run("INSERT INTO meta VALUES ('x', x'00')");
    other.run("PRAGMA wal_checkpoint(TRUNCATE)");
    other.close(true);
    const fd = openSync(path, "r+");
    writeSync(fd, Buffer.alloc(7 * 4096, 0xa5), 0, 7 * 4096, 4096);
    closeSync(fd);
    expectTurnToFail("corrupt");
    clock.advance(3 * TRIAL_MAX_MS);
    expect(made.store.health()).toMatchObject({ ok: false, code: "corrupt" });
    for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    expectRecovery();
  });

  test("a backup put in its place: what memory holds is written over it", () => {
    storeTwo();
    made.file.db.run(`VACUUM INTO '${path}.backup'`);
    expect(stored(clock, made.store, "bob", [])).toEqual([null]);
    const dave = binding(clock, "dave");
    stored(clock, made.store, dave.user, [dave]);
    for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
    renameSync(`${path}.backup`, path);
    clock.advance(1000);
    expect(stored(clock, made.store, dave.user, [refreshed(clock, dave)])).toMatchObject([{ code: "io" }]);
    clock.advance(TRIAL_MAX_MS);
    expect(made.store.health().ok).toBe(true);
    const expected = new Set(made.store.all());
    made.store.close();
    made = openStore(clock, dir.data_dir);
    expect(new Set(made.store.all())).toEqual(expected);
  });

  test("what expires while writes fail is not returned, and swept from the file afterwards", () => {
    const { store, file } = made;
    const short = binding(clock, "alice", { expires_at_ms: clock.wall() + 10_000 });
    const long = binding(clock, "bob", { expires_at_ms: clock.wall() + HOUR_MS });
    stored(clock, store, short.user, [short]);
    stored(clock, store, long.user, [long]);
    const full = () =>
      file.db.run(`PRAGMA max_page_count = ${file.db.prepare("PRAGMA page_count").values()[0]![0]}`);
    full();
    const crowd = Array.from({ length: 300 }, (_, i) => binding(clock, "crowd", { key: `${i}` }));
    stored(clock, store, "crowd", crowd);
    clock.advance(12_000);
    expect(store.health().ok).toBe(false);
    expect([...store.all()]).toEqual([long]);
    expect(file.db.prepare("SELECT count(*) FROM bindings").values()).toEqual([[2]]);
    file.db.run("PRAGMA max_page_count = 1000000");
    clock.advance(TRIAL_MAX_MS + 1000);
    expect(store.health().ok).toBe(true);
    expect(file.db.prepare("SELECT user FROM bindings").values()).toEqual([[long.user]]);
    expect(store.size).toBe(1);
  });

  test("a failure and its end are each one log line, and counted", () => {
    storeTwo();
    made.file.db.run("PRAGMA query_only = ON");
    expectTurnToFail("readonly");
    expectTurnToFail("readonly");
    clock.advance(TRIAL_MAX_MS);
    expect(lines.filter((line) => line.includes("location-store-failed"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("location-store-recovered"))).toHaveLength(1);
    const family = made.metrics.collect().find(({ name }) => name === "sipedge_location_failures_total");
    expect(family?.samples).toEqual([{ labels: { code: "readonly" }, value: 1 }] as never);
  });

  test("while ill nothing but the trials ticks; closing ends them", () => {
    storeTwo();
    made.file.db.run("PRAGMA query_only = ON");
    expectTurnToFail("readonly");
    expect(clock.pending).toBe(1);
    made.store.close();
    expect(clock.pending).toBe(0);
  });
});
