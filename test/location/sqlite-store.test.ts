import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Binding } from "../../src/location/binding.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, HOUR_MS, refreshed, stored } from "./bindings.ts";
import { openStore, temporaryDir } from "./sqlite-fixture.ts";
import { CONTRACT_BINDINGS_MAX, storeContract } from "./store-contract.ts";

storeContract("SqliteStore", (clock) => {
  const { data_dir, remove } = temporaryDir();
  const { store } = openStore(clock, data_dir, CONTRACT_BINDINGS_MAX);
  return {
    store,
    dispose: () => {
      store.close();
      remove();
    },
  };
});

describe("SqliteStore: on disk", () => {
  let clock: VirtualClock;
  let dir: ReturnType<typeof temporaryDir>;
  beforeEach(() => {
    clock = new VirtualClock();
    dir = temporaryDir();
  });
  afterEach(() => dir.remove());

  /** What another process sees in the file now. */
  function onDisk(question: string): unknown[][] {
    const db = new Database(join(dir.data_dir, "sipedge.db"), { readonly: true });
    const rows = db.prepare(question).values();
    db.close();
    return rows as unknown[][];
  }

  function reopened(user: string): readonly Binding[] {
    const { store } = openStore(clock, dir.data_dir);
    const found = store.bindings(user);
    store.close();
    return found;
  }

  test("a binding is in the file before its done, and not before the turn ends", () => {
    const { store } = openStore(clock, dir.data_dir);
    const a = binding(clock, "alice");
    let at_done: unknown[][] = [];
    store.replace(a.user, [a], () => {
      at_done = onDisk("SELECT user, cseq FROM registrations");
    });
    expect(onDisk("SELECT user FROM bindings")).toEqual([]);
    clock.endTurn();
    expect(at_done).toEqual([[a.user, 1]]);
    store.close();
  });

  test("every field survives a restart, all 256 byte values in each text", () => {
    const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
    const { store } = openStore(clock, dir.data_dir);
    const full = binding(clock, "full", {
      key: bytes,
      contact: bytes,
      params: bytes,
      call_id: bytes,
      instance: bytes,
      user_agent: bytes,
      path: [bytes, ""],
      cseq: 2 ** 31 - 1,
    });
    const bare = binding(clock, "bare", {
      instance: null,
      reg_id: null,
      path: [],
      user_agent: null,
      params: "",
    });
    stored(clock, store, full.user, [full]);
    stored(clock, store, bare.user, [bare]);
    store.close();
    expect(reopened(full.user)).toEqual([full]);
    expect(reopened(bare.user)).toEqual([bare]);
  });

  test("refreshes survive a restart; the newest registration comes last again", () => {
    const { store } = openStore(clock, dir.data_dir);
    const a = binding(clock, "alice", { key: "a" });
    clock.advance(1000);
    const b = binding(clock, "alice", { key: "b" });
    stored(clock, store, a.user, [a, b]);
    clock.advance(1000);
    const a2 = refreshed(clock, a);
    stored(clock, store, a.user, [b, a2]);
    clock.advance(1000);
    const a3 = refreshed(clock, a2, { call_id: "another" });
    stored(clock, store, a.user, [b, a3]);
    store.close();
    expect(reopened(a.user)).toEqual([b, a3]);
  });

  test("objects that did not change are not written again; a plain refresh adds one narrow row", () => {
    const { store } = openStore(clock, dir.data_dir);
    const rows = () => store.snapshot().details.rows_written;
    const a = binding(clock, "alice", { key: "a" });
    const b = binding(clock, "alice", { key: "b" });
    stored(clock, store, a.user, [a, b]);
    expect(rows()).toBe(2);
    stored(clock, store, a.user, [a, b]);
    expect(rows()).toBe(2);
    stored(clock, store, a.user, [a, refreshed(clock, b)]);
    expect(rows()).toBe(3);
    expect(onDisk("SELECT count(*) FROM bindings")).toEqual([[2]]);
    expect(onDisk("SELECT count(*) FROM refreshes")).toEqual([[1]]);
    store.close();
  });

  test.each<[string, Partial<Binding>]>([
    ["contact", { contact: "sip:alice@192.0.2.8" }],
    ["params", { params: ";x=1" }],
    ["q", { q: 1 }],
    ["instance", { instance: null }],
    ["reg_id", { reg_id: 2 }],
    ["path", { path: ["<sip:edge1.example.test;lr>"] }],
    ["user_agent", { user_agent: "Phone/2.0" }],
    [
      "flow",
      { flow: { ...binding(new VirtualClock(), "x").flow, id: "tcp:10.0.0.1:5060>192.0.2.7:5062#4" } },
    ],
  ])("a refresh that changes %s is stored whole", (_, changes) => {
    const { store } = openStore(clock, dir.data_dir);
    const a = binding(clock, "alice");
    stored(clock, store, a.user, [a]);
    stored(clock, store, a.user, [refreshed(clock, a)]);
    const changed = refreshed(clock, a, changes);
    stored(clock, store, a.user, [changed]);
    store.close();
    expect(reopened(a.user)).toEqual([changed]);
    expect(onDisk("SELECT count(*) FROM bindings")).toEqual([[1]]);
  });

  test("what was removed, or expired, is gone from the file", () => {
    const { store } = openStore(clock, dir.data_dir);
    const a = binding(clock, "alice");
    const b = binding(clock, "bob", { expires_at_ms: clock.wall() + 60_000 });
    stored(clock, store, a.user, [a]);
    stored(clock, store, b.user, [b]);
    stored(clock, store, a.user, []);
    clock.advance(62_000);
    expect(onDisk("SELECT * FROM bindings")).toEqual([]);
    store.close();
  });

  test("what expired while nobody ran is not loaded, and cleared from the file", () => {
    const first = openStore(clock, dir.data_dir).store;
    const a = binding(clock, "alice");
    const b = binding(clock, "bob", { expires_at_ms: clock.wall() + 2 * HOUR_MS });
    stored(clock, first, a.user, [a]);
    stored(clock, first, b.user, [b]);
    first.close();
    clock.advance(HOUR_MS);
    const { store } = openStore(clock, dir.data_dir);
    expect([...store.all()]).toEqual([b]);
    expect(onDisk("SELECT user FROM bindings")).toHaveLength(2);
    clock.advance(1000);
    expect(onDisk("SELECT user FROM bindings")).toEqual([[b.user]]);
    store.close();
  });

  test("one id is never used for two bindings, not even across a restart", () => {
    const first = openStore(clock, dir.data_dir).store;
    const a = binding(clock, "alice");
    stored(clock, first, a.user, [a]);
    stored(clock, first, a.user, [refreshed(clock, a)]);
    stored(clock, first, a.user, []);
    first.close();
    const { store } = openStore(clock, dir.data_dir);
    const b = binding(clock, "bob");
    stored(clock, store, b.user, [b]);
    store.close();
    expect(reopened(b.user)).toEqual([b]);
  });

  test("dead refreshes are cleared, live ones stay wherever they lie", () => {
    const { store } = openStore(clock, dir.data_dir);
    const quiet = Array.from({ length: 50 }, (_, i) => {
      const each = binding(clock, `quiet${i}`, { expires_at_ms: clock.wall() + 100 * HOUR_MS });
      stored(clock, store, each.user, [each]);
      const again = { ...each, cseq: 77 };
      stored(clock, store, each.user, [again]);
      return again;
    });
    let busy = binding(clock, "busy");
    for (let i = 0; i < 20_000; i++) {
      store.replace(busy.user, [busy], () => {});
      if (i % 50 === 0) clock.advance(100);
      busy = refreshed(clock, busy);
    }
    stored(clock, store, busy.user, [busy]);
    clock.advance(10_000);
    expect(onDisk("SELECT count(*) FROM refreshes")[0]![0]).toBeLessThan(6000);
    store.close();
    const again = openStore(clock, dir.data_dir).store;
    for (const each of quiet) expect(again.bindings(each.user)).toEqual([each]);
    expect(again.bindings(busy.user)).toEqual([busy]);
    again.close();
  });

  test("the write-ahead log is bounded by checkpoints, and gone after close", () => {
    const { store } = openStore(clock, dir.data_dir);
    const log = join(dir.data_dir, "sipedge.db-wal");
    let longest = 0;
    let a = binding(clock, "alice");
    for (let i = 0; i < 40_000; i++) {
      store.replace(a.user, [a], () => {});
      if (i % 10 === 0) clock.advance(10);
      if (i % 500 === 0) longest = Math.max(longest, statSync(log).size);
      a = refreshed(clock, a);
    }
    clock.endTurn();
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThan(16 * 1024 * 1024);
    store.close();
    expect(existsSync(log)).toBe(false);
  });

  test("directory 0700, database and its log 0600, whatever the umask gives", () => {
    const data_dir = join(dir.data_dir, "made", "here");
    const { store } = openStore(clock, data_dir);
    stored(clock, store, "alice", [binding(clock, "alice")]);
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(mode(data_dir)).toBe("700");
    for (const end of ["", "-wal", "-shm"]) expect(mode(join(data_dir, `sipedge.db${end}`))).toBe("600");
    store.close();
  });

  test("a random history survives a restart at any point", () => {
    let { store } = openStore(clock, dir.data_dir);
    let state = 42;
    const roll = (n: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    for (let step = 0; step < 1500; step++) {
      const user = `user${roll(8)}`;
      const live = store.bindings(user);
      const key = `key${roll(3)}`;
      const old = live.find((each) => each.key === key);
      const kept = live.filter((each) => each !== old);
      const made =
        old !== undefined && roll(3) > 0
          ? refreshed(clock, old)
          : binding(clock, user, {
              key,
              expires_at_ms: clock.wall() + 1 + roll(60_000),
              contact: `sip:${step}`,
            });
      store.replace(user, roll(5) === 0 ? kept : [...kept, made], (failure) => expect(failure).toBeNull());
      if (roll(2) === 0) clock.advance(roll(2000));
      if (roll(50) !== 0) continue;
      clock.endTurn();
      const byKey = (a: Binding, b: Binding) => (a.user + a.key < b.user + b.key ? -1 : 1);
      const before = [...store.all()].sort(byKey);
      store.close();
      store = openStore(clock, dir.data_dir).store;
      expect([...store.all()].sort(byKey)).toEqual(before);
    }
    store.close();
  });
});
