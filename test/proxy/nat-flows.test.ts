/** Phones behind NATs through the whole appliance: they are reached where their packets come from, and their Contact is left alone. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { behindNat, INNER, registerFlow, urisOf } from "../support/natted-phones.ts";
import { EDGE } from "../support/world.ts";
import {
  calleeDialog,
  callerDialog,
  entries,
  inside,
  lab,
  leftovers,
  NOTHING_LEFT,
  Phone,
  SETTLE_MS,
  setUp,
  text,
} from "./kit.ts";

/** A plain REGISTER, as phones without RFC 5626 send it. */
const plain = { instance: null, reg_id: null, supported: "" } as const;
const bindings = (world: ReturnType<typeof lab>, user: string) => world.store.bindings(user);

describe("NH-22, NAT-18, NT-02 the Contact is left alone", () => {
  for (const contact of [
    "sip:alice@192.168.1.10:5060",
    "sip:alice@192.168.1.10",
    "sip:192.168.1.10:5060",
    "sip:alice;day=tuesday@192.168.1.10:5060;transport=udp;line=%41b",
    "sip:al%69ce@192.168.1.10;x=Y;Q=1",
    "sip:alice@[fd00::10]:5062;ob",
    "sip:alice@phone.local:5060",
  ])
    test(`${contact}: the 200 has it byte for byte, and so has the INVITE's Request-URI`, () => {
      const world = lab();
      const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
      const carol = new Phone(world, "carol", "198.51.100.9");
      const answer = registerFlow(alice, { ...plain, contact });
      expect(urisOf(answer, H.Contact)).toEqual([contact]);
      if (bindings(world, "alice")[0]!.flow.nat === "") return; // a name of its own is looked up
      carol.request("INVITE", "sip:alice@example.test");
      expect(alice.incoming("INVITE").uriText).toBe(contact);
      expect(alice.flowOf(alice.incoming("INVITE")).remoteAddress).toBe(EDGE);
    });

  test("header parameters come back as they were, and nothing is added", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const params = ';+sip.instance="<urn:uuid:1>";audio;+x="a,b;c>d"';
    alice.request("REGISTER", "sip:example.test", {
      to: "<sip:alice@example.test>",
      headers: [`Contact: "Alice, A." <${alice.contact}>${params};expires=60`],
    });
    expect(entries(alice.last(), H.Contact)).toEqual([`<${alice.contact}>;expires=60${params}`]);
  });
});

