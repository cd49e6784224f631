/** RFC 2782: priority and weight. */
import { describe, expect, test } from "bun:test";
import type { Service } from "../../src/dns/records.ts";
import { orderServices } from "../../src/dns/srv-order.ts";
import { SeededDice } from "../support/seeded-dice.ts";

const service = (target: string, priority: number, weight: number): Service => ({
  target,
  priority,
  weight,
  port: 5060,
});

/** How often each target came first in `draws` draws. */
function firsts(records: readonly Service[], draws: number, seed = 1): Record<string, number> {
  const dice = new SeededDice(seed);
  const counts: Record<string, number> = {};
  for (let i = 0; i < draws; i++) {
    const first = orderServices(records, () => dice.fraction())[0]!.target;
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
}

describe("DNS-05 RFC 2782 priority and weight", () => {
  test("a thousand draws of 10, 30 and 60: each within 5 %", () => {
    const records = [service("a", 0, 10), service("b", 0, 30), service("c", 0, 60)];
    for (const seed of [1, 2, 3, 4, 5]) {
      const { a = 0, b = 0, c = 0 } = firsts(records, 1000, seed);
      expect(Math.abs(a - 100)).toBeLessThanOrEqual(50);
      expect(Math.abs(b - 300)).toBeLessThanOrEqual(50);
      expect(Math.abs(c - 600)).toBeLessThanOrEqual(50);
    }
  });

  test("small equal weights are equal, whatever their place", () => {
    const { a = 0 } = firsts([service("a", 0, 1), service("b", 0, 1)], 10_000);
    expect(Math.abs(a - 5000)).toBeLessThan(200);
  });

  test("weight 0 gets a small share beside others, and equal shares among its like", () => {
    const { a = 0 } = firsts([service("b", 0, 9), service("a", 0, 0)], 10_000);
    expect(a).toBeGreaterThan(800);
    expect(a).toBeLessThan(1200);
    const all = firsts([service("a", 0, 0), service("b", 0, 0), service("c", 0, 0)], 3000);
    for (const target of ["a", "b", "c"]) expect(Math.abs(all[target]! - 1000)).toBeLessThan(120);
  });

  test("a lower priority number always comes first, whatever the weights, and every record once", () => {
    const records = [
      service("c", 20, 65_535),
      service("a", 10, 0),
      service("b", 10, 5),
      service("d", 65_535, 1),
    ];
    const dice = new SeededDice(3);
    for (let i = 0; i < 500; i++) {
      const order = orderServices(records, () => dice.fraction()).map((record) => record.target);
      expect(order.slice(0, 2).sort()).toEqual(["a", "b"]);
      expect(order.slice(2)).toEqual(["c", "d"]);
    }
  });

  test("the same dice give the same list", () => {
    const records = Array.from({ length: 20 }, (_, i) => service(`s${i}`, i % 3, i));
    const draw = (seed: number) => {
      const dice = new SeededDice(seed);
      return orderServices(records, () => dice.fraction());
    };
    expect(draw(9)).toEqual(draw(9));
    expect(draw(9)).not.toEqual(draw(10));
  });
});
