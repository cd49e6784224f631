/** The flow token of our Path: what it carries, that nobody else can make one, and that it is no dialog's token. */
import { describe, expect, test } from "bun:test";
import type { Flow, LocalEndpoint, TransportName } from "../../src/base/flow.ts";
import { hostPort, isReliable } from "../../src/base/flow.ts";
import { FlowTokens, flowNamed, isNamed } from "../../src/nat/flow-token.ts";
import { RouteTokens } from "../../src/nat/route-token.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { VirtualNetwork, VirtualTransports } from "../support/virtual-network.ts";

const KEY = new SeededDice(1).bytes(32);
const OTHER = new SeededDice(2).bytes(32);

function flow(
  transport: TransportName,
  address: string,
  port: number,
  remoteAddress: string,
  remotePort: number,
  serial = 0,
): Flow {
  const local: LocalEndpoint = { transport, address, port, sentBy: hostPort(address, port) };
  const reliable = isReliable(transport);
  const ends = `${transport}:${hostPort(address, port)}>${hostPort(remoteAddress, remotePort)}`;
  return {
    transport,
    local,
    remoteAddress,
    remotePort,
    reliable,
    open: true,
    id: reliable ? `${ends}#${serial}` : ends,
    send: () => true,
    watch() {},
    unwatch() {},
    toPort: () => null,
  };
}

const V4 = flow("udp", "192.0.2.1", 5060, "203.0.113.9", 65_535);
const V6 = flow("tcp", "2001:db8::1", 1, "2001:db8:1:2:3:4:5:6", 40_000, 0xffff_fffe);

describe("NH-31 tokens", () => {
  for (const [name, one] of [
    ["IPv4", V4],
    ["IPv6", V6],
    ["::1 and ::", flow("wss", "::1", 5061, "::", 1, 7)],
    ["0.0.0.0", flow("ws", "127.0.0.1", 80, "0.0.0.0", 0, 1)],
  ] as const)
    test(`${name}: come back as they were, and fit a URI's user part`, () => {
      const tokens = new FlowTokens(KEY);
      const token = tokens.sign(one);
      expect(token).toMatch(/^[A-Za-z0-9_-]{35,67}$/);
      const named = tokens.verify(token)!;
      expect(named).toMatchObject({
        transport: one.transport,
        local_address: one.local.address,
        local_port: one.local.port,
        remote_address: one.remoteAddress,
        remote_port: one.remotePort,
      });
      expect(isNamed(named, one)).toBe(true);
    });

  test("survive a restart: the same key is enough", () =>
    expect(new FlowTokens(KEY).verify(new FlowTokens(KEY).sign(V4))).not.toBeNull());

  test("random flows of all families and transports come back", () => {
    const dice = new SeededDice(9);
    const tokens = new FlowTokens(KEY);
    const transports = ["udp", "tcp", "tls", "ws", "wss"] as const;
    const address = (six: boolean) => {
      const groups = Array.from({ length: 8 }, () =>
        dice.fraction() < 0.4 ? "0" : Math.floor(dice.fraction() * 65536).toString(16),
      );
      return six
        ? new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)
        : Array.from({ length: 4 }, () => Math.floor(dice.fraction() * 256)).join(".");
    };
    const port = () => Math.floor(dice.fraction() * 65536);
    for (let i = 0; i < 2000; i++) {
      const six = dice.fraction() < 0.5;
      const transport = transports[i % 5]!;
      const serial = Math.floor(dice.fraction() * 2 ** 32);
      const one = flow(transport, address(six), port(), address(six), port(), serial);
      const named = tokens.verify(tokens.sign(one));
      expect(named !== null && isNamed(named, one)).toBe(true);
      expect(named?.serial).toBe(isReliable(transport) ? serial : 0);
    }
  });
});

describe("another flow", () => {
  const named = new FlowTokens(KEY).verify(new FlowTokens(KEY).sign(V6))!;
  const { local, remoteAddress, remotePort } = V6;
  for (const [name, other] of [
    ["another connection", flow("tcp", local.address, local.port, remoteAddress, remotePort, 5)],
    ["another port", flow("tcp", local.address, local.port, remoteAddress, 40_001, 0xffff_fffe)],
    ["another address", flow("tcp", local.address, local.port, "2001:db8::6", remotePort, 0xffff_fffe)],
    ["another port of ours", flow("tcp", local.address, 2, remoteAddress, remotePort, 0xffff_fffe)],
    ["another transport", flow("tls", local.address, local.port, remoteAddress, remotePort, 0xffff_fffe)],
  ] as const)
    test(`${name} is not meant`, () => expect(isNamed(named, other)).toBe(false));
});

