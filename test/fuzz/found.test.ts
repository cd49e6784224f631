/** What spoilt messages once did to the appliance, each with the packet that did it. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { HEADER_LINES_MAX, Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { Edge, finals, SENDER } from "../rfc/4475/edge.ts";

const INVITE = [
  "INVITE sip:bob@198.51.100.7 SIP/2.0",
  `Via: SIP/2.0/UDP ${SENDER}:5060;branch=z9hG4bKinvite`,
  "Max-Forwards: 70",
  "From: <sip:alice@a.example>;tag=1",
  "To: <sip:bob@b.example>",
  "Call-ID: found",
  "CSeq: 1 INVITE",
  "Content-Length: 0",
];

/** An answer to what was forwarded, with another set of Vias. */
function answerWith(request: SipMessage, status: number, vias: readonly string[]): Buffer {
  const lines = [H.From, H.To, H.CallId, H.CSeq].map((id) => `${NAMES[id]}: ${request.text(id)}`);
  const head = [`SIP/2.0 ${status} x`, ...vias.map((via) => `Via: ${via}`), ...lines, "Content-Length: 0"];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1");
}
const NAMES: Readonly<Record<number, string>> = {
  [H.From]: "From",
  [H.To]: "To",
  [H.CallId]: "Call-ID",
  [H.CSeq]: "CSeq",
};

describe("RFC 3261 §16.7 step 3: an answer whose sender lost all Vias but ours", () => {
  for (const status of [183, 200, 486])
    test(`a ${status}: the caller gets a final answer all the same, and nothing stays behind`, async () => {
      const edge = new Edge();
      edge.neighbour.on = (request, flow) => {
        if (request.method === "INVITE") flow.send(answerWith(request, status, [request.text(H.Via) ?? ""]));
      };
      edge.sender.send(INVITE);
      await edge.settle();
      expect(edge.leftOver()).toBe(0);
      expect(new Set(finals(edge.sender).map((answer) => answer.status)).size).toBe(1);
      expect(edge.world.counter("sipedge_exceptions_total")).toBe(0);
    });
});

describe("header lines of one message are bounded: what we add counts too", () => {
  test("a request of as many lines as can be read is not forwarded with more than can be read", async () => {
    const lines = [
      ...INVITE,
      ...Array.from({ length: HEADER_LINES_MAX - INVITE.length + 1 }, (_, i) => `X: ${i}`),
    ];
    const edge = new Edge();
    edge.sender.send(lines);
    await edge.settle();
    const scanner = new Scanner();
    for (const copy of edge.forwarded) expect(scanner.scan(copy.bytes)?.fault ?? null).toBeNull();
    expect(edge.forwarded.length + finals(edge.sender).length).toBe(1);
    expect(edge.leftOver()).toBe(0);
  });

  test("and can be cancelled: its CANCEL has the fields that stand behind the others", async () => {
    const last = ["Call-ID: found", "CSeq: 1 INVITE"];
    const others = INVITE.filter((line) => !last.includes(line));
    const lines = [
      ...others,
      ...Array.from({ length: HEADER_LINES_MAX - INVITE.length }, (_, i) => `X: ${i}`),
      ...last,
    ];
    const edge = new Edge();
    edge.neighbour.on = (request, flow) => {
      if (request.method === "INVITE") flow.send(answerWith(request, 180, request.texts(H.Via)));
    };
    edge.sender.send(lines);
    await edge.settle();
    if (finals(edge.sender).length > 0) return; // refused: nothing to cancel
    edge.sender.send(INVITE.map((line) => line.replace("INVITE", "CANCEL")));
    await edge.settle();
    const cancel = edge.neighbour.request("CANCEL");
    expect([cancel.callId, cancel.text(H.CSeq)]).toEqual(["found", "1 CANCEL"]);
  });
});
