/** Loops, spirals and breadth (RFC 3261 §16.3 step 4, RFC 5393). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { EDGE, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, text } from "./kit.ts";

const rig = () => {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  return { world, alice, bob };
};

function bind(phone: Phone, user: string, contacts: readonly string[], callId = `reg-${user}`): void {
  phone.request("REGISTER", "sip:example.test", {
    to: `<sip:${user}@example.test>`,
    callId,
    headers: contacts.map((contact) => `Contact: <${contact}>`),
  });
  expect(phone.last().status).toBe(200);
}

/** Sends every request that reaches this phone back to the edge, with a Via of its own and another Request-URI. */
function bounce(phone: Phone, uri: (request: string) => string): void {
  phone.on = (message) => {
    if (!message.isRequest || message.method === "ACK" || message.method === "CANCEL") return;
    const via = `Via: SIP/2.0/UDP ${phone.sentBy};branch=${phone.branch()}\r\n`;
    const line = `${message.method} ${uri(message.uriText)} SIP/2.0\r\n`;
    phone.send(`${line}${via}${text(message).slice(text(message).indexOf("\r\n") + 2)}`);
  };
}

describe("B-10 RFC 5393 §4.2 loop detection", () => {
  test("a request that comes back unchanged: 482", () => {
    const { world, alice, bob } = rig();
    bind(bob, "bob", [bob.contact]);
    bounce(bob, () => "sip:bob@example.test");
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [] });
    world.run(100);
    expect(bob.statuses("MESSAGE")).toEqual([482]);
    expect(bob.count("MESSAGE")).toBe(1);
  });

  test("a spiral, which comes back for another user, passes", () => {
    const { world, alice, bob } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    bind(bob, "bob", [bob.contact]);
    bounce(bob, () => "sip:carol@example.test");
    alice.request("INVITE", "sip:bob@example.test");
    world.run(100);
    expect(carol.count("INVITE")).toBe(1);
    expect(carol.incoming("INVITE").countOf(H.Via)).toBe(4);
  });

  test("a spiral that closes after two turns: 482", () => {
    const { world, alice, bob } = rig();
    bind(bob, "bob", [bob.contact]);
    bind(bob, "carol", [bob.contact], "reg-carol");
    bounce(bob, (uri) => {
      expect(uri).toBe(bob.contact);
      return bob.count("MESSAGE") % 2 === 1 ? "sip:carol@example.test" : "sip:bob@example.test";
    });
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [] });
    world.run(200);
    expect(bob.statuses("MESSAGE")).toContain(482);
    expect(bob.count("MESSAGE")).toBe(2);
  });

  test("another CSeq, Call-ID or tag is another request", () => {
    const { world, alice, bob } = rig();
    bind(bob, "bob", [bob.contact]);
    for (const options of [{ cseq: 1 }, { cseq: 2 }, { cseq: 2, callId: "x" }, { cseq: 2, fromTag: "x" }])
      alice.request("MESSAGE", "sip:bob@example.test", { headers: [], ...options });
    world.run(50);
    expect(bob.count("MESSAGE")).toBe(4);
    expect(alice.statuses("MESSAGE")).toEqual([]);
  });

  test("a Via that only looks like ours, but names another host, is no loop", () => {
    const { world, alice, bob } = rig();
    bind(bob, "bob", [bob.contact]);
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [] });
    const [own] = bob.incoming("MESSAGE").texts(H.Via);
    const foreign = own!.replace(EDGE, "192.0.2.99");
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [`Via: ${foreign}`] });
    world.run(50);
    expect(bob.count("MESSAGE")).toBe(2);
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [`Via: ${own}`] });
    expect(alice.last().status).toBe(482);
  });

  test("a Via far below that nobody can read is its owner's business", () => {
    const { alice, bob } = rig();
    bind(bob, "bob", [bob.contact]);
    alice.request("MESSAGE", "sip:bob@example.test", { headers: ["Via: SIP/7.0/WHAT ;;;"] });
    expect(bob.count("MESSAGE")).toBe(1);
  });
});

describe("RFC 5393 §1 the amplification attack", () => {
  for (const users of [2, 4])
    test(`${users} users, each bound to all of them at our own address: a bounded number of requests`, () => {
      const world = lab("", {});
      const alice = new Phone(world, "alice", "198.51.100.7");
      const names = Array.from({ length: users }, (_, i) => `u${i}`);
      for (const name of names)
        bind(
          alice,
          name,
          names.map((other) => `sip:${other}@${EDGE}:5060`),
          `reg-${name}`,
        );
      const before = world.network.log.length;
      alice.request("INVITE", "sip:u0@example.test");
      world.run(SETTLE_MS);
      const invites = world.network.log.slice(before).filter((each) => each.text.startsWith("INVITE"));
      expect(invites.length).toBeLessThan(1000);
      expect(alice.statuses("INVITE").at(-1)).toBeGreaterThanOrEqual(400);
      world.run(SETTLE_MS * 2);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });
});

describe("RFC 5393 §5.3.3 Max-Breadth", () => {
  function forked(n: number, headers: readonly string[]) {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const phones = Array.from({ length: n }, (_, i) => new Phone(world, "bob", `198.51.100.${30 + i}`));
    for (const [i, phone] of phones.entries()) phone.register(3600, [], `reg-${i}`);
    alice.request("INVITE", "sip:bob@example.test", { headers });
    const shares = phones.flatMap((phone) =>
      phone.count("INVITE") === 0 ? [] : [phone.incoming("INVITE").texts(H.MaxBreadth)],
    );
    return { world, alice, phones, shares };
  }

  test("absent: 60, a sixth kept back for phones that may come later, the rest shared out", () => {
    expect(forked(3, []).shares).toEqual([["16"], ["16"], ["16"]]);
    expect(forked(1, []).shares).toEqual([["50"]]);
  });
  test("the shares together are never more than what came in", () => {
    for (const breadth of [3, 4, 5, 10, 59]) {
      const { shares } = forked(3, [`Max-Breadth: ${breadth}`]);
      const sum = shares.reduce((total, [share]) => total + Number(share), 0);
      expect(sum).toBeLessThanOrEqual(breadth);
      for (const [share] of shares) expect(Number(share)).toBeGreaterThanOrEqual(1);
    }
  });
  test("less than there are targets: no more copies than it allows, or 440", () => {
    const { shares } = forked(3, ["Max-Breadth: 2"]);
    expect(shares.length).toBeLessThanOrEqual(2);
    for (const [share] of shares) expect(share).toBe("1");
  });
  test("one target: passes nearly unchanged", () =>
    expect([5, 7].map((breadth) => forked(1, [`Max-Breadth: ${breadth}`]).shares)).toEqual([
      [["5"]],
      [["6"]],
    ]));
  test("0: 440", () => {
    const { alice, shares } = forked(2, ["Max-Breadth: 0"]);
    expect([shares.length, alice.last().status]).toEqual([0, 440]);
  });
  test("more than 60 is cut to 60; nonsense counts as absent", () => {
    expect(forked(1, ["Max-Breadth: 4000000000"]).shares).toEqual([["50"]]);
    expect(forked(1, ["Max-Breadth: many"]).shares).toEqual([["50"]]);
  });
});
