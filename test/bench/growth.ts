#!/usr/bin/env bun
/**
 * What grows with the number of phones and calls: start, memory and cost per message at 10, 1,000 and 100,000 bindings;
 * memory per call held and cost per call beside 1 to 20,000 that stand. The sizes take turns, round by round.
 *
 *     bun test/bench/growth.ts [--rounds N] [--only bindings|calls] [--short]
 */
import { parseArgs } from "node:util";
import { lookups, registerMany } from "./load.ts";
import { calls } from "./load-calls.ts";
import type { Server } from "./servers.ts";
import { start } from "./servers.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { rounds: { type: "string" }, only: { type: "string" }, short: { type: "boolean" } },
});
const ROUNDS = Number(values.rounds ?? (values.short ? 1 : 5));
const BINDINGS = values.short ? [10, 1000] : [10, 1000, 100_000];
const HELD = values.short ? [1, 500] : [1, 1000, 5000, 20_000];
const LOOKUPS = values.short ? 5000 : 40_000;
const CALLS = values.short ? 1000 : 8000;
/** For many bindings in place of few. */
const RATIO_MAX = 1.1;
/** With fewer, what each one takes is lost in what the rest varies by. */
const COUNTED_MIN = 1000;
const PLAIN = { digest: false, durable: false };
const SETTLE_MS = 2000;

/** What one size showed in one round; not every figure is measured for bindings and calls alike. */
interface Sample {
  readonly us: number;
  readonly kb: number;
  readonly start_ms?: number;
  readonly mb?: number;
}

const out = (line: string): void => void process.stdout.write(`${line}\n`);

/** CPU microseconds for each operation, after a run that warms. */
async function cost(server: Server, operations: number, run: () => Promise<void>): Promise<number> {
  await run();
  const before = server.cpuMs();
  await run();
  return ((server.cpuMs() - before) * 1000) / operations;
}

async function bindings(count: number): Promise<Sample> {
  const server = await start("sipedge", PLAIN);
  try {
    const empty = server.memoryBytes();
    await registerMany(count);
    await Bun.sleep(SETTLE_MS);
    const kb = (server.memoryBytes() - empty) / count / 1024;
    const us = await cost(server, LOOKUPS, () => lookups(LOOKUPS, count));
    const start_ms = await server.again();
    await Bun.sleep(SETTLE_MS);
    return { us, kb, start_ms, mb: server.memoryBytes() / 2 ** 20 };
  } finally {
    await server.stop();
  }
}

async function held(count: number): Promise<Sample> {
  const server = await start("sipedge", PLAIN);
  try {
    await calls(500);
    await Bun.sleep(SETTLE_MS);
    const before = server.memoryBytes();
    await calls(count, { hold: true });
    await Bun.sleep(SETTLE_MS);
    const kb = (server.memoryBytes() - before) / count / 1024;
    return { us: await cost(server, CALLS, () => calls(CALLS)), kb };
  } finally {
    await server.stop();
  }
}

async function inTurn(
  sizes: readonly number[],
  measure: (size: number) => Promise<Sample>,
): Promise<Sample[][]> {
  const samples: Sample[][] = sizes.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, size] of sizes.entries()) samples[i]!.push(await measure(size));
  return samples;
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]): number => sorted(numbers)[numbers.length >> 1] ?? Number.NaN;

/** Median (least–most) of one figure. */
function figure(
  samples: readonly Sample[],
  of: (sample: Sample) => number | undefined,
  digits: number,
): string {
  const all = sorted(samples.map((sample) => of(sample) ?? Number.NaN));
  const [least, most] = [all[0] ?? Number.NaN, all.at(-1) ?? Number.NaN];
  return `${median(all).toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function showRatio(sizes: readonly number[], samples: readonly Sample[][]): void {
  const [few, many] = [samples[0]!, samples.at(-1)!];
  const each = sorted(many.map(({ us }, round) => us / few[round]!.us));
  const ratio = median(many.map(({ us }) => us)) / median(few.map(({ us }) => us));
  out(
    `\n${sizes.at(-1)} bindings cost ${ratio.toFixed(2)} times as much as ${sizes[0]} (rounds ${each.map((one) => one.toFixed(2)).join(", ")}; target ${RATIO_MAX}: ${ratio <= RATIO_MAX ? "met" : "missed"})\n`,
  );
}

out(`CPU µs, memory and start: median of ${ROUNDS} rounds (least–most)\n`);
if (values.only === undefined || values.only === "bindings") {
  const samples = await inTurn(BINDINGS, bindings);
  out(
    "| bindings | µs for a request to one of them | KB each | ms from a restart to the first answer | MB after it |",
  );
  out(`|${"---|".repeat(5)}`);
  for (const [i, count] of BINDINGS.entries()) {
    const own = samples[i]!;
    const kb = count < COUNTED_MIN ? "–" : figure(own, (one) => one.kb, 2);
    const rest = [figure(own, (one) => one.start_ms, 0), figure(own, (one) => one.mb, 1)];
    out(`| ${[count, figure(own, (one) => one.us, 1), kb, ...rest].join(" | ")} |`);
  }
  showRatio(BINDINGS, samples);
}
if (values.only === undefined || values.only === "calls") {
  const samples = await inTurn(HELD, held);
  out("| calls held | µs for another call | KB each |");
  out(`|${"---|".repeat(3)}`);
  for (const [i, count] of HELD.entries()) {
    const kb = count < COUNTED_MIN ? "–" : figure(samples[i]!, (one) => one.kb, 2);
    out(`| ${[count, figure(samples[i]!, (one) => one.us, 1), kb].join(" | ")} |`);
  }
}
