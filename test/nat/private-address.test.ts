/** Addresses that mean nothing outside: the first and last of each range, and their neighbours. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isPrivate } from "../../src/nat/private-address.ts";

describe("NAT-03, NH-30 private addresses", () => {
  for (const [range, inside] of [
    ["10/8", ["10.0.0.0", "10.255.255.255"]],
    ["172.16/12", ["172.16.0.0", "172.31.255.255"]],
    ["192.168/16", ["192.168.0.0", "192.168.255.255"]],
    ["RFC 6598 100.64/10, shared", ["100.64.0.0", "100.127.255.255"]],
    ["RFC 7335 192.0.0.0/29 and the rest of 192.0.0.0/24", ["192.0.0.0", "192.0.0.1", "192.0.0.255"]],
    ["RFC 3927 169.254/16, link-local", ["169.254.0.0", "169.254.255.255"]],
    ["0/8, this network", ["0.0.0.0", "0.255.255.255"]],
    ["127/8, loopback", ["127.0.0.0", "127.0.0.1", "127.255.255.255"]],
    ["198.18/15, benchmarks", ["198.18.0.0", "198.19.255.255"]],
    ["240/4, reserved", ["240.0.0.0", "255.255.255.255"]],
    ["fc00::/7, unique-local", ["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FD00::1"]],
    ["fe80::/10, link-local", ["fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]],
    ["fec0::/10, site-local once", ["fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]],
    ["::1 and ::", ["::1", "::", "0:0:0:0:0:0:0:1"]],
    ["RFC 8215 64:ff9b:1::/48", ["64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"]],
    ["::ffff:0:0/96, IPv4 inside a program", ["::ffff:0:0", "::ffff:192.0.2.1", "::ffff:ffff:ffff"]],
  ] as const)
    test.each([...inside])(`${range}: %s`, (address) => expect(isPrivate(address)).toBe(true));

  test.each([
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "239.255.255.255",
    "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe00::",
    "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff00::",
    "::2",
    "64:ff9b::a00:1",
    "64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
    "64:ff9b:2::",
    "::fffe:ffff:ffff",
    "::1:0:0:0",
    "2001:db8::1",
    "2a00::1",
  ])("beside them: %s", (address) => expect(isPrivate(address)).toBe(false));

  test.each([
    "",
    "example.test",
    "10.0.0.256",
    "10.0.0",
    "[fe80::1]",
    "localhost",
    "10.0.0.1:5060",
    "fe80::xyz",
  ])("no address, no exception: %p", (text) => expect(isPrivate(text)).toBe(false));

  test("every IPv4 address: by its number", () => {
    const first_last: readonly (readonly [number, number])[] = [
      [0x00000000, 0x00ffffff],
      [0x0a000000, 0x0affffff],
      [0x64400000, 0x647fffff],
      [0x7f000000, 0x7fffffff],
      [0xa9fe0000, 0xa9feffff],
      [0xac100000, 0xac1fffff],
      [0xc0000000, 0xc00000ff],
      [0xc0a80000, 0xc0a8ffff],
      [0xc6120000, 0xc613ffff],
      [0xf0000000, 0xffffffff],
    ];
    const any = fc.integer({ min: 0, max: 0xffffffff });
    const edge = fc
      .tuple(fc.constantFrom(...first_last.flat()), fc.integer({ min: -2, max: 2 }))
      .map(([at, off]) => Math.min(0xffffffff, Math.max(0, at + off)));
    fc.assert(
      fc.property(fc.oneof(any, edge), (number) => {
        const text = [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join(".");
        expect(isPrivate(text)).toBe(first_last.some(([first, last]) => number >= first && number <= last));
      }),
      { numRuns: 2000 },
    );
  });

  test("any text: never an exception, and no address is not private", () =>
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        const found = isPrivate(text);
        if (!/^[\da-f.:]+(%|$)/i.test(text)) expect(found).toBe(false);
      }),
    ));
});
