/** The next place when one leads nowhere (RFC 3263 §4.3): silence, 503, a refused connection. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { entries, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";

const SERVERS = ["198.51.100.51", "198.51.100.52", "198.51.100.53"];

/** Alice calls somebody at a name with three addresses; the servers behind `live` of them exist. */
async function rig(live: readonly number[], toml = "", method = "INVITE", addresses = SERVERS) {
  const resolver = { addresses: async () => addresses, services: async () => [] };
  const world = lab(toml, { resolver });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const servers = live.map((i) => new Phone(world, `server${i}`, addresses[i]!));
  const sent = alice.request(method, "sip:x@trunk.test");
  await settled();
  world.run(20);
  return { world, alice, servers, sent };
}

/** Lets look-ups that are answered already come back. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const counts = (phones: readonly Phone[], method = "INVITE") => phones.map((phone) => phone.count(method));

describe("TM-34 RFC 3263 §4.3 failover", () => {
  test("silence for timers.failover_s: the next place gets a copy of its own, with Via and branch built anew", async () => {
    const { world, alice, servers } = await rig([1, 2]);
    expect(counts(servers)).toEqual([0, 0]);
    world.run(3_900);
    expect(counts(servers)).toEqual([0, 0]);
    world.run(200);
    expect(counts(servers)).toEqual([1, 0]);
    servers[0]!.answer(servers[0]!.incoming("INVITE"), 200);
    expect(alice.statuses("INVITE")).toEqual([200]);
    world.run(SETTLE_MS);
  });

  test("a 503 moves on at once, and is not heard upstream", async () => {
    const { alice, servers } = await rig([0, 1, 2]);
    expect(counts(servers)).toEqual([1, 0, 0]);
    const first = servers[0]!.incoming("INVITE");
    servers[0]!.answer(first, 503);
    expect(counts(servers)).toEqual([1, 1, 0]);
    const second = servers[1]!.incoming("INVITE");
    expect(second.texts(H.Via)[0]).not.toBe(first.texts(H.Via)[0]);
    expect([second.callId, second.fromTag, second.uriText]).toEqual([
      first.callId,
      first.fromTag,
      first.uriText,
    ]);
    servers[1]!.answer(second, 503);
    servers[2]!.answer(servers[2]!.incoming("INVITE"), 503);
    expect(alice.statuses("INVITE")).toEqual([500]);
  });

  test.each([404, 486, 500, 600])("a %d is an answer: nobody else is asked", async (status) => {
    const { alice, servers } = await rig([0, 1]);
    servers[0]!.answer(servers[0]!.incoming("INVITE"), status);
    expect([alice.statuses("INVITE"), counts(servers)]).toEqual([[status], [1, 0]]);
  });

  test("one that rings is not measured by it", async () => {
    const { world, servers } = await rig([0, 1]);
    servers[0]!.answer(servers[0]!.incoming("INVITE"), 180);
    world.run(60_000);
    expect(counts(servers)).toEqual([1, 0]);
  });

  test("the first one wakes up after all: its provisional answer brings it a CANCEL, its 200 still wins", async () => {
    const { world, alice, servers } = await rig([0, 1]);
    world.run(4_100);
    expect(counts(servers)[1]).toBe(1);
    servers[0]!.answer(servers[0]!.incoming("INVITE"), 183);
    expect(servers[0]!.count("CANCEL")).toBe(1);
    servers[1]!.answer(servers[1]!.incoming("INVITE"), 180);
    servers[0]!.answer(servers[0]!.incoming("INVITE"), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
    expect(servers[1]!.count("CANCEL")).toBe(1);
  });

  test("non-INVITE too: the next place after failover_s, one answer", async () => {
    const { world, alice, servers } = await rig([1], "", "MESSAGE");
    world.run(4_100);
    servers[0]!.answer(servers[0]!.incoming("MESSAGE"), 200);
    expect(alice.statuses("MESSAGE")).toEqual([200]);
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("all silent: 408, the last one waited for to the end; nothing is left", async () => {
    const { world, alice, sent } = await rig([]);
    world.run(40_100);
    expect(alice.statuses("INVITE")[0]).toBe(408);
    alice.ackRefusal(sent, alice.last());
    world.run(2 * SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("the caller's CANCEL ends it: no other place is tried", async () => {
    const { world, alice, servers, sent } = await rig([1]);
    alice.cancel(sent);
    world.run(10_000);
    expect(counts(servers)).toEqual([0]);
  });

  test("Record-Route stays one entry, and names the flow in use", async () => {
    const { world, servers } = await rig([1]);
    world.run(4_100);
    expect(entries(servers[0]!.incoming("INVITE"), H.RecordRoute)).toHaveLength(1);
  });

  test("TM-57 over the other address family: it leaves by that family's socket, and Via and Record-Route say so", async () => {
    const { world, servers } = await rig([1], "", "INVITE", ["198.51.100.51", "2001:db8:7::52"]);
    world.run(4_100);
    const invite = servers[0]!.incoming("INVITE");
    expect(invite.texts(H.Via)[0]).toStartWith("SIP/2.0/UDP [2001:db8::1]:5060;");
    const routes = entries(invite, H.RecordRoute);
    expect(routes.map((route) => route.replace(/^.*@/, ""))).toEqual([
      "[2001:db8::1]:5060;lr>",
      "192.0.2.1:5060;lr>",
    ]);
  });

  test("DNS-10 RFC 7984 §4 a silent address of one family: the other family's gets its INVITE within a second", async () => {
    const other = await rig([1], "", "INVITE", ["198.51.100.51", "2001:db8:7::52"]);
    other.world.run(900);
    expect(other.servers[0]!.count("INVITE")).toBe(1);
    const same = await rig([1], "", "INVITE", ["198.51.100.51", "198.51.100.52"]);
    same.world.run(900);
    expect(same.servers[0]!.count("INVITE")).toBe(0);
  });

  test("B-20 a request too long for a datagram takes the stream that name service offers beside it", async () => {
    const services = async (name: string) =>
      /^_sip\._(udp|tcp)\.trunk\.test$/.test(name)
        ? [{ priority: 1, weight: 1, port: 5060, target: "gw.test" }]
        : [];
    const world = lab("", { resolver: { addresses: async () => ["198.51.100.51"], services } });
    const alice = new Phone(world, "alice", "198.51.100.7");
    const udp = new Phone(world, "gw", "198.51.100.51");
    const tcp = new Phone(world, "gw", "198.51.100.51", 5060, "tcp");
    for (const [callId, body] of [
      ["short", "x"],
      ["long", "x".repeat(1300)],
    ] as const) {
      alice.request("MESSAGE", "sip:x@trunk.test", { callId, body });
      await settled();
      world.run(100);
    }
    expect([udp.incoming("MESSAGE").callId, tcp.incoming("MESSAGE").callId]).toEqual(["short", "long"]);
  });
});
