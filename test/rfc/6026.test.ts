/** RFC 6026: what happens to an INVITE transaction after its 2xx, and when the transport fails. */
import { describe, expect, test } from "bun:test";
import type { RecordingFlow } from "../transaction/rig.ts";
import { NOTHING_LEFT, Rig, request, response } from "../transaction/rig.ts";

const WAIT64_MS = 32_000;
const SLACK_MS = 100;

function invited(transport: "udp" | "tcp" = "udp"): [Rig, RecordingFlow] {
  const rig = new Rig();
  const flow = rig.flow(transport);
  rig.receive(request("INVITE"), flow);
  rig.take();
  return [rig, flow];
}

describe("RFC 6026 §7.1 server: Accepted", () => {
  test("the INVITE repeated after its 2xx starts no second call and is not answered by the transaction", () => {
    const [rig, flow] = invited();
    rig.respond(rig.requests[0]!, 200);
    rig.receive(request("INVITE"), flow);
    expect([...rig.take(), rig.requests.length]).toEqual(["send 200", 1]);
  });

  test("each 2xx the user gives leaves, once: the transaction repeats none", () => {
    const [rig] = invited();
    for (let i = 0; i < 3; i++) rig.respond(rig.requests[0]!, 200);
    rig.clock.advance(20_000);
    expect(rig.take()).toEqual(["send 200", "send 200", "send 200"]);
  });

  test("no other answer leaves after a 2xx", () => {
    const [rig] = invited();
    for (const status of [200, 180, 486, 302]) rig.respond(rig.requests[0]!, status);
    expect(rig.take()).toEqual(["send 200"]);
  });

  test("an ACK that matches goes to the user each time", () => {
    const [rig, flow] = invited();
    rig.respond(rig.requests[0]!, 200);
    for (let i = 0; i < 2; i++) rig.receive(request("ACK"), flow);
    expect(rig.take()).toEqual(["send 200", "acknowledged", "acknowledged"]);
  });

  test("Timer L ends it after 64*T1, whatever ACKs came", () => {
    const [rig, flow] = invited();
    rig.respond(rig.requests[0]!, 200);
    rig.receive(request("ACK"), flow);
    rig.clock.advance(WAIT64_MS - SLACK_MS);
    expect(rig.layer.size).toBe(1);
    rig.clock.advance(2 * SLACK_MS);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("a 2xx after its end goes back all the same (RFC 3261 §16.7 step 5)", () => {
    const [rig] = invited();
    rig.respond(rig.requests[0]!, 200);
    rig.clock.advance(WAIT64_MS + SLACK_MS);
    rig.take();
    rig.respond(rig.requests[0]!, 200);
    expect(rig.take()).toEqual(["send 200"]);
  });
});

describe("RFC 6026 §7.2 client: Accepted", () => {
  test("a 2xx of another fork goes to the user, a late refusal or 180 does not", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    for (const [status, tag] of [
      [200, "one"],
      [200, "two"],
      [486, "three"],
      [180, "four"],
    ] as const)
      rig.receive(response(status, "INVITE", "z9hG4bKmine", tag), rig.flow());
    expect(rig.take()).toEqual(["send INVITE", "answered 200", "answered 200"]);
  });

  test("no ACK is sent for a 2xx: that is its receiver's (RFC 3261 §13.2.2.4)", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    rig.receive(response(200, "INVITE"), rig.flow());
    expect(rig.times("ACK")).toEqual([]);
  });

  test("once Timer M has ended it, a 2xx is nobody's and goes where stray responses go", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    rig.receive(response(200, "INVITE"), rig.flow());
    rig.clock.advance(WAIT64_MS + SLACK_MS);
    rig.take();
    rig.receive(response(200, "INVITE"), rig.flow());
    expect(rig.take()).toEqual(["stray 200"]);
  });
});

describe("RFC 6026 §8.8 transport errors of a server transaction", () => {
  for (const status of [180, 200, 486] as const)
    test(`a ${status} that the connection refuses: the user is told, the transaction stays`, () => {
      const [rig, connection] = invited("tcp");
      connection.accepts = false;
      rig.respond(rig.requests[0]!, status);
      expect(rig.take()).toEqual(["transportFailed"]);
      expect(rig.requests[0]!.terminated).toBe(false);
    });

  test("the INVITE that comes again still finds its transaction: no second call", () => {
    const [rig, connection] = invited("tcp");
    connection.accepts = false;
    rig.respond(rig.requests[0]!, 486);
    connection.accepts = true;
    rig.take();
    rig.receive(request("INVITE"), connection);
    expect([...rig.take(), rig.requests.length]).toEqual(["send 486", 1]);
  });

  for (const status of [200, 486] as const)
    test(`after a final ${status} that never left, 64*T1 end it`, () => {
      const [rig, connection] = invited("tcp");
      connection.accepts = false;
      rig.respond(rig.requests[0]!, status);
      rig.clock.advance(WAIT64_MS + SLACK_MS);
      expect(rig.leftovers()).toEqual(NOTHING_LEFT);
    });
});
