/**
 * What every LocationStore must do. Each implementation's test runs it with its own way of making one.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Binding } from "../../src/location/binding.ts";
import type { LocationStore, StoreFailure } from "../../src/location/store.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, HOUR_MS, refreshed, stored } from "./bindings.ts";

export const CONTRACT_BINDINGS_MAX = 600;

export interface MadeStore {
  readonly store: LocationStore;
  /** Closes the store if need be and removes what it left. */
  dispose(): void;
}

export function storeContract(name: string, make: (clock: VirtualClock) => MadeStore): void {
  let clock: VirtualClock;
  let made: MadeStore;
  let store: LocationStore;
  beforeEach(() => {
    clock = new VirtualClock();
    made = make(clock);
    store = made.store;
  });
  afterEach(() => made.dispose());
  const put = (user: string, next: readonly Binding[]) => stored(clock, store, user, next);

  describe(`${name}: replace`, () => {
    test("unknown AOR: no bindings", () => {
      expect(store.bindings("nobody")).toEqual([]);
    });

    test("memory changes at once, done comes at the end of the turn, once", () => {
      const a = binding(clock, "alice");
      const told: (StoreFailure | null)[] = [];
      store.replace(a.user, [a], (failure) => told.push(failure));
      expect(store.bindings(a.user)).toEqual([a]);
      expect(told).toEqual([]);
      clock.endTurn();
      expect(told).toEqual([null]);
      clock.endTurn();
      expect(told).toEqual([null]);
    });

    test("a look-up makes no garbage: the same array twice, the same objects", () => {
      const a = binding(clock, "alice");
      put(a.user, [a]);
      expect(store.bindings(a.user)).toBe(store.bindings(a.user));
      expect(store.bindings(a.user)[0]).toBe(a);
    });

    test("several changes of one AOR in one turn: the last one stands, all are done in order", () => {
      const a = binding(clock, "alice");
      const b = refreshed(clock, a);
      const c = binding(clock, "alice", { key: "other" });
      const order: string[] = [];
      store.replace(a.user, [a], () => order.push("a"));
      store.replace(a.user, [b], () => order.push("b"));
      store.replace(a.user, [], () => order.push("none"));
      store.replace(a.user, [b, c], () => order.push("bc"));
      clock.endTurn();
      expect(order).toEqual(["a", "b", "none", "bc"]);
      expect(store.bindings(a.user)).toEqual([b, c]);
      expect(store.size).toBe(2);
    });

    test("the newest registration comes last, however they are given", () => {
      const old = binding(clock, "alice", { key: "old" });
      clock.advance(1000);
      const recent = binding(clock, "alice", { key: "recent" });
      put(old.user, [recent, old]);
      expect(store.bindings(old.user).map((each) => each.key)).toEqual(["old", "recent"]);
    });

    test("an empty list removes the AOR", () => {
      const a = binding(clock, "alice");
      put(a.user, [a]);
      expect(put(a.user, [])).toEqual([null]);
      expect(store.bindings(a.user)).toEqual([]);
      expect([store.size, store.users]).toEqual([0, 0]);
    });

    test("removing from an AOR that has none is no failure", () => {
      expect(put("nobody", [])).toEqual([null]);
    });

    test("a done that throws keeps nobody else from being told", () => {
      const told: string[] = [];
      store.replace("a", [], () => {
        throw new Error("caller's fault");
      });
      store.replace("b", [], () => told.push("b"));
      clock.endTurn();
      expect(told).toEqual(["b"]);
    });

    test("a done that replaces again is served in a turn of its own", () => {
      const a = binding(clock, "alice");
      const b = binding(clock, "bob");
      const told: string[] = [];
      store.replace(a.user, [a], () => store.replace(b.user, [b], () => told.push("b")));
      clock.endTurn();
      expect(told).toEqual(["b"]);
      expect(store.users).toBe(2);
    });
  });

  describe(`${name}: counting and listing`, () => {
    test("size counts bindings, users counts AORs, all() gives each", () => {
      const a1 = binding(clock, "alice", { key: "1" });
      const a2 = binding(clock, "alice", { key: "2" });
      const b = binding(clock, "bob");
      put(a1.user, [a1, a2]);
      put(b.user, [b]);
      expect([store.size, store.users]).toEqual([3, 2]);
      expect(new Set(store.all())).toEqual(new Set([a1, a2, b]));
      expect(store.snapshot()).toMatchObject({ bindings: 3, users: 2, bindings_max: CONTRACT_BINDINGS_MAX });
      expect(store.snapshot().health).toEqual(store.health());
      expect(store.health()).toMatchObject({ ok: true, code: null, message: "" });
    });
  });

  describe(`${name}: bindings_max`, () => {
    const fill = () => {
      const many = Array.from({ length: CONTRACT_BINDINGS_MAX }, (_, i) =>
        binding(clock, "many", { key: `${i}` }),
      );
      put("many", many);
      return many;
    };

    test("growth beyond it fails with full_table and changes nothing", () => {
      fill();
      const a = binding(clock, "alice");
      const told: (StoreFailure | null)[] = [];
      store.replace(a.user, [a], (failure) => told.push(failure));
      expect(store.bindings(a.user)).toEqual([]);
      expect(told).toEqual([]);
      clock.endTurn();
      expect(told).toMatchObject([{ code: "full_table" }]);
      expect(store.size).toBe(CONTRACT_BINDINGS_MAX);
      expect(store.health().ok).toBe(true);
    });

    test("refreshing, exchanging and removing go on, and make room", () => {
      const many = fill();
      const again = many.map((each) => refreshed(clock, each));
      expect(put("many", again)).toEqual([null]);
      expect(put("many", again.slice(1))).toEqual([null]);
      const a = binding(clock, "alice");
      expect(put(a.user, [a])).toEqual([null]);
      expect(store.size).toBe(CONTRACT_BINDINGS_MAX);
    });

    test("a refused change takes no other of its turn with it", () => {
      const many = fill();
      const told: (string | null)[] = [];
      const again = refreshed(clock, many[0]!);
      store.replace("a", [binding(clock, "a")], (failure) => told.push(failure?.code ?? null));
      store.replace("many", [again], (failure) => told.push(failure?.code ?? null));
      clock.endTurn();
      expect(told).toEqual(["full_table", null]);
      expect(store.bindings("many")).toEqual([again]);
    });
  });

  describe(`${name}: expiry`, () => {
    test("an expired binding is never returned, at the very millisecond", () => {
      const a = binding(clock, "alice", { expires_at_ms: clock.wall() + 60_000 });
      put(a.user, [a]);
      clock.advance(59_999);
      expect(store.bindings(a.user)).toEqual([a]);
      clock.advance(1);
      expect(store.bindings(a.user)).toEqual([]);
      expect([...store.all()]).toEqual([]);
    });

    test("one of two expires, the other stays", () => {
      const short = binding(clock, "alice", { key: "short", expires_at_ms: clock.wall() + 60_000 });
      const long = binding(clock, "alice", { key: "long" });
      put(short.user, [short, long]);
      clock.advance(62_000);
      expect(store.bindings(long.user)).toEqual([long]);
      expect(store.size).toBe(1);
    });

    test("a refresh puts it off; a shorter one brings it forward", () => {
      const a = binding(clock, "alice", { expires_at_ms: clock.wall() + 60_000 });
      put(a.user, [a]);
      const longer = refreshed(clock, a, { expires_at_ms: clock.wall() + 120_000 });
      put(a.user, [longer]);
      clock.advance(90_000);
      expect(store.bindings(a.user)).toEqual([longer]);
      const shorter = refreshed(clock, longer, { expires_at_ms: clock.wall() + 10_000 });
      put(a.user, [shorter]);
      clock.advance(11_000);
      expect([store.size, store.users]).toEqual([0, 0]);
    });

    test("one born expired is never seen", () => {
      const a = binding(clock, "alice", { expires_at_ms: clock.wall() });
      expect(put(a.user, [a])).toEqual([null]);
      expect(store.bindings(a.user)).toEqual([]);
      clock.advance(2000);
      expect(store.size).toBe(0);
    });

    test("a crowd that ends together is swept in steps, wholly", () => {
      for (let i = 0; i < CONTRACT_BINDINGS_MAX; i++) {
        const each = binding(clock, `user${i}`, { expires_at_ms: clock.wall() + 60_000 });
        store.replace(each.user, [each], () => {});
      }
      clock.endTurn();
      clock.advance(60_000);
      expect(store.size).toBeGreaterThan(0);
      expect([...store.all()]).toEqual([]);
      clock.advance(1000);
      expect(store.size).toBe(0);
    });

    test("the wall clock jumps by years: lifetimes run on", () => {
      const a = binding(clock, "alice");
      put(a.user, [a]);
      clock.wallOffset += 10 * 365 * 24 * HOUR_MS;
      expect(store.bindings(a.user)).toEqual([a]);
      clock.advance(HOUR_MS - 1);
      expect(store.bindings(a.user)).toEqual([a]);
      clock.advance(1);
      expect(store.bindings(a.user)).toEqual([]);
    });

    test("nothing to expire: nothing ticks", () => {
      expect(clock.pending).toBe(0);
      const a = binding(clock, "alice");
      put(a.user, [a]);
      expect(clock.pending).toBe(1);
      clock.advance(HOUR_MS / 2);
      put(a.user, [refreshed(clock, a)]);
      expect(clock.pending).toBe(1);
      put(a.user, []);
      expect(clock.pending).toBe(0);
    });
  });

  describe(`${name}: watch`, () => {
    test("tells added, refreshed, removed and expired, after done", () => {
      const seen: string[] = [];
      const unwatch = store.watch((kind, { key, cseq }) => seen.push(`${kind} ${key} ${cseq}`));
      const a = binding(clock, "alice", { key: "a" });
      const b = binding(clock, "alice", { key: "b", expires_at_ms: clock.wall() + 60_000 });
      store.replace(a.user, [a, b], () => seen.push("done"));
      clock.endTurn();
      put(a.user, [refreshed(clock, a), b]);
      clock.advance(62_000);
      put(a.user, []);
      expect(seen).toEqual(["done", "added a 1", "added b 1", "refreshed a 2", "expired b 1", "removed a 2"]);
      unwatch();
      put(a.user, [a]);
      expect(seen).toHaveLength(6);
    });
  });

  describe(`${name}: close`, () => {
    test("stores what is pending; later changes fail", () => {
      const a = binding(clock, "alice");
      const told: (string | null)[] = [];
      store.replace(a.user, [a], (failure) => told.push(failure?.code ?? null));
      store.close();
      expect(told).toEqual([null]);
      store.replace(a.user, [], (failure) => told.push(failure?.code ?? null));
      clock.endTurn();
      expect(told).toEqual([null, "io"]);
      expect(store.bindings(a.user)).toEqual([a]);
      expect(clock.pending).toBe(0);
    });
  });

  describe(`${name}: against a model`, () => {
    test.each([1, 2, 3, 4])("random changes, seed %p", (seed) => {
      let state = seed * 2_654_435_761;
      const roll = (n: number) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * n);
      };
      const model = new Map<string, Binding[]>();
      for (let step = 0; step < 2000; step++) {
        const user = `user${roll(12)}`;
        const live = (model.get(user) ?? []).filter((each) => each.expires_at_ms > clock.wall());
        const key = `key${roll(3)}`;
        const expires_at_ms = clock.wall() + 1 + roll(20_000);
        const kept = live.filter((each) => each.key !== key);
        const next =
          roll(4) === 0 ? kept : [...kept, binding(clock, user, { key, expires_at_ms, cseq: step })];
        model.set(user, next);
        store.replace(user, next, (failure) => expect(failure).toBeNull());
        if (roll(3) === 0) clock.advance(roll(1500));
        for (const [each, bindings] of model) {
          const expected = bindings.filter((one) => one.expires_at_ms > clock.wall());
          expect(store.bindings(each)).toEqual(expected);
        }
      }
      clock.advance(30_000);
      expect([store.size, store.users, clock.pending]).toEqual([0, 0, 0]);
    });
  });
}
