/** What was set lately is found, and no more is held than twice the bound. */
import { expect, test } from "bun:test";
import { RecentMap } from "../../src/base/recent-map.ts";

test("the newest entries are found, a later value counts, what is long ago is gone", () => {
  const map = new RecentMap<string, number>(3);
  for (let i = 0; i < 7; i++) map.set(`k${i}`, i);
  expect([0, 1, 2].map((i) => map.get(`k${i}`))).toEqual([undefined, undefined, undefined]);
  expect([4, 5, 6].map((i) => map.get(`k${i}`))).toEqual([4, 5, 6]);
  map.set("k4", 44);
  expect(map.get("k4")).toBe(44);
  expect(map.get("none")).toBeUndefined();
});

test("never more than twice the bound", () => {
  const map = new RecentMap<number, number>(10);
  for (let i = 0; i < 1000; i++) {
    map.set(i, i);
    let held = 0;
    for (let k = 0; k <= i; k++) if (map.get(k) !== undefined) held++;
    expect(held).toBeLessThanOrEqual(20);
  }
});
