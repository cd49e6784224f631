import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  BODY_PARTS_MAX,
  BOUNDARY_BYTES_MAX,
  editLength,
  PART_HEADER_BYTES_MAX,
  sdpPart,
} from "../../src/message/body-parts.ts";
import { Edits } from "../../src/message/edits.ts";
import { H } from "../../src/message/header-names.ts";
import { readSdp, Sdp } from "../../src/message/sdp.ts";
import { rewriteSdp } from "../../src/message/sdp-edit.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { read } from "./requests.ts";
import { crlf, YEALINK } from "./sdp-samples.ts";

const edits = new Edits();

/** An INVITE with these header lines and this body, whose length it says unless a line does. */
function invite(headers: readonly string[], body: string): SipMessage {
  const says = headers.some((header) => /^(l|content-length)\s*:/i.test(header));
  const length = says ? [] : [`Content-Length: ${body.length}`];
  return read(["INVITE sip:a@b SIP/2.0", "Call-ID: c", ...headers, ...length], body);
}
const found = (message: SipMessage): string | null => {
  const part = sdpPart(message);
  return part === null ? null : message.bytes.latin1Slice(part.from, part.to);
};
const foundIn = (headers: readonly string[], body: string) => found(invite(headers, body));

const MIXED = 'Content-Type: multipart/mixed;boundary="b1"';
const part = (headers: readonly string[], body: string) => `--b1\r\n${crlf(...headers)}\r\n${body}\r\n`;
const SDP_PART = part(["Content-Type: application/sdp"], YEALINK);
const XML_PART = part(["Content-Type: application/pidf+xml", "Content-ID: <a@b>"], "<presence/>");

describe("SIP-45 where the description lies", () => {
  for (const header of [
    "Content-Type: application/sdp",
    "c: application/sdp",
    "CONTENT-TYPE:APPLICATION/SDP ; charset=utf-8",
    "Content-Type: application / sdp",
    "Content-Type: application/sdp;\r\n x=y",
  ])
    test(header, () => expect(foundIn([header], YEALINK)).toBe(YEALINK));
  for (const header of [
    "Content-Type: text/plain",
    "Content-Type: application/sdpx",
    "Content-Type: application/dtmf-relay",
    "Content-Type:",
  ])
    test(`${header}: none`, () => expect(foundIn([header], YEALINK)).toBeNull());
  test("no body: none", () => expect(foundIn(["Content-Type: application/sdp"], "")).toBeNull());
  test("RFC 3261 §20.15 no Content-Type: only what begins as one", () => {
    expect(foundIn([], YEALINK)).toBe(YEALINK);
    expect(foundIn([], "v=0x\r\n")).toBeNull();
    expect(foundIn([], "hello")).toBeNull();
    expect(foundIn([], "v=0")).toBeNull();
  });
});

