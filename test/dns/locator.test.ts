/** From a URI to places (RFC 3263): which queries leave, in which order, and what comes of them. */
import { describe, expect, test } from "bun:test";
import type { Answer as PacketAnswer } from "dns-packet";
import { DeadTargets } from "../../src/dns/dead-targets.ts";
import type { LocatorOptions } from "../../src/dns/locator.ts";
import { Locator } from "../../src/dns/locator.ts";
import type { Place } from "../../src/dns/place.ts";
import type { SipUri } from "../../src/message/uri.ts";
import { parseUri } from "../../src/message/uri.ts";
import { a, aaaa, cname, naptr, rig as resolverRig, SERVER, srv, zoneOf } from "./name-servers.ts";

const OPTIONS: LocatorOptions = {
  transports: ["udp", "tcp", "tls"],
  naptr: true,
  families: ["ipv4", "ipv6"],
  lookup_ms: 4000,
};

const uriOf = (text: string): SipUri => parseUri(text) as SipUri;
const shown = ({ transport, address, port }: Place) => `${transport} ${address} ${port}`;

function rig(records: readonly PacketAnswer[] = [], options: Partial<LocatorOptions> = {}) {
  const base = resolverRig();
  const { clock, servers, metrics, dice, resolver } = base;
  servers.at(SERVER, zoneOf(records));
  const dead = new DeadTargets(clock, metrics, 30_000);
  const locator = new Locator({ clock, dice, metrics, names: resolver, dead }, { ...OPTIONS, ...options });
  /** The places, or how it ended; null while it has not. */
  const start = (text: string) => {
    const result: { places: string[] | null; end: string } = { places: null, end: "" };
    locator.lookUp(uriOf(text), (places, end) => {
      result.places = places.map(shown);
      result.end = end;
    });
    return result;
  };
  const locate = (text: string, ms = 50): string[] => {
    const result = start(text);
    clock.advance(ms);
    if (result.places === null) return ["…"];
    return result.places.length > 0 ? result.places : [result.end];
  };
  /** The queries since the last time, `NAPTR gw.test`. */
  const queries = () => servers.log.splice(0).map((line) => line.split(" ").slice(2).join(" "));
  return { ...base, dead, locator, start, locate, queries };
}

/** A domain with everything; gw.test has addresses alone, srv.test SRV records alone. */
const WORLD = [
  naptr("full.test", [10, 50, "SIPS+D2T", "_sips._tcp.full.test"]),
  naptr("full.test", [10, 60, "SIP+D2T", "_sip._tcp.full.test"]),
  naptr("full.test", [20, 10, "SIP+D2U", "_sip._udp.full.test"]),
  srv("_sips._tcp.full.test", [0, 0, 5061, "s1.full.test"]),
  srv("_sip._tcp.full.test", [0, 0, 5070, "s2.full.test"]),
  srv("_sip._udp.full.test", [0, 0, 5080, "s2.full.test"]),
  a("s1.full.test", "192.0.2.1"),
  aaaa("s1.full.test", "2001:db8::1"),
  a("s2.full.test", "192.0.2.2"),
  a("full.test", "192.0.2.80"),
  a("gw.test", "192.0.2.7"),
  srv("_sip._udp.srv.test", [0, 0, 5070, "gw.test"]),
  srv("_sip._tcp.srv.test", [0, 0, 5071, "gw.test"]),
];

const PAIR = (host: string) => [`A ${host}`, `AAAA ${host}`];

