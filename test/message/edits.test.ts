import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Edits } from "../../src/message/edits.ts";

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The plainest way: each position has the texts put there, and says whether its byte is gone. */
function model(bytes: Buffer, from: number, to: number, edits: readonly Edit[]): string {
  let out = "";
  for (let at = from; at <= to; at++) {
    for (const edit of edits) if (edit.start === at) out += edit.text;
    const gone = edits.some((edit) => edit.start <= at && at < edit.end);
    if (at < to && !gone) out += String.fromCharCode(bytes[at]!);
  }
  return out;
}

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  maxLength: 12,
});

/** Ranges that do not overlap, from sorted cut points, in any order; and insertions anywhere outside them. */
const scenario = fc.uint8Array({ minLength: 1, maxLength: 60 }).chain((array) => {
  const bytes = Buffer.from(array);
  const position = fc.nat({ max: bytes.length });
  return fc
    .tuple(
      fc.uniqueArray(position, { maxLength: 12 }),
      fc.array(fc.tuple(position, latin1), { maxLength: 8 }),
      fc.infiniteStream(latin1),
      fc.nat(),
    )
    .map(([cuts, insertions, texts, salt]) => {
      cuts.sort((a, b) => a - b);
      const edits: Edit[] = [];
      for (let i = 0; i + 1 < cuts.length; i += 2)
        edits.push({ start: cuts[i]!, end: cuts[i + 1]!, text: texts.next().value });
      for (const [at, text] of insertions)
        if (!edits.some((edit) => edit.start < at && at < edit.end)) edits.push({ start: at, end: at, text });
      edits.sort((a, b) => ((a.start * 31 + salt) % 7) - ((b.start * 31 + salt) % 7));
      return { bytes, edits };
    });
});

describe("edits over untouched bytes", () => {
  test("any edits that do not overlap, in any order, do what a plain model does", () => {
    const edits = new Edits();
    fc.assert(
      fc.property(scenario, ({ bytes, edits: list }) => {
        const before = Buffer.from(bytes);
        edits.clear();
        for (const { start, end, text } of list) edits.replace(start, end, text);
        const out = edits.apply(bytes, 0, bytes.length);
        expect(out.latin1Slice()).toBe(model(bytes, 0, bytes.length, list));
        expect(bytes.equals(before)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("a part of the bytes, with edits inside it", () => {
    const edits = new Edits();
    const bytes = Buffer.from("0123456789");
    edits.replace(3, 5, "ab");
    edits.insert(8, "X");
    edits.insert(2, "Y");
    expect(edits.apply(bytes, 2, 8).latin1Slice()).toBe("Y2ab567X");
  });

  test("insertions at one place stay in the order in which they came", () => {
    const edits = new Edits();
    for (const text of ["a", "b", "c"]) edits.insert(1, text);
    expect(edits.apply(Buffer.from("xy"), 0, 2).latin1Slice()).toBe("xabcy");
  });

  test("apply ends with no edits left, and so does clear", () => {
    const edits = new Edits();
    const bytes = Buffer.from("abc");
    edits.insert(0, "x");
    edits.apply(bytes, 0, 3);
    expect(edits.apply(bytes, 0, 3).latin1Slice()).toBe("abc");
    edits.remove(0, 3);
    edits.clear();
    expect(edits.apply(bytes, 0, 3).latin1Slice()).toBe("abc");
  });

  test("the copy has memory of its own", () => {
    const bytes = Buffer.from("abc");
    const out = new Edits().apply(bytes, 0, 3);
    bytes.fill(0);
    expect(out.latin1Slice()).toBe("abc");
  });

  test("more edits than the bound: an error, not a silent loss", () => {
    const edits = new Edits();
    expect(() => {
      for (let i = 0; i < 10_000; i++) edits.insert(0, "x");
    }).toThrow(RangeError);
  });
});
