#!/usr/bin/env bun
/**
 * Whether memory stays where it is over very many calls: after each 100,000 the memory of sipedge under load, its memory
 * at rest, when the transactions that linger are over, and its CPU time per call. By hand: ten minutes for a million.
 *
 *     bun test/bench/many-calls.ts [--calls 1000000] [--each 100000] [--minutes 15]
 */
import { parseArgs } from "node:util";
import { calls } from "./load-calls.ts";
import type { Server } from "./servers.ts";
import { start } from "./servers.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { calls: { type: "string" }, each: { type: "string" }, minutes: { type: "string" } },
});
const CALLS = Number(values.calls ?? 1_000_000);
const EACH = Number(values.each ?? 100_000);
const ENDS_MS = performance.now() + Number(values.minutes ?? 15) * 60_000;
/**
 * Between the second block's end and the last one's, at rest: what resident memory varies by itself, as the soak has it.
 * Sixteen bytes that are kept for each of 800,000 calls would be half of it, a transaction of 500 sixteen times as much.
 */
const GROWTH_MB_MAX = 24;
/** Before it, code is compiled and the bounded tables (traces, nonces, records' queue) fill up. */
const BASE_BLOCK = 2;
/** Timers J and L keep a transaction for 32 s after its end (RFC 3261 §17.2.2, RFC 6026 §7.1). */
const LINGER_MS = 34_000;
/** At rest the least of so many looks counts, a second apart: what waits for the collector is no growth. */
const LOOKS = 3;
/** So many calls between two looks at the clock and at the memory. */
const SLICE = 5000;

const mb = (bytes: number): number => bytes / 2 ** 20;

interface Block {
  readonly peak_mb: number;
  readonly us: number;
  readonly made: number;
}

/** So many calls, or fewer when the time is over. */
async function block(server: Server, count: number): Promise<Block> {
  const before = server.cpuMs();
  let [made, peak] = [0, 0];
  for (; made < count && performance.now() < ENDS_MS; made += Math.min(SLICE, count - made)) {
    await calls(Math.min(SLICE, count - made));
    peak = Math.max(peak, server.memoryBytes());
  }
  return { peak_mb: mb(peak), us: ((server.cpuMs() - before) * 1000) / made, made };
}

async function memoryAtRest(server: Server): Promise<number> {
  await Bun.sleep(LINGER_MS);
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS; look++) {
    await Bun.sleep(1000);
    least = Math.min(least, mb(server.memoryBytes()));
  }
  return least;
}

const out = (line: string): void => void process.stdout.write(`${line}\n`);

/** Memory at rest after each block, in MB. */
async function run(server: Server): Promise<number[]> {
  const atRest: number[] = [];
  let total = 0;
  while (total < CALLS && performance.now() < ENDS_MS) {
    const { peak_mb, us, made } = await block(server, Math.min(EACH, CALLS - total));
    if (made === 0) break;
    total += made;
    atRest.push(await memoryAtRest(server));
    out(`| ${[total, us.toFixed(1), peak_mb.toFixed(1), atRest.at(-1)!.toFixed(1)].join(" | ")} |`);
  }
  return atRest;
}

function verdict(atRest: readonly number[]): boolean {
  const base = atRest[BASE_BLOCK - 1];
  if (base === undefined || atRest.length <= BASE_BLOCK) {
    out(`\nNo verdict: fewer than ${BASE_BLOCK + 1} blocks.`);
    return false;
  }
  const grown = atRest.at(-1)! - base;
  const isWithin = grown <= GROWTH_MB_MAX;
  out(
    `\nSince the second block memory at rest has changed by ${grown.toFixed(1)} MB (bound ${GROWTH_MB_MAX}: ${isWithin ? "kept" : "passed"}).`,
  );
  return isWithin;
}

const server = await start("sipedge", { digest: false, durable: false });
try {
  out("| calls | CPU µs per call | MB under load, at most | MB at rest |\n|---|---|---|---|");
  process.exitCode = verdict(await run(server)) ? 0 : 1;
} finally {
  await server.stop();
}
