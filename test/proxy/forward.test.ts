/** The forwarded copy (RFC 3261 §16.6), byte for byte, and the flow it leaves on. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { World } from "./kit.ts";
import { EDGE, entries, inside, lab, Phone, setUp, text } from "./kit.ts";

function rig() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  return { world, alice, bob };
}

/** What the edge put in by chance, replaced by names. */
const plain = (message: string) =>
  message
    .replace(/branch=z9hG4bK[^;\r]+;rport\r/, "branch=BRANCH;rport\r")
    .replaceAll(/<sip:[\w-]{31,63}@/g, "<sip:TOKEN@");

describe("RFC 3261 §16.6 steps 1 to 8 byte for byte", () => {
  const ODD_HEADERS = [
    "v:  SIP / 2.0 / UDP  first.example.test: 4000 ;ttl=3;branch=390skdjuw",
    's:   "odd"   spacing\t and \u00e9\u00ff bytes  ',
    "X-Folded: one",
    "\ttwo",
    "   three",
    'm: "Quoted, comma" <sip:alice@198.51.100.7>;q=0.7 ,<sip:x@y.test>',
    "X-Empty:",
    "Unknown;not-a-name: x".replace(";", "-"),
    "c: application/sdp",
  ];
  const BODY = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=\u0000binary\u00ff\r\n";

  test("SIP-01 an INVITE: only what §16.6 names has changed", () => {
    const { alice, bob } = rig();
    const sent = alice.request("INVITE", "sip:bob@example.test", {
      branch: "z9hG4bKbyte",
      viaParams: ";rport;x=1",
      from: '"A. \\"Lice\\" <x>"   <sip:alice@example.test>',
      headers: ODD_HEADERS,
      body: BODY,
    });
    const wanted = sent
      .replace("INVITE sip:bob@example.test SIP/2.0\r\n", () =>
        [
          "INVITE sip:bob@198.51.100.8:5060 SIP/2.0",
          "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=BRANCH;rport",
          "",
        ].join("\r\n"),
      )
      .replace(
        ";rport;x=1\r\n",
        ";rport=5060;x=1;received=198.51.100.7\r\nRecord-Route: <sip:TOKEN@192.0.2.1:5060;lr>\r\n",
      )
      .replace("Max-Forwards: 70", "Max-Forwards: 69")
      .replace("Content-Length: ", "Content-Length: ")
      .replace("\r\n\r\nv=0", "\r\nMax-Breadth: 50\r\n\r\nv=0");
    expect(plain(text(bob.incoming("INVITE")))).toBe(wanted);
  });

  test("a MESSAGE: no Record-Route", () => {
    const { alice, bob } = rig();
    const sent = alice.request("MESSAGE", "sip:bob@example.test", { viaParams: "", headers: [], body: "hi" });
    const wanted = sent
      .replace(
        /^[^\r]+\r\n/,
        "MESSAGE sip:bob@198.51.100.8:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=BRANCH;rport\r\n",
      )
      .replace("Max-Forwards: 70", "Max-Forwards: 69")
      .replace("\r\n\r\nhi", "\r\nMax-Breadth: 50\r\n\r\nhi");
    expect(plain(text(bob.incoming("MESSAGE")))).toBe(wanted);
  });

  test("what follows the body in the datagram does not go along (§18.3)", () => {
    const { world, alice, bob } = rig();
    alice.send(`${alice.write("MESSAGE", "sip:bob@example.test", { headers: [], body: "hi" })}GARBAGE`);
    world.run(20);
    expect(text(bob.incoming("MESSAGE")).endsWith("\r\n\r\nhi")).toBe(true);
    expect(bob.incoming("MESSAGE").bytes.includes("GARBAGE")).toBe(false);
  });

  test("an answer comes back byte for byte, without our Via", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test", {
      headers: ["v: SIP/2.0/UDP first.test;branch=1", "Contact: <sip:alice@198.51.100.7>"],
    });
    const answer = bob.answer(bob.incoming("INVITE"), 183, {
      headers: ["X-Odd:   \u00ff,, ;", "Contact: <sip:bob@10.9.9.9>", "Server: x"],
    });
    const wanted = answer.replace(/Via: SIP\/2\.0\/UDP 192\.0\.2\.1:5060[^\r]*\r\n/, "");
    expect(text(alice.answers("INVITE")[0]!)).toBe(wanted);
  });

  test("Vias that share one line come apart rightly on the way back", () => {
    const { world, alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test");
    const arrived = bob.incoming("INVITE");
    const vias = arrived.texts(H.Via);
    const lines = [
      "SIP/2.0 180 Ringing",
      `v: ${vias.join(" ,\r\n\t")}`,
      `f: ${arrived.text(H.From)}`,
      `t: ${arrived.text(H.To)};tag=b`,
      `i: ${arrived.callId}`,
      "CSeq: 1 INVITE",
      "l: 0",
    ];
    bob.host.send(lines);
    world.run(20);
    expect(alice.statuses("INVITE")).toEqual([180]);
    expect(entries(alice.last(), H.Via)).toEqual(vias.slice(1));
  });
});

