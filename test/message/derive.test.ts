import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ackFor, cancelFor } from "../../src/message/derive.ts";
import { Edits } from "../../src/message/edits.ts";
import { H } from "../../src/message/header-names.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { anyMessage } from "./any-message.ts";
import { read, textOf } from "./requests.ts";

const edits = new Edits();

/** An INVITE as a proxy sends it. */
const INVITE = read(
  [
    "INVITE sip:bob@192.0.2.4;x=y SIP/2.0",
    "Via: SIP/2.0/UDP edge;branch=z9hG4bKedge;rport",
    "Record-Route: <sip:edge;lr>",
    "v: SIP/2.0/UDP phone;branch=z9hG4bKphone;received=192.0.2.7",
    "Max-Forwards: 12",
    "Route: <sip:p1.example;lr>,\r\n <sip:p2.example;lr>",
    "Route: <sip:p3.example;lr>",
    'f: "A" <sip:a@a.example> ;tag=1',
    "T: <sip:bob@b.example>",
    "Call-ID: c1",
    "cseq: 0012\r\n INVITE",
    "Contact: <sip:a@192.0.2.7>",
    "Require: 100rel",
    "Proxy-Require: nothing",
    "Supported: timer",
    "Proxy-Authorization: Digest a=b",
    "Content-Type: application/sdp",
    "l: 4",
  ],
  "v=0\r",
);

const KEPT = [
  "Via: SIP/2.0/UDP edge;branch=z9hG4bKedge;rport",
  "Max-Forwards: 70",
  "Route: <sip:p1.example;lr>,\r\n <sip:p2.example;lr>",
  "Route: <sip:p3.example;lr>",
  'f: "A" <sip:a@a.example> ;tag=1',
];

describe("RFC 3261 §9.1 CANCEL", () => {
  test("Request-URI, one Via, Route, From, To, Call-ID and the number of CSeq are the INVITE's; no body, no Require", () => {
    expect(textOf(cancelFor(edits, INVITE))).toBe(
      `${["CANCEL sip:bob@192.0.2.4;x=y SIP/2.0", ...KEPT, "T: <sip:bob@b.example>", "Call-ID: c1", "cseq: 12 CANCEL"].join("\r\n")}\r\nContent-Length: 0\r\n\r\n`,
    );
  });

  test("RFC 3326: a Reason goes along", () => {
    const reason = 'Reason: SIP;cause=200;text="Call completed elsewhere"';
    expect(textOf(cancelFor(edits, INVITE, [reason]))).toEndWith(
      `\r\n${reason}\r\nContent-Length: 0\r\n\r\n`,
    );
  });
});

describe("RFC 3261 §17.1.1.3 ACK of a final answer other than 2xx", () => {
  test("To is the answer's, with its tag; all else as in the INVITE, and CSeq says ACK", () => {
    const answer = read([
      "SIP/2.0 486 Busy Here",
      "To:  <sip:bob@b.example> ; tag=theirs",
      "CSeq: 12 INVITE",
    ]);
    expect(textOf(ackFor(edits, INVITE, answer))).toBe(
      `${["ACK sip:bob@192.0.2.4;x=y SIP/2.0", ...KEPT, "T: <sip:bob@b.example> ; tag=theirs", "Call-ID: c1", "cseq: 12 ACK"].join("\r\n")}\r\nContent-Length: 0\r\n\r\n`,
    );
  });
});

describe("RFC 3261 §9.1, §17.1.1.3 of any INVITE", () => {
  test("exactly one Via value (the topmost), and every field the section names, whatever the order and spelling", () => {
    fc.assert(
      fc.property(anyMessage, fc.boolean(), ({ bytes, lines }, cancel) => {
        const invite = read(bytes.toString("latin1"));
        const answer = read(["SIP/2.0 404 Not Found", "To: <sip:x@y>;tag=z"]);
        const derived = read(textOf(cancel ? cancelFor(edits, invite) : ackFor(edits, invite, answer)));
        expect(derived.fault).toBeNull();
        expect(derived.method).toBe(cancel ? "CANCEL" : "ACK");
        expect(derived.uriText).toBe(invite.uriText);
        const { via } = invite;
        if (via === null || via instanceof ParseError) throw new Error("generated without Via");
        expect(derived.texts(H.Via)).toEqual([bytes.latin1Slice(via.start, via.end)]);
        for (const id of [H.From, H.CallId, H.Route]) expect(derived.texts(id)).toEqual(invite.texts(id));
        expect(derived.text(H.To)).toBe(cancel ? invite.text(H.To) : "<sip:x@y>;tag=z");
        const [asked, sent] = [invite.cseq, derived.cseq];
        if (asked instanceof ParseError || sent instanceof ParseError) throw new Error("CSeq");
        expect(sent).toEqual({ number: asked.number, method: derived.method });
        expect(derived.count).toBe(6 + (lines.some(({ name }) => /^max-forwards$/i.test(name)) ? 1 : 0));
        expect(derived.body).toHaveLength(0);
      }),
    );
  });
});
