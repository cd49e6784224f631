/** Asks a name server on the port it is given for one name after the other, and prints what that did to its memory. */
import { heapStats } from "bun:jsc";
import { systemClock } from "../../src/base/clock.ts";
import { SystemDice } from "../../src/base/dice.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { nodeFiles } from "../../src/dns/node-files.ts";
import { nodeSockets } from "../../src/dns/node-sockets.ts";
import { Resolver } from "../../src/dns/resolver.ts";
import { resolverOptions } from "../../src/dns/resolver-options.ts";
import { configOf } from "../support/world.ts";

const UNDERWAY = 50;
const STOPS = [10_000, 110_000, 210_000, 310_000, 410_000];

const { dns } = configOf(`[dns]\nservers = ["127.0.0.1:${process.argv[2]}"]\n`);
const resolver = new Resolver(
  {
    clock: systemClock,
    dice: new SystemDice(),
    log: silentLog,
    metrics: new Metrics(),
    sockets: nodeSockets,
    files: nodeFiles,
  },
  resolverOptions(dns),
);
let names = 0;
let failed = 0;

/** So many at once, all distinct; resolves when the last has its answer. */
function askSome(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    for (let i = 0; i < count; i++)
      resolver.ask(`n${names++}.names.test`, "A", ({ kind }) => {
        if (kind !== "records") failed++;
        if (--left === 0) resolve();
      });
  });
}

for (const stop of STOPS) {
  while (names < stop) await askSome(Math.min(UNDERWAY, stop - names));
  Bun.gc(true);
  const { entries, bytes } = resolver.snapshot(0);
  const { objectCount: heap_objects, heapSize: heap_bytes } = heapStats();
  const rss_bytes = process.memoryUsage().rss;
  const reading = { names, failed, entries, bytes, heap_objects, heap_bytes, rss_bytes };
  process.stdout.write(`${JSON.stringify(reading)}\n`);
}
resolver.close();
process.exit(0);
