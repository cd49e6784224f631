/**
 * RFC 3261 §17.1.3 and §17.2.3 with peers as they are: clients of RFC 2543, branches that are used twice,
 * responses that are not for us, messages that come too late.
 */
import { describe, expect, test } from "bun:test";
import { lab, leftovers, Phone, SETTLE_MS, NOTHING_LEFT as WORLD_EMPTY } from "../../proxy/kit.ts";
import { NOTHING_LEFT, Rig, request, response } from "../../transaction/rig.ts";

/** An RFC 2543 client's INVITE, ACK or CANCEL: no magic cookie. */
const old = (method: string, branch = "", changes: Record<string, string> = {}) =>
  request(method, branch, undefined, changes);
const TAGGED = { To: "<sip:bob@example.test>;tag=us" };

describe("RFC 3261 §17.2.3 RFC 2543 clients (TM-43, TM-44, SIP-12)", () => {
  for (const branch of ["", "1", "0xdeadbeef"]) {
    const rung = () => {
      const rig = new Rig();
      rig.receive(old("INVITE", branch), rig.flow());
      return rig;
    };

    test(`branch "${branch}": the INVITE repeated, the ACK of its refusal and its CANCEL find it`, () => {
      const rig = rung();
      rig.receive(old("INVITE", branch), rig.flow());
      rig.receive(old("CANCEL", branch), rig.flow());
      expect(rig.cancels.map(({ invite }) => invite)).toEqual([rig.requests[0]!]);
      rig.respond(rig.requests[0]!, 487, old("INVITE", branch));
      rig.receive(old("ACK", branch, TAGGED), rig.flow());
      expect([rig.requests.length, rig.requests[0]!.state]).toEqual([1, "Confirmed"]);
    });

    test(`branch "${branch}": TM-43 another Request-URI is another request`, () => {
      const rig = rung();
      rig.receive(old("INVITE", branch).replace("sip:bob@", "sip:carol@"), rig.flow());
      expect(rig.requests).toHaveLength(2);
    });

    test(`branch "${branch}": TM-44 another topmost Via is another request`, () => {
      const rig = rung();
      rig.receive(request("INVITE", branch, "198.51.100.7:5061"), rig.flow());
      expect(rig.requests).toHaveLength(2);
    });

    test(`branch "${branch}": an ACK with another CSeq number ends nothing`, () => {
      const rig = rung();
      rig.respond(rig.requests[0]!, 486, old("INVITE", branch));
      rig.receive(old("ACK", branch, { ...TAGGED, CSeq: "8 ACK" }), rig.flow());
      expect(rig.requests[0]!.state).toBe("Completed");
    });
  }

  test("a From without a tag, as RFC 2543 allowed: told apart by the whole From", () => {
    const rig = new Rig();
    for (const name of ["alice", "alice", "anna"])
      rig.receive(old("OPTIONS", "", { From: `<sip:${name}@example.test>` }), rig.flow());
    expect(rig.requests).toHaveLength(2);
  });
});

describe("RFC 3261 §17.2.3 one branch, two hosts (SIP-12)", () => {
  test("two calls, and each one's CANCEL and ACK finds its own", () => {
    const rig = new Rig();
    const hosts = ["198.51.100.7:5060", "203.0.113.9:5060"];
    for (const host of hosts) rig.receive(request("INVITE", "z9hG4bKsame", host), rig.flow());
    rig.receive(request("CANCEL", "z9hG4bKsame", hosts[1]), rig.flow());
    rig.respond(rig.requests[1]!, 487, request("INVITE", "z9hG4bKsame", hosts[1]));
    rig.receive(request("ACK", "z9hG4bKsame", hosts[1]), rig.flow());
    expect(rig.cancels[0]!.invite).toBe(rig.requests[1]!);
    expect(rig.requests.map((each) => each.state)).toEqual(["Proceeding", "Confirmed"]);
  });
});