describe("NAT-02, NAT-06 the flow and not the address", () => {
  for (const transport of ["udp", "tcp"] as const)
    for (const symmetric of [false, true])
      test(`${transport}, ${symmetric ? "symmetric" : "port-restricted"} NAT: the INVITE goes to the packet's source from the socket it came to`, () => {
        const world = lab();
        const { phone: alice } = behindNat(world, "198.51.100.20", "alice", { transport, symmetric });
        const carol = new Phone(world, "carol", "198.51.100.9");
        world.transports.listen("udp", "192.0.2.2", 5060); // another one, which the NAT lets through to nobody
        registerFlow(alice, plain);
        const { flow } = bindings(world, "alice")[0]!;
        const from = world.network.log.length;
        carol.request("INVITE", "sip:alice@example.test");
        const sent = world.network.log
          .slice(from)
          .find((each) => each.text.startsWith("INVITE sip:alice@192"))!;
        expect(sent.from).toBe(`${EDGE}:5060`);
        expect(sent.to).toBe(`${flow.remote_address}:${flow.remote_port}`);
        alice.answer(alice.incoming("INVITE"), 200);
        expect(carol.statuses("INVITE")).toEqual([200]);
      });

  test("a phone that registered at the second socket is called from it", () => {
    const world = lab();
    world.transports.listen("udp", "192.0.2.2", 5060);
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    const register = alice.write("REGISTER", "sip:example.test", { to: "<sip:alice@example.test>" });
    alice.send(register, "192.0.2.2");
    world.run(20);
    expect(alice.last().status).toBe(200);
    const { callee } = setUp(carol, alice);
    expect(alice.flowOf(alice.incoming("INVITE")).remoteAddress).toBe("192.0.2.2");
    expect(entries(alice.incoming("INVITE"), H.RecordRoute)).toHaveLength(2);
    alice.send(alice.write("BYE", callee.target, inside(callee, { cseq: 2 })), "192.0.2.2");
    world.run(20);
    expect(carol.count("BYE")).toBe(1);
  });

  test("two users with one private Contact behind two NATs: each gets its own calls only", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    const carol = new Phone(world, "carol", "198.51.100.9");
    for (const phone of [alice, bob])
      registerFlow(phone, { ...plain, contact: `sip:phone@${INNER}:5060`, callId: `1@${INNER}` });
    carol.request("INVITE", "sip:alice@example.test");
    expect([alice.count("INVITE"), bob.count("INVITE")]).toEqual([1, 0]);
    carol.request("INVITE", "sip:bob@example.test", { callId: "second" });
    expect([alice.count("INVITE"), bob.count("INVITE")]).toEqual([1, 1]);
  });

  test("one user with one private Contact behind two NATs: two phones, and both ring", () => {
    const world = lab();
    const { phone: home } = behindNat(world, "198.51.100.20", "alice");
    const { phone: work } = behindNat(world, "198.51.100.21", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(home, { ...plain, callId: "home" });
    const answer = registerFlow(work, { ...plain, callId: "work" });
    expect(urisOf(answer, H.Contact)).toEqual([home.contact, home.contact]);
    carol.request("INVITE", "sip:alice@example.test");
    expect([home.count("INVITE"), work.count("INVITE")]).toEqual([1, 1]);
    work.request("REGISTER", "sip:example.test", {
      to: "<sip:alice@example.test>",
      callId: "work",
      cseq: 2,
      branch: "z9hG4bKgone",
      headers: [`Contact: <${work.contact}>`, "Expires: 0"],
    });
    expect(bindings(world, "alice").map(({ call_id }) => call_id)).toEqual(["home"]);
  });

  test("behind one NAT, two inner hosts with ports of their own", () => {
    const world = lab();
    const { box, phone: home } = behindNat(world, "198.51.100.20", "alice");
    const other = box.place(() => new Phone(world, "alice", "192.168.1.11"));
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(home, { ...plain, callId: "one" });
    registerFlow(other, { ...plain, callId: "two" });
    carol.request("INVITE", "sip:alice@example.test");
    expect([home.count("INVITE"), other.count("INVITE")]).toEqual([1, 1]);
  });

  test("the NAT forgot the phone: its next refresh replaces the dead place, there is no second binding", () => {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    const before = bindings(world, "alice")[0]!.flow.remote_port;
    box.flush();
    registerFlow(alice, { ...plain, cseq: 2 });
    expect(bindings(world, "alice")).toHaveLength(1);
    expect(bindings(world, "alice")[0]!.flow.remote_port).not.toBe(before);
    carol.request("INVITE", "sip:alice@example.test");
    expect(alice.count("INVITE")).toBe(1);
  });

  test("the site's public address changed: the refresh of the same Call-ID replaces the binding", () => {
    const world = lab();
    const old = behindNat(world, "198.51.100.20", "alice").phone;
    registerFlow(old, plain);
    const fresh = behindNat(world, "198.51.100.21", "alice").phone;
    registerFlow(fresh, { ...plain, cseq: 2 });
    expect(bindings(world, "alice").map(({ flow }) => flow.remote_address)).toEqual(["198.51.100.21"]);
  });

  test("a phone that moves from network to network, with a new Call-ID each time, is never locked out", () => {
    const world = lab();
    for (let i = 1; i <= 15; i++) {
      const { phone } = behindNat(world, `198.51.100.${100 + i}`, "alice");
      const answer = registerFlow(phone, { ...plain, callId: `network-${i}` });
      expect([i, answer.status]).toEqual([i, 200]);
      world.run(60_000);
    }
    const newest = bindings(world, "alice").map(({ flow }) => flow.remote_address);
    expect(newest).toContain("198.51.100.115");
  });

  test("the NAT gave the port of a silent phone to another one: that does not get the first one's calls", () => {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    box.reuse(bindings(world, "alice")[0]!.flow.remote_port);
    const bob = box.place(() => new Phone(world, "bob", "192.168.1.11"));
    registerFlow(bob, plain);
    carol.request("INVITE", "sip:alice@example.test");
    expect(bob.count("INVITE")).toBe(0);
  });

  test("two accounts of one phone share its flow: both are called over it", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    registerFlow(alice, { ...plain, user: "second", contact: `sip:second@${INNER}:5060`, callId: "second" });
    for (const user of ["alice", "second"])
      carol.request("INVITE", `sip:${user}@example.test`, { callId: user });
    expect(alice.count("INVITE")).toBe(2);
  });

  test("two clients with one private Via and one branch behind two NATs are two clients", () => {
    const world = lab();
    const { phone: home } = behindNat(world, "198.51.100.20", "alice");
    const { phone: work } = behindNat(world, "198.51.100.21", "alice");
    for (const phone of [home, work])
      phone.request("OPTIONS", "sip:example.test", {
        branch: "z9hG4bK1",
        callId: phone === home ? "1" : "2",
      });
    expect(home.answers("OPTIONS").map(({ callId }) => callId)).toEqual(["1"]);
    expect(work.answers("OPTIONS").map(({ callId }) => callId)).toEqual(["2"]);
  });
});

