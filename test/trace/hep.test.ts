/** Copies for a capture server: their bytes, their bounds, and where they go. */
import { describe, expect, test } from "bun:test";
import { Capture } from "../../src/app/capture.ts";
import type { Flow } from "../../src/base/flow.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { NameService } from "../../src/dns/records.ts";
import { Scanner } from "../../src/message/scan.ts";
import { HEP_BYTES_MAX, hepPacket } from "../../src/trace/hep.ts";
import { HepExport, WAITING_MAX } from "../../src/trace/hep-export.ts";
import { configOf } from "../config/support.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const V4 = {
  transport: "udp",
  local: { address: "192.0.2.1", port: 5060 },
  remoteAddress: "198.51.100.7",
  remotePort: 5062,
} as const;
const V6 = {
  transport: "tls",
  local: { address: "2001:db8::1", port: 5061 },
  remoteAddress: "2001:db8:0:7::8",
  remotePort: 40_000,
} as const;
const SENDER = { capture_id: 77, password: "pw" };
const AT_US = 1_795_456_760_000_007;

const hex = (text: string) => Buffer.from(text.replaceAll(/\s+/g, ""), "hex");

describe("ARC-29, B-37 HEPv3 §3: the bytes of a packet", () => {
  test("IPv4, received: every chunk", () => {
    const payload = Buffer.from("BYE");
    const packet = hepPacket(SENDER, { ends: V4, isReceived: true, at_us: AT_US, call_id: "c1", payload })!;
    expect(packet).toEqual(
      hex(`48455033 0076
        0000 0001 0007 02
        0000 0002 0007 11
        0000 0003 000a c6336407
        0000 0004 000a c0000201
        0000 0007 0008 13c6
        0000 0008 0008 13c4
        0000 0009 000a 6b047ef8
        0000 000a 000a 00000007
        0000 000b 0007 01
        0000 000c 000a 0000004d
        0000 000e 0008 7077
        0000 0011 0008 6331
        0000 000f 0009 425945`),
    );
  });
  test("IPv6 over TLS, sent, without password and Call-ID", () => {
    const payload = Buffer.from("x");
    const sender = { capture_id: 0xffff_ffff, password: null };
    const packet = hepPacket(sender, { ends: V6, isReceived: false, at_us: AT_US, call_id: null, payload })!;
    expect(packet).toEqual(
      hex(`48455033 007c
        0000 0001 0007 0a
        0000 0002 0007 06
        0000 0005 0016 20010db8000000000000000000000001
        0000 0006 0016 20010db8000000070000000000000008
        0000 0007 0008 13c5
        0000 0008 0008 9c40
        0000 0009 000a 6b047ef8
        0000 000a 000a 00000007
        0000 000b 0007 01
        0000 000c 000a ffffffff
        0000 000f 0007 78`),
    );
  });
  test("what does not fit into a datagram is none", () => {
    const message = { ends: V4, isReceived: true, at_us: 0, call_id: null };
    const room = HEP_BYTES_MAX - hepPacket(SENDER, { ...message, payload: Buffer.alloc(0) })!.length;
    expect(hepPacket(SENDER, { ...message, payload: Buffer.alloc(room) })).toHaveLength(HEP_BYTES_MAX);
    expect(hepPacket(SENDER, { ...message, payload: Buffer.alloc(room + 1) })).toBeNull();
  });
});

const FLOW = V4 as unknown as Flow;
const BYE = Buffer.from(
  'BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nAuthorization: Digest response="aabb"\r\nCall-ID: c\r\n\r\n',
);
const message = (bytes: Buffer) => new Scanner().scan(bytes)!;
const counterOf = (metrics: Metrics, name: string, reason?: string) =>
  metrics
    .collect()
    .find((family) => family.name === name)
    ?.samples.find(({ labels }) => labels.reason === reason)?.value;

