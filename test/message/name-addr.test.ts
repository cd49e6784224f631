import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { NameAddr } from "../../src/message/name-addr.ts";
import { LIST_ENTRIES_MAX, parseNameAddr, parseNameAddrs, splitList } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";

function address(text: string): NameAddr {
  const parsed = parseNameAddr(text);
  if (parsed instanceof ParseError) throw new Error(`${text}: ${parsed.code} at ${parsed.offset}`);
  return parsed;
}

const codeOf = (text: string) => {
  const parsed = parseNameAddr(text);
  return parsed instanceof ParseError ? parsed.code : "no error";
};

describe("RFC 3261 §20.10 name-addr and addr-spec", () => {
  const wellFormed: readonly [string, { display: string; uri: string; params: Record<string, string> }][] = [
    [
      '"Mr. Watson" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600',
      {
        display: '"Mr. Watson"',
        uri: "sip:watson@worcester.bell-telephone.com",
        params: { q: "0.7", expires: "3600" },
      },
    ],
    [
      "<sips:bob@192.0.2.4>;expires=60",
      { display: "", uri: "sips:bob@192.0.2.4", params: { expires: "60" } },
    ],
    [
      "sip:+12125551212@server.phone2net.com;tag=887s",
      { display: "", uri: "sip:+12125551212@server.phone2net.com", params: { tag: "887s" } },
    ],
    [
      "Anonymous <sip:c8oqz84zk7z@privacy.org>",
      { display: "Anonymous", uri: "sip:c8oqz84zk7z@privacy.org", params: {} },
    ],
    [
      "caller<sip:caller@example.com>;tag=323",
      { display: "caller", uri: "sip:caller@example.com", params: { tag: "323" } },
    ],
    ["Two Words <sip:a@b>", { display: "Two Words", uri: "sip:a@b", params: {} }],
    [
      '"a > b, \\"c\\" ; <d>"<sip:a@b>;x',
      { display: '"a > b, \\"c\\" ; <d>"', uri: "sip:a@b", params: { x: "" } },
    ],
    ["<sip:a@b;lr;x=y?h=v>;z", { display: "", uri: "sip:a@b;lr;x=y?h=v", params: { z: "" } }],
    ["sip:a@b;lr", { display: "", uri: "sip:a@b", params: { lr: "" } }],
    [" \r\n\t<sip:a@b> ; TAG = x ", { display: "", uri: "sip:a@b", params: { tag: "x" } }],
    ['<sip:a@b>;x="q;r,s"', { display: "", uri: "sip:a@b", params: { x: '"q;r,s"' } }],
    ["<tel:+1212>", { display: "", uri: "tel:+1212", params: {} }],
    ["J\xf6rg <sip:joerg@b>", { display: "J\xf6rg", uri: "sip:joerg@b", params: {} }],
  ];
  for (const [text, { display, uri, params }] of wellFormed)
    test(JSON.stringify(text), () => {
      const parsed = address(text);
      expect({
        display: parsed.display,
        uri: parsed.uri.text,
        params: Object.fromEntries(parsed.params),
      }).toEqual({
        display,
        uri,
        params,
      });
    });

  const malformed: readonly [string, string, string][] = [
    ["nothing", "", "uri_scheme"],
    ["an open quote", '"Mr. J. User <sip:a@b>', "quote_open"],
    ["a quote closed by an escaped quote", '"Mr. J. User\\" <sip:a@b>', "quote_open"],
    ["a quote with no address", '"Mr. J. User"', "bracket_missing"],
    ["a quote with a bare address", '"Mr. J. User" sip:a@b', "bracket_missing"],
    ["an open bracket", "<sip:a@b", "bracket_open"],
    ["a comma in a display name without quotes", "Bell, Alexander <sip:a@b>", "display_name"],
    ["an @ in a display name without quotes", "a@b <sip:a@b>", "display_name"],
    ["white space in the brackets", "< sip:a@b >", "uri_scheme"],
    ["nothing in the brackets", "<>", "uri_scheme"],
    ["text behind the brackets", "<sip:a@b> x", "params"],
    ["a second address", "<sip:a@b> <sip:c@d>", "params"],
    ["a second address in a parameter", "<sip:a@b>;x=<sip:c@d>", "params"],
    ["a parameter name that is no token", "<sip:a@b>;a b=c", "params"],
    ["empty parameters", "<sip:a@b>;;;;", "params"],
    ["a parameter sign with nothing behind it", "<sip:a@b>;", "params"],
    ["a question mark in a bare address", "sip:a@b?Route=%3Csip:c%3E", "bracket_missing"],
    ["a comma in a bare address", "sip:a,b@c", "bracket_missing"],
  ];
  for (const [what, text, code] of malformed) test(`${what}: ${code}`, () => expect(codeOf(text)).toBe(code));
});

describe("RFC 3261 §7.3.1 lists", () => {
  test("cut at commas outside quotes and brackets", () => {
    expect(splitList('"a,b" <sip:x,y@z>;p="q,r" , <sip:c@d>,e')).toEqual([
      '"a,b" <sip:x,y@z>;p="q,r"',
      "<sip:c@d>",
      "e",
    ]);
  });
  test("an empty entry, an open quote or an open bracket is malformed", () => {
    const codes = ["a,,b", ",a", "a,", "", 'a,"b', "a,<b"].map((text) => {
      const list = splitList(text);
      return list instanceof ParseError ? list.code : list;
    });
    expect(codes).toEqual([
      "list_entry_empty",
      "list_entry_empty",
      "list_entry_empty",
      "list_entry_empty",
      "quote_open",
      "bracket_open",
    ]);
  });
  test("one entry over the bound is malformed", () => {
    expect(splitList(Array(LIST_ENTRIES_MAX).fill("a").join())).toHaveLength(LIST_ENTRIES_MAX);
    expect(
      splitList(
        Array(LIST_ENTRIES_MAX + 1)
          .fill("a")
          .join(),
      ),
    ).toBeInstanceOf(ParseError);
  });
  test("one bad entry spoils the list", () => {
    expect(parseNameAddrs("<sip:a@b>, <sip:c@d>")).toHaveLength(2);
    expect(parseNameAddrs("<sip:a@b>, <sip:c d>")).toBeInstanceOf(ParseError);
  });
  test("joining well-formed entries and cutting them again gives the same entries", () => {
    const entry = fc.constantFrom(
      '"a, \\" b" <sip:a@b>',
      "<sip:c@d;x>;y=1",
      "sip:e@f",
      'g;h=",;"',
      "Two Words <sip:i,j@k>",
    );
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(",", " , ", ",\r\n "),
        (entries, comma) => expect(splitList(entries.join(comma))).toEqual(entries),
      ),
    );
  });
});
