/**
 * Proof: spoilt messages in masses, over UDP and TCP, from somebody trusted and from a stranger, cost the running
 * process nothing: no exception, no restart, no growth, and a registration and a call work behind them.
 *
 *     MESSAGES=1000000 MILLION_SEED=1 bun test ./test/proof/million.proof.ts
 */
import { describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { Program } from "../support/process.ts";
import { inLonelyNetwork, lonelyNetworks } from "./lonely-network.ts";
import type { MillionReport } from "./million-run.ts";

const MESSAGES = Number(process.env.MESSAGES ?? 200_000);
const SEED = Number(process.env.MILLION_SEED ?? randomInt(2 ** 31));
const MS_PER_MESSAGE_MAX = 2;
const AROUND_MS = 120_000;
/** All that it may ever take, with some 10,000 transactions under way. */
const RSS_MB_MAX = 500;
/** From the first fifth of the run to its end. */
const GROWTH_MB_MAX = 64;

describe.skipIf(!lonelyNetworks("a million spoilt messages"))(
  "SIP-02 spoilt messages against the running process",
  () => {
    test(
      `${MESSAGES}: no exception, no restart, no growth (MILLION_SEED=${SEED})`,
      async () => {
        const run = join(import.meta.dir, "million-run.ts");
        const program = new Program(inLonelyNetwork(process.execPath, run, `${MESSAGES}`, `${SEED}`));
        const code = await program.ended(MESSAGES * MS_PER_MESSAGE_MAX + AROUND_MS);
        process.stderr.write(program.output);
        expect(code).toBe(0);
        const report = JSON.parse(/^\{.*\}$/m.exec(program.output)?.[0] ?? "") as MillionReport;
        expect(report.sent).toBeGreaterThanOrEqual(MESSAGES);
        expect(report.received).toBeGreaterThan((report.sent - report.streamed) * 0.99);
        expect([report.exceptions, report.exit, report.starts]).toEqual([0, 0, 1]);
        expect(report.registered).toBe("SIP/2.0 200 OK");
        expect([report.transactions, report.calls, report.connections]).toEqual([0, 0, 0]);
        expect(Math.max(...report.rss_mb)).toBeLessThan(RSS_MB_MAX);
        const early = Math.max(...report.rss_mb.slice(0, Math.ceil(report.rss_mb.length / 5)));
        expect(report.rss_mb.at(-1)! - early).toBeLessThan(GROWTH_MB_MAX);
      },
      MESSAGES * MS_PER_MESSAGE_MAX + AROUND_MS,
    );
  },
);