describe("SIP-09, B-07 RFC 3261 §18.2.1 and RFC 3581 the sender's Via", () => {
  const arrivedVia = (via: string) => {
    const { world, alice, bob } = rig();
    alice.send(alice.write("MESSAGE", "sip:bob@example.test").replace(/Via: [^\r]+/, `Via: ${via}`));
    world.run(20);
    return bob.incoming("MESSAGE").texts(H.Via)[1];
  };
  const cases: readonly [string, string][] = [
    ["SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1"],
    ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=198.51.100.7"],
    ["SIP/2.0/UDP pc.test;branch=z9hG4bK1", "SIP/2.0/UDP pc.test;branch=z9hG4bK1;received=198.51.100.7"],
    [
      "SIP/2.0/UDP 198.51.100.7;rport;branch=z9hG4bK1",
      "SIP/2.0/UDP 198.51.100.7;rport=5060;branch=z9hG4bK1;received=198.51.100.7",
    ],
    [
      "SIP/2.0/UDP 10.0.0.1;received=6.6.6.6;branch=z9hG4bK1",
      "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=198.51.100.7",
    ],
    [
      "SIP/2.0/UDP 10.0.0.1;rport=9;branch=z9hG4bK1",
      "SIP/2.0/UDP 10.0.0.1;rport=5060;branch=z9hG4bK1;received=198.51.100.7",
    ],
  ];
  for (const [given, wanted] of cases) test(given, () => expect(arrivedVia(given)).toBe(wanted));
});

describe("SIP-10, SRV-06 RFC 3261 §16.6 step 4 Record-Route", () => {
  for (const [method, stays] of [
    ["INVITE", true],
    ["SUBSCRIBE", true],
    ["REFER", true],
    ["NOTIFY", true],
    ["MESSAGE", false],
    ["OPTIONS", false],
    ["PUBLISH", false],
  ] as const)
    test(`${method}: ${stays ? "we stay in the path" : "none"}`, () => {
      const { alice, bob } = rig();
      alice.request(method, "sip:bob@example.test");
      expect(bob.incoming(method).countOf(H.RecordRoute)).toBe(stays ? 1 : 0);
    });

  test("goes in front of those that are there", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test", { headers: ["Record-Route: <sip:p1.test;lr>"] });
    expect(entries(bob.incoming("INVITE"), H.RecordRoute)).toEqual([
      expect.stringMatching(/^<sip:[\w-]+@192\.0\.2\.1:5060;lr>$/),
      "<sip:p1.test;lr>",
    ]);
  });

  test("not again inside the dialog", () => {
    const { alice, bob } = rig();
    const call = setUp(alice, bob);
    alice.request("INVITE", call.caller.target, inside(call.caller, { cseq: 2 }));
    expect(bob.incoming("INVITE").countOf(H.RecordRoute)).toBe(0);
  });

  test("other transport out than in: two, the outgoing side first (RFC 5658)", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    carol.register();
    alice.request("INVITE", "sip:carol@example.test");
    expect(entries(carol.incoming("INVITE"), H.RecordRoute)).toEqual([
      expect.stringMatching(/^<sip:[\w-]+@192\.0\.2\.1:5060;transport=tcp;lr>$/),
      expect.stringMatching(/^<sip:[\w-]+@192\.0\.2\.1:5060;lr>$/),
    ]);
  });

  test("other address family out than in: two, each reachable from its side", () => {
    const { world, alice } = rig();
    const dora = new Phone(world, "dora", "2001:db8:7::9");
    registerOver6(dora);
    alice.request("INVITE", "sip:dora@example.test");
    expect(entries(dora.incoming("INVITE"), H.RecordRoute)).toEqual([
      expect.stringMatching(/^<sip:[\w-]+@\[2001:db8::1\]:5060;lr>$/),
      expect.stringMatching(/^<sip:[\w-]+@192\.0\.2\.1:5060;lr>$/),
    ]);
  });
});

