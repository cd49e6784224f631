import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { H } from "../../src/message/header-names.ts";
import { HEADER_LINES_MAX, Scanner } from "../../src/message/scan.ts";
import { anyMessage } from "./any-message.ts";
import { read } from "./requests.ts";

const scanner = new Scanner();
const scan = (text: string) => scanner.scan(Buffer.from(text, "latin1"));
const faultOf = (text: string) => scan(text)?.fault?.code ?? null;

const LINES = [
  "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1",
  "From: <sip:a@b>;tag=1",
  "To: <sip:c@d>",
  "Call-ID: 1",
  "CSeq: 1 OPTIONS",
];
const withLine = (line: string, body = "") =>
  `OPTIONS sip:c@d SIP/2.0\r\n${[...LINES, line].join("\r\n")}\r\n\r\n${body}`;
const START = `\r\n${LINES.join("\r\n")}\r\n\r\n`;

describe("RFC 3261 §7.1 Request-Line", () => {
  test("method, Request-URI and version with exactly one space between", () => {
    const message = read(`OPTIONS sip:c@d SIP/2.0${START}`);
    expect([message.isRequest, message.method, message.uriText, message.fault]).toEqual([
      true,
      "OPTIONS",
      "sip:c@d",
      null,
    ]);
  });
  test("the version's letters are case-insensitive", () => {
    expect(faultOf(`OPTIONS sip:c@d sip/2.0${START}`)).toBeNull();
  });
  const faults: readonly [string, string | null][] = [
    ["OPTIONS  sip:c@d SIP/2.0", "request_line"],
    ["OPTIONS sip:c@d  SIP/2.0", "request_line"],
    ["OPTIONS sip:c@d SIP/2.0 ", "request_line"],
    ["OPTIONS sip:c@d\tSIP/2.0", "request_line"],
    ["OPTIONS sip:c@d; lr SIP/2.0", "request_line"],
    ["OPTIONS sip:c@d SIP/2.0\0", "request_line"],
    ["OPTIONS sip:c@d SIP/7.0", "version"],
    ["OPTIONS sip:c@d SIP/2.1", "version"],
    ["OPTIONS sip:c@d SIP/20.0", "version"],
  ];
  for (const [line, code] of faults)
    test(`${JSON.stringify(line)}: ${code}`, () => expect(faultOf(line + START)).toBe(code));
});

describe("RFC 3261 §7 bytes that are no SIP message", () => {
  for (const text of [
    "",
    "\r\n",
    "\r\n\r\n",
    "\0".repeat(20),
    "hello",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    `OPTIONS\r\n${START}`,
    `INVITE sip:alan@jasomi.com${START}`,
    `OPTIONS SIP/2.0${START}`,
    `OPT(IONS sip:c@d SIP/2.0${START}`,
    ` OPTIONS sip:c@d SIP/2.0${START}`,
    "OPTIONS sip:c@d SIP/2.0",
    "OPTIONS sip:c@d SIP/2.0\n\n",
    "\x80\x7f\x01\x02\r\n\r\n",
  ])
    test(JSON.stringify(text.slice(0, 40)), () => expect(scan(text)).toBeNull());
});

describe("RFC 3261 §7.2 Status-Line", () => {
  const statusOf = (line: string) => {
    const message = scan(line + START);
    return message?.fault?.code ?? message?.status;
  };
  test("code and phrase", () => {
    const message = read(`SIP/2.0 486 Busy  Here${START}`);
    expect([message.isRequest, message.status, message.reason, message.method]).toEqual([
      false,
      486,
      "Busy  Here",
      "",
    ]);
  });
  const cases: readonly [string, number | string][] = [
    ["SIP/2.0 200 ", 200],
    ["SIP/2.0 200", 200],
    ["sip/2.0 699 x", 699],
    ["SIP/2.0 100 Trying", 100],
    ["SIP/2.0 099 x", "status_code"],
    ["SIP/2.0 700 x", "status_code"],
    ["SIP/2.0 20 x", "status_code"],
    ["SIP/2.0 2000 x", "status_code"],
    ["SIP/2.0 4294967301 x", "status_code"],
    ["SIP/2.0  200 x", "status_code"],
    ["SIP/2.0 -20 x", "status_code"],
    ["SIP/2.0 2x0 x", "status_code"],
  ];
  for (const [line, expected] of cases)
    test(JSON.stringify(line), () => expect(statusOf(line)).toBe(expected));
});

describe("RFC 3261 §7.5 CRLFs before the start line", () => {
  test("are skipped", () => {
    const message = scan(`\r\n\r\n\r\nOPTIONS sip:c@d SIP/2.0${START}`);
    expect([message?.method, message?.start, message?.fault]).toEqual(["OPTIONS", 6, null]);
  });
});

describe("RFC 3261 §7.3.1 header field format", () => {
  test("white space around the colon and folding belong to no name and no value's ends", () => {
    const message = scan(withLine("sUbJeCt \t :\r\n \t one\r\n\ttwo  \r\n  "));
    const line = message?.find(H.Subject) ?? -1;
    expect(message?.valueOf(line)).toBe("one\r\n\ttwo");
    expect(message?.nameText(line)).toBe("sUbJeCt");
    expect(message?.fault).toBeNull();
  });
  test("an empty value", () => {
    expect(scan(withLine("Subject:"))?.text(H.Subject)).toBe("");
    expect(scan(withLine("s :"))?.text(H.Subject)).toBe("");
  });
  const faults: readonly [string, string][] = [
    ["no colon", "Foobar roobar"],
    ["no name", ": value"],
    ["a space in the name", "Foo bar: value"],
    ["a folded line without a line to continue", ""],
    ["a name beyond ASCII", "F\xf6\xf6: value"],
  ];
  for (const [what, line] of faults)
    test(`${what}: header_name`, () => {
      const text = line === "" ? `OPTIONS sip:c@d SIP/2.0\r\n ${LINES.join("\r\n")}\r\n\r\n` : withLine(line);
      expect(faultOf(text)).toBe("header_name");
    });
  test("what can still be read behind a faulty line is read, so that a 400 finds its way", () => {
    const message = read(["OPTIONS sip:c@d SIP/2.0", "Foobar roobar", ...LINES]);
    expect(message.fault?.code).toBe("header_name");
    expect(message.callId).toBe("1");
  });
});

