/** Each reason by its table: what is seen, and whether it holds. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sameAddress } from "../../src/base/address.ts";
import type { TransportName } from "../../src/base/flow.ts";
import { Networks } from "../../src/base/networks.ts";
import type { NatReason, Observation } from "../../src/nat/reasons.ts";
import { NAT_REASONS, NAT_TESTS, natReasons, sdpAddress } from "../../src/nat/reasons.ts";
import { configOf, errorsOf } from "../config/support.ts";

const PUBLIC = "198.51.100.20";
/** A phone on the public network that tells the truth, over UDP. */
const PLAIN: Observation = {
  transport: "udp",
  source_address: PUBLIC,
  source_port: 5060,
  via_host: PUBLIC,
  via_port: null,
  contact_host: PUBLIC,
  contact_port: null,
  sdp_address: PUBLIC,
};
const seen = (more: Partial<Observation>): Observation => ({ ...PLAIN, ...more });
/** A phone with private addresses behind a NAT. */
const natted = (more: Partial<Observation> = {}): Observation =>
  seen({
    source_port: 40_123,
    via_host: "192.168.1.10",
    via_port: 5060,
    contact_host: "192.168.1.10",
    contact_port: 5060,
    sdp_address: "192.168.1.10",
    ...more,
  });
const ALL: ReadonlySet<NatReason> = new Set(NAT_REASONS);
const LOCAL = new Networks(["192.168.0.0/24", "fd00:1::/64"]);
const isLocal = (address: string): boolean => LOCAL.has(address);
const STREAMS: readonly TransportName[] = ["tcp", "tls", "ws", "wss"];

type Row = readonly [what: string, seen: Partial<Observation>, holds: boolean];

const v6 = { source_address: "2001:db8::20", via_host: "2001:db8::20", contact_host: "2001:db8::20" };

/** Private addresses in and beside the networks we stand in (192.168.0.0/24, fd00:1::/64). */
const besides = (place: "contact_host" | "via_host" | "sdp_address"): readonly Row[] => [
  ["of a neighbour on our network", { source_address: "192.168.0.77", [place]: "192.168.0.78" }, false],
  ["of a neighbour, IPv6", { source_address: "fd00:1::77", [place]: "fd00:1::78" }, false],
  ["on our network, from outside: somebody else's", { [place]: "192.168.0.78" }, true],
  ["on another network, from ours", { source_address: "192.168.0.77", [place]: "192.168.1.78" }, true],
  ["on a third one, from a private one", { source_address: "10.9.9.9", [place]: "192.168.1.10" }, true],
];