function registerOver6(phone: Phone): void {
  const text = phone.write("REGISTER", "sip:example.test", { to: `<sip:${phone.name}@example.test>` });
  phone.send(text, "2001:db8::1");
  phone.world.run(20);
  expect(phone.last().status).toBe(200);
}

describe("SIP-03 calls across transports and families, both sides hang up and re-invite", () => {
  type Maker = (world: World, name: string, n: number) => Phone;
  const udp4: Maker = (world, name, n) => new Phone(world, name, `198.51.100.${n}`);
  const tcp4: Maker = (world, name, n) => new Phone(world, name, `198.51.100.${n}`, 5060, "tcp");
  const udp6: Maker = (world, name, n) => new Phone(world, name, `2001:db8:7::${n}`);
  const sides: readonly [string, Maker, Maker][] = [
    ["UDP to UDP", udp4, udp4],
    ["UDP to TCP", udp4, tcp4],
    ["TCP to UDP", tcp4, udp4],
    ["TCP to TCP", tcp4, tcp4],
    ["IPv4 to IPv6", udp4, udp6],
    ["IPv6 to IPv4", udp6, udp4],
    ["IPv6 to TCP", udp6, tcp4],
  ];
  for (const [name, makeA, makeB] of sides)
    test(name, () => {
      const world = lab();
      const a = makeA(world, "ann", 71);
      const b = makeB(world, "ben", 72);
      for (const phone of [a, b]) {
        const six = phone.sentBy.startsWith("[");
        const send = phone.send.bind(phone);
        phone.send = (text: string) => send(text, six ? "2001:db8::1" : EDGE);
        phone.register();
      }
      const call = setUp(a, b);
      expect(b.count("ACK")).toBe(1);
      expect(b.incoming("ACK").countOf(H.Route)).toBe(0);
      b.request("INVITE", call.callee.target, inside(call.callee, { cseq: 11 }));
      a.answer(a.incoming("INVITE"), 200, { toTag: call.caller.fromTag });
      expect(b.statuses("INVITE")).toEqual([200]);
      b.request("ACK", call.callee.target, inside(call.callee, { cseq: 11 }));
      expect(a.count("ACK")).toBe(1);
      a.request("INFO", call.caller.target, inside(call.caller, { cseq: 2 }));
      b.answer(b.incoming("INFO"), 200);
      expect(a.statuses("INFO")).toEqual([200]);
      b.request("BYE", call.callee.target, inside(call.callee, { cseq: 12 }));
      a.answer(a.incoming("BYE"), 200);
      expect(b.statuses("BYE")).toEqual([200]);
    });
});

describe("RFC 3261 §16.6 step 8 our branch", () => {
  test("SIP-15 begins with the magic cookie and is another one for each request", () => {
    const { alice, bob } = rig();
    for (let i = 0; i < 20; i++) alice.request("MESSAGE", "sip:bob@example.test", { cseq: i + 1 });
    const branches = bob.got
      .filter((each) => each.isRequest)
      .map((each) => /branch=([^;]+)/.exec(each.texts(H.Via)[0]!)![1]!);
    expect(new Set(branches).size).toBe(20);
    for (const branch of branches) expect(branch).toStartWith("z9hG4bK");
  });
});

describe("RFC 3261 §16.6 step 9 Content-Length", () => {
  const withoutLength = (phone: Phone, body: string) =>
    phone
      .write("MESSAGE", "sip:carol@example.test", { headers: [], body })
      .replace(/Content-Length: \d+\r\n/, "");
  test("added when the copy goes over a stream", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    carol.register();
    alice.send(withoutLength(alice, "hello"));
    world.run(20);
    expect(carol.incoming("MESSAGE").texts(H.ContentLength)).toEqual(["5"]);
    expect(text(carol.incoming("MESSAGE"))).toEndWith("\r\n\r\nhello");
  });
});

