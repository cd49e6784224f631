/** Messages as routers leave them, and as phones write them by themselves. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Flow, LocalEndpoint, TransportName } from "../../src/base/flow.ts";
import { Scanner } from "../../src/message/scan.ts";
import type { AlgSign } from "../../src/nat/alg.ts";
import { ALG_SIGNS, algSigns } from "../../src/nat/alg.ts";

const PUBLIC = "198.51.100.20";
const PRIVATE = "192.168.1.10";
const scanner = new Scanner();

function flowFrom(remoteAddress: string, transport: TransportName = "udp"): Flow {
  const local: LocalEndpoint = { transport, address: "192.0.2.1", port: 5060, sentBy: "192.0.2.1:5060" };
  return {
    transport,
    local,
    remoteAddress,
    remotePort: 40_123,
    reliable: transport !== "udp",
    open: true,
    id: "flow",
    send: () => true,
    watch() {},
    unwatch() {},
    toPort: () => null,
  };
}

interface Written {
  readonly via?: string;
  readonly contact?: string | null;
  readonly call_id?: string;
  readonly sdp?: readonly string[];
  /** Bytes more (or fewer) in Content-Length than there are. */
  readonly length_off?: number;
  readonly behind?: string;
}

/** An INVITE of alice's phone. */
function invite({ via, contact, call_id, sdp, length_off = 0, behind = "" }: Written): Buffer {
  const body = sdp === undefined ? "" : `${sdp.join("\r\n")}\r\n`;
  return Buffer.from(
    [
      "INVITE sip:bob@example.test SIP/2.0",
      `Via: SIP/2.0/UDP ${via ?? `${PRIVATE}:5060`};branch=z9hG4bK776asdhds;rport`,
      "Max-Forwards: 70",
      'From: "Alice" <sip:alice@example.test>;tag=1928301774',
      "To: <sip:bob@example.test>",
      `Call-ID: ${call_id ?? `a84b4c76e66710@${PRIVATE}`}`,
      "CSeq: 314159 INVITE",
      ...(contact === null ? [] : [`Contact: ${contact ?? `<sip:alice@${PRIVATE}:5060>`}`]),
      ...(sdp === undefined ? [] : ["Content-Type: application/sdp"]),
      `Content-Length: ${body.length + length_off}`,
      "",
      body + behind,
    ].join("\r\n"),
    "latin1",
  );
}

/** An offer by addresses: o=, c=, a=rtcp of the audio stream, and further lines. */
const sdp = (o: string, c: string, ...more: readonly string[]): readonly string[] => [
  "v=0",
  `o=alice 2890844526 2890844526 IN IP4 ${o}`,
  "s=-",
  `c=IN IP4 ${c}`,
  "t=0 0",
  "m=audio 49170 RTP/AVP 0",
  ...more,
];

function signs(written: Written, source = PUBLIC, transport: TransportName = "udp"): readonly AlgSign[] {
  const message = scanner.scan(invite(written));
  if (message === null || message.fault !== null) throw new Error("no message");
  return algSigns(message, flowFrom(source, transport));
}

const HOST_CANDIDATE = `a=candidate:1 1 UDP 2130706431 ${PRIVATE} 49170 typ host`;
const MAPPED_CANDIDATE = `a=candidate:2 1 UDP 1694498815 ${PUBLIC} 61000 typ srflx raddr ${PRIVATE} rport 49170`;

const KNOWN = `<sip:alice@${PUBLIC}:40123>`;

