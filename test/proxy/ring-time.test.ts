/** How long the destinations of a route may ring (`ring_s`). */
import { describe, expect, test } from "bun:test";
import { lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";

const [GW1, GW2, GW3] = ["198.51.100.81", "198.51.100.82", "198.51.100.83"];

function rig(route: string, user = "") {
  const world = lab(`${user}
[[peer]]
name = "first"
uris = ["sip:${GW1}", "sip:${GW3} priority=1"]
probe_s = 0
[[peer]]
name = "second"
uris = ["sip:${GW2}"]
probe_s = 0
[[route]]
name = "out"
numbers = ["0."]
${route}
`);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const gateways = [GW1, GW2, GW3].map((address, i) => new Phone(world, `gw${i + 1}`, address));
  for (const gateway of gateways)
    gateway.on = (message) => {
      if (message.method === "INVITE") gateway.reply(message, 180);
      if (message.method === "CANCEL") {
        gateway.reply(message, 200);
        gateway.reply(gateway.incoming("INVITE"), 487);
      }
    };
  const calls = () => gateways.map((gateway) => gateway.count("INVITE"));
  return { world, alice, gateways, calls };
}

describe("TM-39 the ring time of a route", () => {
  test("over: a CANCEL, and the next destination, not the next URI of the same one", () => {
    const { world, alice, gateways, calls } = rig('to = ["peer:first", "peer:second"]\nring_s = 10');
    alice.request("INVITE", "sip:01@example.test");
    world.run(9_900);
    expect(calls()).toEqual([1, 0, 0]);
    world.run(200);
    expect([calls(), gateways[0]!.count("CANCEL")]).toEqual([[1, 1, 0], 1]);
    gateways[1]!.answer(gateways[1]!.incoming("INVITE"), 200);
    expect(alice.statuses("INVITE").at(-1)).toBe(200);
  });

  test("the last one rang, too: 408, and nothing is left", () => {
    const { world, alice } = rig('to = ["peer:first", "peer:second"]\nring_s = 10');
    const sent = alice.request("INVITE", "sip:01@example.test");
    world.run(20_200);
    expect(alice.statuses("INVITE").filter((status) => status >= 200)[0]).toBe(408);
    alice.ackRefusal(sent, alice.last());
    world.run(2 * SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("what a callee decided stands: nobody else rings after a 486", () => {
    const { world, alice, gateways, calls } = rig('to = ["peer:first", "peer:second"]\nring_s = 10');
    gateways[0]!.on = () => {};
    alice.request("INVITE", "sip:01@example.test");
    gateways[0]!.answer(gateways[0]!.incoming("INVITE"), 486);
    world.run(20_000);
    expect([alice.statuses("INVITE")[0], calls()]).toEqual([486, [1, 0, 0]]);
  });

  test("without it a destination rings as long as Timer C lets it", () => {
    const { world, alice, calls } = rig('to = ["peer:first", "peer:second"]');
    alice.request("INVITE", "sip:01@example.test");
    world.run(120_000);
    expect(calls()).toEqual([1, 0, 0]);
  });

  test("a user here that a route names rings no longer, either", () => {
    const { world, alice, calls } = rig('to = ["bob", "peer:second"]\nring_s = 5');
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    bob.on = (message) => {
      if (message.method === "INVITE") bob.reply(message, 180);
    };
    alice.request("INVITE", "sip:01@example.test");
    world.run(4_900);
    expect([bob.count("INVITE"), calls()]).toEqual([1, [0, 0, 0]]);
    world.run(200);
    expect([bob.count("CANCEL"), calls()]).toEqual([1, [0, 1, 0]]);
  });
});