describe("RFC 3261 §18.1.1 long requests", () => {
  const long = "x".repeat(1400);
  test("to a peer that takes streams: over TCP, with a TCP Via", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    const carolUdp = new Phone(world, "carol", "198.51.100.9");
    carolUdp.register();
    carol.request("OPTIONS", "sip:example.test"); // its connection shows that it speaks TCP
    openFrom(world, "198.51.100.9");
    alice.request("MESSAGE", "sip:carol@example.test", { headers: [], body: long });
    expect([carol.count("MESSAGE"), carolUdp.count("MESSAGE")]).toEqual([1, 0]);
    expect(carol.incoming("MESSAGE").texts(H.Via)[0]).toStartWith("SIP/2.0/TCP 192.0.2.1:5060;");
    carol.answer(carol.incoming("MESSAGE"), 200);
    expect(alice.statuses("MESSAGE")).toEqual([200]);
  });
  test("a short one to the same peer stays with UDP", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    const carolUdp = new Phone(world, "carol", "198.51.100.9");
    carolUdp.register();
    openFrom(world, "198.51.100.9");
    alice.request("MESSAGE", "sip:carol@example.test", { headers: [], body: "short" });
    expect([carol.count("MESSAGE"), carolUdp.count("MESSAGE")]).toEqual([0, 1]);
  });
  test("to a peer that never spoke TCP: over UDP", () => {
    const { alice, bob } = rig();
    alice.request("MESSAGE", "sip:bob@example.test", { headers: [], body: long });
    expect(text(bob.incoming("MESSAGE"))).toEndWith(long);
  });
});

/** A connection of ours to that address, as an earlier request would have left it. */
function openFrom(world: World, address: string): void {
  expect(world.transports.flowTo("tcp", address, 5060)?.open).toBe(true);
  expect(world.transports.speaksTcp(address, 5060)).toBe(true);
}

describe("B-06 RFC 6223 §4 keep", () => {
  test("it gets the interval of its transport; what the client says itself stays as it is", () => {
    for (const [transport, params, answered] of [
      ["tcp", ";keep", ";keep=90"],
      ["tcp", ";keep;rport", ";keep=90;rport="],
      ["udp", ";rport;keep", ";keep=25;received="],
      ["tcp", ";keep=30", ";keep=30"],
    ] as const) {
      const world = lab();
      const phone = new Phone(world, "ann", "198.51.100.20", 5060, transport);
      phone.request("OPTIONS", `sip:${EDGE}`, { viaParams: params });
      expect(`${phone.host.response(200).text(H.Via)};received=`).toContain(answered);
    }
  });
});

describe("RFC 5626 §5.3 the flow of a registration", () => {
  test("TCP: the request comes down the connection of the REGISTER", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    carol.register();
    const connection = carol.host.transports.connections[0]!;
    alice.request("INVITE", "sip:carol@example.test");
    expect(carol.flowOf(carol.incoming("INVITE"))).toBe(connection);
  });

  test("UDP behind a NAT: to the address the REGISTER came from, the Contact unchanged in the Request-URI", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 34_567);
    const text = carol
      .write("REGISTER", "sip:example.test", {
        to: "<sip:carol@example.test>",
        headers: ["Contact: <sip:carol@192.168.1.10:5060>"],
      })
      .replace("UDP 198.51.100.9:34567", "UDP 192.168.1.10:5060");
    carol.send(text);
    world.run(20);
    expect(carol.last().status).toBe(200);
    alice.request("INVITE", "sip:carol@example.test");
    expect(carol.incoming("INVITE").uriText).toBe("sip:carol@192.168.1.10:5060");
  });

  test("TCP connection gone: the Contact is tried, and when that fails too the caller hears 480 or 5xx", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    carol.register();
    carol.host.transports.connections[0]!.close("reset");
    alice.request("INVITE", "sip:carol@example.test");
    expect(carol.count("INVITE")).toBe(1);
  });
});

describe("RFC 3261 §18.2.2 answers to a TCP caller", () => {
  test("go back on the connection the request came on", () => {
    const { world, bob } = rig();
    const tina = new Phone(world, "tina", "198.51.100.20", 5060, "tcp");
    tina.request("INVITE", "sip:bob@example.test");
    const before = tina.host.transports.connections.length;
    bob.answer(bob.incoming("INVITE"), 486);
    expect(tina.statuses("INVITE")).toEqual([486]);
    expect(tina.host.transports.connections.length).toBe(before);
  });

  test("to a new connection when it is gone, at the sent-by port", () => {
    const { world, bob } = rig();
    const tina = new Phone(world, "tina", "198.51.100.20", 5060, "tcp");
    tina.request("INVITE", "sip:bob@example.test");
    tina.host.transports.connections[0]!.close("reset");
    bob.answer(bob.incoming("INVITE"), 200);
    expect(tina.statuses("INVITE")).toEqual([200]);
    expect(tina.host.transports.connections.filter((each) => each.open)).toHaveLength(1);
  });
});