const TABLE: Readonly<Record<NatReason, readonly Row[]>> = {
  private_contact: [
    ["public and the source", {}, false],
    ["RFC 1918", { contact_host: "192.168.1.10" }, true],
    ["RFC 6598", { contact_host: "100.64.3.4" }, true],
    ["unique-local IPv6", { ...v6, contact_host: "fd00::10" }, true],
    [
      "private, and the source: a phone on our own network",
      { contact_host: "10.1.1.1", source_address: "10.1.1.1" },
      false,
    ],
    [
      "private, and the source, in other letters",
      { source_address: "fd00::10", contact_host: "FD00:0::10" },
      false,
    ],
    ["another public address", { contact_host: "203.0.113.9" }, false],
    ["a name", { contact_host: "phone.example.test" }, false],
    ["a browser's", { contact_host: "df7jal23ls0d.invalid" }, false],
    ["none", { contact_host: null }, false],
    ...besides("contact_host"),
  ],
  contact_mismatch: [
    ["the source", {}, false],
    ["another address", { contact_host: "203.0.113.9" }, true],
    ["a private one", { contact_host: "192.168.1.10" }, true],
    ["IPv6 by value, not by letters", { ...v6, contact_host: "2001:DB8:0:0::20" }, false],
    ["another IPv6 address", { ...v6, contact_host: "2001:db8::21" }, true],
    ["IPv4 over IPv6", { ...v6, contact_host: PUBLIC }, true],
    ["a name", { contact_host: "phone.example.test" }, false],
    ["RFC 7118 §5 a browser's", { contact_host: "df7jal23ls0d.invalid" }, true],
    ["a name that only looks so", { contact_host: "invalid.example.test" }, false],
    ["none", { contact_host: null }, false],
  ],
  contact_port_mismatch: [
    ["none told: 5060", {}, false],
    ["none told, from elsewhere", { source_port: 5062 }, true],
    ["the source's", { source_port: 5062, contact_port: 5062 }, false],
    ["another", { contact_port: 5062 }, true],
    ["of a name", { contact_host: "phone.example.test", contact_port: 5062 }, false],
    ["no Contact", { contact_host: null, source_port: 5062 }, false],
    ...STREAMS.map(
      (transport): Row => [`another, over ${transport}`, { transport, contact_port: 5062 }, false],
    ),
  ],
  private_via: [
    ["public and the source", {}, false],
    ["RFC 1918", { via_host: "172.16.0.9" }, true],
    ["link-local IPv6", { ...v6, via_host: "fe80::1" }, true],
    ["private, and the source", { via_host: "10.1.1.1", source_address: "10.1.1.1" }, false],
    ["a name", { via_host: "phone.example.test" }, false],
    ["a browser's", { via_host: "df7jal23ls0d.invalid" }, false],
    ...besides("via_host"),
  ],
  via_mismatch: [
    ["the source", {}, false],
    ["another public address", { via_host: "203.0.113.9" }, true],
    ["a private one", { via_host: "10.1.1.1" }, true],
    ["the source with another port: the ports are another reason", { via_port: 5999 }, false],
    ["IPv6 by value", { ...v6, via_host: "2001:db8:0:0:0:0:0:20" }, false],
    ["a name", { via_host: "phone.example.test" }, false],
  ],
  via_port_mismatch: [
    ["none told: 5060", {}, false],
    ["none told, from elsewhere", { source_port: 40_123 }, true],
    ["the source's", { via_port: 40_123, source_port: 40_123 }, false],
    ["another", { via_port: 5999 }, true],
    ["of a name", { via_host: "phone.example.test", via_port: 5999 }, false],
    ...STREAMS.map((transport): Row => [`another, over ${transport}`, { transport, via_port: 5999 }, false]),
  ],
  private_sdp: [
    ["public and the source", {}, false],
    ["RFC 1918", { sdp_address: "192.168.1.10" }, true],
    ["unique-local IPv6", { sdp_address: "fd00::10" }, true],
    ["private, and the source", { sdp_address: "10.1.1.1", source_address: "10.1.1.1" }, false],
    ["on hold", { sdp_address: "0.0.0.0" }, false],
    ["on hold, IPv6", { sdp_address: "::" }, false],
    ["none", { sdp_address: null }, false],
    ...besides("sdp_address"),
  ],
  sdp_mismatch: [
    ["the source", {}, false],
    ["another", { sdp_address: "203.0.113.9" }, true],
    ["IPv6 by value", { ...v6, sdp_address: "2001:DB8::20" }, false],
    ["on hold", { sdp_address: "0.0.0.0" }, false],
    ["none", { sdp_address: null }, false],
  ],
  private_source: [
    ["public", {}, false],
    ["private, in none of our networks", { source_address: "10.9.9.9" }, true],
    ["a phone on our own network", { source_address: "192.168.0.77" }, false],
    ["the same, IPv6", { source_address: "fd00:1::77" }, false],
    ["unique-local of somebody else", { source_address: "fd00:2::77" }, true],
  ],
  websocket: [
    ["udp", {}, false],
    ["tcp", { transport: "tcp" }, false],
    ["tls", { transport: "tls" }, false],
    ["ws", { transport: "ws" }, true],
    ["wss", { transport: "wss" }, true],
  ],
};

/** The numbers of `nat_uac_test` and `client_nat_test` that a reason stands for. */
const ROWS: Readonly<Record<NatReason, string>> = {
  private_contact: "NT-16, NH-23",
  contact_mismatch: "NAT-06",
  contact_port_mismatch: "NH-29 128",
  private_via: "NT-18, NH-25",
  via_mismatch: "NT-17, NH-24",
  via_port_mismatch: "NT-17, NH-27",
  private_sdp: "NH-26",
  sdp_mismatch: "NH-29 256",
  private_source: "NH-28",
  websocket: "NH-29 64",
};

for (const reason of NAT_REASONS)
  describe(`${ROWS[reason]} ${reason}`, () => {
    for (const [what, more, holds] of TABLE[reason])
      test(`${what}: ${holds}`, () => expect(NAT_TESTS[reason](seen(more), isLocal)).toBe(holds));
  });