describe("SIP-45 RFC 2046 §5.1.1 multipart bodies", () => {
  const body = `${XML_PART}${SDP_PART}--b1--\r\n`;
  for (const header of [
    MIXED,
    "Content-Type: multipart/mixed; boundary=b1",
    "c: Multipart/Alternative ; x=1 ; BOUNDARY = b1",
    'Content-Type: multipart/mixed;boundary="\\b1"',
  ])
    test(header, () => expect(foundIn([header], body)).toBe(YEALINK));

  for (const [name, text, expected] of [
    ["the part first", `${SDP_PART}${XML_PART}--b1--`, YEALINK],
    [
      "a preamble, in which the boundary is talked of",
      `see --b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n${body}`,
      YEALINK,
    ],
    ["an epilogue that looks like a part", `${XML_PART}--b1--\r\n${SDP_PART}`, null],
    [
      "another boundary that begins like it",
      `--b1x\r\nContent-Type: application/sdp\r\n\r\nno\r\n${body}`,
      YEALINK,
    ],
    ["blanks behind the boundary", body.replaceAll("--b1\r\n", "--b1 \t\r\n"), YEALINK],
    ["LF alone", body.replaceAll("\r\n", "\n"), YEALINK.replaceAll("\r\n", "\n")],
    ["no closing boundary", SDP_PART, `${YEALINK}\r\n`],
    ["part headers in any case, folded", part(["cONTENT-tYPE:\r\n application/SDP;x=1"], "v=0"), "v=0\r\n"],
    ["a part without headers is text", `--b1\r\n\r\n${YEALINK}\r\n--b1--`, null],
    [
      "a blank line ends the headers, whatever follows",
      `--b1\r\n\r\n Content-Type: application/sdp\r\n\r\nv=0\r\n--b1--`,
      null,
    ],
    [
      "a session disposition",
      part(["content-disposition: Session;handling=required", "Content-Type: application/sdp"], "v=0"),
      "v=0\r\n",
    ],
    [
      "another disposition",
      part(["Content-Disposition: early-session", "Content-Type: application/sdp"], "v=0"),
      null,
    ],
    [
      "two descriptions: the first",
      `${SDP_PART}${part(["Content-Type: application/sdp"], "v=0")}--b1--`,
      YEALINK,
    ],
    ["no parts", "--b1--", null],
    ["no boundary in it", YEALINK, null],
    ["cut off in the headers", "--b1\r\nContent-Type: application/sdp\r\n", null],
  ] as const)
    test(name, () => expect(foundIn([MIXED], text)).toBe(expected));

  test("without a boundary parameter, or one too long: none", () => {
    expect(foundIn(["Content-Type: multipart/mixed"], body)).toBeNull();
    for (const [size, isRead] of [
      [BOUNDARY_BYTES_MAX, true],
      [BOUNDARY_BYTES_MAX + 1, false],
    ] as const) {
      const boundary = "b".repeat(size);
      const text = body.replaceAll("--b1", `--${boundary}`);
      expect(foundIn([`Content-Type: multipart/mixed;boundary=${boundary}`], text) !== null).toBe(isRead);
    }
  });
  test("other multipart types are left alone: what is signed must not change", () =>
    expect(foundIn(["Content-Type: multipart/signed;boundary=b1"], body)).toBeNull());
  test(`a part with more than ${PART_HEADER_BYTES_MAX} header bytes is passed over`, () => {
    const padded = (size: number) => part([`X: ${"x".repeat(size)}`, "Content-Type: application/sdp"], "v=0");
    expect(foundIn([MIXED], padded(1000))).toBe("v=0\r\n");
    expect(foundIn([MIXED], padded(PART_HEADER_BYTES_MAX))).toBeNull();
  });
  test(`a part behind the first ${BODY_PARTS_MAX} is not looked at`, () => {
    expect(foundIn([MIXED], XML_PART.repeat(BODY_PARTS_MAX - 1) + SDP_PART)).not.toBeNull();
    expect(foundIn([MIXED], XML_PART.repeat(BODY_PARTS_MAX) + SDP_PART)).toBeNull();
  });

  test("any body: nothing is thrown, and what is found lies within it", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            "--b1",
            "--",
            "\r\n",
            "\n",
            " ",
            "Content-Type: application/sdp",
            "v=0",
            ":",
            "\t",
            "x",
            YEALINK,
          ),
          { maxLength: 30 },
        ),
        (pieces) => {
          const message = invite([MIXED], pieces.join(""));
          const where = sdpPart(message);
          if (where === null) return;
          expect(where.from).toBeGreaterThanOrEqual(message.bodyStart);
          expect(where.to).toBeGreaterThanOrEqual(where.from);
          expect(where.to).toBeLessThanOrEqual(message.bodyEnd);
        },
      ),
      { numRuns: 1000 },
    ));
});

