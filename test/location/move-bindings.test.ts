/** The main name of a site changes, and its registrations with it. */
import { expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { MemoryStore } from "../../src/location/memory-store.ts";
import { moveBindings } from "../../src/location/move-bindings.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding } from "./bindings.ts";
import { openStore, temporaryDir } from "./sqlite-fixture.ts";

const none = (): void => {};

function memory(clock: VirtualClock): MemoryStore {
  return new MemoryStore({ clock, log: silentLog, metrics: new Metrics(), bindings_max: 10 });
}

test("everybody is found under the new name, as registered, and nobody under the old one", () => {
  const clock = new VirtualClock();
  const store = memory(clock);
  const desk = binding(clock, "alice", { key: "desk" });
  const mobile = binding(clock, "alice", { key: "mobile" });
  store.replace("alice@example.test", [desk, mobile], none);
  store.replace("bob@example.test", [binding(clock, "bob")], none);
  expect(moveBindings(store, "new.test")).toBe(3);
  clock.endTurn();
  expect(store.bindings("alice@new.test")).toEqual([
    { ...desk, aor: "alice@new.test" },
    { ...mobile, aor: "alice@new.test" },
  ]);
  expect(store.bindings("bob@new.test")).toHaveLength(1);
  expect(store.bindings("alice@example.test")).toEqual([]);
  expect(store.size).toBe(3);
  expect(moveBindings(store, "new.test")).toBe(0);
  store.close();
});

test("a phone that stands under both names: the newer registration counts", () => {
  const clock = new VirtualClock();
  const store = memory(clock);
  const under = (aor: string, key: string, registered_at_ms: number) =>
    binding(clock, "alice", { aor, key, registered_at_ms });
  store.replace("alice@a.test", [under("alice@a.test", "x", 10), under("alice@a.test", "y", 20)], none);
  store.replace("alice@b.test", [under("alice@b.test", "x", 11), under("alice@b.test", "y", 19)], none);
  moveBindings(store, "b.test");
  clock.endTurn();
  const times = store.bindings("alice@b.test").map(({ key, registered_at_ms }) => [key, registered_at_ms]);
  expect(times.toSorted()).toEqual([
    ["x", 11],
    ["y", 20],
  ]);
  store.close();
});

test("on disk: they stand under the new name after the next start", () => {
  const clock = new VirtualClock();
  const { data_dir, remove } = temporaryDir();
  try {
    const before = openStore(clock, data_dir).store;
    before.replace("alice@example.test", [binding(clock, "alice")], none);
    clock.endTurn();
    before.close();
    const moving = openStore(clock, data_dir).store;
    expect(moveBindings(moving, "new.test")).toBe(1);
    clock.endTurn();
    moving.close();
    const after = openStore(clock, data_dir).store;
    expect(after.bindings("alice@new.test")).toMatchObject([{ aor: "alice@new.test", cseq: 1 }]);
    expect(after.bindings("alice@example.test")).toEqual([]);
    after.close();
  } finally {
    remove();
  }
});
