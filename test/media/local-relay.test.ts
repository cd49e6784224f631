/** The relay between two phones, on virtual sockets: NAT-12, NAT-13, NAT-28, ARC-32, B-53, B-54. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { CALLER } from "../../src/media/call-media.ts";
import { RELATCH_SILENCE_MS } from "../../src/media/latch.ts";
import { LocalRelay } from "../../src/media/local-relay.ts";
import type { RemoteMedia } from "../../src/media/media-session.ts";
import type { Receive } from "../../src/media/port-stock.ts";
import { PortStock, STOCK_PAIRS } from "../../src/media/port-stock.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const OURS = "192.0.2.1";
const CALLEE = "z9hG4bKcallee";
const A = { address: "198.51.100.7", port: 4000 };
const B = { address: "198.51.100.8", port: 5000 };
const STRANGER = { address: "203.0.113.66", port: 666 };

interface Sent {
  readonly from: number;
  readonly to: string;
  readonly bytes: Buffer;
}

const remote = (at: typeof A, more: Partial<RemoteMedia> = {}): RemoteMedia => ({
  address: at.address,
  rtp_port: at.port,
  rtcp_port: at.port + 1,
  is_mux: false,
  is_rtp: true,
  direction: "sendrecv",
  payloads: [{ type: 0, name: "PCMU", clock_hz: 8000 }],
  ptime_ms: 20,
  signalling_address: at.address,
  is_nat: false,
  is_anywhere: false,
  ...more,
});

function rtp(sequence: number, ssrc = 0x1111, type = 0, payload: Uint8Array = new Uint8Array(160)): Buffer {
  const bytes = Buffer.alloc(12 + payload.length);
  bytes[0] = 0x80;
  bytes[1] = type;
  bytes.writeUInt16BE(sequence & 0xffff, 2);
  bytes.writeUInt32BE((sequence * 160) >>> 0, 4);
  bytes.writeUInt32BE(ssrc, 8);
  bytes.set(payload, 12);
  return bytes;
}

/** An empty receiver report (RFC 3550 §6.4.2). */
const RTCP = Buffer.from([0x80, 201, 0, 1, 0, 0, 0x11, 0x11]);

async function site(range = { port_min: 10_000, port_max: 19_999 }) {
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const sockets = new Map<number, Receive>();
  const sent: Sent[] = [];
  const told: string[] = [];
  const stock = new PortStock(
    {
      clock,
      metrics,
      dice: new SeededDice(1),
      log: silentLog,
      open: async (_address, port, receive) => {
        if (sockets.has(port)) return "EADDRINUSE";
        sockets.set(port, receive);
        return {
          send: (bytes, to, address) =>
            sent.push({ from: port, to: `${address}:${to}`, bytes: Buffer.from(bytes) }) > 0,
          close: () => void sockets.delete(port),
        };
      },
    },
    range,
  );
  const observer = {
    silent: (call: string, ms: number) => void told.push(`silent ${call} ${ms}`),
    moved: (_call: string, key: string, from: string, to: string) =>
      void told.push(`moved ${key} ${from} ${to}`),
  };
  const relay = new LocalRelay({ clock, metrics, stock, observer });
  relay.hold([OURS]);
  await settled();
  return { clock, metrics, relay, sockets, sent, told, stock };
}

