/**
 * Proof: three servers behind one SRV name share the calls by weight; when one dies or falls silent no call
 * fails and none waits longer than the failover time; dead name servers delay no call between phones
 * that are registered here.
 *
 *     bun test ./test/proof/next-hop.proof.ts --timeout 240000
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import { Crowd } from "./next-hop-crowd.ts";
import type { Calls } from "./next-hop-sipp.ts";
import { Callee, Caller, quantile } from "./next-hop-sipp.ts";
import { Zone } from "./next-hop-zone.ts";

const CALLS = 3000;
const RATE = 200;
const EDGE = "127.0.0.2";
const CALLER = "127.0.0.81";
const PHONE = "127.0.0.82";
/** The servers behind `trunk.test`, by address. The weights make a hundred. */
const WEIGHTS: Readonly<Record<string, number>> = {
  "127.0.0.91": 10,
  "127.0.0.92": 30,
  "127.0.0.93": 60,
};
const HEAVIEST = "127.0.0.93";
const SHARE_POINTS_MAX = 5;
const FAILOVER_S = 2;
const MARGIN_MS = 2000;

const ROUNDS = 6;
const ROUND_CALLS = 200;
const ROUND_RATE = 100;
const SLOWER_MAX = 1.5;
/** sipp's clock moves in steps of so much. */
const GRAIN_MS = 4;
/** Far below what a look-up waits for its server. */
const PHONE_SETUP_MS_MAX = 1000;
const LOOKUP_MS = 1500;
const FAR_CALLS = 60;

const TEST_MS = 150_000;

const BASE_TOML = `
[auth]
trusted_networks = ["127.0.0.0/8"]`;

const table: string[] = [];
const row = (what: string, ...figures: readonly string[]) =>
  table.push(`${what.padEnd(34)} ${figures.join("  ")}`);
const setups = ({ setup_ms }: Pick<Calls, "setup_ms">) =>
  `set-up p50 ${quantile(setup_ms, 0.5)} p99 ${quantile(setup_ms, 0.99)} max ${setup_ms.at(-1)} ms`;

/** A metric summed over its labels. */
async function metric(edge: Edge, name: string): Promise<number> {
  const response = await fetch(`${edge.api}/metrics`, { signal: AbortSignal.timeout(5000) });
  let sum = 0;
  for (const line of (await response.text()).split("\n"))
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      sum += Number(line.slice(line.lastIndexOf(" ")));
  return sum;
}

const queries = (edge: Edge) => metric(edge, "sipedge_dns_queries_total");

const places = async (edge: Edge, calls: number, rate: number, user: string) =>
  Caller.start({ address: CALLER, target: edge.hostPort, callee: `${user}@${edge.hostPort}`, calls, rate });

const lacks = missing("the next hop proved", "sipp", "dnsmasq");

describe.skipIf(lacks)("three servers behind one SRV name", () => {
  let zone: Zone;
  let edge: Edge;
  let callees: Callee[] = [];

  /** A world of its own for each run: nothing is known to be dead. */
  async function open(): Promise<void> {
    callees = await Promise.all(Object.keys(WEIGHTS).map((address) => Callee.start(address)));
    const lines = callees.flatMap(({ address, port }, i) => [
      `srv-host=_sip._udp.trunk.test,p${i}.trunk.test,${port},0,${WEIGHTS[address]}`,
      `host-record=p${i}.trunk.test,${address}`,
    ]);
    zone = await Zone.serve(lines);
    const toml = `
[timers]
t1_ms = 100
failover_s = ${FAILOVER_S}
[dns]
servers = ["127.0.0.1:${zone.port}"]
[[peer]]
name = "trunk"
uris = ["sip:trunk.test"]
probe_s = 0
[[route]]
name = "out"
numbers = ["0x."]
to = ["peer:trunk"]
${BASE_TOML}`;
    edge = await Edge.start({ addresses: [EDGE], toml });
  }

  afterEach(async () => {
    await edge?.stop();
    await zone?.stop();
    for (const callee of callees) await callee.end();
  });

  /** Places the calls; something befalls the heaviest server when a third of them is answered. */
  async function run(befalls: ((callee: Callee) => Promise<void> | void) | null): Promise<Calls> {
    await open();
    const caller = await places(edge, CALLS, RATE, "0123");
    try {
      if (befalls !== null) {
        await eventually("a third of the calls", () => caller.answered >= CALLS / 3, 60_000);
        await befalls(callees.find(({ address }) => address === HEAVIEST)!);
      }
      return await caller.ended();
    } finally {
      await caller.kill();
    }
  }

  const allGood = { code: 0, good: CALLS, failed: 0, errors: "" };
  const ends = ({ code, good, failed, errors }: Calls) => ({ code, good, failed, errors });

  test(
    `DNS-04 RFC 2782 ${CALLS} calls: each server gets its weight's share`,
    async () => {
      const calls = await run(null);
      const shares = Object.keys(WEIGHTS).map((address) => (100 * (calls.by[address] ?? 0)) / CALLS);
      row(
        "shares for weights 10/30/60",
        shares.map((share) => `${share.toFixed(1)} %`).join(" "),
        setups(calls),
      );
      expect(ends(calls)).toEqual(allGood);
      expect(calls.lost_byes).toBe(0);
      for (const [i, weight] of Object.values(WEIGHTS).entries())
        expect(Math.abs(shares[i]! - weight)).toBeLessThanOrEqual(SHARE_POINTS_MAX);
      expect(await queries(edge)).toBeLessThan(20); // one look-up serves them all
    },
    TEST_MS,
  );

  for (const [story, befalls] of [
    ["is killed", (callee: Callee) => callee.end()],
    ["falls silent", (callee: Callee) => callee.fallSilent()],
  ] as const)
    test(
      `DNS-08 RFC 3263 §4.3 the heaviest of three ${story}: none of ${CALLS} calls fails`,
      async () => {
        const calls = await run(befalls);
        const late = calls.setup_ms.filter((ms) => ms >= 1000 * FAILOVER_S - 100).length;
        row(
          `the heaviest ${story}`,
          `${calls.good} good, ${calls.failed} failed`,
          setups(calls),
          `${late} waited for the timer`,
          `${calls.lost_byes} BYEs lost`,
          `${calls.by[HEAVIEST]} calls it took`,
        );
        expect(ends(calls)).toEqual(allGood);
        expect(calls.setup_ms.length).toBe(CALLS);
        expect(calls.setup_ms.at(-1)!).toBeLessThan(1000 * FAILOVER_S + MARGIN_MS);
        if (story === "falls silent") expect(late).toBeGreaterThan(0);
        const others = CALLS - (calls.by[HEAVIEST] ?? 0);
        expect(others).toBeGreaterThan(CALLS / 2); // two thirds had only them left
        expect(await metric(edge, "sipedge_dns_dead_targets_total")).toBeGreaterThan(0);
        expect(await metric(edge, "sipedge_exceptions_total")).toBe(0);
      },
      TEST_MS,
    );
});

