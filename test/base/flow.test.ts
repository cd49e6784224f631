import { expect, test } from "bun:test";
import { hostPort, isReliable, plainAddress } from "../../src/base/flow.ts";

test("RFC 3261 §25.1 hostport: IPv6 stands in brackets", () => {
  expect(hostPort("192.0.2.1", 5060)).toBe("192.0.2.1:5060");
  expect(hostPort("2001:db8::1", 5060)).toBe("[2001:db8::1]:5060");
});

test("IPv4 seen by a dual-stack socket is written as IPv4, IPv6 stays", () => {
  expect(plainAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
  expect(plainAddress("::ffff:1")).toBe("::ffff:1");
  expect(plainAddress("2001:db8::1")).toBe("2001:db8::1");
});

test("only UDP needs retransmissions", () => {
  const names = ["udp", "tcp", "tls", "ws", "wss"] as const;
  expect(names.filter((name) => !isReliable(name))).toEqual(["udp"]);
});
