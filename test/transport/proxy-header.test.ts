/** B-72: reading the header of the PROXY protocol (proxy-protocol.txt §2), whole, cut, and broken. */
import { describe, expect, test } from "bun:test";
import type { ProxyHeader } from "../../src/transport/proxy-header.ts";
import { PROXY_HEADER_BYTES_MAX, readProxyHeader } from "../../src/transport/proxy-header.ts";
import { SeededDice } from "../support/seeded-dice.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Version 2: signature, version and command, family, length, the rest. */
function second(command: number, family: number, rest: readonly number[], length = rest.length): Buffer {
  const fixed = Buffer.from([0x20 | command, family, length >> 8, length & 255]);
  return Buffer.concat([bytes(SIGNATURE), fixed, Buffer.from(rest)]);
}
const IPV4 = [203, 0, 113, 7, 192, 0, 2, 1, 0x9c, 0x40, 0x13, 0xc4];
const ipv6 = (source: readonly number[]): number[] => [...source, ...source, 0x9c, 0x40, 0x13, 0xc4];
const DOC6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7];

const good: readonly [string, Buffer, string | null][] = [
  ["IPv4", bytes("PROXY TCP4 203.0.113.7 192.0.2.1 40000 5060\r\n"), "203.0.113.7 40000"],
  ["IPv6, as sockets write it", bytes("PROXY TCP6 2001:DB8:0::7 2001:db8::1 1 2\r\n"), "2001:db8::7 1"],
  ["IPv4 in IPv6", bytes("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n"), "203.0.113.7 1"],
  ["unknown", bytes("PROXY UNKNOWN\r\n"), null],
  ["unknown, with things to ignore", bytes(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`), null],
  ["2, IPv4", second(1, 0x11, IPV4), "203.0.113.7 40000"],
  ["2, IPv6", second(1, 0x21, ipv6(DOC6)), "2001:db8::7 40000"],
  ["2, IPv4 in IPv6", second(1, 0x21, ipv6(MAPPED)), "203.0.113.7 40000"],
  ["2, with fields behind", second(1, 0x11, [...IPV4, 4, 0, 1, 0]), "203.0.113.7 40000"],
  ["2, the balancer's own", second(0, 0, []), null],
  ["2, of no family", second(1, 0, [1, 2, 3]), null],
  ["2, of a local socket", second(1, 0x31, new Array(216).fill(0)), null],
];

describe("B-72 PROXY protocol: good headers", () => {
  test.each(good)("%s", (_name, header, source) => {
    const read = readProxyHeader(Buffer.concat([header, bytes("OPTIONS sip:x SIP/2.0\r\n")])) as ProxyHeader;
    expect(read.bytes).toBe(header.length);
    expect(read.source === null ? null : `${read.source.address} ${read.source.port}`).toBe(source);
  });

  test("cut anywhere, each one is incomplete, and nothing else", () => {
    for (const [, header] of good)
      for (let length = 0; length < header.length; length++)
        expect(readProxyHeader(header.subarray(0, length))).toBe("incomplete");
  });
});

describe("B-72 PROXY protocol: what is none", () => {
  test.each([
    ["SIP", bytes("REGISTER sip:x SIP/2.0\r\n")],
    ["a keep-alive", bytes("\r\n\r\n\r\n\r\n\r\n\r\n")],
    ["another family than it says", bytes("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n")],
    ["a name", bytes("PROXY TCP4 phone.test 192.0.2.1 1 2\r\n")],
    ["a zone", bytes("PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n")],
    ["a port too high", bytes("PROXY TCP4 203.0.113.7 192.0.2.1 65536 5060\r\n")],
    ["a port nobody sends from", bytes("PROXY TCP4 203.0.113.7 192.0.2.1 0 5060\r\n")],
    ["our port too high", bytes("PROXY TCP4 203.0.113.7 192.0.2.1 1 65536\r\n")],
    ["a part too many", bytes("PROXY TCP4 203.0.113.7 192.0.2.1 1 2 3\r\n")],
    ["UDP", bytes("PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n")],
    ["lower case", bytes("proxy TCP4 203.0.113.7 192.0.2.1 1 2\r\n")],
    ["a line that never ends", bytes(`PROXY TCP4 ${"1".repeat(96)}`)],
    ["2: version 1", Buffer.concat([bytes(SIGNATURE), Buffer.from([0x11, 0x11, 0, 12, ...IPV4])])],
    ["2: an unknown command", second(2, 0x11, IPV4)],
    ["2: datagrams", second(1, 0x12, IPV4)],
    ["2: IPv4 cut short by its own length", second(1, 0x11, IPV4.slice(0, 11))],
    ["2: an IPv4 header that calls itself IPv6", second(1, 0x21, IPV4)],
    ["2: longer than any", second(1, 0x11, IPV4, PROXY_HEADER_BYTES_MAX)],
    ["2: port 0", second(1, 0x11, [...IPV4.slice(0, 8), 0, 0, 0x13, 0xc4])],
  ])("%s", (_name, header) => {
    expect(readProxyHeader(header)).toBe("malformed");
  });

  test("a good one with a byte changed is read within itself, and never throws", () => {
    const dice = new SeededDice(72);
    const below = (bound: number): number => Math.floor(dice.fraction() * bound);
    for (let round = 0; round < 20_000; round++) {
      const header = Buffer.from(good[below(good.length)]![1]);
      header[below(header.length)] = below(256);
      const read = readProxyHeader(header);
      if (typeof read === "string") continue;
      expect(read.bytes).toBeLessThanOrEqual(header.length);
      if (read.source !== null) expect(read.source.port).toBeGreaterThan(0);
    }
  });
});
