/**
 * One side sits behind a line that swallows the first three copies of every different datagram, both
 * ways. Retransmission alone gets a registration and a call through.
 */
import { expect, test } from "bun:test";
import { lab, leftovers, NOTHING_LEFT } from "../proxy/kit.ts";
import { Agent } from "./agent.ts";
import { loseFirst, withSeed } from "./weather.ts";

const ALICE = "198.51.100.7";
const BOB = "198.51.100.8";

for (const [side, address] of [
  ["caller", ALICE],
  ["callee", BOB],
] as const) {
  test(`on the ${side}'s line: registered, answered, acknowledged, hung up`, () =>
    withSeed(1, () => {
      const world = lab("", { seed: 1 });
      const line = loseFirst(world, address, 3);
      const alice = new Agent(world, "alice", ALICE);
      const bob = new Agent(world, "bob", BOB);
      const registered = [alice.register("reg-alice"), bob.register("reg-bob")];
      world.run(35_000);
      expect(registered.map((each) => each.status)).toEqual([200, 200]);
      bob.policy = () => ({ after_ms: 5000, status: 200 });
      const call = alice.call("bob", 20_000);
      world.run(300_000);
      expect([call.status, call.hungUp, bob.rang.get(call.callId)]).toEqual([200, true, "over"]);
      expect(line.lost).toBeGreaterThan(20);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    }));

  test(`on the ${side}'s line: a refusal arrives and is acknowledged`, () =>
    withSeed(1, () => {
      const world = lab("", { seed: 1 });
      const alice = new Agent(world, "alice", ALICE);
      const bob = new Agent(world, "bob", BOB);
      bob.register("reg-bob");
      world.run(100);
      loseFirst(world, address, 3);
      bob.policy = () => ({ after_ms: 1000, status: 486 });
      const call = alice.call("bob", 0);
      world.run(200_000);
      expect([call.status, bob.rang.get(call.callId)]).toEqual([486, "over"]);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    }));
}
