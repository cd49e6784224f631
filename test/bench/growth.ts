#!/usr/bin/env bun
/**
 * What grows with the number of phones and calls: start, memory and cost per message at 10, 1,000 and 100,000 bindings;
 * memory per call held and cost per call beside 1 to 20,000 that stand.
 *
 *     bun test/bench/growth.ts [--short]
 */
import { parseArgs } from "node:util";
import { lookups, registerMany } from "./load.ts";
import { calls } from "./load-calls.ts";
import type { Server } from "./servers.ts";
import { start } from "./servers.ts";

const { values } = parseArgs({ args: process.argv.slice(2), options: { short: { type: "boolean" } } });
const BINDINGS = values.short ? [10, 1000] : [10, 1000, 100_000];
const HELD = values.short ? [1, 500] : [1, 1000, 5000, 20_000];
const LOOKUPS = values.short ? 5000 : 40_000;
const CALLS = values.short ? 1000 : 8000;
const PLAIN = { digest: false, durable: false };
const SETTLE_MS = 2000;

const out = (line: string): void => void process.stdout.write(`${line}\n`);
const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

async function cost(server: Server, operations: number, run: () => Promise<void>): Promise<string> {
  await run(); // warm
  const before = server.cpuMs();
  await run();
  return (((server.cpuMs() - before) * 1000) / operations).toFixed(1);
}

async function bindings(count: number): Promise<void> {
  const server = await start("sipedge", PLAIN);
  try {
    const empty = server.memoryBytes();
    await registerMany(count);
    await Bun.sleep(SETTLE_MS);
    const full = server.memoryBytes();
    const us = await cost(server, LOOKUPS, () => lookups(LOOKUPS, count));
    const started = await server.again();
    await Bun.sleep(SETTLE_MS);
    const kb = count < 1000 ? "–" : ((full - empty) / count / 1024).toFixed(2);
    out(
      `| ${count} bindings | ${us} µs for a request to one of them | ${kb} KB each | ${started.toFixed(0)} ms from the start to the first answer | ${mb(server.memoryBytes())} MB after it |`,
    );
  } finally {
    await server.stop();
  }
}

async function held(count: number): Promise<void> {
  const server = await start("sipedge", PLAIN);
  try {
    await calls(500);
    await Bun.sleep(SETTLE_MS);
    const before = server.memoryBytes();
    await calls(count, { hold: true });
    await Bun.sleep(SETTLE_MS);
    const kb = count < 1000 ? "–" : ((server.memoryBytes() - before) / count / 1024).toFixed(2);
    const us = await cost(server, CALLS, () => calls(CALLS));
    out(`| ${count} calls held | ${us} µs for another call | ${kb} KB each |`);
  } finally {
    await server.stop();
  }
}

for (const count of BINDINGS) await bindings(count);
for (const count of HELD) await held(count);
