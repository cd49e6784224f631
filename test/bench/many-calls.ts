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
 * What the live heap may have grown by between the second block's end and the last one's: ten bytes kept for each of
 * 800,000 calls. Resident memory is shown beside it: the allocator keeps in pieces what was free, as much as the load at
 * its height had left.
 */
const GROWTH_MB_MAX = 8;
/** Before it, code is compiled and the bounded tables (traces, nonces, records' queue) fill up. */
const BASE_BLOCK = 2;
/** Timers J and L keep a transaction for 32 s after its end (RFC 3261 §17.2.2, RFC 6026 §7.1). */
const LINGER_MS = 34_000;
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

const out = (line: string): void => void process.stdout.write(`${line}\n`);

/** The live heap after each block, in MB. */
async function run(server: Server): Promise<number[]> {
  const all: number[] = [];
  let total = 0;
  while (total < CALLS && performance.now() < ENDS_MS) {
    const { peak_mb, us, made } = await block(server, Math.min(EACH, CALLS - total));
    if (made === 0) break;
    total += made;
    await Bun.sleep(LINGER_MS);
    const at_rest_mb = mb(server.memoryBytes());
    const heap_mb = mb(await server.collect());
    const collected_mb = mb(server.memoryBytes());
    all.push(heap_mb);
    out(
      `| ${[total, ...[us, peak_mb, at_rest_mb, collected_mb, heap_mb].map((one) => one.toFixed(1))].join(" | ")} |`,
    );
  }
  return all;
}

function verdict(all: readonly number[]): boolean {
  const [base, last] = [all[BASE_BLOCK - 1], all.at(-1)];
  if (base === undefined || last === undefined || all.length <= BASE_BLOCK) {
    out(`\nNo verdict: fewer than ${BASE_BLOCK + 1} blocks.`);
    return false;
  }
  const grown = last - base;
  const isWithin = grown <= GROWTH_MB_MAX;
  out(
    `\nSince block ${BASE_BLOCK} the live heap has grown by ${grown.toFixed(1)} MB (bound ${GROWTH_MB_MAX}): ${isWithin ? "kept" : "passed"}.`,
  );
  return isWithin;
}

const server = await start("sipedge", { digest: false, durable: false, collects: true });
try {
  out(
    `| calls | CPU µs per call | MB under load, at most | MB at rest | MB collected | MB live heap in it |\n|${"---|".repeat(6)}`,
  );
  process.exitCode = verdict(await run(server)) ? 0 : 1;
} finally {
  await server.stop();
}