describe("NAT-15, NAT-30 answers to a phone behind a NAT", () => {
  test("with rport: received and rport say where it came from, and the private sent-by stays", () => {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
    alice.request("OPTIONS", "sip:example.test");
    const via = alice.last().text(H.Via)!;
    expect(via).toContain(`${INNER}:5060;`);
    expect(via).toContain(`;received=${box.address}`);
    expect(via).toMatch(/;rport=30000\b/);
  });
});

describe("NAT-15 a phone that does not ask for rport", () => {
  test("behind a NAT it is answered where its packet came from all the same", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    alice.request("OPTIONS", "sip:example.test", { viaParams: "" });
    expect(alice.got.map(({ status }) => status)).toEqual([200]);
  });

  test("without a NAT the sent-by port counts (RFC 3261 §18.2.2)", () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const listening = new Phone(world, "alice", "198.51.100.7", 5999);
    const text = alice.write("OPTIONS", "sip:example.test", { viaParams: "" });
    alice.send(text.replace(alice.sentBy, listening.sentBy));
    world.run(20);
    expect([alice.got.length, listening.got.length]).toEqual([0, 1]);
  });
});

describe("NAT-16 calls of phones behind NATs", () => {
  for (const calleeIsNatted of [true, false])
    for (const registered of [true, false])
      test(`a ${registered ? "registered" : "not registered"} caller behind a NAT, callee ${calleeIsNatted ? "behind another" : "on the open network"}: all of the dialog, both ways`, () => {
        const world = lab();
        const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
        const bob = calleeIsNatted
          ? behindNat(world, "198.51.100.21", "bob").phone
          : new Phone(world, "bob", "198.51.100.8");
        if (registered) registerFlow(alice, plain);
        registerFlow(bob, plain);
        const { arrived, caller, callee } = setUp(alice, bob, { headers: [`Contact: <sip:a@${INNER}>`] });
        expect(urisOf(arrived, H.Contact)).toEqual([`sip:a@${INNER}`]);
        expect(bob.count("ACK")).toBe(1);
        bob.request("INVITE", callee.target, inside(callee, { cseq: 7 }));
        expect(alice.incoming("INVITE").uriText).toBe(`sip:a@${INNER}`);
        alice.answer(alice.incoming("INVITE"), 200);
        bob.request("ACK", callee.target, inside(callee, { cseq: 7 }));
        expect(alice.count("ACK")).toBe(1);
        alice.request("UPDATE", caller.target, inside(caller, { cseq: 8 }));
        bob.answer(bob.incoming("UPDATE"), 200);
        bob.request("BYE", callee.target, inside(callee, { cseq: 9 }));
        alice.answer(alice.incoming("BYE"), 200);
        expect(bob.last().status).toBe(200);
        world.run(SETTLE_MS);
        expect(leftovers(world)).toEqual(NOTHING_LEFT);
      });

  test("NT-21 the record names the flow that the call came on, and not what its caller says of itself", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    const { caller } = setUp(alice, bob);
    alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    bob.answer(bob.incoming("BYE"), 200);
    world.run(SETTLE_MS);
    expect(world.records.map(({ source }) => source)).toEqual([`udp:${EDGE}:5060>198.51.100.20:30000`]);
  });

  test("CANCEL and the ACK of its 487 reach the phone that rings", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    registerFlow(bob, plain);
    const sent = alice.request("INVITE", "sip:bob@example.test");
    bob.answer(bob.incoming("INVITE"), 180);
    alice.cancel(sent);
    expect(bob.incoming("CANCEL").uriText).toBe(bob.contact);
    bob.answer(bob.incoming("CANCEL"), 200);
    bob.answer(bob.incoming("INVITE"), 487);
    expect(bob.count("ACK")).toBe(1);
    expect(alice.statuses("INVITE")).toEqual([180, 487]);
  });

  test("a phone behind a NAT and a callee behind another proxy: requests of both go the whole way", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const proxy = new Phone(world, "proxy", "198.51.100.60");
    const route = "<sip:198.51.100.60;lr>";
    alice.request("INVITE", "sip:far@198.51.100.60");
    const arrived = proxy.incoming("INVITE");
    // The proxy answers for a phone of its own and stays in the path.
    const routes = entries(arrived, H.RecordRoute);
    const reply = proxy.reply(arrived, 200, {
      headers: ["Contact: <sip:far@10.9.9.9>", `Record-Route: ${route}`],
    });
    expect(reply).toContain(route);
    world.run(20);
    const answer = alice.last();
    const dialog = { ...callerDialog(answer), route: [...routes.toReversed(), route] };
    alice.request("ACK", dialog.target, inside(dialog));
    expect(proxy.incoming("ACK").uriText).toBe("sip:far@10.9.9.9");
    expect(entries(proxy.incoming("ACK"), H.Route)).toEqual([route]);
    const back = calleeDialog(arrived, answer.toTag!);
    proxy.request("BYE", back.target, inside(back, { cseq: 3 }));
    expect(alice.incoming("BYE").uriText).toBe(alice.contact);
  });

  test("the caller's NAT gave it another port within the call: its BYE still ends it", () => {
    const world = lab();
    const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    registerFlow(bob, plain);
    const { caller } = setUp(alice, bob);
    box.flush();
    alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    expect(bob.count("BYE")).toBe(1);
  });

  test("the same for a caller who is no user of ours", () => {
    const world = lab("[calls]\naccept_foreign_callers = true\n");
    const { box, phone: guest } = behindNat(world, "203.0.113.20", "guest");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    registerFlow(bob, plain);
    const { caller } = setUp(guest, bob, { from: "<sip:guest@elsewhere.test>" });
    box.flush();
    guest.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    expect(bob.count("BYE")).toBe(1);
  });

  test("SUBSCRIBE and its NOTIFYs go to flows both ways", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    registerFlow(bob, plain);
    alice.request("SUBSCRIBE", "sip:bob@example.test");
    const arrived = bob.incoming("SUBSCRIBE");
    bob.answer(arrived, 200);
    const dialog = calleeDialog(arrived, alice.last().toTag!);
    bob.request("NOTIFY", dialog.target, inside(dialog, { cseq: 2 }));
    expect(alice.incoming("NOTIFY").uriText).toBe(alice.contact);
  });

  test("nothing that leaves carries the private address but in the phone's own Via, Contact and From", () => {
    const world = lab();
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const bob = new Phone(world, "bob", "198.51.100.8");
    registerFlow(alice, plain);
    bob.register();
    const { arrived } = setUp(alice, bob);
    const ours = text(arrived)
      .split("\r\n")
      .filter(
        (line) => /^(Record-Route|Route|Path):/.test(line) || (/^Via:/.test(line) && line.includes(EDGE)),
      );
    expect(ours).toHaveLength(2);
    for (const line of ours) expect(line).not.toContain("192.168.");
  });

  test("B-19 IPv6: a phone with a unique-local Contact is reached at its source", () => {
    const world = lab();
    const outer = "2001:db8:7::20";
    const box = world.network.nat(outer);
    const alice = box.place(() => new Phone(world, "alice", "fd00::10"));
    const carol = new Phone(world, "carol", "2001:db8:7::9");
    alice.send(
      alice.write("REGISTER", "sip:example.test", { to: "<sip:alice@example.test>" }),
      "2001:db8::1",
    );
    world.run(20);
    expect(alice.last().text(H.Via)).toContain(`;received=${outer}`);
    carol.send(carol.write("INVITE", "sip:alice@example.test"), "2001:db8::1");
    world.run(20);
    expect(alice.incoming("INVITE").uriText).toBe("sip:alice@[fd00::10]:5060");
    alice.answer(alice.incoming("INVITE"), 200);
    const dialog = callerDialog(carol.last());
    carol.send(carol.write("BYE", dialog.target, inside(dialog, { cseq: 2 })), "2001:db8::1");
    world.run(20);
    expect(alice.count("BYE")).toBe(1);
  });
});

describe("phones that need no help", () => {
  test("a phone that has learned its public address is called there, not at its packet's source", () => {
    const world = lab('[nat]\nreasons = ["private_contact"]\n');
    const alice = new Phone(world, "alice", "198.51.100.7");
    const elsewhere = new Phone(world, "alice", "198.51.100.17", 5070);
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, { ...plain, contact: elsewhere.contact });
    carol.request("INVITE", "sip:alice@example.test");
    expect([alice.count("INVITE"), elsewhere.count("INVITE")]).toEqual([0, 1]);
  });

  test("a reason that does not count is none: the Contact decides", () => {
    const world = lab('[nat]\nreasons = ["websocket"]\n');
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    carol.request("INVITE", "sip:alice@example.test");
    expect(alice.count("INVITE")).toBe(0);
  });
});
