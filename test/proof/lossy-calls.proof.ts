/**
 * Proof: over lines that lose every tenth packet in each direction, no call is left unanswered and nothing
 * of any call stays: no transaction, no branch, no timer, no memory. sipp calls sipp through the appliance,
 * and both lose what they send and what they receive.
 *
 *     CALLS=10000 bun test ./test/proof/lossy-calls.proof.ts
 */
import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listening } from "../interop/sipp.ts";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";

const CALLS = Number(process.env.CALLS ?? 10_000);
const RATE = Number(process.env.RATE ?? 200);
const ROUNDS = 2;
const LOSS_PERCENT = 10;
const EDGE = "127.0.0.2";
const CALLER = "127.0.0.81";
const CALLEE = "127.0.0.82";
/** 64*T1 is 3.2 s; T2 is small, so that no request stays without an answer for want of tries. */
const TOML = `
[timers]
t1_ms = 50
t2_ms = 400
t4_ms = 500
[auth]
trusted_networks = ["127.0.0.0/8"]`;
/** Timers L and M and the callee's own time-out, with room. */
const LINGER_BOUND_MS = 30_000;
const ROUND_BOUND_MS = (CALLS / RATE) * 1000 + 120_000;
/** How much the second round may add to the memory that the first one left. */
const GROWTH_SHARE_MAX = 0.15;

interface Ends {
  readonly calls: number;
  readonly good: number;
  readonly failed: number;
  readonly lost: number;
  readonly repeated: number;
}

/** One sipp that loses packets. */
class LossySipp {
  readonly #program: Program;
  readonly #dir = mkdtempSync(join(tmpdir(), "sipedge-lossy-"));

