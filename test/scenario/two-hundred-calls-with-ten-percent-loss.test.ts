/**
 * Twenty phones call each other two hundred times over a network that loses every tenth datagram and
 * shuffles and doubles others. Every call is answered, acknowledged on both sides and hung up, and in the
 * end nothing is left of it.
 */
import { describe, expect, test } from "bun:test";
import { lab, leftovers, NOTHING_LEFT } from "../proxy/kit.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import type { Outcome } from "./agent.ts";
import { Agent } from "./agent.ts";
import { duplicate, seeds, withSeed } from "./weather.ts";

const PHONES = 20;
const CALLS = 200;

function story(seed: number): void {
  const world = lab("", { seed, network: { delayMs: 10, jitterMs: 60, loss: 0.1 } });
  duplicate(world, 0.05, seed);
  const dice = new SeededDice(seed * 31);
  const agents = Array.from({ length: PHONES }, (_, i) => new Agent(world, `u${i}`, `198.51.100.${20 + i}`));
  const registered = agents.map((agent, i) => agent.register(`reg-${i}`));
  world.run(40_000);
  expect(registered.filter((each) => each.status !== 200)).toEqual([]);
  for (const agent of agents) agent.policy = () => ({ after_ms: 200 + dice.fraction() * 5000, status: 200 });
  const calls: { outcome: Outcome; callee: Agent }[] = [];
  for (let n = 0; n < CALLS; n++) {
    const from = Math.floor(dice.fraction() * PHONES);
    const to = (from + 1 + Math.floor(dice.fraction() * (PHONES - 1))) % PHONES;
    const talk_ms = 1000 + dice.fraction() * 20_000;
    calls.push({ outcome: agents[from]!.call(`u${to}`, talk_ms), callee: agents[to]! });
    world.run(200 * dice.fraction());
  }
  world.run(60_000);
  const bad = calls
    .map(({ outcome, callee }) => ({ ...outcome, callee: callee.rang.get(outcome.callId) }))
    .filter((call) => call.status !== 200 || !call.hungUp || call.callee !== "over");
  expect(bad.map(({ callId, status, hungUp, callee }) => ({ callId, status, hungUp, callee }))).toEqual([]);
  world.run(300_000);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
  expect(world.counter("sipedge_transactions")).toBe(0);
  expect(world.counter("sipedge_proxied_begun_total")).toBe(world.counter("sipedge_proxied_ended_total"));
  expect(world.counter("sipedge_exceptions_total")).toBe(0);
  expect(world.counter("sipedge_retransmissions_total")).toBeGreaterThan(0);
}

describe("two hundred calls with ten percent loss", () => {
  for (const seed of seeds(1, 2, 3, 4, 5)) test(`seed ${seed}`, () => withSeed(seed, () => story(seed)));
});
