/** The resolver on virtual name servers: which queries leave, what is kept, and for how long. */
import { describe, expect, test } from "bun:test";
import { encode } from "dns-packet";
import { QUESTIONS_MAX } from "../../src/dns/resolver.ts";
import { parseForwarder } from "../../src/dns/resolver-options.ts";
import {
  a,
  aaaa,
  cname,
  OPTIONS,
  OTHER_SERVER,
  replyBytes,
  rig,
  SERVER,
  soa,
  srv,
  truncated,
  zoneOf,
} from "./name-servers.ts";

const TWO = { servers: [SERVER, OTHER_SERVER].map((address) => ({ address, port: 53 })) };
const CACHE = OPTIONS.cache;

describe("DNS-01 a resolver of our own", () => {
  test("one datagram with EDNS of 1232 bytes, recursion and AD wanted, letters in random case", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, zoneOf([a("gateway.example.test", "192.0.2.1")]));
    expect(ask("gateway.example.test")).toBe("192.0.2.1");
    expect(servers.log).toEqual([`udp ${SERVER} A gateway.example.test`]);
    const { packet } = servers.queries[0]!;
    expect(packet.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1232 }]);
    expect(packet.flags! & 0x0120).toBe(0x0120);
    const spelled = packet.questions![0]!.name;
    expect(spelled.toLowerCase()).toBe("gateway.example.test");
    expect(spelled).not.toBe("gateway.example.test");
  });

  test("RFC 5452 §9: each query has an id and a socket of its own, and none stays open", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, zoneOf([a("a.test", "192.0.2.1", 0)]));
    for (let i = 0; i < 50; i++) ask("a.test");
    expect(new Set(servers.queries.map(({ packet }) => packet.id)).size).toBe(50);
    expect([servers.opened, servers.open]).toEqual([50, 0]);
  });

  test("RFC 5452 §9.1: what does not answer the question is passed over, and the answer behind it taken", () => {
    const { servers, ask, value } = rig();
    const forged = [a("gw.test", "203.0.113.66")];
    servers.at(SERVER, ({ packet }) => [
      Buffer.from("garbage"),
      replyBytes({ ...packet, id: (packet.id! + 1) & 0xffff }, { answers: forged }),
      replyBytes(packet, { answers: forged, questions: [{ name: "other.test", type: "A" }] }),
      replyBytes(packet, {
        answers: forged,
        questions: [{ name: packet.questions![0]!.name, type: "AAAA" }],
      }),
      encode({ ...packet, type: "query" }),
      replyBytes(packet, { answers: [a("gw.test", "192.0.2.1")] }),
    ]);
    expect(ask("gw.test")).toBe("192.0.2.1");
    const ignored = (reason: string) => value("sipedge_dns_ignored_total", { reason });
    expect([ignored("malformed"), ignored("id"), ignored("question")]).toEqual([1, 2, 2]);
  });

  test("an answer in plain letters is asked for again on a stream", () => {
    const { servers, ask, value } = rig();
    servers.at(SERVER, ({ name, type, protocol }) => ({
      questions: [{ name, type: type as "A" }],
      answers: [a(name, protocol === "tcp" ? "192.0.2.1" : "203.0.113.66")],
    }));
    expect(ask("gateway.example.test")).toBe("192.0.2.1");
    expect(servers.log.map((line) => line.slice(0, 3))).toEqual(["udp", "tcp"]);
    expect(value("sipedge_dns_case_changed_total")).toBe(1);
  });

  test("RFC 7766 §5: TC means the whole answer on a stream, however it is cut into pieces", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, ({ protocol, name }) =>
      protocol === "udp" ? truncated : { answers: [a(name, "192.0.2.9")] },
    );
    expect(ask("gw.test")).toBe("192.0.2.9");
    expect(servers.log).toEqual([`udp ${SERVER} A gw.test`, `tcp ${SERVER} A gw.test`]);
    expect(servers.open).toBe(0);
  });

  test("RFC 6891 §6.2.2: a server that refuses EDNS is asked without it from then on", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, ({ packet, name }) =>
      packet.additionals!.length > 0 ? { rcode: 1 } : { answers: [a(name, "192.0.2.1")] },
    );
    expect([ask("gw.test"), ask("gx.test")]).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect(servers.queries.map(({ packet }) => packet.additionals!.length)).toEqual([1, 0, 0]);
  });

  test("a silent server: the next one is asked after its share of the time, and its late answer would count", () => {
    const { servers, ask, clock } = rig(TWO);
    servers.at(OTHER_SERVER, zoneOf([a("gw.test", "192.0.2.2")]));
    expect(ask("gw.test", "A", 990)).toBe("…");
    clock.advance(20);
    expect(servers.log).toEqual([`udp ${SERVER} A gw.test`, `udp ${OTHER_SERVER} A gw.test`]);
    expect(ask("gw.test", "A", 0)).toBe("192.0.2.2");
    const late = rig(TWO);
    late.servers.delay_ms[SERVER] = 1200;
    late.servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1")]));
    expect(late.ask("gw.test", "A", 1300)).toBe("192.0.2.1");
  });

  test("a refused port and SERVFAIL cost no waiting", () => {
    const { servers, ask } = rig(TWO);
    servers.at(SERVER, () => "refuse");
    servers.at(OTHER_SERVER, zoneOf([a("gw.test", "192.0.2.2")]));
    expect(ask("gw.test", "A", 5)).toBe("192.0.2.2");
    const ill = rig(TWO);
    ill.servers.at(SERVER, () => ({ rcode: 2 }));
    ill.servers.at(OTHER_SERVER, zoneOf([a("gw.test", "192.0.2.2")]));
    expect(ill.ask("gw.test", "A", 5)).toBe("192.0.2.2");
  });

  test("a dead server is asked last, tried again beside a live one after 30 s, and comes back", () => {
    const { servers, ask, clock, resolver } = rig(TWO);
    servers.at(OTHER_SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.2")] }));
    ask("a.test", "A", 3000);
    ask("b.test", "A", 3000);
    expect(resolver.snapshot(0).servers[0]).toMatchObject({ server: `${SERVER}:53`, dead: true });
    servers.log.length = 0;
    expect(ask("c.test", "A", 5)).toBe("192.0.2.2");
    expect(servers.log).toEqual([`udp ${OTHER_SERVER} A c.test`]);
    clock.advance(30_000);
    servers.at(SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.1")] }));
    servers.log.length = 0;
    expect(ask("d.test", "A", 5)).toBe("192.0.2.1");
    expect(servers.log).toEqual([`udp ${SERVER} A d.test`, `udp ${OTHER_SERVER} A d.test`]);
    expect(resolver.snapshot(0).servers[0]).toMatchObject({ dead: false });
  });

  test("all servers silent: two rounds, within the time for all, and every socket closed", () => {
    const { servers, ask, clock, value } = rig(TWO);
    expect(ask("gw.test", "A", 4001)).toBe("failed: timeout");
    expect(servers.log).toHaveLength(4);
    expect([servers.open, clock.pending, value("sipedge_dns_timeouts_total")]).toEqual([0, 0, 4]);
  });

  test("the time and the number of rounds come from resolv.conf", () => {
    const { files, servers, ask, clock } = rig({ servers: [] });
    files.write(
      "/etc/resolv.conf",
      "search corp.test\nnameserver 192.0.2.53\noptions timeout:1 attempts:3\n",
    );
    clock.advance(1000);
    expect(ask("gw", "A", 3001)).toBe("failed: timeout");
    expect(servers.log).toEqual(Array.from({ length: 3 }, () => `udp ${SERVER} A gw`));
  });
});