describe("NT-01 all reasons together", () => {
  test("a phone behind a NAT, in the order of the names", () =>
    expect(natReasons(natted(), ALL, isLocal)).toEqual([
      "private_contact",
      "contact_mismatch",
      "contact_port_mismatch",
      "private_via",
      "via_mismatch",
      "via_port_mismatch",
      "private_sdp",
      "sdp_mismatch",
    ]));

  test("only those that count", () => {
    expect(natReasons(natted(), new Set(["via_mismatch"]), isLocal)).toEqual(["via_mismatch"]);
    expect(natReasons(natted(), new Set(["websocket"]), isLocal)).toEqual([]);
    expect(natReasons(natted(), new Set(), isLocal)).toEqual([]);
  });

  test("NAT-04 over TCP the ports say nothing, the addresses do", () =>
    expect(natReasons(natted({ transport: "tcp", sdp_address: null }), ALL, isLocal)).toEqual([
      "private_contact",
      "contact_mismatch",
      "private_via",
      "via_mismatch",
    ]));

  test("NH-28 a phone on our own network is not behind a NAT", () => {
    const lan = "192.168.0.77";
    const phone = { source_address: lan, via_host: lan, contact_host: lan, sdp_address: lan };
    expect(natReasons(seen(phone), ALL, isLocal)).toEqual([]);
    expect(natReasons(seen({ ...phone, contact_host: "other.test" }), ALL, isLocal)).toEqual([]);
  });

  test("NH-28 behind a router on our own network it is", () => {
    const inner = { via_host: "10.0.0.5", contact_host: "10.0.0.5", sdp_address: "10.0.0.5" };
    expect(natReasons(seen({ source_address: "192.168.0.77", ...inner }), ALL, isLocal)).toEqual([
      "private_contact",
      "contact_mismatch",
      "private_via",
      "via_mismatch",
      "private_sdp",
      "sdp_mismatch",
    ]);
  });

  for (const [where, source_address, more] of [
    ["from the public side", PUBLIC, []],
    ["from between them", "100.64.0.7", ["private_source"]],
  ] as const)
    for (const contact_host of ["192.168.1.10", "100.64.0.9"])
      test(`NAT-03 cascaded NATs, seen ${where}, Contact ${contact_host}`, () => {
        const counted: ReadonlySet<NatReason> = new Set(["private_contact", "private_via", "private_source"]);
        expect(natReasons(natted({ source_address, contact_host }), counted, isLocal)).toEqual([
          "private_contact",
          "private_via",
          ...more,
        ]);
      });

  test("cascaded NATs: what the inner one told is not where the packet came from", () => {
    const asked = natted({ via_host: "100.64.0.7", contact_host: PUBLIC, contact_port: 1024 });
    expect(natReasons(asked, new Set(["contact_port_mismatch", "via_mismatch"]), isLocal)).toEqual([
      "contact_port_mismatch",
      "via_mismatch",
    ]);
  });

  test("none: always the same empty list", () =>
    expect(natReasons(PLAIN, ALL, isLocal)).toBe(
      natReasons(seen({ source_port: 5060 }), new Set(), isLocal),
    ));
});

describe("NAT-05 a phone that learned its own address", () => {
  const learned = natted({ contact_host: PUBLIC, contact_port: 40_123 });
  test("no reason, whatever its Via and SDP say", () =>
    expect(natReasons(learned, ALL, isLocal)).toEqual([]));

  test("with another port of its NAT over UDP it has not learned it", () =>
    expect(natReasons({ ...learned, contact_port: 40_124 }, ALL, isLocal)).toContain(
      "contact_port_mismatch",
    ));

  test("over a connection its port is the listening one, and says nothing", () =>
    expect(natReasons({ ...learned, transport: "tcp", contact_port: 5060 }, ALL, isLocal)).toEqual([]));

  test("IPv6 by value", () =>
    expect(
      natReasons(seen({ ...v6, via_host: "fd00::1", contact_host: "2001:DB8:0::20" }), ALL, isLocal),
    ).toEqual([]));

  test("a WebSocket is one still, and nothing else", () =>
    expect(natReasons({ ...learned, transport: "wss" }, ALL, isLocal)).toEqual(["websocket"]));

  test("RFC 7118 a browser's Contact is nobody's address", () => {
    const browser = { transport: "wss", via_host: "df7j.invalid", contact_host: "df7j.invalid" } as const;
    expect(natReasons(natted({ ...browser, sdp_address: null }), ALL, isLocal)).toEqual([
      "contact_mismatch",
      "websocket",
    ]);
  });
});

