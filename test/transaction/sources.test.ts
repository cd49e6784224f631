/** How transactions are counted by address: exactly, and without entries that stay. */
import { describe, expect, test } from "bun:test";
import type { Source } from "../../src/transaction/sources.ts";
import { Sources } from "../../src/transaction/sources.ts";
import { SeededDice } from "../support/seeded-dice.ts";

describe("Sources", () => {
  test("counts each address for itself", () => {
    const sources = new Sources();
    const a = sources.enter("192.0.2.7");
    sources.enter("192.0.2.8");
    expect(sources.enter("192.0.2.7")).toBe(a);
    expect([
      sources.countOf("192.0.2.7"),
      sources.countOf("192.0.2.8"),
      sources.countOf("192.0.2.9"),
    ]).toEqual([2, 1, 0]);
  });

  test("an address that comes back after its last one left is counted anew", () => {
    const sources = new Sources();
    sources.leave(sources.enter("192.0.2.7"));
    expect([sources.size, sources.countOf("192.0.2.7")]).toEqual([0, 0]);
    sources.enter("192.0.2.7");
    expect([sources.size, sources.countOf("192.0.2.7")]).toEqual([1, 1]);
  });

  for (const seed of [1, 2, 3])
    test(`5000 random comings and goings agree with a plain count, seed ${seed}`, () => {
      const dice = new SeededDice(seed);
      const sources = new Sources();
      const open: Source[] = [];
      for (let i = 0; i < 5000; i++) {
        if (open.length > 0 && dice.fraction() < 0.5)
          sources.leave(open.splice(Math.floor(dice.fraction() * open.length), 1)[0]!);
        else open.push(sources.enter(`192.0.2.${Math.floor(dice.fraction() * 20)}`));
        const probe = `192.0.2.${Math.floor(dice.fraction() * 20)}`;
        expect(sources.countOf(probe)).toBe(open.filter((each) => each.address === probe).length);
        expect(sources.size).toBe(new Set(open.map((each) => each.address)).size);
      }
    });
});