describe("DNS-09 RFC 3263 §4 which queries leave, exactly, and where the request goes", () => {
  const rows: readonly [uri: string, queries: readonly string[], places: readonly string[]][] = [
    [
      "sip:a@full.test",
      [
        "NAPTR full.test",
        "SRV _sips._tcp.full.test",
        "SRV _sip._tcp.full.test",
        ...PAIR("s1.full.test"),
        ...PAIR("s2.full.test"),
      ],
      ["tls 192.0.2.1 5061", "tls 2001:db8::1 5061", "tcp 192.0.2.2 5070"],
    ],
    [
      "sips:a@full.test",
      ["NAPTR full.test", "SRV _sips._tcp.full.test", ...PAIR("s1.full.test")],
      ["tls 192.0.2.1 5061", "tls 2001:db8::1 5061"],
    ],
    [
      "sip:a@full.test;transport=udp",
      ["SRV _sip._udp.full.test", ...PAIR("s2.full.test")],
      ["udp 192.0.2.2 5080"],
    ],
    [
      "sip:a@full.test;transport=tcp",
      ["SRV _sip._tcp.full.test", ...PAIR("s2.full.test")],
      ["tcp 192.0.2.2 5070"],
    ],
    [
      "sips:a@full.test;transport=tcp",
      ["SRV _sips._tcp.full.test", ...PAIR("s1.full.test")],
      ["tls 192.0.2.1 5061", "tls 2001:db8::1 5061"],
    ],
    ["sip:a@full.test:5099", PAIR("full.test"), ["udp 192.0.2.80 5099"]],
    ["sip:a@full.test:5099;transport=tcp", PAIR("full.test"), ["tcp 192.0.2.80 5099"]],
    ["sips:a@full.test:5099", PAIR("full.test"), ["tls 192.0.2.80 5099"]],
    [
      "sip:a@srv.test",
      ["NAPTR srv.test", "SRV _sip._udp.srv.test", "SRV _sip._tcp.srv.test", ...PAIR("gw.test")],
      ["udp 192.0.2.7 5070", "tcp 192.0.2.7 5071"],
    ],
    [
      "sip:a@gw.test",
      ["NAPTR gw.test", "SRV _sip._udp.gw.test", "SRV _sip._tcp.gw.test", ...PAIR("gw.test")],
      ["udp 192.0.2.7 5060"],
    ],
    [
      "sips:a@gw.test",
      ["NAPTR gw.test", "SRV _sips._tcp.gw.test", ...PAIR("gw.test")],
      ["tls 192.0.2.7 5061"],
    ],
    ["sip:a@gw.test;transport=ws", ["SRV _sip._ws.gw.test", ...PAIR("gw.test")], ["ws 192.0.2.7 80"]],
    ["sip:a@x.test:5061;maddr=GW.test", PAIR("gw.test"), ["udp 192.0.2.7 5061"]],
    [
      "sip:a@nowhere.test",
      [
        "NAPTR nowhere.test",
        "SRV _sip._udp.nowhere.test",
        "SRV _sip._tcp.nowhere.test",
        ...PAIR("nowhere.test"),
      ],
      ["absent"],
    ],
    ["sip:a@gw.test;transport=sctp", [], ["absent"]],
  ];
  for (const [uri, queries, places] of rows)
    test(`${uri}: ${queries.length} queries, ${places[0]}`, () => {
      const { locate, queries: left } = rig(WORLD);
      expect(locate(uri)).toEqual([...places]);
      expect(left()).toEqual([...queries]);
    });

  test("DNS-11 a host with a port: one pair of A and AAAA, and from the cache in the same turn", () => {
    const { locate, queries, start } = rig([a("host.test", "192.0.2.9")]);
    expect(locate("sip:a@host.test:5062")).toEqual(["udp 192.0.2.9 5062"]);
    expect(queries()).toEqual(PAIR("host.test"));
    expect(start("sip:b@host.test:5062").places).toEqual(["udp 192.0.2.9 5062"]);
    expect(queries()).toEqual([]);
  });

  test("naptr = false: SRV is the first question", () => {
    const { locate, queries } = rig(WORLD, { naptr: false });
    expect(locate("sip:a@full.test")).toEqual(["udp 192.0.2.2 5080", "tcp 192.0.2.2 5070"]);
    expect(queries()[0]).toBe("SRV _sip._udp.full.test");
  });
});