  constructor(
    scenario: "lossy-caller" | "lossy-callee",
    address: string,
    port: number,
    more: readonly string[],
  ) {
    const argv = ["sipp", "-sf", join(import.meta.dir, `${scenario}.xml`), "-i", address, "-p", String(port)];
    argv.push("-t", "u1", "-m", String(CALLS), "-nostdin", "-lost", String(LOSS_PERCENT), "-timeout_error");
    argv.push(
      "-timeout",
      `${Math.ceil(ROUND_BOUND_MS / 1000)}s`,
      "-max_retrans",
      "20",
      "-max_invite_retrans",
      "20",
    );
    argv.push(
      "-T2",
      "400",
      "-trace_stat",
      "-fd",
      "1",
      "-trace_err",
      "-error_file",
      join(this.#dir, "errors.log"),
    );
    argv.push("-buff_size", "4194304", ...more);
    this.#program = new Program(argv, { cwd: this.#dir });
  }

  /** Waits for its end. */
  async ended(): Promise<{ code: number; ends: Ends; errors: string }> {
    const code = await this.#program.ended(ROUND_BOUND_MS);
    const read = { code, ends: this.#ends(), errors: this.#errors() };
    rmSync(this.#dir, { recursive: true, force: true });
    return read;
  }

  async kill(): Promise<void> {
    this.#program.signal("SIGKILL");
    await this.#program.ended();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The last line of its statistics. */
  #ends(): Ends {
    const file = readdirSync(this.#dir).find((name) => name.endsWith("_.csv"));
    const lines = file === undefined ? [] : readFileSync(join(this.#dir, file), "latin1").trim().split("\n");
    const names = lines[0]?.split(";") ?? [];
    const values = lines.at(-1)?.split(";") ?? [];
    const value = (name: string) => Number(values[names.indexOf(name)] ?? Number.NaN);
    return {
      calls: value("TotalCallCreated"),
      good: value("SuccessfulCall(C)"),
      failed: value("FailedCall(C)"),
      lost: value("Lost(C)"),
      repeated: value("Retransmissions(C)"),
    };
  }

  #errors(): string {
    try {
      return readFileSync(join(this.#dir, "errors.log"), "latin1").slice(0, 3000);
    } catch {
      return ""; // sipp had nothing to say
    }
  }
}

/** A metric summed over its labels. */
async function metric(edge: Edge, name: string): Promise<number> {
  const response = await fetch(`${edge.api}/metrics`, { signal: AbortSignal.timeout(5000) });
  let sum = 0;
  for (const line of (await response.text()).split("\n"))
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      sum += Number(line.slice(line.lastIndexOf(" ")));
  return sum;
}

/** What is under way: all zero in an idle appliance but the timers of other rooms. */
async function underWay(edge: Edge) {
  const { server, client, timers } = await edge.get<{ server: number; client: number; timers: number }>(
    "/v1/transactions?limit=1",
  );
  const begun = await metric(edge, "sipedge_proxied_begun_total");
  const branches = begun - (await metric(edge, "sipedge_proxied_ended_total"));
  return { server, client, timers, branches, sources: await metric(edge, "sipedge_transaction_sources") };
}

function residentBytes(edge: Edge): number {
  const status = readFileSync(`/proc/${edge.program.pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}

/** The least the process holds within a few seconds of rest: what collections leave. */
async function restingBytes(edge: Edge): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20; look++) {
    least = Math.min(least, residentBytes(edge));
    await Bun.sleep(500);
  }
  return least;
}

async function round(edge: Edge): Promise<void> {
  const port = await freePort(CALLEE);
  const callee = new LossySipp("lossy-callee", CALLEE, port, []);
  let caller: LossySipp | null = null;
  try {
    await listening("udp", port);
    const from = await freePort(CALLER);
    const pace = ["-r", String(RATE), "-d", "300", "-key", "peer", `bob@${CALLEE}:${port}`, edge.hostPort];
    caller = new LossySipp("lossy-caller", CALLER, from, pace);
    const calling = await caller.ended();
    const called = await callee.ended();
    process.stderr.write(`caller ${JSON.stringify(calling.ends)}, callee ${JSON.stringify(called.ends)}\n`);
    for (const { code, ends, errors } of [calling, called])
      expect({ code, good: ends.good, failed: ends.failed, errors: code === 0 ? "" : errors }).toEqual({
        code: 0,
        good: CALLS,
        failed: 0,
        errors: "",
      });
    expect(calling.ends.lost + called.ends.lost).toBeGreaterThan(CALLS / 4);
  } finally {
    await caller?.kill();
    await callee.kill();
  }
}

test.skipIf(missing("calls over lossy lines", "sipp"))(
  `${CALLS} calls, twice, with ${LOSS_PERCENT} % loss: each is answered, nothing of any stays`,
  async () => {
    const edge = await Edge.start({ addresses: [EDGE], toml: TOML });
    try {
      const start = await underWay(edge);
      const resting: number[] = [residentBytes(edge)];
      for (let i = 0; i < ROUNDS; i++) {
        await round(edge);
        let now = await underWay(edge);
        await eventually(
          () => `everything to end: ${JSON.stringify(now)}`,
          async () => {
            now = await underWay(edge);
            return Bun.deepEquals(now, start);
          },
          LINGER_BOUND_MS,
        );
        resting.push(await restingBytes(edge));
      }
      const repeated = await metric(edge, "sipedge_requests_repeated_total");
      const again = await metric(edge, "sipedge_retransmissions_total");
      process.stderr.write(
        `memory ${resting.map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`).join(", ")}; ` +
          `${repeated} requests came again, ${again} messages left again\n`,
      );
      expect(start).toEqual({ server: 0, client: 0, timers: start.timers, branches: 0, sources: 0 });
      expect(again).toBeGreaterThan(CALLS / 10);
      expect(await metric(edge, "sipedge_exceptions_total")).toBe(0);
      expect(resting.at(-1)! / resting.at(-2)!).toBeLessThan(1 + GROWTH_SHARE_MAX);
    } finally {
      await edge.stop();
    }
  },
  ROUNDS * (ROUND_BOUND_MS + LINGER_BOUND_MS + 20_000),
);
