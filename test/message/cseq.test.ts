import { describe, expect, test } from "bun:test";
import { parseCSeq } from "../../src/message/cseq.ts";
import { methodName } from "../../src/message/methods.ts";
import { ParseError } from "../../src/message/parse-error.ts";

function read(text: string): unknown {
  const bytes = Buffer.from(text, "latin1");
  const parsed = parseCSeq(bytes, 0, bytes.length);
  return parsed instanceof ParseError ? parsed.code : [parsed.number, parsed.method];
}

describe("RFC 3261 §8.1.1.5, §20.16 CSeq", () => {
  const cases: readonly [string, unknown][] = [
    ["4711 INVITE", [4711, "INVITE"]],
    ["0009\r\n  INVITE", [9, "INVITE"]],
    ["0 OPTIONS", [0, "OPTIONS"]],
    ["1\tinvite", [1, "invite"]],
    ["1 IN%56ITE", [1, "IN%56ITE"]],
    ["2147483647 BYE", [2147483647, "BYE"]],
    ["2147483648 BYE", "cseq_number"],
    ["4294967296 BYE", "cseq_number"],
    ["36893488147419103232 REGISTER", "cseq_number"],
    ["00000000000000000000000000000001 BYE", [1, "BYE"]],
    ["-1 BYE", "cseq_number"],
    ["+1 BYE", "cseq_number"],
    ["0x1 BYE", "cseq_method"],
    ["1.0 BYE", "cseq_method"],
    ["1BYE", "cseq_method"],
    ["1 ", "cseq_method"],
    ["1", "cseq_method"],
    ["BYE", "cseq_number"],
    ["", "cseq_number"],
    ["1 BYE BYE", "cseq_method"],
    ["1 BYE,2 BYE", "cseq_method"],
    ["1 B\0YE", "cseq_method"],
  ];
  for (const [text, expected] of cases)
    test(JSON.stringify(text), () => expect(read(text)).toEqual(expected));
});

describe("RFC 3261 §7.1 methods", () => {
  test("are case-sensitive, and a prefix is another method", () => {
    for (const name of ["INVITE", "invite", "INVIT", "INVITEX", "ACK", "ABC", "X"]) {
      const bytes = Buffer.from(`<${name}>`);
      expect(methodName(bytes, 1, bytes.length - 1)).toBe(name);
    }
  });
});