describe("ARC-29, B-37 the copies", () => {
  function exporter(sends = true) {
    const clock = new VirtualClock();
    const metrics = new Metrics();
    const packets: Buffer[] = [];
    const send = (packet: Uint8Array) => sends && packets.push(Buffer.from(packet)) > 0;
    const hep = new HepExport({ clock, metrics, send }, SENDER);
    return { clock, metrics, packets, hep };
  }
  test("leave at the end of the turn, in order, with stars for secrets; what was not sent has none", () => {
    const { clock, packets, hep } = exporter();
    hep.received(message(BYE), FLOW);
    hep.sent(Buffer.from("SIP/2.0 200 OK\r\nCall-ID: c\r\n\r\n"), "c", FLOW, true);
    hep.sent(BYE, "c", FLOW, false);
    expect(packets).toEqual([]);
    clock.endTurn();
    expect(packets.map((packet) => packet.latin1Slice())).toEqual([
      expect.stringContaining('response="****"'),
      expect.stringContaining("SIP/2.0 200 OK"),
    ]);
    expect(packets[0]!.latin1Slice()).not.toContain("aabb");
  });
  test("a turn with more than the bound: the rest is dropped and counted", () => {
    const { clock, metrics, packets, hep } = exporter();
    for (let i = 0; i < WAITING_MAX + 5; i++) hep.received(message(BYE), FLOW);
    clock.endTurn();
    expect(packets).toHaveLength(WAITING_MAX);
    expect(counterOf(metrics, "sipedge_hep_dropped_total", "queue_full")).toBe(5);
    hep.received(message(BYE), FLOW);
    clock.endTurn();
    expect(packets).toHaveLength(WAITING_MAX + 1);
  });
  test("too large, and not taken by the socket: counted each", () => {
    const { clock, metrics, hep } = exporter(false);
    hep.received(message(BYE), FLOW);
    hep.sent(Buffer.concat([BYE, Buffer.alloc(70_000, "x")]), "c", FLOW, true);
    clock.endTurn();
    expect(counterOf(metrics, "sipedge_hep_dropped_total", "not_sent")).toBe(1);
    expect(counterOf(metrics, "sipedge_hep_dropped_total", "too_large")).toBe(1);
    expect(counterOf(metrics, "sipedge_hep_packets_total")).toBe(0);
  });
  test("the time goes on evenly where the wall clock has milliseconds only, and follows it when it jumps", () => {
    const { clock, packets, hep } = exporter();
    const at = () => {
      hep.received(message(BYE), FLOW);
      clock.endTurn();
      const packet = packets.at(-1)!;
      const seconds = packet.indexOf(hex("00000009000a")) + 6;
      return packet.readUInt32BE(seconds) * 1e6 + packet.readUInt32BE(seconds + 10);
    };
    const first = at();
    clock.advance(0.25);
    expect(at() - first).toBe(250);
    clock.wallOffset += 3_600_000;
    expect(at() - first).toBe(3_600_000_250);
  });
});

describe("ARC-29, B-37 [hep]", () => {
  /** A capture whose sockets and names are these. */
  function capture(addresses: readonly string[] = []) {
    const clock = new VirtualClock();
    const sent: string[] = [];
    const opened: string[] = [];
    let open = 0;
    const left = [...addresses];
    const names = {
      ask(_name: string, type: string, done: (answer: unknown) => void) {
        const address = left[0];
        const isThere = address !== undefined && (type === "A") === !address.includes(":");
        if (isThere) left.shift();
        done(isThere ? { kind: "records", records: [address] } : { kind: "nodata" });
      },
    } as unknown as NameService;
    const traces = { capture: null as Capture | null };
    const tap = new Capture(
      {
        ...{ clock, log: silentLog, metrics: new Metrics(), names },
        open: (address) => {
          opened.push(address);
          open++;
          return Promise.resolve({
            send: (_bytes, port, to) => sent.push(`${to} ${port}`) > 0,
            close: () => void open--,
          });
        },
      },
      traces as never,
    );
    const configure = async (toml: string) => {
      tap.configure(configOf(`[hep]\n${toml}`).hep);
      await Promise.resolve();
      await Promise.resolve();
    };
    const copy = (bytes = BYE) => {
      traces.capture?.received(message(bytes), FLOW);
      clock.endTurn();
    };
    return { clock, sent, opened, traces, configure, copy, sockets: () => open };
  }

  test("not configured: nobody is told of messages, and there is no socket", async () => {
    const site = capture();
    await site.configure("");
    expect([site.traces.capture, site.opened]).toEqual([null, []]);
  });
  test("an address; the port is 9060 unless given; switched off everything is gone", async () => {
    const site = capture();
    await site.configure('target = "192.0.2.60"');
    site.copy();
    await site.configure('target = "[2001:db8::60]:9063"');
    site.copy();
    expect(site.sent).toEqual(["192.0.2.60 9060", "2001:db8::60 9063"]);
    expect(site.opened).toEqual(["0.0.0.0", "::"]);
    expect(site.sockets()).toBe(1);
    await site.configure("");
    expect([site.traces.capture, site.sockets(), site.clock.pending]).toEqual([null, 0, 0]);
  });
  test("a name is looked up again; while nobody knows it, the last address stays", async () => {
    const site = capture(["192.0.2.60", "192.0.2.61"]);
    await site.configure('target = "homer.example.test"');
    site.copy();
    site.clock.advance(30_000);
    site.copy();
    site.clock.advance(60_000);
    site.copy();
    expect(site.sent).toEqual(["192.0.2.60 9060", "192.0.2.61 9060", "192.0.2.61 9060"]);
  });
  test("the answer to a ping of ours is left out, as the ping is", async () => {
    const site = capture();
    await site.configure('target = "192.0.2.60"');
    site.copy(
      Buffer.from("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKka7.tok.3\r\nCall-ID: c\r\n\r\n"),
    );
    expect(site.sent).toEqual([]);
    site.copy(Buffer.from("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK7\r\nCall-ID: c\r\n\r\n"));
    expect(site.sent).toHaveLength(1);
  });
  test("the password is a secret", () => {
    expect(() => configOf('[hep]\npassword = "with space"')).toThrow("********");
  });
});
