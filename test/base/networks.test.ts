import { describe, expect, test } from "bun:test";
import { Networks, parseNetwork } from "../../src/base/networks.ts";

describe("parseNetwork", () => {
  const good: readonly [string, string, number, 4 | 6][] = [
    ["192.0.2.0/24", "192.0.2.0", 24, 4],
    ["192.0.2.7", "192.0.2.7", 32, 4],
    ["0.0.0.0/0", "0.0.0.0", 0, 4],
    ["2001:db8::/32", "2001:db8::", 32, 6],
    ["::1", "::1", 128, 6],
    ["fe80::/10", "fe80::", 10, 6],
  ];
  for (const [text, address, prefix, family] of good)
    test(text, () => expect(parseNetwork(text)).toEqual({ address, prefix, family }));

  const bad = [
    "",
    "/24",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/-1",
    "192.0.2.0/2 4",
    "192.0.2.0/+8",
    "192.0.2/24",
    "192.0.2.256",
    "2001:db8::/129",
    "[::1]",
    "example.test",
    "192.0.2.0/24/8",
  ];
  for (const text of bad) test(`not a network: "${text}"`, () => expect(parseNetwork(text)).toBeNull());
});

describe("networks", () => {
  const networks = new Networks(["192.0.2.0/25", "198.51.100.7", "2001:db8:1::/48", "::1"]);
  const cases: readonly [string, boolean][] = [
    ["192.0.2.0", true],
    ["192.0.2.127", true],
    ["192.0.2.128", false],
    ["198.51.100.7", true],
    ["198.51.100.6", false],
    ["2001:db8:1::5", true],
    ["2001:0db8:0001:0000:0000:0000:0000:0005", true],
    ["2001:db8:2::5", false],
    ["::1", true],
    ["::2", false],
  ];
  for (const [address, inside] of cases)
    test(`${address} is ${inside ? "inside" : "outside"}, asked twice`, () => {
      expect([networks.has(address), networks.has(address)]).toEqual([inside, inside]);
    });

  test("no network holds nobody", () => expect(new Networks([]).has("127.0.0.1")).toBe(false));

  test("/0 holds a whole family and no other", () => {
    const all4 = new Networks(["0.0.0.0/0"]);
    expect([all4.has("203.0.113.9"), all4.has("2001:db8::9")]).toEqual([true, false]);
  });

  test("what is no address at all is in no network, and does not throw", () => {
    expect([networks.has(""), networks.has("nonsense"), networks.has("a:b")]).toEqual([false, false, false]);
  });

  test("an entry that is no network is a mistake of the caller", () => {
    expect(() => new Networks(["192.0.2.0/24", "nonsense"])).toThrow(RangeError);
  });

  test("10,000 different addresses: still right after the remembered ones left", () => {
    for (let i = 0; i < 10_000; i++) networks.has(`10.${i >> 8}.${i & 255}.1`);
    expect([networks.has("192.0.2.1"), networks.has("10.0.0.1")]).toEqual([true, false]);
  });
});

test("the whole of one family is nothing of the other", () => {
  expect(new Networks(["::/0"]).has("192.0.2.1")).toBe(false);
  expect(new Networks(["0.0.0.0/0"]).has("2001:db8::1")).toBe(false);
  expect(new Networks(["::/0"]).has("2001:db8::1")).toBe(true);
});