describe("RFC 3261 §17.1.3 and §18.1.2 responses that are not for us", () => {
  const sent = (matchCallId = false) => {
    const rig = new Rig(undefined, { matchCallId });
    const invite = rig.send("INVITE", rig.flow());
    rig.take();
    return { rig, invite };
  };

  for (const [what, via] of [
    ["another host", "203.0.113.66:5060"],
    ["another port of ours", "192.0.2.1:5070"],
    ["our host without the port", "192.0.2.1"],
  ])
    test(`a foreign topmost Via, ${what}: no answer to anything of ours`, () => {
      const { rig, invite } = sent();
      rig.receive(response(486, "INVITE").replace("UDP 192.0.2.1:5060", `UDP ${via}`), rig.flow());
      expect([...rig.take(), invite.state]).toEqual(["stray 486", "Calling"]);
    });

  const foreign = (status: number) =>
    response(status, "INVITE").replace("Call-ID: call-1", "Call-ID: call-2");

  test("TM-45 another Call-ID, as the RFC has it: the branch decides", () => {
    const { rig, invite } = sent();
    rig.receive(foreign(180), rig.flow());
    expect([...rig.take(), invite.state]).toEqual(["answered 180", "Proceeding"]);
  });

  for (const status of [180, 200, 486])
    test(`TM-45 another Call-ID with match_call_id, ${status}: dropped and counted, passed on nowhere`, () => {
      const { rig, invite } = sent(true);
      rig.receive(foreign(status), rig.flow());
      expect([...rig.take(), invite.state]).toEqual(["Calling"]);
      expect(rig.counter("sipedge_responses_foreign_call_id_total")).toBe(1);
    });

  test("TM-45 the right Call-ID with match_call_id: matched, also once the request is forgotten", () => {
    const { rig, invite } = sent(true);
    rig.receive(response(200, "INVITE"), rig.flow());
    rig.receive(foreign(200), rig.flow());
    rig.receive(response(200, "INVITE"), rig.flow());
    expect([...rig.take(), invite.state]).toEqual(["answered 200", "answered 200", "Accepted"]);
  });
});

describe("RFC 3261 §17 messages after the end", () => {
  test("a request repeated after its transaction is gone is a new one, as §17.2.3 has it", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS"), rig.flow());
    rig.respond(rig.requests[0]!, 200);
    rig.clock.advance(33_000);
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.requests).toHaveLength(2);
  });

  test("an ACK, and answers, after the end of their transactions leave nothing behind", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 486);
    rig.send("OPTIONS", rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    rig.clock.advance(40_000);
    rig.take();
    rig.receive(request("ACK"), rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    expect(rig.take()).toEqual(["stray ACK", "stray 200"]);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe("RFC 3261 §17 in the appliance", () => {
  const rig = () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    return { world, alice, bob };
  };

  test("a request reflected back to us: a finite number of hops, an answer, nothing is left", () => {
    const { world, alice, bob } = rig();
    bob.on = (message, phone) => {
      if (message.isRequest) phone.send(message.bytes.toString("latin1"));
    };
    alice.request("OPTIONS", "sip:bob@example.test");
    world.run(SETTLE_MS);
    expect(bob.count("OPTIONS")).toBeLessThanOrEqual(70);
    expect(alice.statuses("OPTIONS").every((status) => status === 482 || status === 483)).toBe(true);
    world.run(400_000);
    expect(leftovers(world)).toEqual(WORLD_EMPTY);
  });

  test("TM-42, SIP-14 a CANCEL flood with random branches: 481 each, no memory is kept", () => {
    const { world, alice, bob } = rig();
    for (let i = 0; i < 500; i++)
      alice.request("CANCEL", "sip:bob@example.test", { branch: `z9hG4bKrandom${i}` });
    expect(new Set(alice.statuses("CANCEL"))).toEqual(new Set([481]));
    expect([alice.statuses("CANCEL").length, bob.count("CANCEL")]).toEqual([500, 0]);
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(WORLD_EMPTY);
  });
});
