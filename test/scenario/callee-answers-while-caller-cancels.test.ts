/**
 * The callee picks up in the moment in which the caller gives up. Whatever crosses whatever, both sides
 * agree in the end: either there is a call, acknowledged and hung up, or there is none.
 */
import { describe, expect, test } from "bun:test";
import { lab, leftovers, NOTHING_LEFT } from "../proxy/kit.ts";
import { Agent } from "./agent.ts";
import { duplicate, seeds, withSeed } from "./weather.ts";

function story(seed: number, answer_ms: number, cancel_ms: number, loss: number): string {
  const world = lab("", { seed, network: { delayMs: 10, jitterMs: loss > 0 ? 40 : 0, loss } });
  if (loss > 0) duplicate(world, 0.1, seed);
  const alice = new Agent(world, "alice", "198.51.100.7");
  const bob = new Agent(world, "bob", "198.51.100.8");
  const registered = bob.register("reg-bob");
  world.run(35_000);
  expect(registered.status).toBe(200);
  bob.policy = () => ({ after_ms: answer_ms, status: 200 });
  const call = alice.call("bob", 500);
  world.clock.after(cancel_ms, () => alice.cancel(call.sent));
  world.run(300_000);
  const theirs = bob.rang.get(call.callId);
  const agreed =
    (call.status === 200 && call.hungUp && theirs === "over") ||
    (call.status === 487 && (theirs === "cancelled" || theirs === undefined));
  if (!agreed) throw new Error(`caller has ${call.status}, callee is ${theirs}`);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
  return call.status === 200 ? "call" : "none";
}

describe("callee answers while caller cancels", () => {
  test("every offset of a clean network, millisecond by millisecond", () => {
    const outcomes = new Set<string>();
    for (let offset = -60; offset <= 60; offset += 2)
      withSeed(1, () => outcomes.add(story(1, 200, 220 + offset, 0)));
    expect([...outcomes].toSorted()).toEqual(["call", "none"]);
  });

  for (const seed of seeds(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
    test(`with loss, reorder and duplicates, seed ${seed}`, () => {
      for (const offset of [-400, -100, -30, 0, 30, 100, 400])
        withSeed(seed, () => story(seed, 1000, 1030 + offset, 0.1));
    });
});
