/** What spoilt messages once did to the appliance, each with the packet that did it. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { FORWARDED_LINES_MAX, HEADER_LINES_MAX } from "../../src/message/scan.ts";
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
  /** An INVITE of so many header lines; Call-ID and CSeq stand behind all the others. */
  function inviteOf(count: number): string[] {
    const last = INVITE.filter((line) => /^(Call-ID|CSeq):/.test(line));
    const first = INVITE.filter((line) => !last.includes(line));
    const filling = Array.from({ length: count - (INVITE.length - 1) }, (_, i) => `X: ${i}`);
    return [...first, ...filling, ...last];
  }

  test(`${FORWARDED_LINES_MAX} pass, can still be read, and can be cancelled`, async () => {
    const edge = new Edge();
    edge.neighbour.on = (request, flow) => {
      if (request.method === "INVITE") flow.send(answerWith(request, 180, request.texts(H.Via)));
    };
    edge.sender.send(inviteOf(FORWARDED_LINES_MAX));
    await edge.settle();
    expect(edge.neighbour.request("INVITE").fault).toBeNull();
    edge.sender.send(INVITE.map((line) => line.replace("INVITE", "CANCEL")));
    await edge.settle();
    const cancel = edge.neighbour.request("CANCEL");
    expect([cancel.callId, cancel.text(H.CSeq)]).toEqual(["found", "1 CANCEL"]);
    expect(edge.leftOver()).toBe(0);
  });

  for (const count of [FORWARDED_LINES_MAX + 1, HEADER_LINES_MAX])
    test(`${count} are refused with 513`, async () => {
      const edge = new Edge();
      edge.sender.send(inviteOf(count));
      await edge.settle();
      expect(finals(edge.sender).map((answer) => answer.status)).toEqual([513]);
      expect(edge.forwarded).toHaveLength(0);
      expect(edge.leftOver()).toBe(0);
    });
});
