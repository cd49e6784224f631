/** NAT-13, B-53: where the packets of a side may come from. */
import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/media/latch.ts";
import { Latch, RELATCH_SILENCE_MS } from "../../src/media/latch.ts";

const PHONE = "192.0.2.7";
const OTHER = "203.0.113.66";
const SSRC = 0x1234;

/** One that has learned PHONE:4000 at 0 ms. */
function latched(): Latch {
  const latch = new Latch();
  expect(latch.hear(PHONE, 4000, SSRC, true, 0)).toBe("first");
  return latch;
}

describe("NAT-13 a side's address", () => {
  test("is learned from the first packet that may be its own", () => {
    const latch = new Latch();
    expect(latch.hear(OTHER, 666, 1, false, 0)).toBe("refused");
    expect(latch.address).toBeNull();
    expect(latch.hear(PHONE, 4000, SSRC, true, 1)).toBe("first");
    expect([latch.address, latch.port]).toEqual([PHONE, 4000]);
  });

  const ROWS: readonly [string, string, number, number, boolean, number, Verdict][] = [
    ["itself", PHONE, 4000, SSRC, true, 20, "same"],
    ["itself with another SSRC (music on hold)", PHONE, 4000, 99, true, 20, "same"],
    ["a stranger while it talks", OTHER, 4000, SSRC, false, 20, "refused"],
    ["another port of its address while it talks", PHONE, 4002, SSRC, true, 20, "refused"],
    ["another port of its address after silence", PHONE, 4002, 99, true, RELATCH_SILENCE_MS, "moved"],
    ["its SSRC from a new address after silence", OTHER, 700, SSRC, false, RELATCH_SILENCE_MS, "moved"],
    ["a stranger after silence", OTHER, 666, 99, false, RELATCH_SILENCE_MS, "refused"],
    ["a stranger after silence, without SSRC", OTHER, 666, 0, false, RELATCH_SILENCE_MS, "refused"],
    [
      "its SSRC just before the silence is long enough",
      OTHER,
      700,
      SSRC,
      false,
      RELATCH_SILENCE_MS - 1,
      "refused",
    ],
  ];
  for (const [name, address, port, ssrc, isOwn, now_ms, verdict] of ROWS)
    test(`once learned: ${name} is ${verdict}`, () => {
      const latch = latched();
      expect(latch.hear(address, port, ssrc, isOwn, now_ms)).toBe(verdict);
      const held = verdict === "moved" ? [address, port] : [PHONE, 4000];
      expect([latch.address, latch.port]).toEqual(held);
    });

  test("B-53 a phone that stays where it was after a new description holds its place again", () => {
    const latch = latched();
    latch.loosen();
    for (let ms = 20; ms <= 3000; ms += 20) expect(latch.hear(PHONE, 4000, SSRC, true, ms)).toBe("same");
    expect(latch.hear(OTHER, 666, 99, true, 3010)).toBe("refused");
  });

  test("what was still on its way does not hold it back", () => {
    const latch = latched();
    latch.loosen();
    latch.hear(PHONE, 4000, SSRC, true, 20);
    expect(latch.hear(PHONE, 5000, SSRC, true, 40)).toBe("moved");
  });

  test("after a new description the next packet that may be its own moves it, and only that", () => {
    const latch = latched();
    latch.loosen();
    expect(latch.hear(OTHER, 666, SSRC, false, 20)).toBe("refused");
    expect(latch.hear(PHONE, 5000, SSRC, true, 40)).toBe("moved");
    expect(latch.hear(PHONE, 6000, SSRC, true, 60)).toBe("refused");
  });
});
