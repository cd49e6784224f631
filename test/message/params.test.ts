import { describe, expect, test } from "bun:test";
import { paramIn, parseParams, tagIn } from "../../src/message/params.ts";

function param(text: string, name: string): string | null {
  const bytes = Buffer.from(text, "latin1");
  return paramIn(bytes, 0, bytes.length, name);
}

function tag(text: string): string | null {
  const bytes = Buffer.from(text, "latin1");
  return tagIn(bytes, 0, bytes.length);
}

describe("RFC 3261 §19.3 tags", () => {
  const cases: readonly [string, string | null][] = [
    ["<sip:a@b>;tag=x", "x"],
    ["sip:a@b;tag=x", "x"],
    ["<sip:a@b>", null],
    ["<sip:a@b;tag=uri>", null],
    ["<sip:a@b;tag=uri>;tag=header", "header"],
    ['";tag=quoted" <sip:a@b>;tag=header', "header"],
    ['"a\\";tag=quoted" <sip:a@b>;tag=header', "header"],
    ['"a\\\\" <sip:a@b>;tag=header', "header"],
    ["<sip:a@b> ;\r\n  TAG \t=\r\n  x ", "x"],
    ["<sip:a@b>;mytag=no;tag=yes", "yes"],
    ["<sip:a@b>;tagged=no", null],
    ["<sip:a@b>;tag", ""],
    ["<sip:a@b>;tag;x=y", ""],
    ["<sip:a@b>;x=tag;tag=y;z", "y"],
    ["<sip:a@b>;tag=first;tag=second", "first"],
    ['<sip:a@b>;x=";tag=no";tag=yes', "yes"],
    ["", null],
    [";", null],
    [";tag=", ""],
  ];
  for (const [text, expected] of cases) test(JSON.stringify(text), () => expect(tag(text)).toBe(expected));

  test("nothing is read beyond the range given", () => {
    const text = '"x" <sip:a@b>;tag=abc';
    const bytes = Buffer.from(`${text}def`, "latin1");
    for (let end = 0; end <= text.length; end++)
      expect(tagIn(bytes, 0, end)).toBe(end < 17 ? null : text.slice(18, end));
  });
});

describe("RFC 3261 §20.10 header parameters", () => {
  test("a quoted value keeps its quotes and what they hold", () => {
    expect(param('<sip:a@b>;+sip.instance="<urn:uuid:1;2>";q=1', "+sip.instance")).toBe('"<urn:uuid:1;2>"');
  });
  test("as a map: names lower case, the first of a name counts, quotes hold semicolons", () => {
    expect([...parseParams(' ; Q = 0.5;flag; q=1 ;x="a;b"')]).toEqual([
      ["q", "0.5"],
      ["flag", ""],
      ["x", '"a;b"'],
    ]);
    expect([...parseParams("")]).toEqual([]);
  });
});
