import { describe, expect, test } from "bun:test";
import { BoundedMap } from "../../src/base/bounded-map.ts";
import { SeededDice } from "../support/seeded-dice.ts";

describe("bounded map", () => {
  test("the entry not used for longest leaves, and its owner is told", () => {
    const gone: [string, number][] = [];
    const map = new BoundedMap<string, number>(2, (key, value) => gone.push([key, value]));
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect(gone).toEqual([["b", 2]]);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
  });

  test("peek is no use of the entry", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.peek("a")).toBe(1);
    map.set("c", 3);
    expect(map.peek("a")).toBeUndefined();
  });

  test("replacing a value evicts nobody and counts as a use", () => {
    const gone: string[] = [];
    const map = new BoundedMap<string, number>(2, (key) => gone.push(key));
    map.set("a", 1);
    map.set("b", 2);
    map.set("a", 10);
    expect(gone).toEqual([]);
    map.set("c", 3);
    expect(gone).toEqual(["b"]);
    expect(map.get("a")).toBe(10);
  });

  test("delete and clear do not count as eviction", () => {
    const gone: string[] = [];
    const map = new BoundedMap<string, number>(2, (key) => gone.push(key));
    map.set("a", 1);
    expect([map.delete("a"), map.delete("a")]).toEqual([true, false]);
    map.set("b", 2);
    map.clear();
    expect([map.size, gone.length]).toEqual([0, 0]);
  });

  test("falsy values are values", () => {
    const map = new BoundedMap<string, boolean>(2);
    map.set("no", false);
    map.set("b", true);
    expect(map.get("no")).toBe(false);
    map.set("c", true);
    expect(map.peek("no")).toBe(false);
  });

  test("5000 random steps: never above its bound, and the same entries as a plain list", () => {
    const dice = new SeededDice(7);
    const max = 8;
    const map = new BoundedMap<number, number>(max);
    let model: [number, number][] = [];
    for (let step = 0; step < 5000; step++) {
      const key = Math.floor(dice.fraction() * 20);
      const act = dice.fraction();
      const held = model.find(([each]) => each === key);
      if (act < 0.5) {
        map.set(key, step);
        if (held === undefined && model.length === max) model.shift();
        model = [...model.filter(([each]) => each !== key), [key, step]];
      } else if (act < 0.8) {
        expect(map.get(key)).toBe(held?.[1] as number);
        if (held !== undefined) model = [...model.filter((each) => each !== held), held];
      } else if (act < 0.9) expect(map.peek(key)).toBe(held?.[1] as number);
      else {
        expect(map.delete(key)).toBe(held !== undefined);
        model = model.filter((each) => each !== held);
      }
      expect([...map.entries()]).toEqual(model);
    }
    expect(map.size).toBeLessThanOrEqual(max);
  });
});