/** The message with its description moved to `address`, read again. */
function moved(message: SipMessage, address: string): SipMessage {
  const where = sdpPart(message)!;
  const sdp = readSdp(message.bytes, where.from, where.to);
  if (!(sdp instanceof Sdp)) throw new Error(sdp.code);
  const plan = { ice: "strip", originAddress: null, codecs: null, isMarked: false } as const;
  edits.clear();
  const { growth } = rewriteSdp(edits, sdp, { ...plan, media: [{ address, port: 4, rtcpPort: null }] });
  const length = editLength(edits, message, where, growth);
  const out = read(edits.apply(message.bytes, message.start, message.bodyEnd).latin1Slice());
  expect(out.fault).toBeNull();
  expect(out.body).toHaveLength(length);
  return out;
}

describe("RFC 3261 §20.14, SIP-45 Content-Length follows the description", () => {
  const TYPE = "Content-Type: application/sdp";
  for (const header of ["Content-Length: ", "l:", "CONTENT-LENGTH :\t0", "l:\r\n 00"])
    for (const address of ["2001:db8:1111:2222:3333:4444:5555:6666", "1.1.1.1"])
      test(`${JSON.stringify(header)} to ${address}`, () => {
        const line = `${header}${YEALINK.length}`;
        const out = moved(invite([TYPE, line, "X: y"], YEALINK), address);
        expect(out.nameText(out.find(H.ContentLength))).toBe(line.slice(0, line.indexOf(":")).trim());
        expect(out.numberOf(H.ContentLength)).toBe(out.body.length);
        expect(out.body.length).not.toBe(YEALINK.length);
      });
  test("said twice: both", () => {
    const out = moved(
      invite([TYPE, `l: ${YEALINK.length}`, `Content-Length: ${YEALINK.length}`], YEALINK),
      "::1",
    );
    expect(out.texts(H.ContentLength)).toEqual([`${out.body.length}`, `${out.body.length}`]);
  });
  test("not said, as in a datagram: it stays unsaid", () => {
    const message = read(["INVITE sip:a@b SIP/2.0", TYPE], YEALINK);
    const out = moved(message, "::1");
    expect(out.find(H.ContentLength)).toBe(-1);
    expect(out.body.length).toBeLessThan(YEALINK.length);
  });
  test("in a multipart body only the part changes, and a length of its own with it", () => {
    const own = part(["Content-Type: application/sdp", `Content-Length: ${YEALINK.length} `], YEALINK);
    const out = moved(
      invite([MIXED], `${XML_PART}${own}--b1--\r\n`),
      "2001:db8:1111:2222:3333:4444:5555:6666",
    );
    const now = found(out)!;
    expect(now).toContain("c=IN IP6 2001:db8:1111:2222:3333:4444:5555:6666\r\n");
    const expected = part(["Content-Type: application/sdp", `Content-Length: ${now.length} `], now);
    expect(out.body.latin1Slice()).toBe(`${XML_PART}${expected}--b1--\r\n`);
  });
  test("a part's own length with one digit more counts too", () => {
    const short = crlf(
      "v=0",
      "c=IN IP4 192.0.2.1",
      "m=audio 5004 RTP/AVP 0",
      "a=a:012345678901234567890123456789012345",
    );
    expect(short).toHaveLength(91);
    const own = part(["Content-Length: 91", "Content-Type: application/sdp"], short);
    const out = moved(invite([MIXED], `${own}--b1--`), "2001:db8:1111:2222:3333:4444:5555:6666");
    expect(out.body.latin1Slice()).toContain(`Content-Length: ${found(out)!.length}\r\n`);
    expect(found(out)!.length).toBeGreaterThan(99);
  });
  test("of the same length: no edit", () => {
    const message = invite([TYPE], YEALINK);
    const where = sdpPart(message)!;
    edits.clear();
    expect(editLength(edits, message, where, 0)).toBe(YEALINK.length);
    expect(edits.apply(message.bytes, 0, message.bodyEnd).equals(message.bytes)).toBe(true);
  });
});