describe.skipIf(lacks)("name service", () => {
  let zone: Zone;
  let edge: Edge;
  let crowd: Crowd;

  beforeAll(async () => {
    zone = await Zone.serve([]);
    const toml = `
[timers]
t1_ms = 100
[dns]
servers = ["127.0.0.1:${zone.port}"]
families = ["ipv4"]
lookup_ms = ${LOOKUP_MS}
# bob is registered from another address than his own, so that calls to him count as a forward of his.
[calls]
calls_per_minute_max = 0
${BASE_TOML}`;
    edge = await Edge.start({ addresses: [EDGE], toml });
    crowd = await Crowd.open(CALLER, [EDGE, edge.port]);
  });

  afterAll(async () => {
    crowd?.close();
    await edge?.stop();
    await zone?.stop();
    process.stderr.write(`\n${table.join("\n")}\n\n`);
  });

  async function phoneCalls(): Promise<Calls> {
    const caller = await places(edge, ROUND_CALLS, ROUND_RATE, "bob");
    try {
      const calls = await caller.ended();
      expect({ code: calls.code, good: calls.good, failed: calls.failed, errors: calls.errors }).toEqual({
        code: 0,
        good: ROUND_CALLS,
        failed: 0,
        errors: "",
      });
      return calls;
    } finally {
      await caller.kill();
    }
  }

  const far = (prefix: string, count: number, port = "") =>
    Array.from({ length: count }, (_, i) => `sip:x@${prefix}${i}.nowhere.test${port}`);

  test(
    "B-12 every name server is dead: calls between registered phones take no longer, and ask for no name",
    async () => {
      const phone = await Callee.start(PHONE);
      try {
        for (const [user, contact] of [
          ["alice", crowd.contact],
          ["bob", `<sip:bob@${phone.address}:${phone.port}>`],
        ])
          await crowd.ask(
            "REGISTER",
            [`sip:${EDGE}`],
            [`To: <sip:${user}@${EDGE}>`, `Contact: ${contact}`, "Expires: 600"],
          );
        expect(crowd.statuses).toEqual({ 200: 2 });
        await phoneCalls(); // the first calls after the start are slower
        const rounds: { dead: boolean; calls: Calls }[] = [];
        const before = await queries(edge);
        for (let i = 0; i < ROUNDS; i++) {
          const dead = i % 2 === 0;
          if (dead) zone.die();
          else zone.revive();
          rounds.push({ dead, calls: await phoneCalls() });
        }
        expect(await queries(edge)).toBe(before);
        const times = (dead: boolean) =>
          rounds
            .filter((round) => round.dead === dead)
            .flatMap(({ calls }) => calls.setup_ms)
            .sort((a, b) => a - b);
        row("phones, name servers alive", setups({ setup_ms: times(false) }));
        row("phones, name servers dead", setups({ setup_ms: times(true) }));
        expect(times(true).length).toBe(times(false).length);
        expect(quantile(times(true), 0.5)).toBeLessThanOrEqual(
          SLOWER_MAX * quantile(times(false), 0.5) + GRAIN_MS,
        );
        expect(times(true).at(-1)!).toBeLessThan(PHONE_SETUP_MS_MAX);
        await besideCallsToNames();
      } finally {
        zone.revive();
        await phone.end();
      }
    },
    TEST_MS,
  );

  /** Callers of names wait for servers that never answer, and get an answer all the same; phones do not wait with them. */
  async function besideCallsToNames(): Promise<void> {
    const statuses = async (prefix: string) => {
      const own = await Crowd.open(CALLER, [EDGE, edge.port]);
      try {
        await own.ask("INVITE", far(prefix, FAR_CALLS));
        return { ...own.statuses };
      } finally {
        own.close();
      }
    };
    zone.die();
    const before = await queries(edge);
    const [dead, calls] = await Promise.all([statuses("dead"), phoneCalls()]);
    zone.revive();
    const alive = await statuses("alive");
    row("calls to names, servers dead", JSON.stringify(dead), `phones meanwhile: ${setups(calls)}`);
    row("calls to names, servers alive", JSON.stringify(alive), "(no such name)");
    expect(await queries(edge)).toBeGreaterThan(before);
    expect(calls.setup_ms.at(-1)!).toBeLessThan(PHONE_SETUP_MS_MAX);
    expect(dead).toEqual({ 500: FAR_CALLS });
    expect(alive).toEqual({ 404: FAR_CALLS });
  }
});
