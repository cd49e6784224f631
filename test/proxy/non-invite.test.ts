/** Non-INVITE requests (RFC 4320) and what passes without state (RFC 3261 §16.7, §16.11; RFC 6026). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { inside, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, setUp } from "./kit.ts";

function rig() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  return { world, alice, bob };
}

describe("B-09 RFC 4320 §4 non-INVITE requests", () => {
  for (const method of ["MESSAGE", "OPTIONS", "BYE", "SUBSCRIBE"])
    test(`${method} to a silent phone: no 408, no answer at all, nothing left`, () => {
      const { world, alice } = rig();
      alice.request(method, "sip:bob@example.test");
      world.run(SETTLE_MS);
      expect(alice.statuses(method)).toEqual([]);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });

  test("no 100 within Timer E's way to T2 (§4.1)", () => {
    const { world, alice } = rig();
    alice.request("MESSAGE", "sip:bob@example.test");
    world.run(3000);
    expect(alice.host.statuses()).toEqual([]);
  });

  test("nor is a 408 of somebody below us passed on (§4.2)", () => {
    const { world, alice, bob } = rig();
    alice.request("MESSAGE", "sip:bob@example.test");
    bob.answer(bob.incoming("MESSAGE"), 408);
    world.run(1000);
    expect(alice.statuses("MESSAGE")).toEqual([]);
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("SRV-09 a lost MESSAGE is repeated to the phone by us; the caller's repetition is absorbed", () => {
    const { world, alice, bob } = rig();
    const sent = alice.request("MESSAGE", "sip:bob@example.test");
    alice.send(sent);
    world.run(600);
    expect(bob.count("MESSAGE")).toBe(2);
    bob.answer(bob.incoming("MESSAGE"), 200);
    alice.send(sent);
    world.run(20);
    expect(alice.statuses("MESSAGE")).toEqual([200, 200]);
    expect(bob.count("MESSAGE")).toBe(2);
  });

  test("a real answer of one phone is given when the other stays silent", () => {
    const { world, alice, bob } = rig();
    new Phone(world, "bob", "198.51.100.60").register(3600, [], "second");
    alice.request("MESSAGE", "sip:bob@example.test");
    bob.answer(bob.incoming("MESSAGE"), 486);
    world.run(33_000);
    expect(alice.statuses("MESSAGE")).toEqual([486]);
  });
});

describe("SIP-13, SRV-08 RFC 3261 §16.11 the ACK of a 2xx", () => {
  test("is passed on without a transaction, along the route set", () => {
    const { world, alice, bob } = rig();
    const call = setUp(alice, bob);
    const ack = bob.incoming("ACK");
    expect([ack.uriText, ack.countOf(H.Route), ack.countOf(H.Via), ack.text(H.MaxForwards)]).toEqual([
      bob.contact,
      0,
      2,
      "69",
    ]);
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
    alice.request("ACK", call.caller.target, inside(call.caller, { branch: "z9hG4bKlate" }));
    expect(bob.count("ACK")).toBe(2);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("repeated: each copy is the same, branch included", () => {
    const { alice, bob } = rig();
    const call = setUp(alice, bob);
    const options = inside(call.caller, { branch: "z9hG4bKack" });
    alice.request("ACK", call.caller.target, options);
    alice.request("ACK", call.caller.target, options);
    const acks = bob.got.filter((each) => each.method === "ACK").map((each) => each.bytes.toString("latin1"));
    expect(acks).toHaveLength(3);
    expect(acks[2]).toBe(acks[1]!);
    expect(acks[1]).not.toBe(acks[0]!);
  });

  test("with the INVITE's own branch (RFC 6026 §8.5)", () => {
    const { alice, bob } = rig();
    const sent = alice.request("INVITE", "sip:bob@example.test", { branch: "z9hG4bKone" });
    bob.answer(bob.incoming("INVITE"), 200);
    expect(sent).toContain("z9hG4bKone");
    const route = alice.answers("INVITE")[0]!.texts(H.RecordRoute);
    alice.request("ACK", bob.contact, {
      branch: "z9hG4bKone",
      toTag: "bob-tag",
      to: "<sip:bob@example.test>",
      headers: route.map((entry) => `Route: ${entry}`),
    });
    expect(bob.count("ACK")).toBe(1);
  });

  test("as a strict router sends it: our Record-Route in the Request-URI, the Contact last in the Route (§16.4)", () => {
    const { alice, bob } = rig();
    const call = setUp(alice, bob);
    alice.request("ACK", call.caller.route[0]!.slice(1, -1), {
      ...inside({ ...call.caller, route: [] }, { cseq: 1 }),
      headers: [`Route: <${call.caller.target}>`],
    });
    const ack = bob.incoming("ACK");
    expect([bob.count("ACK"), ack.uriText, ack.countOf(H.Route)]).toEqual([2, bob.contact, 0]);
  });

  test("to a strict router behind us: its URI in front, the Contact last in the Route (§16.6 step 6)", () => {
    const { world, alice, bob } = rig();
    const far = new Phone(world, "far", "198.51.100.90");
    const call = setUp(alice, bob);
    const route = [...call.caller.route, "<sip:198.51.100.90>"];
    alice.request("ACK", call.caller.target, inside({ ...call.caller, route }, { cseq: 1 }));
    const ack = far.incoming("ACK");
    expect([ack.uriText, ...ack.texts(H.Route)]).toEqual(["sip:198.51.100.90", `<${bob.contact}>`]);
  });

  test("with Max-Forwards 0: dropped, and nobody answers an ACK", () => {
    const { alice, bob } = rig();
    const call = setUp(alice, bob);
    const before = alice.got.length;
    alice.request("ACK", call.caller.target, inside(call.caller, { maxForwards: 0 }));
    expect([bob.count("ACK"), alice.got.length]).toEqual([1, before]);
  });

  test("to nowhere: dropped and counted", () => {
    const { world, alice } = rig();
    alice.request("ACK", "sip:nobody@example.test");
    expect(alice.got).toEqual([]);
    expect(world.counter("sipedge_acks_dropped_total")).toBe(1);
  });
});

describe("TM-35, B-08 RFC 3261 §16.7 step 5 and RFC 6026 late 2xx", () => {
  function ended() {
    const made = rig();
    made.alice.request("INVITE", "sip:bob@example.test");
    const arrived = made.bob.incoming("INVITE");
    made.bob.answer(arrived, 200);
    made.world.run(SETTLE_MS);
    expect(leftovers(made.world)).toEqual(NOTHING_LEFT);
    return { ...made, arrived };
  }

  test("after the transaction is gone, a repeated 200 still reaches the caller, without our Via", () => {
    const { alice, bob, arrived } = ended();
    bob.answer(arrived, 200);
    expect(alice.statuses("INVITE")).toEqual([200, 200]);
    expect(alice.last().countOf(H.Via)).toBe(1);
  });

  test("a 200 that comes after 408 went back", () => {
    const { world, alice, bob } = rig();
    const sent = alice.request("INVITE", "sip:bob@example.test");
    const arrived = bob.incoming("INVITE");
    world.run(32_100);
    expect(alice.statuses("INVITE")[0]).toBe(408);
    alice.ackRefusal(sent, alice.last());
    bob.answer(arrived, 200);
    expect(alice.statuses("INVITE").at(-1)).toBe(200);
  });

  for (const status of [180, 486, 302])
    test(`a late ${status} is dropped and counted`, () => {
      const { world, alice, bob, arrived } = ended();
      const before = alice.got.length;
      bob.answer(arrived, status);
      expect([alice.got.length, world.counter("sipedge_responses_stray_total")]).toEqual([before, 1]);
    });

  test("a late 200 to a MESSAGE is dropped", () => {
    const { world, alice, bob } = rig();
    alice.request("MESSAGE", "sip:bob@example.test");
    const arrived = bob.incoming("MESSAGE");
    world.run(SETTLE_MS);
    bob.answer(arrived, 200);
    expect(alice.statuses("MESSAGE")).toEqual([]);
  });

  test("a 200 nobody asked for is not sent to whomever its Via names (RFC 6026 §7.3)", () => {
    const { world } = rig();
    const mallory = new Phone(world, "mallory", "203.0.113.66");
    const victim = new Phone(world, "victim", "203.0.113.99");
    mallory.host.send([
      "SIP/2.0 200 OK",
      "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKinvented",
      "Via: SIP/2.0/UDP 203.0.113.99:5060;branch=z9hG4bKvictim;rport=5060;received=203.0.113.99",
      "Record-Route: <sip:192.0.2.1:5060;lr>",
      "From: <sip:a@example.test>;tag=1",
      "To: <sip:b@example.test>;tag=2",
      "Call-ID: invented",
      "CSeq: 1 INVITE",
      "Content-Length: 0",
    ]);
    world.run(20);
    expect(victim.got).toEqual([]);
    expect(world.counter("sipedge_responses_stray_total")).toBe(1);
  });

  test("a response whose topmost Via is not ours is dropped (§18.1.2)", () => {
    const { alice, bob, arrived } = ended();
    const before = alice.got.length;
    const answer = bob.answer(arrived, 180);
    bob.host.send(
      answer.replace("192.0.2.1:5060;branch", "192.0.2.77:5060;branch").replace("180 Answer", "200 OK"),
    );
    expect(alice.got.length).toBe(before);
  });
});

describe("in-dialog requests of both sides", () => {
  test("cross: both BYEs arrive and both are answered", () => {
    const { world, alice, bob } = rig();
    const call = setUp(alice, bob);
    alice.send(alice.write("BYE", call.caller.target, inside(call.caller, { cseq: 2 })));
    bob.send(bob.write("BYE", call.callee.target, inside(call.callee, { cseq: 7 })));
    world.run(20);
    alice.answer(alice.incoming("BYE"), 200);
    bob.answer(bob.incoming("BYE"), 200);
    expect([alice.statuses("BYE"), bob.statuses("BYE")]).toEqual([[200], [200]]);
  });

  test("re-INVITEs that cross: each gets its own 491", () => {
    const { world, alice, bob } = rig();
    const call = setUp(alice, bob);
    alice.send(alice.write("INVITE", call.caller.target, inside(call.caller, { cseq: 2 })));
    bob.send(bob.write("INVITE", call.callee.target, inside(call.callee, { cseq: 7 })));
    world.run(20);
    alice.answer(alice.incoming("INVITE"), 491);
    bob.answer(bob.incoming("INVITE"), 491);
    expect([alice.statuses("INVITE").at(-1), bob.statuses("INVITE").at(-1)]).toEqual([491, 491]);
  });

  test("SIP-08 a target refresh: the new Contact is used as it is (§12.2)", () => {
    const { world, alice, bob } = rig();
    const call = setUp(alice, bob);
    const moved = new Phone(world, "bob", "198.51.100.77");
    alice.request("BYE", moved.contact, inside(call.caller, { cseq: 2 }));
    expect(moved.count("BYE")).toBe(1);
  });

  test("SIP-17 PRACK and UPDATE in an early dialog (RFC 3262, RFC 3311)", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test");
    bob.answer(bob.incoming("INVITE"), 183, {
      headers: [`Contact: <${bob.contact}>`, "Require: 100rel", "RSeq: 1"],
    });
    const early = alice.answers("INVITE")[0]!;
    const route = early.texts(H.RecordRoute).map((entry) => `Route: ${entry}`);
    for (const [cseq, method] of [
      [2, "PRACK"],
      [3, "UPDATE"],
    ] as const) {
      alice.request(method, bob.contact, {
        cseq,
        toTag: early.toTag!,
        to: "<sip:bob@example.test>",
        headers: [...route, "RAck: 1 1 INVITE"],
      });
      bob.answer(bob.incoming(method), 200);
      expect(alice.statuses(method)).toEqual([200]);
    }
  });
});
