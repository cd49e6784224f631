/** Bursts and gaps (RFC 3611 §4.7.2) against the definition applied to the whole list of losses at once. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { burstRatio, G_MIN, LossRuns } from "../../../src/media/loss-runs.ts";

/** `.` received, `x` lost. */
function runs(text: string): LossRuns {
  const losses = new LossRuns();
  for (const c of text) {
    if (c === "x") losses.lost(1);
    else losses.received();
  }
  return losses;
}

const ok = (n: number) => ".".repeat(n);

/** Bursts: the longest stretches from loss to loss that hold no G_MIN received packets in a row, two losses at least. */
function model(text: string) {
  const episodes: { from: number; to: number; lost: number }[] = [];
  let last = -Number.POSITIVE_INFINITY;
  for (const [i, c] of [...text].entries()) {
    if (c !== "x") continue;
    const open = episodes.at(-1);
    if (open && i - last - 1 < G_MIN) Object.assign(open, { to: i, lost: open.lost + 1 });
    else episodes.push({ from: i, to: i, lost: 1 });
    last = i;
  }
  const bursts = episodes.filter(({ lost }) => lost > 1);
  const packets = bursts.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const lost = bursts.reduce((sum, each) => sum + each.lost, 0);
  const alone = episodes.length - bursts.length;
  const outside = text.length - packets;
  return {
    bursts: bursts.length,
    burst_density: packets > 0 ? lost / packets : 0,
    gap_density: outside > 0 ? alone / outside : 0,
    burst_packets: bursts.length > 0 ? packets / bursts.length : 0,
    gap_packets: outside / (bursts.length + 1),
  };
}

describe("RFC 3611 §4.7.2 bursts and gaps", () => {
  test("a loss alone between 16 received packets on both sides lies in the gap", () => {
    expect(runs(`${ok(20)}x${ok(20)}`).pattern()).toMatchObject({
      bursts: 0,
      gap_density: 1 / 41,
      gap_packets: 41,
    });
  });

  test("15 received packets do not end a burst, 16 do", () => {
    expect(runs(`${ok(30)}x${ok(15)}x${ok(30)}`).pattern()).toMatchObject({
      bursts: 1,
      burst_packets: 17,
      burst_density: 2 / 17,
      gap_density: 0,
      gap_packets: 30,
    });
    expect(runs(`${ok(30)}x${ok(16)}x${ok(30)}`).pattern()).toMatchObject({ bursts: 0, gap_density: 2 / 78 });
  });

  test("a loss at the start counts as preceded by received packets", () => {
    expect(runs(`x${ok(20)}`).pattern()).toMatchObject({ bursts: 0, gap_density: 1 / 21 });
  });

  test("any losses: as the definition says", () => {
    const text = fc
      .array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 4 })), {
        maxLength: 40,
        size: "max",
      })
      .map((list) => list.map(([received, lost]) => ok(received) + "x".repeat(lost)).join(""));
    fc.assert(
      fc.property(text, (losses) => {
        const { burst_ratio: _, ...pattern } = runs(losses).pattern();
        const expected = model(losses);
        for (const [name, value] of Object.entries(pattern))
          expect(value).toBeCloseTo(expected[name as keyof typeof expected], 10);
      }),
    );
  });

  test("many lost at once are the same as one after the other", () => {
    const at_once = new LossRuns();
    for (let i = 0; i < 20; i++) at_once.received();
    at_once.lost(100);
    expect(at_once.pattern()).toEqual(runs(ok(20) + "x".repeat(100)).pattern());
  });
});

describe("G.107 §7.6 burst ratio", () => {
  test("losses apart give 1, pairs nearly 2, and it stays within 1 to 8", () => {
    expect(runs(`${ok(19)}x`.repeat(50)).pattern().burst_ratio).toBe(1);
    expect(runs(`${ok(18)}xx`.repeat(50)).pattern().burst_ratio).toBeCloseTo(2 * 0.9, 10);
    expect(runs(ok(200) + "x".repeat(50)).pattern().burst_ratio).toBe(8);
    expect(runs(ok(50)).pattern().burst_ratio).toBe(1);
    expect(burstRatio(5, 5, 1)).toBe(1);
  });

  test("independent losses of 10 % give 1 within 10 %", () => {
    let state = 1;
    let text = "";
    for (let i = 0; i < 20_000; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      text += (state >>> 8) / 2 ** 24 < 0.1 ? "x" : ".";
    }
    const { burst_ratio } = runs(text).pattern();
    expect(burst_ratio).toBeGreaterThanOrEqual(1);
    expect(burst_ratio).toBeLessThan(1.1);
  });
});