describe("NAT-07 what a router leaves", () => {
  const rows: readonly (readonly [what: string, written: Written, found: readonly AlgSign[]])[] = [
    ["Via changed, Contact forgotten", { via: `${PUBLIC}:40123` }, ["half_rewritten"]],
    [
      "o= and c= changed, Content-Length not",
      { sdp: sdp(PUBLIC, PUBLIC), length_off: 2 * ("10.0.0.4".length - PUBLIC.length) },
      ["content_length"],
    ],
    ["one digit more than before", { sdp: sdp(PRIVATE, PUBLIC), length_off: -1 }, ["content_length"]],
    [
      "c= changed, a=rtcp forgotten",
      { sdp: sdp(PUBLIC, PUBLIC, `a=rtcp:49171 IN IP4 ${PRIVATE}`) },
      ["sdp_half_rewritten"],
    ],
    [
      "c= of the session changed, of the stream forgotten",
      { sdp: sdp(PUBLIC, PUBLIC, `c=IN IP4 ${PRIVATE}`) },
      ["sdp_half_rewritten"],
    ],
    [
      "c= changed, the ICE candidates forgotten",
      { sdp: sdp(PUBLIC, PUBLIC, HOST_CANDIDATE) },
      ["ice_mismatch"],
    ],
    [
      "Linux nf_nat_sip: Via, Contact, o=, c= and m= changed; a=rtcp is not known to it",
      {
        via: `${PUBLIC}:1024`,
        contact: KNOWN,
        sdp: sdp(PUBLIC, PUBLIC, `a=rtcp:49171 IN IP4 ${PRIVATE}`),
      },
      ["sdp_half_rewritten"],
    ],
    [
      "Linux nf_nat_sip and a phone with ICE",
      { via: `${PUBLIC}:1024`, contact: KNOWN, sdp: sdp(PUBLIC, PUBLIC, HOST_CANDIDATE) },
      ["ice_mismatch"],
    ],
    ["the Content-Length of an empty body, and an SDP", { behind: "v=0\r\n" }, ["content_length"]],
    [
      "Via changed, the first of two Contacts in one line forgotten",
      { via: PUBLIC, contact: `<sip:alice@${PRIVATE}>;q=1, <sip:alice@203.0.113.9>` },
      ["half_rewritten"],
    ],
    [
      "Via changed, the first of two Contact lines forgotten",
      { via: PUBLIC, contact: `<sip:alice@${PRIVATE}>\r\nContact: <sip:alice@203.0.113.9>` },
      ["half_rewritten"],
    ],
    [
      "Via changed to the outer of two NATs, Contact to the inner",
      { via: PUBLIC, contact: "<sip:alice@100.64.0.7:1024>" },
      ["half_rewritten"],
    ],
    [
      "everything at once",
      {
        via: PUBLIC,
        sdp: sdp(PUBLIC, PUBLIC, `a=rtcp:49171 IN IP4 ${PRIVATE}`, HOST_CANDIDATE),
        length_off: -3,
      },
      [...ALG_SIGNS],
    ],
  ];
  test.each([...rows])("%s", (_what, written, found) => expect(signs(written)).toEqual([...found]));

  test("IPv6 by value", () => {
    const v6 = { via: "[2001:DB8::20]:5060", contact: "<sip:alice@[fd00::10]>" };
    expect(signs(v6, "2001:db8::20")).toEqual(["half_rewritten"]);
  });
});