describe("DNS-06 /etc/hosts", () => {
  test("DNS-01 a name of the hosts file: no query of any type leaves", () => {
    const { files, servers, ask } = rig();
    files.write("/etc/hosts", "# home\n10.9.0.2 gw.test GW2.test # a gateway\nfd00::9 gw.test\n");
    expect([ask("gw.test"), ask("gw.test", "AAAA"), ask("gw2.test")]).toEqual([
      "10.9.0.2",
      "fd00::9",
      "10.9.0.2",
    ]);
    expect([ask("gw2.test", "AAAA"), ask("gw.test", "NAPTR")]).toEqual(["no record", "no record"]);
    expect(ask("_sip._udp.gw.test", "SRV")).toBe("no name");
    expect(servers.log).toEqual([]);
  });

  test("a change is seen within a second; the file is not looked at more often, and never while nobody asks", () => {
    const { files, ask, clock } = rig({ servers: [{ address: SERVER, port: 53 }] });
    files.write("/etc/hosts", "10.9.0.2 gw.test\n");
    ask("gw.test", "A", 0);
    files.looks = 0;
    files.write("/etc/hosts", "10.9.0.3 gw.test\n");
    for (let i = 0; i < 100; i++) ask("gw.test", "A", 0);
    expect(files.looks).toBe(0);
    clock.advance(60_000);
    expect([files.looks, clock.pending]).toEqual([0, 0]);
    expect([ask("gw.test", "A", 0), files.looks]).toEqual(["10.9.0.3", 1]);
  });

  test("RFC 6761 §6.3, §6.4: localhost is here, invalid is nowhere", () => {
    const { ask, servers } = rig();
    expect([ask("localhost", "AAAA"), ask("a.localhost"), ask("df7jal23ls0d.invalid")]).toEqual([
      "::1",
      "127.0.0.1",
      "no name",
    ]);
    expect(servers.log).toEqual([]);
  });
});