test("NT-01 any observation: the tests that count and hold, in their order, never an exception", () => {
  const host = fc.oneof(
    fc.constantFrom(PUBLIC, "192.168.0.77", "10.1.1.1", "fd00:1::77", "2001:db8::20", "2001:DB8:0::20"),
    fc.constantFrom("0.0.0.0", "::", "x.invalid", "phone.test", "", "fe80::1%eth0", "10.0.0.256"),
    fc.string({ maxLength: 20 }),
  );
  const port = fc.constantFrom(null, 0, 5060, 5061, 40_123);
  const observation = fc.record({
    transport: fc.constantFrom<TransportName>("udp", ...STREAMS),
    source_address: fc.constantFrom(PUBLIC, "192.168.0.77", "10.1.1.1", "fd00:1::77", "2001:db8::20"),
    source_port: fc.constantFrom(5060, 5061, 40_123),
    via_host: host,
    via_port: port,
    contact_host: fc.option(host),
    contact_port: port,
    sdp_address: fc.option(host),
  });
  fc.assert(
    fc.property(observation, fc.subarray([...NAT_REASONS]), (told, names) => {
      const found = natReasons(told, new Set(names), isLocal);
      const held = names.filter((reason) => NAT_TESTS[reason](told, isLocal));
      const knows_itself =
        told.contact_host !== null &&
        sameAddress(told.contact_host, told.source_address) &&
        (told.transport !== "udp" || (told.contact_port ?? 5060) === told.source_port);
      expect([...found]).toEqual(knows_itself ? held.filter((reason) => reason === "websocket") : held);
    }),
    { numRuns: 2000 },
  );
});

describe("the words of nat.reasons", () => {
  const written = (reasons: readonly string[]) =>
    `config_version = 1\n[nat]\nreasons = ${JSON.stringify(reasons)}`;
  test("every reason is one", () =>
    expect(configOf(written(NAT_REASONS)).nat.reasons).toEqual([...NAT_REASONS]));
  test("there are no others", () =>
    expect(errorsOf(written(["moon"])).map(({ allowed }) => allowed)).toEqual([NAT_REASONS.join(", ")]));
});

describe("RFC 8866 §5.7 the first c= line", () => {
  const address = (text: string, from = 0, to = text.length) =>
    sdpAddress(Buffer.from(text, "latin1"), from, to);
  for (const [what, text, found] of [
    ["of the session", "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n", "192.0.2.1"],
    [
      "of the first stream",
      "v=0\r\nm=audio 4 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\nm=video 6 RTP/AVP 9\r\nc=IN IP4 192.0.2.3\r\n",
      "192.0.2.2",
    ],
    ["IPv6", "v=0\nc=IN IP6 2001:db8::1\n", "2001:db8::1"],
    ["lines that end with CR or LF alone", "v=0\rc=IN IP4 192.0.2.1\rt=0 0", "192.0.2.1"],
    ["first of all", "c=IN IP4 192.0.2.1", "192.0.2.1"],
    ["multicast with a TTL", "c=IN IP4 224.2.1.1/127/3\r\n", "224.2.1.1"],
    ["a name", "c=IN IP4 phone.example.test\r\n", null],
    ["a name of hexadecimal letters", "c=IN IP4 10.0.0.1.fade.example.test\r\n", null],
    ["a name that begins like an address", "c=IN IP4 10.0.0.1-x\r\n", null],
    ["a name that begins with four numbers", "c=IN IP4 10.0.0.1.example.test\r\n", null],
    ["an address that goes on", "c=IN IP6 2001:db8::a:zz\r\n", null],
    ["spaces and a tab before it", "c=IN IP4 \t  10.0.0.1 \r\n", "10.0.0.1"],
    ["so many spaces that it would be cut", `c=IN IP4${" ".repeat(63)}10.0.0.123\r\n`, null],
    ["longer than any address", `c=IN IP6 ${"0:".repeat(500)}1\r\n`, null],
    ["a name, and an address for the stream: the first only", "c=IN IP4 x.test\r\nc=IN IP4 192.0.2.1", null],
    ["no address", "c=IN IP4 999.1.1.1\r\n", null],
    ["another network", "c=ATM NSAP 47\r\n", null],
    ["inside another line", "v=0\r\ns=c=IN IP4 10.0.0.1\r\n", null],
    ["none", "v=0\r\ns=-\r\n", null],
    ["nothing", "", null],
  ] as const)
    test(`${what}: ${found}`, () => expect(address(text)).toBe(found));

  test("nothing outside the body is read", () => {
    const text = "c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.3";
    expect(address(text, 20, 38)).toBe("192.0.2.2");
    expect(address(text, 40, 52)).toBeNull();
    expect(address("v=0\r\n", 0, 5)).toBeNull();
    expect(address("v=0\r\nc=IN IP4 192.0.2.1", 0, 5)).toBeNull();
  });

  test("any bytes: an address or null, never an exception", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            "c=",
            "IN ",
            "IP4 ",
            "IP6 ",
            "10.0.0.1",
            "::",
            "\r\n",
            "\0",
            "c=IN IP4 ",
            "9".repeat(90),
          ),
        ),
        fc.nat(60),
        fc.nat(200),
        (parts, from, to) => {
          const found = address(parts.join(""), from, to);
          expect(found === null || /^[0-9a-f:.]+$/i.test(found)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    ));
});
