/**
 * RFC 3261 §16 and §17 as the appliance lives them: how long transactions last, what is repeated when, and
 * that branches never come twice.
 */
import { describe, expect, test } from "bun:test";
import { SystemDice } from "../../../src/base/dice.ts";
import { H } from "../../../src/message/header-names.ts";
import { lab, leftovers, Phone, SETTLE_MS, NOTHING_LEFT as WORLD_EMPTY } from "../../proxy/kit.ts";
import type { World } from "../../support/world.ts";

const WAIT64_MS = 32_000;
/** A wheel's slot for each timer of a chain, and the way of the last message. */
const SLACK_MS = 200;

function rig(toml = "", loss = 0, seed = 1) {
  const world = lab(toml, { seed, network: { delayMs: 5, loss } });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  return { world, alice, bob };
}

function registered(toml = "") {
  const made = rig(toml);
  made.bob.register();
  made.world.run(SETTLE_MS);
  return made;
}

const ages = (world: World) => world.core.layer.snapshot(100).transactions.map(({ age_ms }) => age_ms);

/** The milliseconds between the arrivals of that method at a phone. */
function intervals(world: World, phone: Phone, method: string, run_ms: number): number[] {
  const at: number[] = [];
  phone.on = (message) => {
    if (message.method === method) at.push(world.clock.now());
  };
  world.run(run_ms);
  return at.slice(1).map((time, i) => Math.round((time - at[i]!) / 100) / 10);
}

describe("TM-20, TM-21 what a silent phone gets (RFC 3261 §17.1.1.2, §17.1.2.2)", () => {
  test("an INVITE after 0.5, 1, 2, 4, 8 and 16 s: Timer A knows no T2", () => {
    const { world, alice, bob } = registered();
    alice.send(alice.write("INVITE", "sip:bob@example.test"));
    expect(intervals(world, bob, "INVITE", 60_000)).toEqual([0.5, 1, 2, 4, 8, 16]);
  });

  test("a MESSAGE after 0.5, 1, 2 s, then every T2 up to Timer F", () => {
    const { world, alice, bob } = registered();
    alice.send(alice.write("MESSAGE", "sip:bob@example.test"));
    expect(intervals(world, bob, "MESSAGE", 60_000)).toEqual([0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]);
  });

  test("a refusal that is not acknowledged after 0.5, 1, 2 s, then every T2 up to Timer H", () => {
    const { world, alice } = registered();
    const at: number[] = [];
    alice.on = (message) => {
      if (message.status === 404 || message.status === 480) at.push(world.clock.now());
    };
    alice.send(alice.write("INVITE", "sip:nobody@example.test"));
    world.run(60_000);
    const waits = at.slice(1).map((time, i) => Math.round((time - at[i]!) / 100) / 10);
    expect(waits).toEqual([0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]);
  });
});

describe("TM-03, TM-05, TM-06 no transaction outlives its timers", () => {
  test("TM-06, TM-17 a MESSAGE to a silent phone: 64*T1, then both sides are gone", () => {
    const { world, alice } = registered();
    alice.send(alice.write("MESSAGE", "sip:bob@example.test"));
    world.run(WAIT64_MS - SLACK_MS);
    expect(ages(world)).toHaveLength(2);
    world.run(2 * SLACK_MS);
    expect(ages(world)).toEqual([]);
  });

  test("TM-06 an answered MESSAGE: Timer K on its way out, Timer J for the caller's repetitions", () => {
    const { world, alice, bob } = registered();
    alice.send(alice.write("MESSAGE", "sip:bob@example.test"));
    world.run(50);
    bob.answer(bob.incoming("MESSAGE"), 200);
    world.run(5000 + SLACK_MS);
    expect(world.core.layer.counts).toEqual({ server: 1, client: 0 });
    world.run(WAIT64_MS);
    expect(leftovers(world)).toEqual(WORLD_EMPTY);
  });

  test("TM-05 a phone that rings and never answers: Timer C, the CANCEL's 64*T1 and the ACK's", () => {
    const { world, alice, bob } = registered();
    bob.on = (message) => {
      if (message.method === "INVITE") bob.answer(message, 180);
    };
    alice.send(alice.write("INVITE", "sip:bob@example.test"));
    const cap = 181_000 + 3 * WAIT64_MS;
    for (let ran = 0; ran < cap; ran += 1000) {
      world.run(1000);
      expect(Math.max(0, ...ages(world))).toBeLessThanOrEqual(cap);
    }
    expect(alice.statuses("INVITE").filter((status) => status >= 200)).not.toHaveLength(0);
    expect(leftovers(world)).toEqual(WORLD_EMPTY);
  });

  test("TM-18 the 200 of an INVITE that comes again after 10 s is passed on by its transaction", () => {
    const { world, alice, bob } = registered();
    alice.request("INVITE", "sip:bob@example.test");
    const arrived = bob.incoming("INVITE");
    bob.answer(arrived, 200);
    world.run(10_000);
    bob.answer(arrived, 200);
    world.run(50);
    expect(alice.statuses("INVITE")).toEqual([200, 200]);
    expect(alice.last().countOf(H.Via)).toBe(1);
  });
});

describe("TM-02, SRV-09 the appliance repeats for both sides (RFC 3261 §16, §17)", () => {
  for (const seed of [1, 2, 3])
    test(`100 MESSAGEs, one of five packets lost, seed ${seed}: each arrives and is answered`, () => {
      const { world, alice, bob } = rig("", 0.2, seed);
      bob.on = (message) => {
        if (message.isRequest) bob.answer(message, 200);
      };
      const binding = bob.write("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        headers: [`Contact: <${bob.contact}>`, "Expires: 3600"],
      });
      for (let i = 0; i < 20; i++) {
        bob.send(binding);
        world.run(500);
      }
      const written = Array.from({ length: 100 }, (_, i) =>
        alice.write("MESSAGE", "sip:bob@example.test", { callId: `m${i}` }),
      );
      const answered = () => new Set(alice.answers("MESSAGE").map((each) => `${each.status} ${each.callId}`));
      for (let round = 0; round < 31 && answered().size < 100; round++) {
        written.forEach((text, i) => {
          if (!answered().has(`200 m${i}`)) alice.send(text);
        });
        world.run(1000);
      }
      expect([...answered()].toSorted()).toEqual(written.map((_, i) => `200 m${i}`).toSorted());
      const asked = bob.got.filter((each) => each.method === "MESSAGE");
      expect(asked.length).toBeGreaterThan(100); // ours came again, but as one transaction each:
      expect(new Set(asked.map((each) => each.texts(H.Via)[0])).size).toBe(100);
    });
});

describe("SIP-15 branches (RFC 3261 §8.1.1.7)", () => {
  test("100000 tokens of the system's dice: none twice", () => {
    const dice = new SystemDice();
    const tokens = new Set<string>();
    for (let i = 0; i < 100_000; i++) tokens.add(dice.token());
    expect(tokens.size).toBe(100_000);
  });
});