describe("DNS-02 the cache", () => {
  test("a TTL is kept to the millisecond, and the answer is given in the same turn", () => {
    const { servers, ask, clock } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1", 5)]));
    ask("gw.test", "A", 1); // the answer arrives
    clock.advance(4998);
    expect([ask("gw.test", "A", 0), servers.log.length]).toEqual(["192.0.2.1", 1]);
    clock.advance(2);
    expect([ask("gw.test", "A", 0), servers.log.length]).toEqual(["…", 2]);
  });

  test("TTL 0 and a TTL with its first bit set are asked for again each time (RFC 2181 §8)", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, ({ name }) => ({
      answers: [a(name, "192.0.2.1", name === "z.test" ? 0 : 2 ** 31 + 5)],
    }));
    for (const name of ["z.test", "z.test", "y.test", "y.test"]) expect(ask(name)).toBe("192.0.2.1");
    expect(servers.log).toHaveLength(4);
  });

  test("one query serves a thousand who wait", () => {
    const { servers, resolver, clock, value } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1")]));
    let answered = 0;
    for (let i = 0; i < 1000; i++) resolver.ask("gw.test", "A", () => answered++);
    clock.advance(10);
    expect([answered, servers.log.length]).toEqual([1000, 1]);
    expect(value("sipedge_dns_questions_total", { by: "joined" })).toBe(999);
  });

  test("RFC 2308 §5: no such name is kept for the lesser of SOA TTL and MINIMUM, at most 60 s", () => {
    for (const [ttl, minimum, kept_s] of [
      [300, 20, 20],
      [10, 300, 10],
      [9000, 9000, 60],
    ] as const) {
      const { servers, ask, clock } = rig();
      servers.at(SERVER, zoneOf([], soa("test", ttl, minimum)));
      expect(ask("no.test", "A", 1)).toBe("no name");
      clock.advance(kept_s * 1000 - 1);
      expect([ask("no.test", "A", 0), servers.log.length]).toEqual(["no name", 1]);
      clock.advance(1);
      expect([ask("no.test", "A", 0), servers.log.length]).toEqual(["…", 2]);
    }
  });

  test("RFC 2308 §2.2: no such record is not no such name", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1")]));
    expect([ask("gw.test", "AAAA"), ask("gx.test", "AAAA")]).toEqual(["no record", "no name"]);
  });

  test("DNS-14 SERVFAIL is a failure at once, kept for a second and never as no such name", () => {
    const { servers, ask, clock } = rig();
    servers.at(SERVER, () => ({ rcode: 2 }));
    expect(ask("broken.test", "A", 5)).toBe("failed: SERVFAIL");
    expect([ask("broken.test", "A", 0), servers.log.length]).toEqual(["failed: SERVFAIL", 1]);
    clock.advance(1001);
    servers.at(SERVER, zoneOf([a("broken.test", "192.0.2.1")]));
    expect(ask("broken.test")).toBe("192.0.2.1");
  });

  test("RFC 8767: a stale answer when asked for, at once after a failure, and after 1.8 s while it is sought", () => {
    const { servers, ask, clock } = rig({ cache: { ...CACHE, stale_ms: 3_600_000 } });
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1", 5)]));
    ask("gw.test");
    servers.at(SERVER, () => "silence");
    clock.advance(6000);
    expect(ask("gw.test", "A", 1799)).toBe("…");
    expect(ask("gw.test", "A", 2)).toBe("stale 192.0.2.1");
    clock.advance(3000); // the query has failed
    servers.log.length = 0;
    expect([ask("gw.test", "A", 0), servers.log.length]).toEqual(["stale 192.0.2.1", 0]);
    clock.advance(30_000);
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.7", 5)]));
    expect(ask("gw.test")).toBe("192.0.2.7");
  });

  test("RFC 8767: without the option, and past it, nothing old is served", () => {
    const { servers, ask, clock } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1", 5)]));
    ask("gw.test");
    servers.at(SERVER, () => ({ rcode: 2 }));
    clock.advance(6000);
    expect(ask("gw.test")).toBe("failed: SERVFAIL");
  });

  test("a name in use is fetched anew in the last tenth of its time, one that is not is left", () => {
    const { servers, ask, clock, value } = rig();
    servers.at(SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.1", 100)] }));
    for (const name of ["hot.test", "cold.test", "hot.test", "hot.test"]) ask(name, "A", 1);
    clock.advance(89_000);
    servers.log.length = 0;
    ask("hot.test", "A", 0);
    expect(servers.log).toEqual([]); // 89 s of 100
    clock.advance(2000);
    expect([ask("hot.test"), ask("cold.test"), servers.log]).toEqual([
      "192.0.2.1",
      "192.0.2.1",
      [`udp ${SERVER} A hot.test`],
    ]);
    clock.advance(20_000);
    expect([ask("hot.test", "A", 0), value("sipedge_dns_prefetched_total")]).toEqual(["192.0.2.1", 1]);
  });

  test("flush: one name in any spelling, or all", () => {
    const { servers, ask, resolver } = rig();
    servers.at(SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.1")] }));
    for (const name of ["a.test", "b.test", "c.test"]) ask(name);
    expect([resolver.flush("A.test."), resolver.snapshot(10).entries, resolver.flush()]).toEqual([1, 2, 2]);
    ask("b.test");
    expect(servers.log).toHaveLength(4);
  });

  test("the snapshot names the answers used last, their time and their servers", () => {
    const { servers, ask, clock, resolver } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1", 100)]));
    ask("gw.test", "A", 1);
    ask("gw.test");
    clock.advance(990);
    const snapshot = resolver.snapshot(5);
    expect(snapshot).toMatchObject({ entries: 1, entries_max: 1000, underway: 0 });
    expect(snapshot.records).toMatchObject([{ name: "gw.test", type: "A", expires_in_ms: 99_000, hits: 1 }]);
    expect(snapshot.servers).toMatchObject([{ server: `${SERVER}:53`, sent: 1, answered: 1, dead: false }]);
  });
});

