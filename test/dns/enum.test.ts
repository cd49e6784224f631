/** ENUM (RFC 6116): numbers to URIs, with what strangers may put into the records. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { applyEnum, enumDomain, globalNumber, lookUpEnum } from "../../src/dns/enum.ts";
import type { Naptr } from "../../src/dns/records.ts";
import { naptr, rig, SERVER, zoneOf } from "./name-servers.ts";

const NUMBER = "+4930123456";
const record = (regexp: string, more: Partial<Naptr> = {}): Naptr => ({
  order: 10,
  preference: 10,
  flags: "u",
  services: "E2U+sip",
  regexp,
  replacement: "",
  ...more,
});
const uriOf = (...records: Naptr[]) => {
  const result = applyEnum(NUMBER, records);
  return result.kind === "uri" ? result.uri : result.kind;
};

describe("DNS-13 RFC 6116 §3.2 numbers", () => {
  test("global numbers only, without their separators", () => {
    expect(["tel:+49-30-123", "+1(201)555.0123", "tel:+44;phone-context=x"].map(globalNumber)).toEqual([
      "+4930123",
      "+12015550123",
      "+44",
    ]);
    expect(["112", "tel:7042", "+", "+49x", `+${"1".repeat(16)}`, ""].map(globalNumber)).toEqual(
      Array(6).fill(null),
    );
  });

  test("the digits in reverse", () => {
    expect(enumDomain("+442079460148", "e164.arpa")).toBe("8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa");
  });
});

describe("DNS-13 RFC 6116 §3.4 records", () => {
  test("the whole number, or a part of it, goes into the URI", () => {
    expect(uriOf(record("!^.*$!sip:info@example.test!"))).toBe("sip:info@example.test");
    expect(uriOf(record("!^\\+49(.*)$!sip:\\1@example.test!"))).toBe("sip:30123456@example.test");
    expect(uriOf(record("#^(\\+[0-9]+)$#sips:\\1@example.test;user=phone#i"))).toBe(
      "sips:+4930123456@example.test;user=phone",
    );
  });

  test("order, then preference; other services and URIs are passed over", () => {
    expect(
      uriOf(
        record("!^.*$!sip:third@x.test!", { order: 20, preference: 1 }),
        record("!^.*$!sip:second@x.test!", { preference: 20 }),
        record("!^.*$!sip:first@x.test!", { services: "e2u+pstn:tel+SIP" }),
        record("!^.*$!mailto:a@x.test!", { order: 1, services: "E2U+email:mailto" }),
        record("!^.*$!http://x.test/!", { order: 2 }),
      ),
    ).toBe("sip:first@x.test");
  });

  const broken: readonly [string, string][] = [
    ["no delimiters", "sip:a@b"],
    ["two parts", "!^.*$!sip:a@b"],
    ["four parts", "!^.*$!sip:a@b!i!"],
    ["no match", "!^\\+1.*$!sip:a@b!"],
    ["a group that is not there", "!^.*$!sip:\\1@b!"],
    ["an unclosed group", "!^(.*$!sip:\\1@b!"],
    ["repeated groups", "!^((.*)*)*$!sip:\\1@b!"],
    ["too many repetitions", "!^.*.*.*.*.*.*.*.*.*.*1$!sip:a@b!"],
    ["a look-ahead", "!^(?=.)$!sip:a@b!"],
    ["no SIP URI", "!^.*$!tel:+1!"],
    ["white space", "!^.*$!sip:a b@c!"],
    ["a delimiter that is a digit", "1^.*$1sip:a@b1"],
    ["nothing", ""],
  ];
  for (const [what, regexp] of broken)
    test(`${what}: passed over, and the next record counts`, () => {
      expect(uriOf(record(regexp), record("!^.*$!sip:next@x.test!", { preference: 20 }))).toBe(
        "sip:next@x.test",
      );
    });

  test("any text as a regular expression: an answer, never an exception", () => {
    const pieces = fc.constantFrom(
      "!",
      "^",
      "$",
      ".",
      "*",
      "+",
      "?",
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "\\",
      "1",
      "9",
      "|",
      "sip:a@b",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        expect(["uri", "none"]).toContain(applyEnum(NUMBER, [record(`!${parts.join("")}`)]).kind);
      }),
      { numRuns: 2000, seed: 42 },
    );
  });
});

describe("DNS-13 RFC 6116 look-up", () => {
  const domain = enumDomain(NUMBER, "e164.test");
  const lookUp = (records: Parameters<typeof zoneOf>[0]) => {
    const { servers, resolver, clock } = rig();
    servers.at(SERVER, zoneOf(records));
    const found: (string | null)[] = [];
    lookUpEnum(resolver, NUMBER, "e164.test", (uri) => found.push(uri));
    clock.advance(50);
    return { found, queries: servers.log.length };
  };

  test("a number with a record, one without", () => {
    expect(lookUp([naptr(domain, [10, 10, "E2U+sip", "."], "u", "!^.*$!sip:a@x.test!")]).found).toEqual([
      "sip:a@x.test",
    ]);
    expect(lookUp([]).found).toEqual([null]);
  });

  test("records that lead to other names are followed, a circle of them is not", () => {
    const records = [
      naptr(domain, [10, 10, "", "n.test"], ""),
      naptr("n.test", [10, 10, "E2U+sip", "."], "u", "!^.*$!sip:n@x.test!"),
    ];
    expect(lookUp(records)).toEqual({ found: ["sip:n@x.test"], queries: 2 });
    expect(
      lookUp([naptr(domain, [1, 1, "", "n.test"], ""), naptr("n.test", [1, 1, "", domain], "")]),
    ).toEqual({
      found: [null],
      queries: 2,
    });
    const long = Array.from({ length: 20 }, (_, i) =>
      naptr(i === 0 ? domain : `n${i}.test`, [1, 1, "", `n${i + 1}.test`], ""),
    );
    expect(lookUp(long)).toEqual({ found: [null], queries: 6 });
  });

  test("a name server that fails: it is not known", () => {
    const { servers, resolver, clock } = rig();
    servers.at(SERVER, () => ({ rcode: 2 }));
    const found: (string | null)[] = [];
    lookUpEnum(resolver, NUMBER, "e164.test", (uri) => found.push(uri));
    clock.advance(50);
    expect(found).toEqual(["failed"]);
  });
});
