import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import type { KeyPath } from "../../src/config/key-path.ts";
import { pathText } from "../../src/config/key-path.ts";
import { KeyPositions } from "../../src/config/locate.ts";

const at = (toml: string, ...path: KeyPath) => {
  const position = new KeyPositions(toml).find(path);
  return position === null ? null : `${position.line}:${position.column}`;
};

describe("a key is found", () => {
  test("before the first table, in tables and in sub-tables", () => {
    const toml = "a = 1\n\n[t]\n  b = 2\n[t.u]\nc = 3\n";
    expect(at(toml, "a")).toBe("1:1");
    expect(at(toml, "t")).toBe("3:1");
    expect(at(toml, "t", "b")).toBe("4:3");
    expect(at(toml, "t", "u")).toBe("5:1");
    expect(at(toml, "t", "u", "c")).toBe("6:1");
  });

  test("in the right table of several", () => {
    const toml =
      "[[l]]\na = 1\n[l.sub]\nb = 1\n[[l]]\na = 2\n[l.sub]\nb = 2\n[[l.deep]]\nc = 1\n[[l.deep]]\nc = 2";
    expect(at(toml, "l")).toBe("1:1");
    expect(at(toml, "l", 0, "a")).toBe("2:1");
    expect(at(toml, "l", 0, "sub", "b")).toBe("4:1");
    expect(at(toml, "l", 1)).toBe("5:1");
    expect(at(toml, "l", 1, "a")).toBe("6:1");
    expect(at(toml, "l", 1, "sub", "b")).toBe("8:1");
    expect(at(toml, "l", 1, "deep", 1, "c")).toBe("12:1");
  });

  test("dotted and quoted", () => {
    const toml = `a . "b.c" .'d' = 1\n["t \\"x\\""]\n"\\u0061" = 1\n"" = 2\n[ p . 'q' ]\nr = 1`;
    expect(at(toml, "a")).toBe("1:1");
    expect(at(toml, "a", "b.c", "d")).toBe("1:1");
    expect(at(toml, 't "x"', "a")).toBe("3:1");
    expect(at(toml, 't "x"', "")).toBe("4:1");
    expect(at(toml, "p", "q", "r")).toBe("6:1");
  });

  test("in inline tables and lists, over several lines", () => {
    const toml =
      "t = { a = 1, b.c = { d = [1, { e = 2 }] } }\nl = [\n  1, # one ] }\n  [ 2,\n 3 ],\n]\nz = 1";
    expect(at(toml, "t", "a")).toBe("1:7");
    expect(at(toml, "t", "b", "c")).toBe("1:14");
    expect(at(toml, "t", "b", "c", "d", 1, "e")).toBe("1:32");
    expect(at(toml, "l", 0)).toBe("3:3");
    expect(at(toml, "l", 1, 1)).toBe("5:2");
    expect(at(toml, "z")).toBe("7:1");
  });
});

describe("what is no key is not taken for one", () => {
  test.each([
    ["in a multi-line string", 'a = """\nz = 1\n[t]\n\\""" not yet\n"""\nz = 2', "6:1"],
    ["in a literal multi-line string", "a = '''\nz = 1\\\n'''\nz = 2", "4:1"],
    ["after a string that ends in quotes", 'a = """x"""""\nz = 2', "2:1"],
    ["after a literal string that ends in quotes", "a = '''x'''''\nz = 2", "2:1"],
    ["in a string with an escaped quote", 'a = "\\"z = 1 # ["\nz = 2', "2:1"],
    ["in a literal string with a backslash", "a = 'c:\\'\nz = 2", "2:1"],
    ["in a comment", "# z = 1\na = 1 # z = 1\nz = 2", "3:1"],
    ["after a date with a space", "a = 1979-05-27 07:32:00Z # z\nz = 2", "2:1"],
    ["after an empty string", "a = \"\"\nb = ''\nz = 2", "3:1"],
    ["with CR LF", 'a = """\r\nz = 1\r\n"""\r\n\r\nz = 2\r\n', "5:1"],
    ["behind a byte order mark", "\ufeffz = 2", "1:1"],
  ])("%s", (_, toml, place) => {
    expect(parse(toml).z).toBe(2);
    expect(at(toml, "z")).toBe(place);
  });
});

describe("a key that is not there", () => {
  test("stands where its table stands", () => {
    expect(at("a = 1\n[t]\nb = 1", "t", "missing")).toBe("2:1");
    expect(at("[[l]]\n[[l]]\nb = 1", "l", 1, "missing")).toBe("2:1");
  });

  test("is nowhere without a table", () => {
    expect(at("a = 1", "missing")).toBeNull();
    expect(at("", "t", "missing")).toBeNull();
  });

  test("`has` tells it from one that is", () => {
    const positions = new KeyPositions("[t]\nb = 1");
    expect([positions.has(["t", "b"]), positions.has(["t", "c"])]).toEqual([true, false]);
  });
});

/** Every path of a parsed document. */
function pathsOf(value: unknown, path: KeyPath = []): KeyPath[] {
  if (value instanceof Date || typeof value !== "object" || value === null) return [path];
  const inner: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return [
    ...(path.length > 0 ? [path] : []),
    ...inner.flatMap(([key, each]) => pathsOf(each, [...path, key])),
  ];
}

test("every key of any document is found, at a place where it is spelled", () => {
  const key = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom("a", "b", "a.b", '"', "=", "]", "#"));
  const { value } = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.string({ unit: fc.constantFrom('"', "'", "\\", "\n", "=", "[", "]", "#", "a", " ", "{", "}", ",") }),
      fc.integer(),
      fc.boolean(),
    ),
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      tie("leaf"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (document) => {
      const toml = stringify(document);
      const positions = new KeyPositions(toml);
      const lines = toml.split("\n");
      for (const path of pathsOf(parse(toml))) {
        if (!positions.has(path)) throw new Error(`${pathText(path)} is not found in:\n${toml}`);
        const { line, column } = positions.find(path)!;
        const rest = lines[line - 1]!.slice(column - 1);
        const last = path.findLast((step) => typeof step === "string")!;
        if (typeof path.at(-1) === "string")
          expect(rest.includes(last) || rest.includes(JSON.stringify(last).slice(1, -1))).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