describe("DNS-07 the cache is bounded", () => {
  test("100,000 distinct names leave it within its entries and bytes, the newest in it", () => {
    const { servers, resolver, clock, ask, value } = rig({
      cache: { entries_max: 500, bytes_max: 1e6, stale_ms: 0 },
    });
    servers.at(SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.1")] }));
    let most = 0;
    for (let i = 0; i < 100_000; i += 100) {
      for (let j = 0; j < 100; j++) resolver.ask(`n${i + j}.test`, "A", () => {});
      clock.advance(1);
      most = Math.max(most, resolver.snapshot(0).entries);
      servers.log.length = 0;
      servers.queries.length = 0;
    }
    const { entries, bytes } = resolver.snapshot(0);
    expect([most, entries]).toEqual([500, 500]);
    expect(bytes).toBeLessThan(500 * 600);
    expect(value("sipedge_dns_cache_evicted_total", { bound: "entries" })).toBe(99_500);
    expect(ask("n99999.test", "A", 0)).toBe("192.0.2.1");
  });

  test("long answers are bounded in bytes", () => {
    const { servers, resolver, ask } = rig({ cache: { entries_max: 1e6, bytes_max: 65_536, stale_ms: 0 } });
    servers.at(SERVER, ({ name }) => ({
      answers: Array.from({ length: 30 }, (_, i) =>
        srv(name, [0, 0, 5060 + i, `${"x".repeat(20)}${i}.test`]),
      ),
    }));
    for (let i = 0; i < 100; i++) ask(`_sip._udp.n${i}.test`, "SRV", 2);
    const { bytes, entries } = resolver.snapshot(0);
    expect(bytes).toBeLessThanOrEqual(65_536);
    expect(entries).toBeGreaterThan(5);
    expect(resolver.flush()).toBe(entries);
    expect(resolver.snapshot(0).bytes).toBe(0);
  });

  test("an answer with a thousand records: a hundred are kept, the most wanted", () => {
    const { servers, resolver, clock } = rig();
    servers.at(SERVER, ({ name, protocol }) =>
      protocol === "udp"
        ? truncated
        : { answers: Array.from({ length: 1000 }, (_, i) => srv(name, [1000 - i, 0, 5060, `s${i}.test`])) },
    );
    let priorities: number[] = [];
    resolver.ask("_sip._udp.many.test", "SRV", (answer) => {
      if (answer.kind === "records") priorities = answer.records.map((record) => record.priority);
    });
    clock.advance(5);
    expect(priorities).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });
});

describe("RFC 1034 §3.6.2 aliases", () => {
  test("a chain in one answer: the least TTL on the way counts", () => {
    const { servers, ask, clock } = rig();
    servers.at(SERVER, () => ({
      answers: [cname("a.test", "b.test", 300), cname("b.test", "c.test", 5), a("c.test", "192.0.2.1", 300)],
    }));
    expect(ask("a.test", "A", 1)).toBe("192.0.2.1");
    clock.advance(5000);
    expect([ask("a.test", "A", 0), servers.log.length]).toEqual(["…", 2]);
  });

  test("a chain over several answers, and into the hosts file", () => {
    const { servers, files, ask, clock } = rig();
    servers.at(SERVER, ({ name }) =>
      name === "b.test"
        ? { answers: [a("b.test", "192.0.2.1", 300)] }
        : { answers: [cname(name, name === "a.test" ? "b.test" : "gw.test", 5)] },
    );
    files.write("/etc/hosts", "10.9.0.2 gw.test\n");
    clock.advance(1000);
    expect([ask("a.test"), ask("h.test")]).toEqual(["192.0.2.1", "10.9.0.2"]);
    expect(servers.log.slice(0, 2)).toEqual([`udp ${SERVER} A a.test`, `udp ${SERVER} A b.test`]);
  });

  test("a circle ends, in one answer and over many, also for two who wait in it", () => {
    const { servers, resolver, clock, ask } = rig();
    servers.at(SERVER, ({ name }) => ({ answers: [cname(name, name === "a.test" ? "b.test" : "a.test")] }));
    const ends: string[] = [];
    for (const name of ["a.test", "b.test"]) resolver.ask(name, "A", (answer) => ends.push(answer.kind));
    clock.advance(100);
    expect([ends, resolver.snapshot(0).underway]).toEqual([["failed", "failed"], 0]);
    expect(servers.log.length).toBeLessThanOrEqual(22);
    servers.at(SERVER, () => ({ answers: [cname("x.test", "y.test"), cname("y.test", "x.test")] }));
    expect(ask("x.test")).toBe("failed: alias-loop");
  });
});

describe("DNS-12 which servers are asked", () => {
  test("forwarders: the longest suffix, on whole labels", () => {
    const forwarders = ["corp.test 192.0.2.61", ".lab.corp.test [2001:db8::53]:5353"].map(
      (t) => parseForwarder(t)!,
    );
    const { servers, ask } = rig({ forwarders });
    for (const name of ["a.corp.test", "b.lab.corp.test", "corp.test", "notcorp.test"]) ask(name, "A", 0);
    expect(servers.log).toEqual([
      "udp 192.0.2.61 A a.corp.test",
      "udp 2001:db8::53 A b.lab.corp.test",
      "udp 192.0.2.61 A corp.test",
      `udp ${SERVER} A notcorp.test`,
    ]);
  });

  test("resolv.conf changes: the new server is asked, and nothing of the old one's is left", () => {
    const { servers, files, ask, clock } = rig({ servers: [] });
    files.write("/etc/resolv.conf", `nameserver ${SERVER}\n`);
    clock.advance(1000);
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1")]));
    servers.at(OTHER_SERVER, zoneOf([a("gw.test", "10.0.0.1")]));
    expect(ask("gw.test")).toBe("192.0.2.1");
    files.write("/etc/resolv.conf", `nameserver ${OTHER_SERVER}\n`);
    clock.advance(1000);
    expect(ask("gw.test")).toBe("10.0.0.1");
  });

  test("no resolv.conf: the server on this machine", () => {
    const { servers, ask } = rig({ servers: [] });
    ask("gw.test", "A", 0);
    expect(servers.log).toEqual(["udp 127.0.0.1 A gw.test"]);
  });

  test("new options take effect with the next question, and a server keeps its health", () => {
    const { servers, ask, resolver } = rig(TWO);
    servers.at(SERVER, () => "refuse");
    servers.at(OTHER_SERVER, ({ name }) => ({ answers: [a(name, "192.0.2.2")] }));
    ask("a.test");
    resolver.configure({ ...OPTIONS, ...TWO, ttl_max_s: 1 });
    expect(resolver.snapshot(0)).toMatchObject({ entries: 0, servers: [{ dead: true }, { dead: false }] });
  });
});

describe("B-12 nobody waits for a dead server who need not", () => {
  test("with all questions but one in a black hole, the cache and the hosts file answer in the same turn", () => {
    const { servers, files, ask, resolver, clock, value } = rig();
    files.write("/etc/hosts", "10.9.0.2 gw.test\n");
    servers.at(SERVER, zoneOf([a("known.test", "192.0.2.1")]));
    ask("known.test");
    servers.at(SERVER, () => "silence");
    let ended = 0;
    for (let i = 0; i < QUESTIONS_MAX - 1; i++) resolver.ask(`hole${i}.test`, "A", () => ended++);
    expect([ask("known.test", "A", 0), ask("gw.test", "A", 0), ended]).toEqual(["192.0.2.1", "10.9.0.2", 0]);
    expect([ask("one.test", "A", 0), ask("more.test", "A", 0)]).toEqual(["…", "failed: busy"]);
    clock.advance(4001);
    expect([ended, servers.open, resolver.snapshot(0).underway, value("sipedge_dns_busy_total")]).toEqual([
      QUESTIONS_MAX - 1,
      0,
      0,
      1,
    ]);
  });

  test("closing tells everybody who waits and leaves no socket and no timer", () => {
    const { servers, resolver, clock, ask } = rig();
    const ends: string[] = [];
    resolver.ask("gw.test", "A", (answer) => ends.push(answer.kind));
    resolver.close();
    expect([ends, servers.open, clock.pending, ask("gx.test")]).toEqual([["failed"], 0, 0, "failed: closed"]);
  });

  test("names that cannot be asked for are nobody's", () => {
    const { ask, servers } = rig();
    for (const name of [
      "",
      ".",
      "a..b",
      `${"x".repeat(64)}.test`,
      `${"x.".repeat(130)}test`,
      "a b.test",
      "ü.test",
    ])
      expect(ask(name)).toBe("no name");
    expect(servers.log).toEqual([]);
  });

  test("DNS-10 both families are asked for by themselves", () => {
    const { servers, ask } = rig();
    servers.at(SERVER, zoneOf([a("gw.test", "192.0.2.1"), aaaa("gw.test", "2001:db8::1")]));
    expect([ask("gw.test"), ask("gw.test", "AAAA")]).toEqual(["192.0.2.1", "2001:db8::1"]);
  });
});
