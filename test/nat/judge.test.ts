/** Who counts as behind a NAT, and whose flow is kept to: only the first hop can be judged. */
import { describe, expect, test } from "bun:test";
import type { Flow, LocalEndpoint } from "../../src/base/flow.ts";
import { Networks } from "../../src/base/networks.ts";
import { H } from "../../src/message/header-names.ts";
import { parseNameAddr } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { cameDirectly, isBoundBy, NatJudge } from "../../src/nat/judge.ts";
import type { NatReason } from "../../src/nat/reasons.ts";

/** The reasons by the request's own Contact, as a registrar or proxy asks for them. */
function reasonsOf(asked: NatJudge, message: SipMessage, source: Flow): string {
  const contact = parseNameAddr(message.text(H.Contact) ?? "");
  return asked.reasons(message, source, contact instanceof ParseError ? null : contact.uri);
}

const scanner = new Scanner();

function request(lines: readonly string[], method = "INVITE"): SipMessage {
  const text = [
    `${method} sip:bob@example.test SIP/2.0`,
    ...lines,
    "From: <sip:alice@example.test>;tag=1",
    "To: <sip:bob@example.test>",
    "Call-ID: 1",
    `CSeq: 1 ${method}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
  const message = scanner.scan(Buffer.from(text, "latin1"));
  if (message === null) throw new Error("no message");
  return message;
}

function flowFrom(address: string, port = 40_000, local_networks: readonly string[] = []): Flow {
  const local: LocalEndpoint = {
    transport: "udp",
    address: "192.0.2.1",
    port: 5060,
    sentBy: "192.0.2.1:5060",
    inside: { networks: new Networks(local_networks), sentBy: "192.0.2.1:5060" },
  };
  return {
    transport: "udp",
    local,
    remoteAddress: address,
    remotePort: port,
    reliable: false,
    open: true,
    id: `udp:192.0.2.1:5060>${address}:${port}`,
    send: () => true,
    watch() {},
    unwatch() {},
    toPort: () => null,
  };
}

const PUBLIC = "198.51.100.20";
const VIA = "Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bK1;rport";
const CONTACT = "Contact: <sip:alice@192.168.1.10:5060>";
const judge = (...counted: NatReason[]) => new NatJudge(counted);
const only = judge("private_contact");

describe("NH-23, NT-16 reasons", () => {
  test("names of those that count, and no others", () => {
    expect(reasonsOf(only, request([VIA, CONTACT]), flowFrom(PUBLIC))).toBe("private_contact");
    expect(reasonsOf(judge("websocket"), request([VIA, CONTACT]), flowFrom(PUBLIC))).toBe("");
    expect(reasonsOf(judge(), request([VIA, CONTACT]), flowFrom(PUBLIC))).toBe("");
  });

  test("several, with commas and without spaces", () => {
    const all = judge(
      "private_contact",
      "contact_mismatch",
      "private_via",
      "via_mismatch",
      "via_port_mismatch",
    );
    const found = reasonsOf(all, request([VIA, CONTACT]), flowFrom(PUBLIC)).split(",");
    expect(found.toSorted()).toEqual(
      ["contact_mismatch", "private_contact", "private_via", "via_mismatch", "via_port_mismatch"].toSorted(),
    );
  });

  test("the change of what counts is seen at once", () => {
    const one = judge("websocket");
    one.counted = new Set<NatReason>(["private_contact"]);
    expect(reasonsOf(one, request([VIA, CONTACT]), flowFrom(PUBLIC))).toBe("private_contact");
  });

  test("a phone that has learned its public address shows none", () => {
    const lines = [
      `Via: SIP/2.0/UDP ${PUBLIC}:40000;branch=z9hG4bK1;rport`,
      `Contact: <sip:alice@${PUBLIC}:40000>`,
    ];
    const all = judge(
      "private_contact",
      "contact_mismatch",
      "via_mismatch",
      "via_port_mismatch",
      "private_via",
    );
    expect(reasonsOf(all, request(lines), flowFrom(PUBLIC))).toBe("");
  });

  for (const [name, contact] of [
    ["the first Contact only", [CONTACT, "Contact: <sip:a@198.51.100.9>"]],
    ["compact form", ["m: <sip:alice@10.1.1.1>"]],
    ["without brackets", ["Contact: sip:alice@10.1.1.1"]],
  ] as const)
    test(`NT-16 ${name}`, () =>
      expect(reasonsOf(only, request([VIA, ...contact]), flowFrom(PUBLIC))).toBe("private_contact"));

  for (const contact of [
    "Contact: *",
    "Contact: <",
    "Contact:",
    "Contact: <tel:+1>",
    'Contact: "x',
    "Contact: <sip:>",
  ])
    test(`${contact}: nothing is seen in it, and nothing is thrown`, () =>
      expect(reasonsOf(only, request([VIA, contact]), flowFrom(PUBLIC))).toBe(""));

  test("no Contact, no Via, a malformed Via: nothing is thrown", () => {
    expect(reasonsOf(only, request([VIA]), flowFrom(PUBLIC))).toBe("");
    expect(reasonsOf(only, request([CONTACT]), flowFrom(PUBLIC))).toBe("");
    expect(reasonsOf(only, request(["Via: nonsense", CONTACT]), flowFrom(PUBLIC))).toBe("");
  });

  test("what came through another proxy is that proxy's affair", () => {
    const second = "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK0";
    expect(reasonsOf(only, request([VIA, second, CONTACT]), flowFrom(PUBLIC))).toBe("");
  });
});

describe("NH-34 the first hop, told by the number of Vias", () => {
  for (const [name, lines, direct] of [
    ["one Via", [VIA], true],
    ["one Via in compact form", [VIA.replace("Via", "v")], true],
    ["two Vias", [VIA, VIA], false],
    ["two Vias, one compact", [VIA, VIA.replace("Via", "v")], false],
    ["two Vias in one line", [`${VIA}, SIP/2.0/UDP 10.1.1.1;branch=z9hG4bK0`], false],
    ["two Vias far apart", [VIA, CONTACT, "Subject: x", VIA], false],
    ["none", [], false],
  ] as const)
    test(`${name}: ${direct}`, () => expect(cameDirectly(request(lines))).toBe(direct));
});

describe("RFC 5626 §4.3 ob in the Contact", () => {
  const none = judge();
  const bound = (contact: string, vias: readonly string[] = [VIA]) => {
    const message = request([...vias, `Contact: ${contact}`]);
    return isBoundBy(none.reasonsOf(message, flowFrom(PUBLIC)), message);
  };
  for (const [contact, wanted] of [
    ["<sip:a@198.51.100.20;ob>", true],
    ["<sip:a@198.51.100.20;OB>", true],
    ["<sip:a@198.51.100.20;transport=tcp;ob;x=y>", true],
    ["<sip:a@198.51.100.20>;ob", false],
    ["<sip:a@198.51.100.20;obx>", false],
    ["<sip:a@198.51.100.20;xob>", false],
    ["<sip:a@198.51.100.20;x=ob>", false],
    ['"a;ob" <sip:a@198.51.100.20>', false],
    ["<sip:a;ob@198.51.100.20>", false],
    ["<sip:a@198.51.100.20?x=;ob>", false],
    ["*;ob", false],
    ["<sip:;ob", false],
  ] as const)
    test(`${contact}: ${wanted}`, () => expect(bound(contact)).toBe(wanted));

  test("through another proxy it is that proxy's flow", () =>
    expect(bound("<sip:a@198.51.100.20;ob>", [VIA, VIA])).toBe(false));

  test("a reason binds as well", () => {
    const message = request([VIA, CONTACT]);
    expect(isBoundBy(only.reasonsOf(message, flowFrom(PUBLIC)), message)).toBe(true);
  });
});

describe("ALG signs", () => {
  test("none for what came through another proxy", () =>
    expect(only.algSigns(request([VIA, VIA, CONTACT]), flowFrom(PUBLIC))).toBe(""));
});