/** Sockets are opened by promises. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 2000; i++) await Promise.resolve();
};

type Site = Awaited<ReturnType<typeof site>>;

function call({ relay }: Site, a: Partial<RemoteMedia> = {}, b: Partial<RemoteMedia> = {}) {
  const session = relay.open("c1")!;
  const caller = session.side(0, CALLER, OURS)!;
  const callee = session.side(0, CALLEE, OURS)!;
  session.setRemote(0, CALLER, remote(A, a));
  session.setRemote(0, CALLEE, remote(B, b));
  session.choose(CALLEE);
  return { session, caller, callee };
}

const arrive = (at: Site, port: number, bytes: Buffer, from: typeof A): void =>
  at.sockets.get(port)!(bytes, from.port, from.address);

describe("NAT-12 media between two phones", () => {
  test("goes both ways, and leaves from the port that the phone was told (NAT-28)", async () => {
    const at = await site();
    const { caller, callee } = call(at);
    arrive(at, caller.rtp_port, rtp(1), A);
    arrive(at, callee.rtp_port, rtp(2, 0x2222), B);
    expect(at.sent.map(({ from, to }) => [from, to])).toEqual([
      [callee.rtp_port, "198.51.100.8:5000"],
      [caller.rtp_port, "198.51.100.7:4000"],
    ]);
  });

  test("ARC-32: every byte leaves as it came", async () => {
    const at = await site();
    const { caller } = call(at, { payloads: null });
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 1200 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 127 }), fc.nat(0xffffffff), (payload, type, ssrc) => {
        if (type >= 64 && type <= 95) return; // RFC 5761 §4: that would be RTCP
        const packet = rtp(1, ssrc, type, payload);
        arrive(at, caller.rtp_port, packet, A);
        expect(at.sent.at(-1)!.bytes.equals(packet)).toBe(true);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  test("RTCP goes from odd port to odd port; to one who muxes, to the port of RTP", async () => {
    const at = await site();
    const { caller, callee } = call(at, {}, { is_mux: true });
    arrive(at, caller.rtcp_port, RTCP, { ...A, port: 4001 });
    arrive(at, callee.rtp_port, RTCP, B);
    expect(at.sent.map(({ from, to }) => [from, to])).toEqual([
      [callee.rtp_port, "198.51.100.8:5000"],
      [caller.rtcp_port, "198.51.100.7:4001"],
    ]);
  });

  test("to a phone behind a NAT nothing is sent before it is heard, then to where it is heard from", async () => {
    const at = await site();
    const nat = { address: "10.0.0.7", is_nat: true, signalling_address: A.address };
    const { caller, callee } = call(at, nat);
    arrive(at, callee.rtp_port, rtp(1), B);
    expect(at.sent).toEqual([]);
    arrive(at, caller.rtp_port, rtp(1), { address: A.address, port: 61_000 });
    arrive(at, callee.rtp_port, rtp(2), B);
    expect(at.sent.map(({ to }) => to)).toEqual(["198.51.100.8:5000", "198.51.100.7:61000"]);
  });

  test("a phone on hold in the old way (0.0.0.0) is sent nothing", async () => {
    const at = await site();
    const { session, callee } = call(at);
    session.setRemote(0, CALLER, remote(A, { address: null }));
    arrive(at, callee.rtp_port, rtp(1), B);
    expect(at.sent).toEqual([]);
  });

  test("early media: the caller hears the first phone that sends, then the one that answers", async () => {
    const at = await site();
    const session = at.relay.open("c1")!;
    const caller = session.side(0, CALLER, OURS)!;
    session.setRemote(0, CALLER, remote(A));
    const one = session.side(0, "one", OURS)!;
    const two = session.side(0, "two", OURS)!;
    session.setRemote(0, "one", remote(B));
    session.setRemote(0, "two", remote({ address: "198.51.100.9", port: 5000 }));
    arrive(at, one.rtp_port, rtp(1, 1), B);
    arrive(at, two.rtp_port, rtp(1, 2), { address: "198.51.100.9", port: 5000 });
    expect(at.sent).toHaveLength(1);
    session.choose("two");
    arrive(at, one.rtp_port, rtp(2, 1), B);
    arrive(at, two.rtp_port, rtp(2, 2), { address: "198.51.100.9", port: 5000 });
    arrive(at, caller.rtp_port, rtp(1, 3), A);
    expect(at.sent.map(({ to, bytes }) => [to, bytes.readUInt32BE(8)])).toEqual([
      ["198.51.100.7:4000", 1],
      ["198.51.100.7:4000", 2],
      ["198.51.100.9:5000", 3],
    ]);
  });

  test("NAT-20: before anybody answers or speaks, the first callee that said where it listens hears the caller", async () => {
    const at = await site();
    const session = at.relay.open("c1")!;
    const caller = session.side(0, CALLER, OURS)!;
    const [silent, callee] = ["z9hG4bKsilent", CALLEE].map((key) => session.side(0, key, OURS)!);
    session.setRemote(0, CALLER, remote(A));
    arrive(at, caller.rtp_port, rtp(1), A);
    expect(at.sent).toEqual([]);
    session.setRemote(0, CALLEE, remote(B));
    arrive(at, caller.rtp_port, rtp(2), A);
    expect(at.sent.map(({ from, to }) => [from, to])).toEqual([[callee!.rtp_port, "198.51.100.8:5000"]]);
    expect(silent!.rtp_port).not.toBe(callee!.rtp_port);
  });
});

describe("what came of a second look", () => {
  test("DTLS is what a side may begin with: there is no RTP before it", async () => {
    const at = await site();
    const { caller } = call(at);
    const hello = Buffer.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    arrive(at, caller.rtp_port, hello, A);
    expect(at.sent.map(({ to }) => to)).toEqual(["198.51.100.8:5000"]);
  });

  test("a phone that played early media and gave up does not silence the next", async () => {
    const at = await site();
    const session = at.relay.open("c1")!;
    session.side(0, CALLER, OURS);
    session.setRemote(0, CALLER, remote(A));
    const one = session.side(0, "one", OURS)!;
    const two = session.side(0, "two", OURS)!;
    session.setRemote(0, "one", remote(B));
    session.setRemote(0, "two", remote({ address: "198.51.100.9", port: 5000 }));
    arrive(at, one.rtp_port, rtp(1, 1), B);
    session.drop("one");
    arrive(at, two.rtp_port, rtp(1, 2), { address: "198.51.100.9", port: 5000 });
    expect(at.sent.map(({ bytes }) => bytes.readUInt32BE(8))).toEqual([1, 2]);
  });

  test("the same description from a new network: heard from there", async () => {
    const at = await site();
    const nat = { address: "10.0.0.7", is_nat: true, signalling_address: A.address };
    const { session, caller } = call(at, nat);
    arrive(at, caller.rtp_port, rtp(1), A);
    session.setRemote(0, CALLER, remote(A, { ...nat, signalling_address: "198.51.100.77" }));
    arrive(at, caller.rtp_port, rtp(1, 0x3333), { address: "198.51.100.77", port: 4000 });
    expect(at.sent).toHaveLength(2);
  });
});

describe("NAT-13, B-53 a sprayer from elsewhere", () => {
  test("before the answer, before the first packet and after it: nothing is diverted, nothing is passed on", async () => {
    const at = await site();
    const session = at.relay.open("c1")!;
    const caller = session.side(0, CALLER, OURS)!;
    const callee = session.side(0, CALLEE, OURS)!;
    session.setRemote(0, CALLER, remote(A, { is_nat: true }));
    const spray = (): void => {
      for (let n = 0; n < 50; n++)
        for (const port of [caller.rtp_port, callee.rtp_port]) {
          arrive(at, port, rtp(n, 0x6666), STRANGER);
          arrive(at, port + 1, RTCP, STRANGER);
        }
    };
    spray();
    session.setRemote(0, CALLEE, remote(B, { is_nat: true }));
    session.choose(CALLEE);
    spray();
    expect(at.sent).toEqual([]);
    arrive(at, caller.rtp_port, rtp(1), A);
    arrive(at, callee.rtp_port, rtp(1), B);
    spray();
    arrive(at, caller.rtp_port, rtp(2), A);
    arrive(at, callee.rtp_port, rtp(2), B);
    expect(at.sent.filter(({ to }) => to.startsWith(STRANGER.address))).toEqual([]);
    expect(at.sent.filter(({ bytes }) => bytes.readUInt32BE(8) === 0x6666)).toEqual([]);
    expect(session.latest!.streams[0]!.refused).toBeGreaterThanOrEqual(100);
  });

  test("a NAT that gives the phone a new port: heard again after a silence", async () => {
    const at = await site();
    const { caller, callee } = call(at, { is_nat: true });
    arrive(at, caller.rtp_port, rtp(1), A);
    at.clock.advance(RELATCH_SILENCE_MS);
    arrive(at, caller.rtp_port, rtp(2), { ...A, port: 4444 });
    arrive(at, callee.rtp_port, rtp(1), B);
    expect(at.sent.at(-1)!.to).toBe("198.51.100.7:4444");
    expect(at.told).toEqual([`moved ${CALLER} 198.51.100.7:4000 198.51.100.7:4444`]);
  });

  test("what is no RTP is dropped: SIP, STUN, nothing at all", async () => {
    const at = await site();
    const { caller } = call(at);
    for (const text of ["OPTIONS sip:x SIP/2.0\r\n\r\n", "", "\x00\x01\x00\x00!\x12\xa4B"])
      arrive(at, caller.rtp_port, Buffer.from(text, "latin1"), A);
    expect(at.sent).toEqual([]);
  });

  test("a payload type that nobody offered teaches no address", async () => {
    const at = await site();
    const { caller } = call(at, { is_nat: true });
    arrive(at, caller.rtp_port, rtp(1, 1, 96), A);
    expect(at.sent).toEqual([]);
  });
});

describe("B-54 a call in which nobody is heard", () => {
  test("is told of, once", async () => {
    const at = await site();
    at.relay.silence_ms = 30_000;
    const { caller } = call(at);
    arrive(at, caller.rtp_port, rtp(1), A);
    at.clock.advance(29_000);
    arrive(at, caller.rtp_port, rtp(2), A);
    at.clock.advance(29_000);
    expect(at.told).toEqual([]);
    at.clock.advance(60_000);
    expect(at.told).toHaveLength(1);
  });

  test("but not while it is on hold, nor before it was answered", async () => {
    const at = await site();
    at.relay.silence_ms = 30_000;
    const { session } = call(at);
    session.setRemote(0, CALLEE, remote(B, { direction: "sendonly" }));
    const ringing = at.relay.open("c2")!;
    ringing.side(0, CALLER, OURS);
    ringing.setRemote(0, CALLER, remote(A));
    at.clock.advance(120_000);
    expect(at.told).toEqual([]);
  });
});

describe("B-55 ports", () => {
  test("are closed at the end, and rest before they are used again", async () => {
    const at = await site({ port_min: 10_000, port_max: 10_000 + 2 * STOCK_PAIRS + 1 });
    const { session, caller } = call(at);
    await session.close();
    expect(at.sockets.has(caller.rtp_port)).toBe(false);
    at.relay.hold([OURS]);
    await settled();
    expect(at.sockets.has(caller.rtp_port)).toBe(false);
  });

  test("are even, within the range, and all of it can be had", async () => {
    const at = await site({ port_min: 10_001, port_max: 10_009 });
    const session = at.relay.open("c1")!;
    const ports: number[] = [];
    for (let n = 0; n < 4; n++) ports.push(session.side(0, `${n}`, OURS)!.rtp_port);
    expect(ports.toSorted()).toEqual([10_002, 10_004, 10_006, 10_008]);
    expect(session.side(0, "one too many", OURS)).toBeNull();
  });

  test("that cannot be opened are said once in the log, and tried again each second", async () => {
    const clock = new VirtualClock();
    const metrics = new Metrics();
    const said: unknown[] = [];
    let isBroken = true;
    const stock = new PortStock(
      {
        clock,
        metrics,
        dice: new SeededDice(1),
        log: { ...silentLog, warn: (event, fields) => void said.push([event, fields]) },
        open: async () => (isBroken ? "EADDRNOTAVAIL" : { send: () => true, close() {} }),
      },
      { port_min: 10_000, port_max: 19_999 },
    );
    stock.hold(["fe80::1"]);
    for (let n = 0; n < 5; n++) {
      await settled();
      clock.advance(1000);
    }
    expect(said).toEqual([["media-ports-failed", { address: "fe80::1", code: "EADDRNOTAVAIL" }]]);
    await settled();
    isBroken = false;
    clock.advance(1000);
    await settled();
    expect(stock.ready()).toBe(STOCK_PAIRS);
    stock.close();
  });

  test("at an address that is not ours: none", async () => {
    const at = await site();
    expect(at.relay.open("c1")!.side(0, CALLER, "192.0.2.99")).toBeNull();
  });

  test("200 calls at once, each with ports of its own", async () => {
    const at = await site();
    const ports = new Set<number>();
    for (let n = 0; n < 200; n++) {
      const session = at.relay.open(`c${n}`)!;
      for (const key of [CALLER, CALLEE]) ports.add(session.side(0, key, OURS)!.rtp_port);
      await settled();
    }
    expect(ports.size).toBe(400);
  });
});

describe("MET-01 what was measured", () => {
  test("loss, packets, bytes and quality of each direction", async () => {
    const at = await site();
    const { session, caller, callee } = call(at);
    for (let n = 0; n < 500; n++) {
      if (n % 10 !== 5) arrive(at, caller.rtp_port, rtp(n), A);
      arrive(at, callee.rtp_port, rtp(n, 0x2222), B);
      at.clock.advance(20);
    }
    const [from, to] = (await session.close())!.streams;
    expect(from).toMatchObject({ from: "caller", codec: "pcmu", packets: 450, source: "198.51.100.7:4000" });
    expect(from!.loss_percent).toBeCloseTo(10, 0);
    expect(to).toMatchObject({ from: "callee", packets: 500, loss_percent: 0 });
    expect(to!.mos_lqe!).toBeGreaterThan(4.3);
    expect(from!.mos_lqe!).toBeLessThan(to!.mos_lqe!);
    expect(from!.mos_cqe).toBeNull();
  });
});
