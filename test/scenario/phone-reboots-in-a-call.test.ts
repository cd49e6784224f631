/**
 * A phone loses its power in the middle of a call and comes back knowing nothing. The other side is told
 * so, and the next call reaches it.
 */
import { describe, expect, test } from "bun:test";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { inside, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, setUp } from "../proxy/kit.ts";
import { Agent } from "./agent.ts";
import { duplicate, seeds, withSeed } from "./weather.ts";

describe("phone reboots in a call", () => {
  for (const seed of seeds(1, 2, 3, 4, 5))
    test(`over UDP with loss and duplicates, seed ${seed}: 481 to the other side, the next call rings`, () =>
      withSeed(seed, () => {
        const world = lab("", { seed, network: { delayMs: 10, jitterMs: 20, loss: 0.05 } });
        duplicate(world, 0.05, seed);
        const alice = new Agent(world, "alice", "198.51.100.7");
        const bob = new Agent(world, "bob", "198.51.100.8");
        bob.register("reg-1");
        world.run(35_000);
        const call = alice.call("bob", 60_000);
        world.run(20_000);
        expect([call.status, bob.rang.get(call.callId)]).toEqual([200, "talking"]);
        bob.reboot();
        const again = bob.register("reg-after-reboot");
        world.run(35_000);
        expect(again.status).toBe(200);
        expect(world.store.bindings("bob")).toHaveLength(1);
        world.run(60_000); // alice hangs up: 481
        expect(call.hungUp).toBe(false);
        const bye = alice.phone.answers("BYE").map((each: SipMessage) => each.status);
        expect(bye.at(-1)).toBe(481);
        const next = alice.call("bob", 1000);
        world.run(120_000);
        expect([next.status, next.hungUp]).toEqual([200, true]);
        expect(leftovers(world)).toEqual(NOTHING_LEFT);
      }));

  test("over TCP: its connection is gone; the BYE is answered, the next call takes the new connection", () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const bob = new Phone(world, "bob", "198.51.100.8", 5060, "tcp");
    bob.register();
    const call = setUp(alice, bob);
    for (const connection of bob.host.transports.connections) connection.close("power");
    bob.register(3600, [], "reg-after-reboot");
    const fresh = bob.host.transports.connections.at(-1)!;
    alice.request("BYE", call.caller.target, inside(call.caller, { cseq: 2 }));
    bob.answer(bob.incoming("BYE"), 481);
    expect(alice.statuses("BYE")).toEqual([481]);
    alice.request("INVITE", "sip:bob@example.test", { callId: "next" });
    expect(bob.flowOf(bob.incoming("INVITE"))).toBe(fresh);
    bob.answer(bob.incoming("INVITE"), 486);
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("with another address from DHCP: the device's old binding is replaced, the next call rings there", () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const instance = ';+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"';
    const registerAs = (phone: Phone, callId: string) =>
      phone.request("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        callId,
        headers: [`Contact: <${phone.contact}>${instance}`],
      });
    const before = new Phone(world, "bob", "198.51.100.8");
    registerAs(before, "reg-1");
    world.run(5000);
    const after = new Phone(world, "bob", "198.51.100.9");
    registerAs(after, "reg-2");
    alice.request("INVITE", "sip:bob@example.test");
    expect([before.count("INVITE"), after.count("INVITE")]).toEqual([0, 1]);
  });
});