describe("RFC 3261 §25.1 control characters in a header field", () => {
  const faults: readonly [string, string][] = [
    ["a CR alone", "Subject: a\rb"],
    ["an LF alone", "Subject: a\nb"],
    ["an LF that begins what looks like another field", "Subject: a\nContact: <sip:evil@x>"],
    ["a NUL", "Subject: a\0b"],
  ];
  for (const [what, line] of faults)
    test(`${what} is a fault`, () => expect(faultOf(withLine(line))).not.toBeNull());
  test('a NUL in a quoted pair is legal: quoted-pair = "\\" (%x00-09 / %x0B-0C / %x0E-7F)', () => {
    expect(faultOf(withLine('Contact: "a\\\0b" <sip:a@b>'))).toBeNull();
  });
  test("a CR or LF in a quoted pair is not", () => {
    expect(faultOf(withLine('Contact: "a\\\rb" <sip:a@b>'))).not.toBeNull();
    expect(faultOf(withLine('Contact: "a\\\nb" <sip:a@b>'))).not.toBeNull();
  });
});

describe("header lines of one message are bounded", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: ${i}`);
  test(`${HEADER_LINES_MAX} are read`, () => {
    const message = read(["OPTIONS sip:c@d SIP/2.0", ...lines(HEADER_LINES_MAX)]);
    expect([message.count, message.fault]).toEqual([HEADER_LINES_MAX, null]);
  });
  test("one more is a fault, and what was read can be answered", () => {
    const message = read(["OPTIONS sip:c@d SIP/2.0", ...LINES, ...lines(HEADER_LINES_MAX)]);
    expect(message.fault?.code).toBe("header_lines_max");
    expect(message.callId).toBe("1");
  });
});

describe("RFC 3261 §18.3, §20.14 Content-Length in a datagram", () => {
  test("cuts the body; what follows is not part of the message", () => {
    expect(scan(withLine("Content-Length: 3", "abcdef"))?.body.toString()).toBe("abc");
    expect(scan(withLine("l:0", "abcdef"))?.body).toHaveLength(0);
  });
  test("absent: the body goes to the end of the datagram", () => {
    expect(scan(withLine("X: y", "abcdef"))?.body.toString()).toBe("abcdef");
  });
  test("the same number twice is no contradiction", () => {
    expect(faultOf(withLine("Content-Length: 3\r\nl: 003", "abc"))).toBeNull();
  });
  const faults: readonly [string, string][] = [
    ["Content-Length: 7", "body_short"],
    ["Content-Length: 2147483647", "body_short"],
    ["Content-Length: -1", "content_length"],
    ["Content-Length: +1", "content_length"],
    ["Content-Length: five", "content_length"],
    ["Content-Length: 0x1", "content_length"],
    ["Content-Length: 1.0", "content_length"],
    ["Content-Length: 1 1", "content_length"],
    ["Content-Length: 1, 1", "content_length"],
    ["Content-Length:", "content_length"],
    ["Content-Length: 4294967296", "content_length"],
    ["Content-Length: 18446744073709551617", "content_length"],
    ["Content-Length: 1\r\nl: 2", "content_length_twice"],
    ["Content-Length: 99\r\nl: 2", "content_length_twice"],
  ];
  for (const [lines, code] of faults)
    test(`${JSON.stringify(lines)}: ${code}`, () => expect(faultOf(withLine(lines, "abcdef"))).toBe(code));
});

describe("any message", () => {
  test("each header line is found where it stands: name, value, and nothing in between is lost", () => {
    fc.assert(
      fc.property(anyMessage, ({ bytes, lines, bodyLength }) => {
        const message = scanner.scan(bytes);
        expect(message?.fault ?? null).toBeNull();
        if (message === null) throw new Error("not read");
        const found = Array.from({ length: message.count }, (_, line) => [
          message.nameText(line),
          message.valueOf(line),
          bytes.latin1Slice(message.lineStart(line), message.lineEnd(line)),
        ]);
        expect(found).toEqual(lines.map(({ name, value, text }) => [name, value, `${text}\r\n`]));
        expect(message.body).toHaveLength(bodyLength);
      }),
    );
  });

  test("cut off anywhere: no exception, and never a body or line beyond the end", () => {
    fc.assert(
      fc.property(anyMessage, ({ bytes }) => {
        for (let end = 0; end < bytes.length; end++) {
          const cut = Buffer.from(bytes.subarray(0, end));
          const message = scanner.scan(cut);
          if (message === null) continue;
          expect(message.bodyEnd).toBeLessThanOrEqual(end);
          expect(message.bodyStart).toBeLessThanOrEqual(message.bodyEnd);
          for (let line = 0; line < message.count; line++)
            expect(message.lineEnd(line)).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 10 },
    );
  });
});