describe("RFC 3263 §4.1 literal addresses need no look-up", () => {
  const literals: readonly [string, string][] = [
    ["sip:a@192.0.2.7", "udp 192.0.2.7 5060"],
    ["sip:a@192.0.2.7:5080", "udp 192.0.2.7 5080"],
    ["sip:a@192.0.2.7;transport=TCP", "tcp 192.0.2.7 5060"],
    ["sip:a@192.0.2.7;transport=tls", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7;transport=tcp", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7;transport=ws", "wss 192.0.2.7 443"],
    ["sip:a@192.0.2.7;transport=ws", "ws 192.0.2.7 80"],
    ["sip:a@[2001:db8::7]", "udp 2001:db8::7 5060"],
    ["sip:a@[2001:db8::7]:5070;transport=tcp", "tcp 2001:db8::7 5070"],
    ["sip:a@example.test;maddr=192.0.2.9", "udp 192.0.2.9 5060"],
    ["sip:a@example.test;maddr=[2001:DB8::9]", "udp 2001:db8::9 5060"],
  ];
  for (const [uri, place] of literals)
    test(`${uri}: ${place}, in the same turn`, () => {
      const { locator, queries } = rig();
      const literal = locator.literal(uriOf(uri));
      expect(literal === null || literal === "name" ? literal : shown(literal)).toBe(place);
      expect(queries()).toEqual([]);
    });

  for (const uri of [
    "sip:a@192.0.2.7;transport=sctp",
    "sips:a@192.0.2.7;transport=udp",
    "sip:a@h;transport=",
  ])
    test(`${uri}: no transport of ours`, () => {
      expect(rig().locator.literal(uriOf(uri))).toBeNull();
    });

  test("sip:a@host;transport=__proto__: no transport of ours", () => {
    expect(rig().locator.literal(uriOf("sip:a@host;transport=__proto__"))).toBeNull();
  });
});