describe("NH-32 forgery", () => {
  for (const [name, one] of [
    ["IPv4", V4],
    ["IPv6", V6],
  ] as const) {
    test(`${name}: every single flipped bit`, () => {
      const tokens = new FlowTokens(KEY);
      const bytes = Buffer.from(tokens.sign(one), "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(tokens.verify(bytes.toString("base64url"))).toBeNull();
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    });

    test(`${name}: every truncation and extension`, () => {
      const tokens = new FlowTokens(KEY);
      const token = tokens.sign(one);
      for (let n = 0; n < token.length; n++) {
        expect(tokens.verify(token.slice(0, n))).toBeNull();
        expect(tokens.verify(token.slice(n + 1))).toBeNull();
      }
      for (const more of ["A", "AA", "AAAA"]) expect(tokens.verify(token + more)).toBeNull();
    });
  }

  test("of another key", () => expect(new FlowTokens(OTHER).verify(new FlowTokens(KEY).sign(V4))).toBeNull());

  test("random text of every length: no token, no exception", () => {
    const tokens = new FlowTokens(KEY);
    const dice = new SeededDice(4);
    for (let length = 0; length < 90; length++) {
      expect(
        tokens.verify(Buffer.from(dice.bytes(length)).toString("base64url").slice(0, length)),
      ).toBeNull();
      expect(tokens.verify(Buffer.from(dice.bytes(length)).toString("latin1"))).toBeNull();
      expect(tokens.verify("=".repeat(length))).toBeNull();
    }
  });
});

describe("NH-32 two kinds of tokens, one key", () => {
  const ends = {
    caller: { transport: "udp", address: "203.0.113.9", port: 1, ours: true, bound: true, serial: 0 },
    callee: { transport: "udp", address: "203.0.113.10", port: 2, ours: true, bound: true, serial: 0 },
    callerMark: 7,
  } as const;
  const six = { ...ends, callee: { ...ends.callee, address: "2001:db8::10" } } as const;

  test("a flow's is no dialog's, whatever the Call-ID", () => {
    const routes = new RouteTokens(KEY);
    for (const one of [V4, V6]) {
      const token = new FlowTokens(KEY).sign(one);
      const payload = Buffer.from(token, "base64url").subarray(0, -9).toString("latin1");
      for (const callId of ["", "flow", "call-1", payload, `flow${payload}`])
        expect(routes.verify(token, callId)).toBeNull();
    }
  });

  test("a dialog's is no flow's, whatever the Call-ID", () => {
    const flows = new FlowTokens(KEY);
    for (const both of [ends, six])
      for (const callId of ["", "flow", "call-1", "flow-call-1", "x".repeat(40)])
        expect(flows.verify(new RouteTokens(KEY).sign(both, callId))).toBeNull();
  });

  test("a dialog's token is of its Call-ID only: the beginning of that cannot be moved into it", () => {
    const routes = new RouteTokens(KEY);
    const callId = "abcdefghijkl-and-the-rest";
    for (const both of [ends, six]) {
      const bytes = Buffer.from(routes.sign(both, callId), "base64url");
      const [payload, mac] = [bytes.subarray(0, -9), bytes.subarray(-9)];
      for (let moved = 1; moved <= 24 && payload.length + moved <= 38; moved++) {
        const head = Buffer.from(callId.slice(0, moved), "latin1");
        const forged = Buffer.concat([payload, head, mac]).toString("base64url");
        expect(routes.verify(forged, callId.slice(moved))).toBeNull();
      }
    }
  });

  test("nor can the end of it be moved into the Call-ID, and nothing is thrown", () => {
    const routes = new RouteTokens(KEY);
    const bytes = Buffer.from(routes.sign(six, "call-1"), "base64url");
    const [payload, mac] = [bytes.subarray(0, -9), bytes.subarray(-9)];
    for (let left = 14; left < payload.length; left++) {
      const forged = Buffer.concat([payload.subarray(0, left), mac]).toString("base64url");
      const callId = `${payload.toString("latin1").slice(left)}call-1`;
      expect(routes.verify(forged, callId)).toBeNull();
    }
  });
});

describe("NH-01 the flow of that name now", () => {
  function rig() {
    const network = new VirtualNetwork(new VirtualClock(), new SeededDice(1));
    const edge = new VirtualTransports(network);
    edge.listen("udp", "192.0.2.1", 5060);
    edge.listen("tcp", "192.0.2.1", 5060);
    edge.listen("udp", "192.0.2.2", 5060);
    const peer = new VirtualTransports(network);
    peer.listen("tcp", "198.51.100.7", 5060);
    peer.listen("udp", "198.51.100.7", 5060);
    const tokens = new FlowTokens(KEY);
    const again = (one: Flow) => flowNamed(edge, tokens.verify(tokens.sign(one))!);
    return { edge, peer, again };
  }

  test("datagrams leave by the socket they came to", () => {
    const { edge, again } = rig();
    const [, , second] = edge.endpoints();
    const found = again(edge.flowTo("udp", "198.51.100.7", 5060, second)!);
    expect(found).not.toBe("gone");
    expect((found as Flow).local.address).toBe("192.0.2.2");
  });

  test("a socket that is closed is gone, and no other one is taken", () => {
    const { again } = rig();
    expect(again(flow("udp", "192.0.2.3", 5060, "198.51.100.7", 5060))).toBe("gone");
    expect(again(flow("udp", "192.0.2.1", 5070, "198.51.100.7", 5060))).toBe("gone");
  });

  test("the connection itself; once closed it is gone, also when there is a new one to the same place", () => {
    const { edge, again } = rig();
    const first = edge.flowTo("tcp", "198.51.100.7", 5060)!;
    expect(again(first)).toBe(first);
    first.close("reset");
    expect(again(first)).toBe("gone");
    const second = edge.flowTo("tcp", "198.51.100.7", 5060)!;
    expect(again(first)).toBe("gone");
    expect(again(second)).toBe(second);
  });
});
