/** Response processing (RFC 3261 §16.7): forking, the best answer, challenges, 6xx, timeouts. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { entries, lab, leftovers, lines, NOTHING_LEFT, Phone, SETTLE_MS, text } from "./kit.ts";

/** Alice calls bob, who has n phones. */
function rig(n = 3, toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const phones = Array.from({ length: n }, (_, i) => {
    const phone = new Phone(world, "bob", `198.51.100.${30 + i}`);
    phone.register(3600, [], `reg-${i}`);
    return phone;
  });
  return { world, alice, phones };
}

function called(n = 3, method = "INVITE") {
  const made = rig(n);
  const sent = made.alice.request(method, "sip:bob@example.test");
  const arrived = made.phones.map((phone) => phone.incoming(method));
  return { ...made, sent, arrived };
}

describe("TM-08, SRV-10 RFC 3261 §16.6 parallel forking", () => {
  test("TM-07, SIP-16 each phone gets its copy: own branch, own Request-URI, the same Call-ID, tags and CSeq", () => {
    const { arrived, phones } = called();
    expect(arrived.map((each) => each.uriText)).toEqual(phones.map((phone) => phone.contact));
    expect(new Set(arrived.map((each) => each.texts(H.Via)[0])).size).toBe(3);
    for (const header of [H.CallId, H.From, H.To, H.CSeq])
      expect(new Set(arrived.map((each) => each.text(header))).size).toBe(1);
  });

  test("limits.branches_max: no more copies than that, the highest q first", () => {
    const { alice, phones } = rig(3, '[limits]\nbranches_max = 2\n[calls]\nfork = "parallel"\n');
    for (const [i, phone] of phones.entries())
      phone.request("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        callId: `again-${i}`,
        headers: [`Contact: <${phone.contact}>;q=0.${[2, 9, 5][i]}`],
      });
    alice.request("INVITE", "sip:bob@example.test");
    expect(phones.map((phone) => phone.count("INVITE"))).toEqual([0, 1, 1]);
  });
});

describe("RFC 3261 §16.2 and §16.7 provisional answers", () => {
  test("TM-23, TM-24 100 at once to an INVITE, without a To tag (§8.2.6.2); none to other requests", () => {
    const { world, alice } = rig(1);
    alice.send(alice.write("INVITE", "sip:bob@example.test", { headers: ["Timestamp: 54"] }));
    alice.send(alice.write("MESSAGE", "sip:bob@example.test", { headers: [] }));
    world.run(2);
    expect(alice.host.statuses()).toEqual([100]);
    expect(alice.last().toTag).toBeNull();
    expect(lines(alice.last())).toContain("Timestamp: 54"); // §8.2.6.1
  });
  test("TM-59 a phone's 100 is not passed on, its 180 and 183 are, from every phone", () => {
    const { alice, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 100);
    phones[0]!.answer(arrived[0]!, 180, { toTag: "b0" });
    phones[1]!.answer(arrived[1]!, 183, { toTag: "b1" });
    phones[0]!.answer(arrived[0]!, 180, { toTag: "b0" });
    expect(alice.answers("INVITE").map((each) => [each.status, each.toTag!])).toEqual([
      [180, "b0"],
      [183, "b1"],
      [180, "b0"],
    ]);
    expect(alice.host.statuses().filter((status) => status === 100)).toHaveLength(1);
  });
});

