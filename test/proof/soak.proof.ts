/**
 * Proof: mixed traffic for long, with the config read again every 20 s, leaves nothing behind: no transaction, no call,
 * no connection, no memory; and every request has its final answer. SOAK_SEED repeats the broken messages of a run.
 *
 *     SOAK_MINUTES=60 bun test ./test/proof/soak.proof.ts
 */
import { describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { Program } from "../support/process.ts";
import { inLonelyNetwork, lonelyNetworks } from "./lonely-network.ts";
import type { SoakReport } from "./soak-run.ts";

const MINUTES = Number(process.env.SOAK_MINUTES ?? 3);
const SEED = Number(process.env.SOAK_SEED ?? randomInt(2 ** 31));
/** Starting, and waiting for the last timers. */
const AROUND_MS = 240_000;
/** What the resident set may grow by from the first third of the run to the last. */
const GROWTH_MB_MAX = 24;
const HEAP_GROWTH_MB_MAX = 8;
/** CPU time a process with nothing to do may take, of a second. */
const IDLE_MS_MAX = 20;

/** The least of a stretch: what stays when the collector has been. */
const least = (values: readonly number[], from: number, to: number): number =>
  Math.min(...values.slice(Math.floor(values.length * from), Math.ceil(values.length * to)));

describe.skipIf(!lonelyNetworks("the soak"))("soak", () => {
  test(
    `${MINUTES} minutes of mixed traffic: every request answered, nothing left (SOAK_SEED=${SEED})`,
    async () => {
      const run = join(import.meta.dir, "soak-run.ts");
      const program = new Program(inLonelyNetwork(process.execPath, run, `${MINUTES}`, `${SEED}`));
      const code = await program.ended(MINUTES * 60_000 + AROUND_MS);
      process.stderr.write(program.output);
      expect(code).toBe(0);
      const report = JSON.parse(/^\{.*\}$/m.exec(program.output)?.[0] ?? "") as SoakReport;
      expect(report.forgotten).toEqual([]);
      for (const { sent, answered } of Object.values(report.counts)) expect(answered).toBe(sent);
      for (const kind of KINDS) expect(report.counts[kind]?.sent).toBeGreaterThan(MINUTES * 30);
      expect(new Set(Object.keys(report.statuses))).toEqual(new Set(["200", "408", "486", "487"]));
      expect(report.left).toEqual({});
      expect(report.exceptions).toBe(0);
      expect(report.exit).toBe(0);
      expect(report.reloads.done).toBeGreaterThanOrEqual(Math.floor(MINUTES * 2) - 1);
      expect(report.reloads.refused).toBeGreaterThanOrEqual(Math.floor(MINUTES) - 1);
      const { rss_mb, heap_mb } = report;
      expect(least(rss_mb, 2 / 3, 1) - least(rss_mb, 1 / 6, 1 / 2)).toBeLessThan(GROWTH_MB_MAX);
      expect(least(heap_mb, 2 / 3, 1) - least(heap_mb, 1 / 6, 1 / 2)).toBeLessThan(HEAP_GROWTH_MB_MAX);
      expect(report.idle_ms_per_s).toBeLessThan(IDLE_MS_MAX);
    },
    MINUTES * 60_000 + AROUND_MS,
  );
});

const KINDS = ["register", "answer", "bye", "ring", "cancel", "busy", "silent", "options", "connection"];
