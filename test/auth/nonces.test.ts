/** Nonces: age, counts in and out of order, forgery, and the bound on what is remembered (RFC 7616 §3.3, §3.4, §5.5). */
import { describe, expect, test } from "bun:test";
import { Nonces } from "../../src/auth/nonces.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const LIFE_MS = 300_000;

function rig(max?: number, seed = 1) {
  const clock = new VirtualClock();
  return { clock, nonces: new Nonces(clock, new SeededDice(seed), LIFE_MS, max) };
}

describe("issued nonces", () => {
  test("differ, and need no quoting", () => {
    const { nonces } = rig();
    const all = Array.from({ length: 100 }, () => nonces.issue());
    expect(new Set(all).size).toBe(100);
    for (const nonce of all) expect(nonce).toMatch(/^[A-Za-z0-9_-]{32}$/);
  });

  test("issuing remembers nothing: a flood of challenges costs no memory", () => {
    const { nonces } = rig();
    for (let i = 0; i < 1000; i++) nonces.issue();
    expect(nonces.remembered).toBe(0);
  });
});

describe("age", () => {
  test("fresh up to its lifetime, stale after it: unused or used", () => {
    const { clock, nonces } = rig();
    const [used, unused] = [nonces.issue(), nonces.issue()];
    expect(nonces.use(used, 1)).toBe("fresh");
    clock.advance(LIFE_MS);
    expect([nonces.use(used, 2), nonces.use(unused, 1)]).toEqual(["fresh", "fresh"]);
    clock.advance(1);
    expect([nonces.use(used, 3), nonces.use(unused, 2)]).toEqual(["stale", "stale"]);
  });

  test("a shorter lifetime counts at once", () => {
    const { clock, nonces } = rig();
    const nonce = nonces.issue();
    clock.advance(20_000);
    nonces.lifetimeMs = 10_000;
    expect(nonces.use(nonce, 1)).toBe("stale");
  });

  test("the wall clock may jump without any effect", () => {
    const { clock, nonces } = rig();
    const nonce = nonces.issue();
    clock.wallOffset -= 10 * 365 * 86_400_000;
    expect(nonces.use(nonce, 1)).toBe("fresh");
  });
});

describe("nonce count", () => {
  test("the same count twice: replayed", () => {
    const { nonces } = rig();
    const nonce = nonces.issue();
    expect([1, 1, 2, 2, 1].map((nc) => nonces.use(nonce, nc))).toEqual([
      "fresh",
      "replayed",
      "fresh",
      "replayed",
      "replayed",
    ]);
  });

  test("counts may overtake each other within 32, each once", () => {
    const { nonces } = rig();
    const nonce = nonces.issue();
    expect(nonces.use(nonce, 40)).toBe("fresh");
    expect(nonces.use(nonce, 9)).toBe("fresh"); // 31 behind
    expect(nonces.use(nonce, 8)).toBe("replayed"); // 32 behind: too far to know
    expect(nonces.use(nonce, 39)).toBe("fresh");
    expect([9, 39, 40].map((nc) => nonces.use(nonce, nc))).toEqual(["replayed", "replayed", "replayed"]);
  });

  test("a jump forward forgets what lies behind the window", () => {
    const { nonces } = rig();
    const nonce = nonces.issue();
    nonces.use(nonce, 1);
    expect(nonces.use(nonce, 0xffff_ffff)).toBe("fresh");
    expect(nonces.use(nonce, 0xffff_fffe)).toBe("fresh");
    expect(nonces.use(nonce, 2)).toBe("replayed");
  });

  test("a window of 32 in random order against a set", () => {
    const { nonces } = rig();
    const dice = new SeededDice(5);
    const nonce = nonces.issue();
    const seen = new Set<number>();
    let highest = 0;
    for (let i = 0; i < 2000; i++) {
      const nc = Math.max(1, highest - 34 + Math.floor(dice.fraction() * 38));
      const fresh = !seen.has(nc) && (nc > highest || highest - nc < 32);
      expect(nonces.use(nonce, nc)).toBe(fresh ? "fresh" : "replayed");
      if (fresh) seen.add(nc);
      highest = Math.max(highest, nc);
    }
  });
});

describe("forged nonces", () => {
  test("one of another process (another key) is forged", () => {
    expect(rig(undefined, 1).nonces.use(rig(undefined, 2).nonces.issue(), 1)).toBe("forged");
  });

  test("every single changed character is noticed, and nothing of it is remembered", () => {
    const { nonces } = rig();
    const nonce = nonces.issue();
    for (let i = 0; i < nonce.length; i++) {
      const other = nonce[i] === "A" ? "B" : "A";
      expect(nonces.use(nonce.slice(0, i) + other + nonce.slice(i + 1), 1)).toBe("forged");
    }
    expect(nonces.remembered).toBe(0);
    expect(nonces.use(nonce, 1)).toBe("fresh");
  });

  test("other spellings of the same bytes are no second nonce", () => {
    const { nonces } = rig();
    const nonce = nonces.issue();
    expect(nonces.use(nonce, 1)).toBe("fresh");
    for (const spelling of [`${nonce}=`, `${nonce}==`, ` ${nonce}`, `${nonce}\n`])
      expect(nonces.use(spelling, 1)).toBe("forged");
    const standard = nonce.replaceAll("-", "+").replaceAll("_", "/");
    if (standard !== nonce) expect(nonces.use(standard, 1)).toBe("forged");
  });

  for (const text of ["", "x", "0".repeat(32), "z".repeat(10_000)])
    test(`"${text.slice(0, 33)}" of ${text.length} characters`, () =>
      expect(rig().nonces.use(text, 1)).toBe("forged"));
});

describe("the bound on remembered nonces", () => {
  test("what had to be forgotten counts as stale, so it cannot be replayed", () => {
    const { clock, nonces } = rig(4);
    const first = nonces.issue();
    nonces.use(first, 1);
    const later = [1, 2, 3, 4].map(() => {
      clock.advance(10);
      const nonce = nonces.issue();
      expect(nonces.use(nonce, 1)).toBe("fresh");
      return nonce;
    });
    expect(nonces.remembered).toBe(4);
    expect(nonces.use(first, 1)).toBe("stale");
    expect(nonces.use(first, 2)).toBe("stale");
    expect(later.map((nonce) => nonces.use(nonce, 2))).toEqual(["fresh", "fresh", "fresh", "fresh"]);
  });

  test("unused ones issued before the forgotten one are stale too, later ones are not", () => {
    const { clock, nonces } = rig(1);
    const old = nonces.issue();
    clock.advance(10);
    const forgotten = nonces.issue();
    nonces.use(forgotten, 1);
    clock.advance(10);
    const newer = nonces.issue();
    clock.advance(10);
    nonces.use(nonces.issue(), 1);
    expect(nonces.use(old, 1)).toBe("stale");
    expect(nonces.use(newer, 1)).toBe("fresh");
  });
});