describe("NAT-05, NAT-07 what a phone does by itself is no sign", () => {
  const rows: readonly (readonly [what: string, written: Written])[] = [
    ["private addresses everywhere", { sdp: sdp(PRIVATE, PRIVATE, HOST_CANDIDATE) }],
    [
      "STUN: Contact and c= learned, Via, Call-ID and o= private",
      { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC) },
    ],
    ["STUN: Via learned as well", { via: `${PUBLIC}:40123`, contact: KNOWN, sdp: sdp(PUBLIC, PUBLIC) }],
    ["STUN with another port than the one seen", { contact: `<sip:alice@${PUBLIC}:61000>` }],
    ["rport taken over into the Contact", { contact: KNOWN }],
    [
      "ICE with the mapped address as default",
      { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC, HOST_CANDIDATE, MAPPED_CANDIDATE) },
    ],
    ["ICE with the host's as default", { sdp: sdp(PRIVATE, PRIVATE, HOST_CANDIDATE, MAPPED_CANDIDATE) }],
    [
      "a browser: 0.0.0.0 and a name as candidate",
      {
        via: "df7jal23ls0d.invalid",
        contact: "<sip:alice@df7jal23ls0d.invalid;transport=ws>",
        sdp: sdp("127.0.0.1", "0.0.0.0", "a=candidate:1 1 udp 2113937151 5d5c.local 54400 typ host"),
      },
    ],
    [
      "Contact only, as by a cheap router: STUN looks the same",
      { contact: KNOWN, sdp: sdp(PRIVATE, PRIVATE) },
    ],
    ["everything changed, as by a good router", { via: PUBLIC, contact: KNOWN, sdp: sdp(PUBLIC, PUBLIC) }],
    ["a Call-ID of the learned address", { call_id: `a84b4c@${PUBLIC}` }],
    ["a private o= only", { via: PUBLIC, contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC) }],
    ["c= and a=rtcp learned", { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC, `a=rtcp:61001 IN IP4 ${PUBLIC}`) }],
    ["a=rtcp without an address", { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC, "a=rtcp:61001") }],
    [
      "a=rtcp with a name",
      { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC, "a=rtcp:61001 IN IP4 10.0.0.1-x.test") },
    ],
    [
      "ICE with another candidate's address as default",
      { contact: KNOWN, sdp: sdp(PRIVATE, "203.0.113.9", HOST_CANDIDATE, MAPPED_CANDIDATE) },
    ],
    ["a VPN", { via: "10.8.0.2:5060", contact: "<sip:alice@10.8.0.2>", sdp: sdp("10.8.0.2", "10.8.0.2") }],
    [
      "a VPN in the Contact, the LAN in the Via",
      { contact: "<sip:alice@10.8.0.2>", sdp: sdp(PRIVATE, "10.8.0.2") },
    ],
    ["a name in the Via", { via: "phone.example.test", sdp: sdp(PRIVATE, PRIVATE) }],
    [
      "Asterisk with externaddr",
      { via: `${PUBLIC}:5060`, contact: `<sip:alice@${PUBLIC}:5060>`, sdp: sdp(PUBLIC, PUBLIC) },
    ],
    [
      "pjsip: 127.0.0.1 for a stream that is off",
      { contact: KNOWN, sdp: sdp(PRIVATE, PUBLIC, "m=video 0 RTP/AVP 31", "c=IN IP4 127.0.0.1") },
    ],
    ["all Contacts, with parameters", { via: PUBLIC, contact: "*;x" }],
    ["two Contacts, the first learned", { via: PUBLIC, contact: `${KNOWN}, <sip:alice@${PRIVATE}>` }],
    ["a list that does not end", { via: PUBLIC, contact: `<sip:alice@${PRIVATE}>, <` }],
    ["a stream on hold", { sdp: sdp(PUBLIC, PUBLIC, "m=video 0 RTP/AVP 31", "c=IN IP4 0.0.0.0") }],
    ["no Contact", { via: PUBLIC, contact: null }],
    ["a name in the Contact", { via: PUBLIC, contact: "<sip:alice@phone.example.test>" }],
    ["the last line end is not counted", { sdp: sdp(PRIVATE, PRIVATE), length_off: -2 }],
    ["empty lines behind the body", { behind: "\r\n\r\n" }],
    ["zeros behind the body", { sdp: sdp(PRIVATE, PRIVATE), behind: "\0\0\0" }],
    ["a Contact that cannot be read", { via: PUBLIC, contact: '"<<' }],
    ["Contact: *", { via: PUBLIC, contact: "*" }],
  ];
  test.each([...rows])("%s", (_what, written) => expect(signs(written)).toEqual([]));

  describe("IPv6", () => {
    const own = "2001:db8::20";
    const direct = { via: `[${own}]:5060`, contact: `<sip:alice@[${own}]>` };
    const offer = (...more: readonly string[]) =>
      sdp(own, own, ...more).map((line) => line.replace("IP4 2001", "IP6 2001"));
    const host = (address: string) => `a=candidate:1 1 UDP 2130706431 ${address} 49170 typ host`;
    test.each([
      ["a phone that tells the truth", { ...direct, sdp: offer() }],
      ["ICE with both families", { ...direct, sdp: offer(host("2001:DB8:0::20"), host(PRIVATE)) }],
      ["a stream over IPv4", { ...direct, sdp: offer("m=video 6 RTP/AVP 31", `c=IN IP4 ${PRIVATE}`) }],
      ["an IPv4 Contact", { ...direct, contact: `<sip:alice@${PRIVATE}>` }],
      ["a stream that is off", { ...direct, sdp: offer("m=video 0 RTP/AVP 31", "c=IN IP6 ::1") }],
      ["unique-local everywhere", { via: "[fd00::10]", contact: "<sip:alice@[fd00::10]>" }],
    ] as const)("%s", (_what, written) => expect(signs(written, own)).toEqual([]));
  });

  test("a router inside: the source is private itself", () =>
    expect(signs({ via: "10.0.0.9" }, "10.0.0.9")).toEqual([]));

  test("RFC 3261 §18.3 a stream is cut by its Content-Length", () =>
    expect(signs({ behind: "x" }, PUBLIC, "tcp")).toEqual([]));

  test("more candidates than are looked at: nothing is said", () => {
    const many = Array<string>(80).fill(HOST_CANDIDATE);
    expect(signs({ sdp: sdp(PRIVATE, PUBLIC, ...many, MAPPED_CANDIDATE) })).toEqual([]);
  });

  test("none: always the same empty list", () => expect(signs({})).toBe(signs({ call_id: "x" })));
});

test("NAT-07 any Via, Contact and SDP: signs in their order, never an exception", () => {
  const host = fc.constantFrom(PUBLIC, PRIVATE, "[fd00::1]", "[2001:db8::20]", "x.invalid", "10.0.0.1-x", "");
  const bit = fc.constantFrom(
    `c=IN IP4 ${PUBLIC}`,
    `c=IN IP4 ${PRIVATE}`,
    "a=rtcp:1 IN IP4 ",
    HOST_CANDIDATE,
  );
  const junk = fc.constantFrom("*", "<", '"', ",", "\0", "a=candidate:", "\xff");
  fc.assert(
    fc.property(
      host,
      fc.array(fc.oneof(host, junk), { maxLength: 4 }),
      fc.array(fc.oneof(bit, junk), { maxLength: 8 }),
      fc.constantFrom(PUBLIC, "2001:db8::20", PRIVATE),
      (via, contact, lines, source) => {
        const bytes = invite({ via, contact: `<sip:a@${contact.join("")}>`, sdp: lines });
        const message = scanner.scan(bytes);
        if (message === null) return;
        const found = algSigns(message, flowFrom(source));
        expect([...found]).toEqual(ALG_SIGNS.filter((sign) => found.includes(sign)));
        if (source === PRIVATE) expect(found).toEqual([]);
      },
    ),
    { numRuns: 1000 },
  );
});
