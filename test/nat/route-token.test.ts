/** The dialog token of our Record-Route: what it carries, and that nobody else can make one. */
import { describe, expect, test } from "bun:test";
import { sameAddress } from "../../src/base/address.ts";
import type { End } from "../../src/nat/route-token.ts";
import { isEnd, RouteTokens, TOKEN_CHARS_MIN } from "../../src/nat/route-token.ts";
import { SeededDice } from "../support/seeded-dice.ts";

const KEY = new SeededDice(1).bytes(32);
const CALL = "a84b4c76e66710@pc33.example.test";
const end = (address: string, port = 5060, changes: Partial<End> = {}): End => ({
  transport: "udp",
  address,
  port,
  ours: false,
  bound: false,
  serial: 0,
  ...changes,
});
const V4 = {
  callerMark: 7,
  caller: end("198.51.100.7", 5060, { ours: true }),
  callee: end("203.0.113.9", 65_535),
};
const V6 = {
  callerMark: 65_535,
  caller: end("2001:db8::7", 1, { transport: "tcp" }),
  callee: end("2001:db8:1:2:3:4:5:6", 5060, { transport: "wss", ours: true }),
};

describe("tokens", () => {
  for (const [name, ends] of [
    ["two IPv4 ends", V4],
    ["two IPv6 ends", V6],
    ["IPv4 and IPv6", { ...V4, callee: V6.callee }],
    ["IPv6 and IPv4", { ...V4, caller: V6.caller }],
    ["::1 and 0.0.0.0", { callerMark: 0, caller: end("::1"), callee: end("0.0.0.0") }],
    [
      "all transports",
      {
        callerMark: 1,
        caller: end("192.0.2.1", 80, { transport: "ws" }),
        callee: end("192.0.2.2", 5061, { transport: "tls" }),
      },
    ],
  ] as const)
    test(`${name}: come back as they were, and fit a URI's user part`, () => {
      const tokens = new RouteTokens(KEY);
      const token = tokens.sign(ends, CALL);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(token.length).toBeGreaterThanOrEqual(TOKEN_CHARS_MIN);
      expect(token.length).toBeLessThanOrEqual(71);
      expect(tokens.verify(token, CALL)).toEqual(ends);
    });

  test("survive a restart: the same key is enough", () => {
    expect(new RouteTokens(KEY).verify(new RouteTokens(KEY).sign(V4, CALL), CALL)).toEqual(V4);
  });

  test("random ends of all families and transports come back", () => {
    const dice = new SeededDice(9);
    const tokens = new RouteTokens(KEY);
    const transports = ["udp", "tcp", "tls", "ws", "wss"] as const;
    const any = (): End => {
      const six = dice.fraction() < 0.5;
      const groups = Array.from({ length: 8 }, () =>
        dice.fraction() < 0.4 ? "0" : Math.floor(dice.fraction() * 65536).toString(16),
      );
      const address = six
        ? new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)
        : Array.from({ length: 4 }, () => Math.floor(dice.fraction() * 256)).join(".");
      return {
        transport: transports[Math.floor(dice.fraction() * 5)]!,
        address,
        port: Math.floor(dice.fraction() * 65536),
        ours: dice.fraction() < 0.5,
        bound: dice.fraction() < 0.5,
        serial: 0,
      };
    };
    for (let i = 0; i < 2000; i++) {
      const ends = { caller: any(), callee: any(), callerMark: Math.floor(dice.fraction() * 65_536) };
      expect(tokens.verify(tokens.sign(ends, CALL), CALL)).toEqual(ends);
    }
  });

  test("an IPv6 zone is not part of the address", () => {
    const tokens = new RouteTokens(KEY);
    const token = tokens.sign({ ...V4, caller: end("fe80::1%eth0") }, CALL);
    expect(tokens.verify(token, CALL)?.caller.address).toBe("fe80::1");
  });
});

describe("forgery", () => {
  test("of another key, of another Call-ID", () => {
    const tokens = new RouteTokens(KEY);
    const token = tokens.sign(V4, CALL);
    expect(new RouteTokens(new SeededDice(2).bytes(32)).verify(token, CALL)).toBeNull();
    for (const callId of ["", "other", `${CALL} `, CALL.toUpperCase()])
      expect(tokens.verify(token, callId)).toBeNull();
  });

  for (const [name, ends] of [
    ["IPv4", V4],
    ["IPv6", V6],
  ] as const)
    test(`${name}: every single flipped bit`, () => {
      const tokens = new RouteTokens(KEY);
      const bytes = Buffer.from(tokens.sign(ends, CALL), "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(tokens.verify(bytes.toString("base64url"), CALL)).toBeNull();
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    });

  test("every truncation and extension", () => {
    const tokens = new RouteTokens(KEY);
    for (const ends of [V4, V6]) {
      const token = tokens.sign(ends, CALL);
      for (let n = 0; n < token.length; n++) {
        expect(tokens.verify(token.slice(0, n), CALL)).toBeNull();
        expect(tokens.verify(token.slice(n + 1), CALL)).toBeNull();
      }
      for (const more of ["A", "AA", "AAAA"]) expect(tokens.verify(token + more, CALL)).toBeNull();
    }
  });

  test("random text of every length: no token, no exception", () => {
    const tokens = new RouteTokens(KEY);
    const dice = new SeededDice(4);
    for (let length = 0; length < 90; length++) {
      const text = Buffer.from(dice.bytes(length)).toString("base64url").slice(0, length);
      expect(tokens.verify(text, CALL)).toBeNull();
      expect(tokens.verify(Buffer.from(dice.bytes(length)).toString("latin1"), CALL)).toBeNull();
    }
  });
});

describe("the same end", () => {
  test("address and port must fit; IPv6 may be written otherwise", () => {
    expect(isEnd(V4.caller, "198.51.100.7", 5060)).toBe(true);
    expect(isEnd(V4.caller, "198.51.100.7", 5061)).toBe(false);
    expect(isEnd(V4.caller, "198.51.100.70", 5060)).toBe(false);
    expect(isEnd(V6.caller, "2001:DB8:0::0007", 1)).toBe(true);
  });
  test("addresses that are none are the same only when equal", () => {
    expect(sameAddress("host", "host")).toBe(true);
    expect(sameAddress("host", "HOST")).toBe(false);
    expect(sameAddress("::ffff:192.0.2.1", "::ffff:c000:201")).toBe(true);
  });
});
