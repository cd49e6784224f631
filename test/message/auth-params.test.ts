import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { ParseError } from "../../src/message/parse-error.ts";

function read(text: string): unknown {
  const parsed = parseAuthParams(text);
  return parsed instanceof ParseError
    ? parsed.code
    : { scheme: parsed.scheme, ...Object.fromEntries(parsed.params) };
}

describe("RFC 3261 §25.1, RFC 7616 §3.4 credentials and challenges", () => {
  test("the example of RFC 3261 §20.7", () => {
    expect(
      read(
        'Digest username="Alice", realm="atlanta.com",\r\n nonce="84a4cc6f3082121f32b42a2187831a9e",\r\n response="7587245234b3434cc3412213e5f113a5432"',
      ),
    ).toEqual({
      scheme: "digest",
      username: "Alice",
      realm: "atlanta.com",
      nonce: "84a4cc6f3082121f32b42a2187831a9e",
      response: "7587245234b3434cc3412213e5f113a5432",
    });
  });

  const cases: readonly [string, unknown][] = [
    ["DIGEST Realm=a , NC = 00000001", { scheme: "digest", realm: "a", nc: "00000001" }],
    ['Digest a="x\\"y\\\\z"', { scheme: "digest", a: 'x"y\\z' }],
    ['Digest a=""', { scheme: "digest", a: "" }],
    ['Digest a="b,c=d",e=f', { scheme: "digest", a: "b,c=d", e: "f" }],
    ["NoOneKnowsThisScheme opaque-data=here", { scheme: "nooneknowsthisscheme", "opaque-data": "here" }],
    ["Digest uri=sip:a@b;x=y", { scheme: "digest", uri: "sip:a@b;x=y" }],
    ["", "auth_scheme"],
    ["Digest", "auth_scheme"],
    [" Digest a=b", "auth_scheme"],
    ["Digest a", "auth_param"],
    ["Digest =b", "auth_param"],
    ["Digest a=", "auth_param"],
    ["Digest a=b c=d", "auth_param"],
    ["Digest a=b,,c=d", "auth_param"],
    ['Digest a="b', "auth_param"],
    ['Digest a="b\\', "auth_param"],
    ['Digest a="b\\"', "auth_param"],
    ['Digest a="b"c', "auth_param"],
    ["Digest a=b,A=c", "auth_param"],
    [`Digest ${Array.from({ length: 33 }, (_, i) => `p${i}=1`).join()}`, "auth_param"],
  ];
  for (const [text, expected] of cases)
    test(JSON.stringify(text.slice(0, 60)), () => expect(read(text)).toEqual(expected));

  test("whatever is quoted comes back: any characters, commas and quotes too", () => {
    const value = fc.string({ unit: fc.constantFrom(...'ab,;="\\ \t<>@') });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
        expect(read(`Digest a=${quoted(a)} , b=${quoted(b)}`)).toEqual({ scheme: "digest", a, b });
      }),
    );
  });
});
