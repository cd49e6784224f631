import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { AnswerOptions } from "../../src/message/answer.ts";
import { buildAnswer, isAnswerable } from "../../src/message/answer.ts";
import { Edits } from "../../src/message/edits.ts";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { anyMessage } from "./any-message.ts";
import { read, textOf } from "./requests.ts";

const edits = new Edits();
const SOURCE: AnswerOptions = { address: "192.0.2.7", port: 5062 };

const INVITE = [
  "INVITE sip:bob@b.example SIP/2.0",
  "Subject: what is not mirrored",
  "v: SIP/2.0/UDP 192.0.2.7:5062;rport;branch=z9hG4bK1",
  "Via: SIP/2.0/TCP h2;branch=z9hG4bK2, SIP/2.0/TCP h3",
  'f :  "A" <sip:a@a.example>\r\n ;tag=1',
  "Max-Forwards: 70",
  "TO:<sip:bob@b.example>",
  "i: call-1",
  "Timestamp: 54.21",
  "CSeq: 7   INVITE",
  "Content-Length: 4",
];
const MIRRORED =
  'v: SIP/2.0/UDP 192.0.2.7:5062;rport=5062;branch=z9hG4bK1;received=192.0.2.7\r\nVia: SIP/2.0/TCP h2;branch=z9hG4bK2, SIP/2.0/TCP h3\r\nf :  "A" <sip:a@a.example>\r\n ;tag=1\r\n';

const answer = (request: SipMessage, status: number, options: Partial<AnswerOptions> = {}) =>
  textOf(buildAnswer(edits, request, status, { ...SOURCE, ...options }));

describe("RFC 3261 §8.2.6 Generating the Response", () => {
  test("§8.2.6.2: Via, From, To, Call-ID and CSeq byte for byte, in their order; nothing else", () => {
    expect(answer(read(INVITE, "body"), 486, { toTag: "mine" })).toBe(
      `SIP/2.0 486 Busy Here\r\n${MIRRORED}TO:<sip:bob@b.example>;tag=mine\r\ni: call-1\r\nCSeq: 7   INVITE\r\nContent-Length: 0\r\n\r\n`,
    );
  });

  test("§8.2.6.1: a 100 also has the Timestamp, and no tag is made up for it", () => {
    expect(answer(read(INVITE, "body"), 100)).toBe(
      `SIP/2.0 100 Trying\r\n${MIRRORED}TO:<sip:bob@b.example>\r\ni: call-1\r\nTimestamp: 54.21\r\nCSeq: 7   INVITE\r\nContent-Length: 0\r\n\r\n`,
    );
  });

  test("§8.2.6.2: the To tag of a request that has one stays as it is", () => {
    const request = read(
      INVITE.map((line) => line.replace("TO:<sip:bob@b.example>", "To: sip:bob@b ; Tag = theirs")),
      "body",
    );
    expect(answer(request, 200, { toTag: "mine" })).toContain("\r\nTo: sip:bob@b ; Tag = theirs\r\n");
  });

  test("extra header lines stand before Content-Length; the reason is the one given", () => {
    const text = answer(read(INVITE, "body"), 401, {
      toTag: "t",
      reason: "Prove it",
      headers: ["A: b", "C: d"],
    });
    expect(text).toStartWith("SIP/2.0 401 Prove it\r\n");
    expect(text).toEndWith("\r\nCSeq: 7   INVITE\r\nA: b\r\nC: d\r\nContent-Length: 0\r\n\r\n");
  });

  test("a status without a phrase of its own still has one", () => {
    expect(answer(read(INVITE, "body"), 499)).toStartWith("SIP/2.0 499 Unknown\r\n");
  });

  test("a second From, To, Call-ID or CSeq is a mistake and not mirrored", () => {
    const doubled = [...INVITE, "From: <sip:x@y>", "To: <sip:x@y>", "Call-ID: x", "CSeq: 9 INVITE"];
    const text = answer(read(doubled), 400, { toTag: "t" });
    expect(read(text).count).toBe(read(answer(read(INVITE), 400, { toTag: "t" })).count);
    expect(text).not.toContain("x@y");
  });

  test("a faulty line between good ones does not get into the answer", () => {
    const spoiled = INVITE.flatMap((line) => [line, ...(line.startsWith("i:") ? ["no colon here"] : [])]);
    const text = answer(read(spoiled, "body"), 400, { toTag: "t" });
    expect(text).not.toContain("no colon");
    expect(read(text).fault).toBeNull();
  });

  test("CRLFs before the request are not mirrored", () => {
    expect(answer(read(`\r\n\r\n${INVITE.join("\r\n")}\r\n\r\nbody`), 400)).toStartWith("SIP/2.0 400");
  });

  test("any request: the answer holds exactly its own lines in their order, and has no body", () => {
    fc.assert(
      fc.property(anyMessage, ({ bytes, lines }) => {
        const request = read(bytes.toString("latin1"));
        const built = read(answer(request, 404, { toTag: "mine", headers: ["X: y"] }));
        const expected: string[] = [];
        let via = 0;
        for (let line = 0; line < lines.length; line++) {
          const id = request.idOf(line);
          if (id === H.Via && via++ === 0) expected.push("via");
          else if (id === H.To && request.toTag === null) expected.push(`${request.valueOf(line)};tag=mine`);
          else if ([H.Via, H.From, H.To, H.CallId, H.CSeq].some((each) => each === id))
            expected.push(request.valueOf(line));
        }
        const values = Array.from({ length: built.count }, (_, line) => built.valueOf(line));
        values[built.find(H.Via)] = "via";
        expect(values).toEqual([...expected, "y", "0"]);
        expect(built.fault).toBeNull();
        expect(built.body).toHaveLength(0);
      }),
    );
  });
});

describe("RFC 3261 §8.2.6 what can be answered", () => {
  test("a request with Via, From, To, Call-ID and CSeq", () => {
    expect(isAnswerable(read(INVITE))).toBe(true);
  });
  test("not one without any Via", () => {
    expect(isAnswerable(read(INVITE.filter((line) => !/^v(ia)?:/i.test(line))))).toBe(false);
  });
});