describe("RFC 3261 §16.7 step 5 and step 10: the first 2xx wins", () => {
  test("TM-53, B-28 the others are cancelled, with the reason (RFC 3326), and their 487 goes nowhere", () => {
    const { alice, phones, arrived } = called();
    for (const [i, phone] of phones.entries()) phone.answer(arrived[i]!, 180, { toTag: `b${i}` });
    phones[1]!.answer(arrived[1]!, 200, { toTag: "b1" });
    expect(phones.map((phone) => phone.count("CANCEL"))).toEqual([1, 0, 1]);
    const cancel = phones[0]!.incoming("CANCEL");
    expect(cancel.texts(H.Reason)).toEqual(['SIP;cause=200;text="Call completed elsewhere"']);
    expect(cancel.texts(H.Via)).toEqual(arrived[0]!.texts(H.Via).slice(0, 1));
    for (const i of [0, 2]) {
      phones[i]!.answer(phones[i]!.incoming("CANCEL"), 200);
      phones[i]!.answer(arrived[i]!, 487, { toTag: `b${i}` });
      expect(phones[i]!.count("ACK")).toBe(1);
    }
    expect(alice.statuses("INVITE")).toEqual([180, 180, 180, 200]);
  });

  test("a phone that has not answered at all is cancelled when its first provisional answer comes", () => {
    const { phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 200);
    expect(phones[1]!.count("CANCEL")).toBe(0);
    phones[1]!.answer(arrived[1]!, 180);
    expect(phones[1]!.count("CANCEL")).toBe(1);
  });

  test("two 2xx are both passed on; the caller ends one of the dialogs", () => {
    const { alice, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 200, { toTag: "b0" });
    phones[1]!.answer(arrived[1]!, 200, { toTag: "b1" });
    expect(alice.answers("INVITE").map((each) => each.toTag)).toEqual(["b0", "b1"]);
  });

  test("a repeated 2xx is passed on each time: the phone repeats until it has the ACK (§13.3.1.4)", () => {
    const { alice, phones, arrived } = called(1);
    for (let i = 0; i < 3; i++) phones[0]!.answer(arrived[0]!, 200);
    expect(alice.statuses("INVITE")).toEqual([200, 200, 200]);
  });

  test("no 18x after the 2xx of another phone", () => {
    const { alice, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 200);
    phones[1]!.answer(arrived[1]!, 180);
    expect(alice.statuses("INVITE")).toEqual([200]);
  });

  test("a 200 that comes more than 64*T1 after the first one, from a phone that was silent until then", () => {
    const { world, alice, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 200, { toTag: "b0" });
    world.run(31_500);
    phones[1]!.answer(arrived[1]!, 180, { toTag: "b1" }); // its CANCEL leaves only now
    world.run(5_000);
    phones[1]!.answer(arrived[1]!, 200, { toTag: "b1" });
    expect(alice.answers("INVITE").map((each) => each.toTag)).toEqual(["b0", "b1"]);
  });

  test("non-INVITE: one 2xx goes back, the others do not", () => {
    const { alice, phones, arrived } = called(3, "MESSAGE");
    for (const [i, phone] of phones.entries()) phone.answer(arrived[i]!, 200);
    expect(alice.statuses("MESSAGE")).toEqual([200]);
    for (const phone of phones) expect(phone.count("CANCEL")).toBe(0);
  });
});

describe("RFC 3261 §16.7 step 6 the best answer", () => {
  const cases: readonly [string, readonly number[], number][] = [
    ["6xx before all", [486, 603, 302], 603],
    ["the lowest class: 3xx before 4xx and 5xx", [500, 486, 302], 302],
    ["4xx before 5xx", [500, 501, 404], 404],
    ["within 4xx: 401 tells more", [486, 404, 401], 401],
    ["within 4xx: 407 tells more", [486, 407, 404], 407],
    ["within 4xx: 415 tells more", [486, 415, 480], 415],
    ["within 4xx: 420 tells more", [486, 480, 420], 420],
    ["within 4xx: 484 tells more", [486, 480, 484], 484],
    ["503 only when there is nothing else, and then as 500", [503, 503, 503], 500],
    ["501 before 503", [503, 501, 503], 501],
    ["486 before 503", [503, 486, 503], 486],
  ];
  for (const [name, statuses, best] of cases)
    test(`${name}: ${statuses.join(", ")} gives ${best}`, () => {
      const { alice, phones, arrived } = called();
      for (const [i, phone] of phones.entries()) {
        phone.answer(arrived[i]!, statuses[i]!);
        expect(phone.count("ACK")).toBe(1);
        expect(alice.statuses("INVITE")).toEqual(i < 2 ? [] : [best]);
      }
    });

  test("every order of 302, 486, 503 gives 302", () => {
    const orders = [
      [302, 486, 503],
      [302, 503, 486],
      [486, 302, 503],
      [486, 503, 302],
      [503, 302, 486],
      [503, 486, 302],
    ];
    for (const statuses of orders) {
      const { alice, phones, arrived } = called();
      for (const [i, phone] of phones.entries()) phone.answer(arrived[i]!, statuses[i]!);
      expect(alice.statuses("INVITE")).toEqual([302]);
    }
  });

  test("TM-55 a single 503 becomes 500, its other headers stay", () => {
    const { alice, phones, arrived } = called(1);
    phones[0]!.answer(arrived[0]!, 503, { headers: ["Retry-After: 120", "X-Why: x"] });
    const answer = text(alice.answers("INVITE")[0]!);
    expect(answer).toStartWith("SIP/2.0 500 Server Internal Error\r\n");
    expect(answer).toContain("\r\nX-Why: x\r\n");
  });

  test("a refusal is passed on once, however often the phone repeats it, and repeated by us until the ACK", () => {
    const { world, alice, sent, phones, arrived } = called(1);
    phones[0]!.answer(arrived[0]!, 486);
    phones[0]!.answer(arrived[0]!, 486);
    expect(phones[0]!.count("ACK")).toBe(2);
    expect(alice.statuses("INVITE")).toEqual([486]);
    world.run(1600);
    expect(alice.statuses("INVITE")).toEqual([486, 486, 486]);
    alice.ackRefusal(sent, alice.last());
    world.run(10_000);
    expect(alice.statuses("INVITE")).toHaveLength(3);
    expect(phones[0]!.count("ACK")).toBe(2); // the caller's ACK ends here (§17.2.1)
  });
});

