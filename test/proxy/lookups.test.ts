/** What a caller hears when name service does not lead anywhere, and which queries were sent (RFC 3263 §4). */
import { describe, expect, test } from "bun:test";
import { a, aaaa, naptr, SERVER, srv } from "../dns/name-servers.ts";
import { lines, Phone } from "./kit.ts";
import { named } from "./named.ts";

const TOML = '[dns]\nfamilies = ["ipv4"]\n';
const GW = "198.51.100.51";
/** Every question that a bare name is asked with over UDP and TCP. */
const ALL = (name: string) => [
  `NAPTR ${name}`,
  `SRV _sip._udp.${name}`,
  `SRV _sip._tcp.${name}`,
  `A ${name}`,
];

function rig(records: Parameters<typeof named>[0], toml = "") {
  const lab = named(records, TOML + toml);
  const alice = new Phone(lab.world, "alice", "198.51.100.7");
  const call = (uri: string, ms = 50) => {
    alice.request("INVITE", uri, { callId: uri });
    lab.world.run(ms);
  };
  /** Status and the words of the Warning of the last answer. */
  const heard = () => {
    const last = alice.last();
    const warning = lines(last).find((line) => line.startsWith("Warning:")) ?? "";
    return [last.status, /"(.*) \(RFC/.exec(warning)?.[1] ?? ""];
  };
  return { ...lab, alice, call, heard };
}

describe("DNS-14 RFC 3261 §16.6 step 7 the reason of a failed look-up reaches the caller", () => {
  test("no such name: 404 at once, and the queries that it took", () => {
    const { call, heard, queries } = rig([]);
    call("sip:x@nowhere.test");
    expect(heard()).toEqual([404, "DNS: no such name nowhere.test"]);
    expect(queries()).toEqual(ALL("nowhere.test"));
  });

  test("the name is there, and no server at it: 404", () => {
    const { call, heard } = rig([aaaa("six.test", "2001:db8::9")]);
    call("sip:x@six.test");
    expect(heard()).toEqual([404, "DNS: six.test has no server and no address"]);
  });

  test("SERVFAIL: 500, because it says nothing about us (§16.7 step 6), and never 404", () => {
    const { call, heard, servers } = rig([]);
    servers.at(SERVER, () => ({ rcode: 2 }));
    call("sip:x@ill.test");
    expect(heard()).toEqual([500, "DNS: ill.test: the name servers fail (SERVFAIL)"]);
  });

  test("silence: 500 when lookup_ms is over", () => {
    const { call, heard, servers, alice } = rig([]);
    servers.at(SERVER, () => "silence");
    call("sip:x@hole.test", 3_900);
    expect(alice.statuses("INVITE")).toEqual([]);
    call("sip:other@198.51.100.99", 200);
    expect(heard()).toEqual([500, "DNS: hole.test: no answer from any name server in time"]);
  });

  test("a name in a Route, or a peer's, says nothing about the user: 500", () => {
    const { call, heard, alice, world } = rig(
      [],
      '[[peer]]\nname = "p"\nuris = ["sip:gone.test"]\nprobe_s = 0\n[[route]]\nname = "r"\nnumbers = ["0."]\nto = ["peer:p"]\n',
    );
    alice.request("INVITE", "sip:x@198.51.100.9", { headers: ["Route: <sip:gone.test;lr>"] });
    world.run(50);
    expect(heard()).toEqual([500, "DNS: no such name gone.test"]);
    call("sip:01@example.test");
    expect(heard()).toEqual([500, "DNS: no such name gone.test"]);
  });

  test("a phone's Contact: 480", () => {
    const { world, alice, heard, call } = rig([]);
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.request("REGISTER", "sip:example.test", {
      to: "<sip:bob@example.test>",
      headers: ["Contact: <sip:bob@gone.test>"],
    });
    call("sip:bob@example.test");
    expect([alice.statuses("INVITE"), heard()[1]]).toEqual([[480], "DNS: no such name gone.test"]);
  });
});

describe("SIP-43 a foreign domain, by its own records", () => {
  const WORLD = [
    naptr("far.test", [10, 10, "SIP+D2U", "_sip._udp.far.test"]),
    srv("_sip._udp.far.test", [0, 0, 5080, "edge.far.test"]),
    a("edge.far.test", GW),
  ];

  test("DNS-09 NAPTR, SRV, A, each once, and from there the cache: the second call asks nothing", () => {
    const { world, call, queries } = rig(WORLD);
    const far = new Phone(world, "far", GW, 5080);
    call("sip:x@far.test");
    expect(queries()).toEqual(["NAPTR far.test", "SRV _sip._udp.far.test", "A edge.far.test"]);
    expect([far.count("INVITE"), far.incoming("INVITE").uriText]).toEqual([1, "sip:x@far.test"]);
    call("sip:y@far.test");
    expect([far.count("INVITE"), queries()]).toEqual([2, []]);
  });

  test("DNS-05 a CANCEL and the ACK of a refusal go where their INVITE went, without another draw", () => {
    const hosts = [1, 2, 3].map((n) => `198.51.100.6${n}`);
    const records = hosts.flatMap((host, n) => [
      srv("_sip._udp.many.test", [0, 10, 5060, `h${n}.many.test`]),
      a(`h${n}.many.test`, host),
    ]);
    const { world, alice, queries } = rig(records);
    const servers = hosts.map((host, n) => new Phone(world, `h${n}`, host));
    for (const server of servers)
      server.on = (message) => {
        if (message.method === "INVITE") server.reply(message, 180);
        else if (message.method === "CANCEL") {
          server.reply(message, 200);
          server.reply(server.incoming("INVITE"), 487);
        }
      };
    for (let i = 0; i < 30; i++) {
      const sent = alice.request("INVITE", "sip:x@many.test;transport=udp", { callId: `c${i}` });
      world.run(20);
      alice.cancel(sent);
      world.run(20);
    }
    for (const server of servers) {
      const [invites, cancels, acks] = ["INVITE", "CANCEL", "ACK"].map((method) => server.count(method));
      expect([cancels, acks]).toEqual([invites, invites]);
      expect(invites).toBeGreaterThan(0);
    }
    expect(queries()).toHaveLength(4); // one for SRV, one for each host, once in all
  });

  test("one who is not ours, and no user of ours called: no query leaves for a stranger", () => {
    const { world, queries } = rig(WORLD);
    const stranger = new Phone(world, "s", "203.0.113.99");
    stranger.request("INVITE", "sip:x@far.test", { from: "<sip:s@elsewhere.test>" });
    expect([stranger.statuses("INVITE"), queries()]).toEqual([[403], []]);
  });
});

describe("DNS-04 how long a silent first server keeps the caller waiting", () => {
  test("4 s for the first of two, whatever Timer B says; a copy of its own for the second", () => {
    const records = [
      srv("_sip._udp.two.test", [10, 0, 5060, "dead.test"]),
      srv("_sip._udp.two.test", [20, 0, 5060, "live.test"]),
      a("dead.test", "198.51.100.61"),
      a("live.test", "198.51.100.62"),
    ];
    const { world, call, queries, alice } = rig(records);
    const live = new Phone(world, "live", "198.51.100.62");
    call("sip:x@two.test", 3_900);
    expect(queries()).toEqual([...ALL("two.test").slice(0, 3), "A dead.test", "A live.test"]);
    expect(live.count("INVITE")).toBe(0);
    world.run(150);
    live.answer(live.incoming("INVITE"), 180);
    expect([live.count("INVITE"), alice.statuses("INVITE")]).toEqual([1, [180]]);
    expect(queries()).toEqual([]); // the list is the transaction's own
  });

  test("DNS-08 once it rings its other places are kept no longer than the transaction: nothing is left", () => {
    const records = [a("m.test", "198.51.100.61"), a("m.test", "198.51.100.62")];
    const { world, alice } = rig(records);
    const server = new Phone(world, "s", "198.51.100.61");
    const sent = alice.request("INVITE", "sip:x@m.test:5060");
    world.run(50);
    server.answer(server.incoming("INVITE"), 486);
    alice.ackRefusal(sent, alice.last());
    world.run(70_000);
    const { server: servers, client, timers } = world.core.layer.snapshot(0);
    expect([servers, client, timers]).toEqual([0, 0, 0]);
  });
});
