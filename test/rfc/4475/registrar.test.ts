/** RFC 4475: the REGISTER messages at the registrar of their domain. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { messageOf } from "./corpus.ts";
import { Edge, finals, SENDER } from "./edge.ts";
import { VERDICTS } from "./verdicts.ts";

/** A REGISTER without Contact: asks for the bindings (RFC 3261 §10.2.3). */
function fetch(aor: string): string[] {
  return [
    "REGISTER sip:example.com SIP/2.0",
    `Via: SIP/2.0/UDP ${SENDER};branch=z9hG4bKfetch`,
    "Max-Forwards: 70",
    `From: <${aor}>;tag=fetch`,
    `To: <${aor}>`,
    "Call-ID: fetch",
    "CSeq: 1 REGISTER",
    "Content-Length: 0",
  ];
}

const AOR: Readonly<Record<string, string>> = {
  escnull: "sip:null-%00-null@example.com",
  dblreq: "sip:j.user@example.com",
  regaut01: "sip:j.user@example.com",
  cparam01: "sip:watson@example.com",
  cparam02: "sip:watson@example.com",
};

for (const [name, { section, title, registrar }] of Object.entries(VERDICTS)) {
  if (registrar === undefined) continue;
  const { status, contacts = [] } = registrar;
  describe(`RFC 4475 §${section} ${title}`, () => {
    for (const way of ["datagram", "stream"] as const)
      test(`${name} by ${way}: the registrar answers ${status}`, async () => {
        const edge = new Edge({ home: "example.com" });
        await edge[way](messageOf(name));
        const answers = finals(way === "stream" ? edge.streamSender : edge.sender);
        // On a stream the octets behind dblreq's body are a message of their own: an INVITE to nobody.
        const expected = name === "dblreq" && way === "stream" ? [status, 404] : [status];
        expect(answers.map((answer) => answer.status)).toEqual(expected);
        if (status === 200) expect(answers[0]!.texts(H.Contact)).toEqual([...contacts]);
        expect(edge.forwarded).toHaveLength(0);
        expect(edge.leftOver()).toBe(0);
        expect(edge.world.counter("sipedge_exceptions_total")).toBe(0);
      });

    test(`${name}: a later fetch shows ${contacts.length} binding${contacts.length === 1 ? "" : "s"}`, async () => {
      const edge = new Edge({ home: "example.com" });
      await edge.datagram(messageOf(name));
      edge.sender.send(fetch(AOR[name] ?? "sip:user@example.com"));
      await edge.settle();
      const answer = edge.sender.last((message) => message.callId === "fetch");
      expect(answer.status).toBe(200);
      expect(answer.texts(H.Contact)).toEqual([...contacts]);
    });
  });
}

describe("RFC 4475 §3.1.1.4 Escaped Nulls in URIs: beyond the table", () => {
  test("escnull: an AOR is not cut short at its escaped null", async () => {
    const edge = new Edge({ home: "example.com" });
    await edge.datagram(messageOf("escnull"));
    edge.sender.send(fetch("sip:null-@example.com"));
    await edge.settle();
    const answer = edge.sender.last((message) => message.callId === "fetch");
    expect(answer.texts(H.Contact)).toEqual([]);
  });
});

describe("RFC 4475 §3.3.7 Unknown Authorization Scheme: beyond the table", () => {
  test("regaut01 from a source that must prove itself: 401 with a Digest challenge", async () => {
    const edge = new Edge({ home: "example.com", trusted: false });
    await edge.datagram(messageOf("regaut01"));
    const answer = edge.sender.response(401);
    expect(answer.texts(H.WwwAuthenticate).length).toBeGreaterThan(0);
    for (const challenge of answer.texts(H.WwwAuthenticate)) expect(challenge).toStartWith("Digest ");
  });
});