describe("RFC 3261 §16.7 step 5 6xx", () => {
  test("cancels the others and goes back when they have ended", () => {
    const { alice, phones, arrived } = called(2);
    phones[1]!.answer(arrived[1]!, 180);
    phones[0]!.answer(arrived[0]!, 603);
    expect(phones[1]!.count("CANCEL")).toBe(1);
    expect(alice.statuses("INVITE")).toEqual([180]);
    phones[1]!.answer(arrived[1]!, 487);
    expect(alice.statuses("INVITE")).toEqual([180, 603]);
  });
  test("a 2xx that crosses the CANCEL wins all the same", () => {
    const { alice, phones, arrived } = called(2);
    phones[1]!.answer(arrived[1]!, 180);
    phones[0]!.answer(arrived[0]!, 603);
    phones[1]!.answer(arrived[1]!, 200);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
  });
  test("6xx to a non-INVITE waits for the others; nothing is cancelled", () => {
    const { alice, phones, arrived } = called(2, "MESSAGE");
    phones[0]!.answer(arrived[0]!, 603);
    expect([alice.statuses("MESSAGE").length, phones[1]!.count("CANCEL")]).toEqual([0, 0]);
    phones[1]!.answer(arrived[1]!, 404);
    expect(alice.statuses("MESSAGE")).toEqual([603]);
  });
});

describe("RFC 3261 §16.7 step 7 challenges", () => {
  test("TM-26 those of all 401 and 407 go along with the best", () => {
    const { alice, phones, arrived } = called(3);
    const challenge = (realm: string) => `Digest realm="${realm}", nonce="n"`;
    phones[0]!.answer(arrived[0]!, 407, { headers: [`Proxy-Authenticate: ${challenge("p0")}`] });
    phones[1]!.answer(arrived[1]!, 401, {
      headers: [`WWW-Authenticate: ${challenge("w1")}`, `WWW-Authenticate: ${challenge("w2")}`],
    });
    phones[2]!.answer(arrived[2]!, 486);
    const [answer] = alice.answers("INVITE");
    expect([401, 407]).toContain(answer!.status);
    expect(answer!.texts(H.ProxyAuthenticate)).toEqual([challenge("p0")]);
    expect(answer!.texts(H.WwwAuthenticate)).toEqual([challenge("w1"), challenge("w2")]);
    expect(answer!.countOf(H.Via)).toBe(1);
  });
  test("a best answer that is none of them carries no challenge of the others", () => {
    const { alice, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 401, { headers: ['WWW-Authenticate: Digest realm="w", nonce="n"'] });
    phones[1]!.answer(arrived[1]!, 603);
    expect(text(alice.answers("INVITE")[0]!)).not.toContain("Authenticate");
  });
});

