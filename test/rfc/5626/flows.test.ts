/** RFC 5626 §5.3 and §7: requests take the flow a phone registered on, or another one of the same phone, or end at once. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { inside, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, setUp, text } from "../../proxy/kit.ts";
import { behindNat, registerFlow, URN } from "../../support/natted-phones.ts";
import type { World } from "../../support/world.ts";

const TO_ALICE = "sip:alice@example.test";

/** Alice's one phone with two TCP flows through two NATs (two uplinks), and a caller. */
function twoFlows(world = lab()) {
  const first = behindNat(world, "198.51.100.20", "alice", { transport: "tcp" }).phone;
  const second = behindNat(world, "198.51.100.21", "alice", { transport: "tcp" }).phone;
  const carol = new Phone(world, "carol", "198.51.100.9");
  registerFlow(first, { reg_id: 1 });
  world.run(1000);
  registerFlow(second, { reg_id: 2 });
  world.run(1000);
  return { world, first, second, carol };
}

/** The connection is gone on both sides at once, as a reset is seen. */
function reset(world: World, phone: Phone): void {
  for (const connection of [...phone.host.transports.connections]) connection.close("reset by peer");
  world.run(0);
}

describe("RFC 5626 §7, B-01 several flows of one phone", () => {
  test("are one target: the newest rings, the other one does not", () => {
    const { world, first, second, carol } = twoFlows();
    carol.request("INVITE", TO_ALICE);
    expect([first.count("INVITE"), second.count("INVITE")]).toEqual([0, 1]);
    second.answer(second.incoming("INVITE"), 180);
    world.run(20_000);
    expect(first.count("INVITE")).toBe(0);
  });

  test("a refreshed flow is the newest", () => {
    const { first, second, carol } = twoFlows();
    registerFlow(first, { reg_id: 1, cseq: 2 });
    carol.request("INVITE", TO_ALICE);
    expect([first.count("INVITE"), second.count("INVITE")]).toEqual([1, 0]);
  });

  test("B-51 the newest flow's connection is gone: the other one within the same call, at once", () => {
    const { world, first, second, carol } = twoFlows();
    reset(world, second);
    carol.request("INVITE", TO_ALICE);
    expect([first.count("INVITE"), second.count("INVITE")]).toEqual([1, 0]);
    expect(carol.statuses("INVITE")).toEqual([]);
    first.answer(first.incoming("INVITE"), 200);
    expect(carol.statuses("INVITE")).toEqual([200]);
  });

  test("B-51 a connection that dies with the INVITE on it: the other one at once", () => {
    const { world, first, second, carol } = twoFlows();
    second.on = (message) => {
      if (message.method === "INVITE") reset(world, second);
    };
    carol.request("INVITE", TO_ALICE);
    expect(second.count("INVITE")).toBe(1);
    expect(first.count("INVITE")).toBe(1);
    first.answer(first.incoming("INVITE"), 200);
    expect(carol.statuses("INVITE")).toEqual([200]);
  });

  test("430 on the newest flow: the other one", () => {
    const { first, second, carol } = twoFlows();
    carol.request("INVITE", TO_ALICE);
    second.answer(second.incoming("INVITE"), 430);
    expect(first.count("INVITE")).toBe(1);
    first.answer(first.incoming("INVITE"), 200);
    expect(carol.statuses("INVITE")).toEqual([200]);
  });

  test("a silent flow: the other one, before the caller gives up, and its 200 counts", () => {
    const { world, first, second, carol } = twoFlows();
    carol.request("INVITE", TO_ALICE);
    expect(second.count("INVITE")).toBe(1);
    world.run(10_000);
    expect(first.count("INVITE")).toBe(1);
    first.answer(first.incoming("INVITE"), 200);
    expect(carol.statuses("INVITE")).toEqual([200]);
  });

  for (const status of [486, 480, 404, 603])
    test(`${status} on one flow is the phone's answer: it is not asked again over another one`, () => {
      const { world, first, second, carol } = twoFlows();
      carol.request("INVITE", TO_ALICE);
      second.answer(second.incoming("INVITE"), status);
      expect(carol.statuses("INVITE")).toEqual([status]);
      world.run(1000);
      expect(first.count("INVITE")).toBe(0);
    });

  test("503 on one flow is the phone's answer, too (RFC 5626 §7: all but 408 and 430)", () => {
    const { world, first, second, carol } = twoFlows();
    carol.request("INVITE", TO_ALICE);
    second.answer(second.incoming("INVITE"), 503);
    world.run(1000);
    expect(first.count("INVITE")).toBe(0);
  });

  test("MESSAGE takes the other flow likewise", () => {
    const { world, first, second, carol } = twoFlows();
    reset(world, second);
    carol.request("MESSAGE", TO_ALICE);
    first.answer(first.incoming("MESSAGE"), 200);
    expect(carol.statuses("MESSAGE")).toEqual([200]);
  });

  test("all of them gone: 480 at once, and nothing is left", () => {
    const { world, first, second, carol } = twoFlows();
    reset(world, first);
    reset(world, second);
    const sent = carol.request("INVITE", TO_ALICE);
    expect(carol.statuses("INVITE")).toEqual([480]);
    carol.ackRefusal(sent, carol.last());
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("a second flow that registers while the first one rings is not called beside it", () => {
    const world = lab();
    const first = behindNat(world, "198.51.100.20", "alice").phone;
    const second = behindNat(world, "198.51.100.21", "alice").phone;
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(first, { reg_id: 1 });
    carol.request("INVITE", TO_ALICE);
    first.answer(first.incoming("INVITE"), 180);
    registerFlow(second, { reg_id: 2 });
    world.run(1000);
    expect(second.count("INVITE")).toBe(0);
  });

  test("never two bindings of one instance at a time, also when one of them is no flow", () => {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const again = box.place(() => new Phone(world, "alice", "192.168.1.10", 5062));
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, { reg_id: null, supported: "", callId: "before its update" });
    world.run(1000);
    registerFlow(again, { reg_id: 1 });
    carol.request("INVITE", TO_ALICE);
    expect([alice.count("INVITE"), again.count("INVITE")]).toEqual([0, 1]);
  });

  test("CANCEL goes to the flow that rings", () => {
    const { first, second, carol } = twoFlows();
    const invite = carol.request("INVITE", TO_ALICE);
    second.answer(second.incoming("INVITE"), 180);
    carol.cancel(invite);
    expect([first.count("CANCEL"), second.count("CANCEL")]).toEqual([0, 1]);
  });

  test("TM fork: another instance of the same user is another target", () => {
    const { world, first, second, carol } = twoFlows();
    const desk = behindNat(world, "198.51.100.22", "alice").phone;
    registerFlow(desk, { instance: "urn:uuid:desk", callId: "desk" });
    carol.request("INVITE", TO_ALICE);
    expect([first.count("INVITE"), second.count("INVITE"), desk.count("INVITE")]).toEqual([0, 1, 1]);
  });
});

describe("B-51 a phone whose connection is gone", () => {
  function rig(outbound: boolean) {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice", { transport: "tcp" });
    const carol = new Phone(world, "carol", "198.51.100.9");
    if (outbound) registerFlow(alice);
    else alice.register();
    return { world, box, alice, carol };
  }

  for (const outbound of [true, false])
    test(`${outbound ? "with a flow" : "behind a NAT"}: 480 at once, not after 32 s`, () => {
      const { world, alice, carol } = rig(outbound);
      reset(world, alice);
      carol.request("INVITE", TO_ALICE);
      expect(carol.statuses("INVITE")).toEqual([480]);
      expect(alice.count("INVITE")).toBe(0);
    });

  test("another contact of the same user is tried at once", () => {
    const { world, alice, carol } = rig(true);
    const desk = new Phone(world, "alice", "198.51.100.30");
    desk.request("REGISTER", "sip:example.test", {
      to: `<${TO_ALICE}>`,
      callId: "desk",
      headers: [`Contact: <${desk.contact}>;q=0.1`],
    });
    reset(world, alice);
    carol.request("INVITE", TO_ALICE);
    expect(desk.count("INVITE")).toBe(1);
  });

  test("a second phone that got the public port of the first one never gets the first one's calls", () => {
    const { world, box, alice, carol } = rig(true);
    const port = world.store.bindings("alice")[0]!.flow.remote_port;
    reset(world, alice);
    box.reuse(port);
    const bob = box.place(() => new Phone(world, "bob", "192.168.1.11", 5060, "tcp"));
    registerFlow(bob, { instance: "urn:uuid:bob" });
    const flow = world.store.bindings("bob")[0]!.flow;
    expect([flow.remote_address, flow.remote_port]).toEqual(["198.51.100.20", port]);
    carol.request("INVITE", TO_ALICE);
    expect(carol.statuses("INVITE")).toEqual([480]);
    expect(bob.count("INVITE")).toBe(0);
  });
});

describe("RFC 5626 §5.3, B-01 dialogs on flows", () => {
  function call(transport: "udp" | "tcp" = "tcp", callerIsNatted = false) {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice", { transport });
    const carol = callerIsNatted
      ? behindNat(world, "198.51.100.40", "carol", { transport }).phone
      : new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice);
    return { world, box, alice, carol, ...setUp(carol, alice, { to: `<${TO_ALICE}>` }) };
  }

  for (const transport of ["udp", "tcp"] as const)
    for (const callerIsNatted of [false, true])
      test(`${transport}, ${callerIsNatted ? "both behind NATs" : "callee behind a NAT"}: re-INVITE, ACK, UPDATE, INFO, BYE reach each other`, () => {
        const { world, alice, carol, caller, callee } = call(transport, callerIsNatted);
        expect(alice.count("ACK")).toBe(1);
        for (const [from, dialog, to] of [
          [carol, caller, alice],
          [alice, callee, carol],
        ] as const) {
          const before = to.count("ACK");
          from.request("INVITE", dialog.target, inside(dialog, { cseq: 11 }));
          expect(to.incoming("INVITE").uriText).toBe(dialog.target);
          to.answer(to.incoming("INVITE"), 200);
          expect(from.last().status).toBe(200);
          from.request("ACK", dialog.target, inside(dialog, { cseq: 11 }));
          expect(to.count("ACK")).toBe(before + 1);
          for (const [i, method] of ["UPDATE", "INFO", "NOTIFY", "REFER"].entries()) {
            from.request(method, dialog.target, inside(dialog, { cseq: 12 + i }));
            to.answer(to.incoming(method), 200);
            expect([method, from.last().status]).toEqual([method, 200]);
          }
        }
        alice.request("BYE", callee.target, inside(callee, { cseq: 20 }));
        carol.answer(carol.incoming("BYE"), 200);
        expect(alice.last().status).toBe(200);
        world.run(SETTLE_MS);
        expect(leftovers(world)).toEqual(NOTHING_LEFT);
      });

  for (const method of ["BYE", "INVITE", "UPDATE"])
    test(`${method} to an end whose connection is gone: 430 at once`, () => {
      const { world, alice, carol, caller } = call();
      reset(world, alice);
      carol.request(method, caller.target, inside(caller, { cseq: 5 }));
      expect(carol.statuses(method).at(-1)).toBe(430);
      expect(carol.answers(method).at(-1)?.reason).toBe("Flow Failed");
    });

  test("an ACK for it is dropped and counted", () => {
    const { world, alice, carol, caller } = call();
    reset(world, alice);
    const dropped = world.counter("sipedge_acks_dropped_total");
    const before = world.network.log.length;
    carol.request("ACK", caller.target, inside(caller, { cseq: 1 }));
    expect(world.counter("sipedge_acks_dropped_total")).toBe(dropped + 1);
    expect(world.network.log.length).toBe(before + 1); // the ACK itself, and nothing after it
  });

  test("the caller's connection is gone: the callee's BYE gets 430", () => {
    const { world, alice, carol, callee } = call("tcp", true);
    reset(world, carol);
    alice.request("BYE", callee.target, inside(callee, { cseq: 5 }));
    expect(alice.statuses("BYE")).toEqual([430]);
  });

  test("the phone comes back on a new connection: the dialog's requests do not go to a stranger", () => {
    const { world, box, alice, carol, caller } = call();
    reset(world, alice);
    box.flush();
    registerFlow(alice, { cseq: 2 });
    carol.request("BYE", caller.target, inside(caller, { cseq: 5 }));
    expect(carol.statuses("BYE")).toEqual([430]);
  });

  test("another phone that got the public port of a connection that is gone hears nothing of the dialog", () => {
    const { world, box, alice, carol, caller } = call();
    const [connection] = alice.host.transports.connections;
    expect(connection).toBeDefined();
    const port = world.store.bindings("alice")[0]!.flow.remote_port;
    reset(world, alice);
    box.reuse(port);
    const bob = box.place(() => new Phone(world, "bob", "192.168.1.11", 5060, "tcp"));
    registerFlow(bob, { instance: "urn:uuid:bob" });
    expect(world.store.bindings("bob")[0]!.flow.remote_port).toBe(port);
    carol.request("BYE", caller.target, inside(caller, { cseq: 5 }));
    expect(bob.count("BYE")).toBe(0);
    expect(carol.statuses("BYE")).toEqual([430]);
  });

  test("a phone that says ob in the Contact of its INVITE gets the dialog's requests on that flow", () => {
    const world = lab();
    const dora = new Phone(world, "dora", "198.51.100.50", 5060, "tcp");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    // A public Contact that nobody listens at: only the flow leads to it.
    const contact = "sip:dora@198.51.100.99:5099;transport=tcp;ob";
    const { callee } = setUp(dora, bob, { headers: [`Contact: <${contact}>`] });
    bob.request("BYE", callee.target, inside(callee, { cseq: 5 }));
    expect(dora.incoming("BYE").uriText).toBe(contact);
    reset(world, dora);
    bob.request("INFO", callee.target, inside(callee, { cseq: 6 }));
    expect(bob.statuses("INFO")).toEqual([430]);
  });

  test("the instance of the phone is told to nobody in what we add", () => {
    const { arrived } = call();
    expect(arrived.texts(H.RecordRoute).join()).not.toContain(URN.slice(9));
    expect(text(arrived).match(/\r\nVia: [^\r]*/)?.[0]).not.toContain("192.168");
  });
});