describe("RFC 3263 §4.1 NAPTR", () => {
  test("RFC 3403 §4.1: only the lowest order that can be used; transports not ours are passed over", () => {
    const { locate } = rig([
      naptr("m.test", [1, 1, "SIP+D2S", "_sip._sctp.m.test"]),
      naptr("m.test", [2, 9, "sip+d2u", "_sip._udp.m.test"]),
      naptr("m.test", [2, 1, "SIP+D2T", "_sip._tcp.m.test"]),
      naptr("m.test", [3, 1, "SIPS+D2T", "_sips._tcp.m.test"]),
      srv("_sip._udp.m.test", [0, 0, 1, "h.test"]),
      srv("_sip._tcp.m.test", [0, 0, 2, "h.test"]),
      srv("_sips._tcp.m.test", [0, 0, 3, "h.test"]),
      a("h.test", "192.0.2.1"),
    ]);
    expect(locate("sip:a@m.test")).toEqual(["tcp 192.0.2.1 2", "udp 192.0.2.1 1"]);
  });

  test("broken records (no flag, a regular expression, no replacement) count as none", () => {
    const { locate } = rig([
      naptr("m.test", [1, 1, "SIP+D2T", "_sip._tcp.m.test"], ""),
      naptr("m.test", [1, 2, "SIP+D2T", "_sip._tcp.m.test"], "s", "!.*!x!"),
      naptr("m.test", [1, 3, "SIP+D2T", "."]),
      a("m.test", "192.0.2.1"),
    ]);
    expect(locate("sip:a@m.test")).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("a service without SRV records: the name itself, over the transport it named", () => {
    const { locate } = rig([
      naptr("m.test", [1, 1, "SIP+D2T", "_sip._tcp.gone.test"]),
      a("m.test", "192.0.2.1"),
    ]);
    expect(locate("sip:a@m.test")).toEqual(["tcp 192.0.2.1 5060"]);
  });
});

describe("RFC 3263 §4.2 SRV", () => {
  test("DNS-03 all servers in the order of their priority, for failover", () => {
    const { locate } = rig([
      srv("_sip._udp.m.test", [20, 0, 2, "b.test"]),
      srv("_sip._udp.m.test", [10, 0, 1, "a.test"]),
      a("a.test", "192.0.2.1"),
      a("b.test", "192.0.2.2"),
      a("b.test", "192.0.2.3"),
    ]);
    expect(locate("sip:a@m.test;transport=udp")).toEqual([
      "udp 192.0.2.1 1",
      "udp 192.0.2.2 2",
      "udp 192.0.2.3 2",
    ]);
  });

  test("RFC 2782: a target of the root means that there is no such service, and the name itself is not tried", () => {
    const { locate, queries } = rig([srv("_sip._udp.m.test", [0, 0, 0, "."]), a("m.test", "192.0.2.1")]);
    expect(locate("sip:a@m.test;transport=udp")).toEqual(["absent"]);
    expect(queries()).toEqual(["SRV _sip._udp.m.test"]);
  });

  test("B-11 a target that cannot be looked up does not hide the next one", () => {
    const { locate, servers } = rig();
    const zone = zoneOf([
      srv("_sip._udp.m.test", [1, 0, 1, "ill.test"]),
      srv("_sip._udp.m.test", [2, 0, 2, "dead.test"]),
      srv("_sip._udp.m.test", [3, 0, 3, "live.test"]),
      a("live.test", "192.0.2.3"),
    ]);
    servers.at(SERVER, (asked) => (asked.name === "ill.test" ? { rcode: 2 } : zone(asked)));
    expect(locate("sip:a@m.test;transport=udp")).toEqual(["udp 192.0.2.3 3"]);
  });

  test("B-11 a server that fails on NAPTR and SRV does not hide the address", () => {
    const { locate, servers } = rig();
    const zone = zoneOf([a("gw.test", "192.0.2.1")]);
    servers.at(SERVER, (asked) => (asked.type === "A" ? zone(asked) : { rcode: 2 }));
    expect(locate("sip:a@gw.test")).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("B-11 a server that swallows NAPTR and SRV does not hide the address: half of the time each", () => {
    const { locate, servers } = rig();
    const zone = zoneOf([a("gw.test", "192.0.2.1")]);
    servers.at(SERVER, (asked) => (asked.type === "NAPTR" || asked.type === "SRV" ? "silence" : zone(asked)));
    expect(locate("sip:a@gw.test", 3100)).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("B-11 a hundred SRV records: the first hosts are asked for, the next when those have no address", () => {
    const { locate, queries } = rig([
      ...Array.from({ length: 100 }, (_, i) => srv("_sip._udp.m.test", [i, 0, 5060 + i, `h${i}.test`])),
      a("h9.test", "192.0.2.9"),
      a("h10.test", "192.0.2.10"),
    ]);
    expect(locate("sip:a@m.test;transport=udp")).toEqual(["udp 192.0.2.9 5069", "udp 192.0.2.10 5070"]);
    expect(queries()).toHaveLength(1 + 2 * 16);
  });

  test("B-11 hosts without end: forty queries, then it is given up", () => {
    const { locate, queries } = rig(
      Array.from({ length: 100 }, (_, i) => srv("_sip._udp.m.test", [i, 0, 5060, `h${i}.test`])),
    );
    expect(locate("sip:a@m.test;transport=udp")).toEqual(["failed"]);
    expect(queries()).toHaveLength(40);
  });

  test("a thousand addresses: sixteen places are kept", () => {
    const many = Array.from({ length: 40 }, (_, i) => a("m.test", `192.0.2.${i + 1}`));
    expect(rig(many).locate("sip:a@m.test:5060")).toHaveLength(16);
  });

  test("aliases on the way to an address", () => {
    const { locate } = rig([
      cname("m.test", "n.test"),
      a("n.test", "192.0.2.1"),
      aaaa("n.test", "2001:db8::1"),
    ]);
    expect(locate("sip:a@m.test:5060")).toEqual(["udp 192.0.2.1 5060", "udp 2001:db8::1 5060"]);
  });
});

describe("DNS-05 RFC 2782 weights", () => {
  test("a list is drawn once per look-up: every server is in it once, another look-up may draw another", () => {
    const { start, locate } = rig([
      srv("_sip._udp.m.test", [0, 50, 1, "a.test"]),
      srv("_sip._udp.m.test", [0, 50, 2, "b.test"]),
      a("a.test", "192.0.2.1"),
      a("b.test", "192.0.2.2"),
    ]);
    locate("sip:a@m.test;transport=udp");
    const drawn = Array.from({ length: 50 }, () => start("sip:a@m.test;transport=udp").places!);
    for (const places of drawn) expect([...places].sort()).toEqual(["udp 192.0.2.1 1", "udp 192.0.2.2 2"]);
    expect(new Set(drawn.map((places) => places[0])).size).toBe(2);
  });
});

describe("DNS-10 RFC 7984 both families", () => {
  const both = [
    a("m.test", "192.0.2.1"),
    a("m.test", "192.0.2.2"),
    aaaa("m.test", "2001:db8::1"),
    aaaa("m.test", "2001:db8::2"),
    aaaa("m.test", "2001:db8::3"),
  ];

  test("in turns, the preferred one first", () => {
    const addresses = (families: LocatorOptions["families"]) =>
      rig(both, { families })
        .locate("sip:a@m.test:5060")
        .map((place) => place.split(" ")[1]);
    expect(addresses(["ipv4", "ipv6"])).toEqual([
      "192.0.2.1",
      "2001:db8::1",
      "192.0.2.2",
      "2001:db8::2",
      "2001:db8::3",
    ]);
    expect(addresses(["ipv6", "ipv4"])).toEqual([
      "2001:db8::1",
      "192.0.2.1",
      "2001:db8::2",
      "192.0.2.2",
      "2001:db8::3",
    ]);
  });

  test("one family alone: the other is not asked for", () => {
    const { locate, queries } = rig(both, { families: ["ipv6"] });
    expect(locate("sip:a@m.test:5060")).toHaveLength(3);
    expect(queries()).toEqual(["AAAA m.test"]);
  });

  test("a server that swallows AAAA delays the call by a quarter of a second, not by its time-out", () => {
    const { locate, servers, clock, start } = rig();
    const zone = zoneOf(both);
    servers.at(SERVER, (asked) => (asked.type === "AAAA" ? "silence" : zone(asked)));
    const call = start("sip:a@m.test:5060");
    clock.advance(250);
    expect(call.places).toBeNull();
    clock.advance(2);
    expect(call.places).toEqual(["udp 192.0.2.1 5060", "udp 192.0.2.2 5060"]);
    expect(locate("sip:a@m.test:5060", 300)).toHaveLength(2);
  });
});

describe("B-12 bounds", () => {
  test("DNS-01 a black-holed server: literals and cached names in the same turn, 4 s for the others, then failed", () => {
    const { servers, clock, start, locate, locator } = rig([a("known.test", "192.0.2.1")]);
    locate("sip:a@known.test:5060");
    servers.at(SERVER, () => "silence");
    const waiting = Array.from({ length: 200 }, (_, i) => start(`sip:a@hole${i}.test`));
    expect(locator.literal(uriOf("sip:a@192.0.2.5"))).toMatchObject({ address: "192.0.2.5" });
    expect(start("sip:a@known.test:5060").places).toEqual(["udp 192.0.2.1 5060"]);
    clock.advance(3999);
    expect(waiting.every((each) => each.places === null)).toBe(true);
    clock.advance(1);
    expect(new Set(waiting.map((each) => each.end))).toEqual(new Set(["failed"]));
    clock.advance(10_000);
    expect([servers.open, clock.pending]).toEqual([0, 0]);
  });

  test("a thousand look-ups under way: one more is refused at once and counted, and all end", () => {
    const { servers, clock, start, value } = rig();
    servers.at(SERVER, () => "silence");
    const waiting = Array.from({ length: 1000 }, () => start("sip:a@slow.test:5060"));
    expect(value("sipedge_dns_lookups_underway")).toBe(1000);
    expect(start("sip:a@slow.test:5060").end).toBe("refused");
    expect(value("sipedge_dns_lookups_total", { end: "refused" })).toBe(1);
    clock.advance(4000);
    expect(waiting.every((each) => each.end === "failed")).toBe(true);
    expect(value("sipedge_dns_lookups_underway")).toBe(0);
  });

  test("closing ends every look-up with what it has", () => {
    const { locator, servers, start, clock, resolver } = rig();
    servers.at(SERVER, () => "silence");
    const call = start("sip:a@slow.test");
    locator.close();
    resolver.close();
    expect([call.places, servers.open, clock.pending]).toEqual([[], 0, 0]);
  });

  test("DNS-14 SERVFAIL is failed, NXDOMAIN is absent", () => {
    const { servers, locate } = rig();
    expect(locate("sip:a@no.test:5060")).toEqual(["absent"]);
    servers.at(SERVER, () => ({ rcode: 2 }));
    expect(locate("sip:a@ill.test:5060")).toEqual(["failed"]);
  });
});

describe("DNS-03 places that failed lately", () => {
  test("go to the end of each list, and come back after their time or when they answer", () => {
    const { locate, start, dead, clock } = rig([a("m.test", "192.0.2.1"), a("m.test", "192.0.2.2")]);
    const uri = "sip:a@m.test:5060";
    locate(uri);
    const first: Place = { transport: "udp", address: "192.0.2.1", port: 5060 };
    dead.failed(first, "no reply");
    expect(start(uri).places).toEqual(["udp 192.0.2.2 5060", "udp 192.0.2.1 5060"]);
    dead.alive(first);
    expect(start(uri).places).toEqual(["udp 192.0.2.1 5060", "udp 192.0.2.2 5060"]);
    dead.failed(first, "no reply");
    clock.advance(30_000);
    expect(start(uri).places).toEqual(["udp 192.0.2.1 5060", "udp 192.0.2.2 5060"]);
  });

  test("B-11 when all have failed all are tried again", () => {
    const { locate, dead } = rig([a("m.test", "192.0.2.1"), a("m.test", "192.0.2.2")]);
    for (const address of ["192.0.2.1", "192.0.2.2"])
      dead.failed({ transport: "udp", address, port: 5060 }, "503");
    expect(locate("sip:a@m.test:5060")).toEqual(["udp 192.0.2.1 5060", "udp 192.0.2.2 5060"]);
  });
});

describe("RFC 3263 §5 where a response goes whose connection is gone", () => {
  const world = [
    srv("_sip._tcp.edge.test", [0, 0, 5070, "h.test"]),
    srv("_sips._tcp.edge.test", [0, 0, 5071, "h.test"]),
    a("h.test", "192.0.2.1"),
    a("edge.test", "192.0.2.9"),
  ];
  const rows = [
    ["tcp", "Edge.test", null, "tcp 192.0.2.1 5070", ["SRV _sip._tcp.edge.test", ...PAIR("h.test")]],
    ["tls", "edge.test", null, "tls 192.0.2.1 5071", ["SRV _sips._tcp.edge.test", ...PAIR("h.test")]],
    ["udp", "edge.test", null, "udp 192.0.2.9 5060", ["SRV _sip._udp.edge.test", ...PAIR("edge.test")]],
    ["tcp", "edge.test", 5099, "tcp 192.0.2.9 5099", PAIR("edge.test")],
    ["tls", "192.0.2.44", null, "tls 192.0.2.44 5061", []],
  ] as const;
  for (const [transport, host, port, place, queries] of rows)
    test(`${transport} ${host}${port === null ? "" : `:${port}`}: ${place}`, () => {
      const { locator, clock, queries: left } = rig(world);
      let found: string[] = [];
      locator.lookUpResponse({ transport, host, port }, (places) => {
        found = places.map(shown);
      });
      clock.advance(20);
      expect(found).toEqual([place]);
      expect(left()).toEqual([...queries]);
    });
});

test("SIP-43 a foreign domain is found by its own records, and a literal path beside it untouched", () => {
  const { locate } = rig(WORLD);
  expect(locate("sip:bob@full.test")[0]).toBe("tls 192.0.2.1 5061");
});