describe("RFC 3261 §16.7 and §17.1.1.2 silence", () => {
  test("TM-22, FLOW-15 one silent phone: 408 after 64*T1", () => {
    const { world, alice } = called(1);
    world.run(31_900);
    expect(alice.statuses("INVITE")).toEqual([]);
    world.run(200);
    expect(alice.statuses("INVITE")).toEqual([408]);
  });
  test("408 of our own loses against a real answer of any class", () => {
    for (const status of [302, 486, 500, 603]) {
      const { world, alice, phones, arrived } = called(2);
      phones[0]!.answer(arrived[0]!, status);
      world.run(33_000);
      expect(alice.statuses("INVITE")[0]).toBe(status);
    }
  });
  test("TM-02 the INVITE is repeated to the silent phone, and only to it", () => {
    const { world, phones, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(3600);
    expect(phones.map((phone) => phone.count("INVITE"))).toEqual([1, 4]);
  });
});

describe("RFC 3261 §16.9 a connection that fails", () => {
  test("while a phone of ours rings: it is away, the caller hears 480 at once", () => {
    const { world, alice } = rig(0);
    const tina = new Phone(world, "tina", "198.51.100.20", 5060, "tcp");
    tina.register();
    alice.request("INVITE", "sip:tina@example.test");
    tina.answer(tina.incoming("INVITE"), 180);
    for (const connection of tina.host.transports.connections) connection.close("reset");
    world.run(20);
    expect(alice.statuses("INVITE")).toEqual([180, 480]);
  });
  test("another phone's answer is better", () => {
    const { world, alice, phones } = rig(1);
    const bobTcp = new Phone(world, "bob", "198.51.100.40", 5060, "tcp");
    bobTcp.register(3600, [], "reg-tcp");
    alice.request("INVITE", "sip:bob@example.test");
    phones[0]!.answer(phones[0]!.incoming("INVITE"), 180);
    for (const connection of bobTcp.host.transports.connections) connection.close("reset");
    phones[0]!.answer(phones[0]!.incoming("INVITE"), 486);
    expect(alice.statuses("INVITE")).toEqual([180, 486]);
  });
  test("§17.2.4 the caller's connection: what rings is cancelled once an answer cannot be delivered", () => {
    const { world, phones } = rig(1);
    const tina = new Phone(world, "tina", "198.51.100.20", 5060, "tcp");
    tina.request("INVITE", "sip:bob@example.test");
    const bob = phones[0]!;
    bob.answer(bob.incoming("INVITE"), 180);
    // Its host is gone: the connection is closed and a new one is refused.
    for (const connection of tina.host.transports.connections) connection.close("reset");
    const flowTo = world.transports.flowTo.bind(world.transports);
    world.transports.flowTo = (transport, address, port, from) =>
      transport === "tcp" ? null : flowTo(transport, address, port, from);
    bob.answer(bob.incoming("INVITE"), 183);
    expect(bob.count("CANCEL")).toBe(1);
  });
});

describe("RFC 3261 §16.7 step 3 Via", () => {
  test("an answer without the caller's Via is not taken for ours: the caller hears 502, not silence", () => {
    const { world, alice, phones, arrived } = called(1);
    const bob = phones[0]!;
    const [own] = arrived[0]!.texts(H.Via);
    bob.host.send([
      "SIP/2.0 486 Busy",
      `Via: ${own}`,
      `From: ${arrived[0]!.text(H.From)}`,
      `To: ${arrived[0]!.text(H.To)};tag=b`,
      `Call-ID: ${arrived[0]!.callId}`,
      "CSeq: 1 INVITE",
      "Content-Length: 0",
    ]);
    world.run(20);
    expect(alice.statuses("INVITE")).toEqual([502]);
  });
});

test("nothing is left after forked calls of every outcome", () => {
  const { world, alice, phones } = rig(3);
  const outcomes = [
    [200, 486, 603],
    [486, 486, 486],
    [200, 200, 200],
    [0, 0, 0],
    [180, 0, 486],
    [603, 180, 0],
  ];
  for (const [n, statuses] of outcomes.entries()) {
    const sent = alice.request("INVITE", "sip:bob@example.test", { callId: `call-${n}` });
    for (const [i, phone] of phones.entries())
      if (statuses[i]! > 0) phone.answer(phone.incoming("INVITE"), statuses[i]!);
    const final = alice
      .answers("INVITE")
      .findLast((each) => each.callId === `call-${n}` && each.status >= 300);
    if (final !== undefined) alice.ackRefusal(sent, final);
  }
  world.run(300_000 + SETTLE_MS);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
  expect(world.counter("sipedge_proxied_begun_total")).toBe(outcomes.length);
  expect(world.counter("sipedge_proxied_ended_total")).toBe(outcomes.length);
  expect(entries(alice.last(), H.Via)).toHaveLength(1);
});

test("TM-47, TM-48 a mistake of ours: 500 Server Internal Error, counted, and the next call goes on", () => {
  const { world, alice, phones } = rig(1);
  const bindings = world.store.bindings.bind(world.store);
  world.store.bindings = () => {
    throw new Error("provoked");
  };
  alice.request("INVITE", "sip:bob@example.test");
  expect(text(alice.last())).toStartWith("SIP/2.0 500 Server Internal Error\r\n");
  expect(world.counter("sipedge_exceptions_total")).toBe(1);
  world.store.bindings = bindings;
  alice.request("INVITE", "sip:bob@example.test", { callId: "next" });
  expect(phones[0]!.count("INVITE")).toBe(1);
});
