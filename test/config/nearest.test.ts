import { expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "../../src/config/nearest.ts";

test.each([
  ["", "", 0],
  ["abc", "", 3],
  ["port", "port", 0],
  ["prot", "port", 1],
  ["ucp", "udp", 1],
  ["adress", "address", 1],
  ["kitten", "sitting", 3],
])("from %j to %j it is %d", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

test("the distance is the same both ways, and none from a word to itself", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

test("the first of the closest is meant", () => {
  expect(nearest("ucp", ["udp", "tcp"])).toBe("udp");
  expect(nearest("tpc", ["udp", "tcp"])).toBe("tcp");
});

test("case and hyphens do not count", () => {
  expect(nearest("Min-Expires-S", ["max_expires_s", "min_expires_s"])).toBe("min_expires_s");
});

test("nothing near is nothing", () => {
  expect(nearest("quic", ["udp", "tcp"])).toBeNull();
  expect(nearest("x".repeat(1_000_000), ["udp", "tcp"])).toBeNull();
  expect(nearest("udp", [])).toBeNull();
});
