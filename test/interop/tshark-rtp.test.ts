/**
 * Our statistics beside `tshark -z rtp,streams` on the same packets: seeded streams through a path with loss,
 * duplicates, reordering and jitter, written to a capture file.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PayloadTypes } from "../../src/media/codecs.ts";
import type { RtpSnapshot } from "../../src/media/rtp-stream.ts";
import { RtpStream } from "../../src/media/rtp-stream.ts";
import type { Arrival } from "../media/rtp-samples.ts";
import { traffic } from "../media/rtp-samples.ts";
import { missing, Program } from "../support/process.ts";

const FROM_PORT = 40_000;
const TO_PORT = 40_002;
const absent = missing("RTP statistics beside tshark", "tshark");

/** One line of its table. */
interface Line {
  readonly packets: number;
  readonly lost: number;
  readonly loss_percent: number;
  readonly jitter_mean_ms: number;
  readonly jitter_max_ms: number;
}

describe.skipIf(absent)("interop: tshark rtp,streams", () => {
  let dir = "";
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "sipedge-tshark-"));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  async function tshark(arrivals: readonly Arrival[]): Promise<Line[]> {
    const file = join(dir, "stream.pcap");
    writeFileSync(file, pcap(arrivals));
    const decode = ["-d", `udp.port==${TO_PORT},rtp`];
    const program = new Program(["tshark", "-r", file, ...decode, "-q", "-z", "rtp,streams"]);
    const code = await program.ended();
    expect({ code, output: program.output }).toMatchObject({ code: 0 });
    return linesOf(program.output);
  }

  function agrees(ours: RtpSnapshot, theirs: Line): void {
    expect([ours.received, ours.lost]).toEqual([theirs.packets, theirs.lost]);
    expect(Math.abs(ours.loss_percent - theirs.loss_percent)).toBeLessThan(0.2);
    // It prints three decimals.
    expect(Math.abs(ours.jitter_mean_ms! - theirs.jitter_mean_ms)).toBeLessThan(0.001);
    expect(Math.abs(ours.jitter_max_ms! - theirs.jitter_max_ms)).toBeLessThan(0.001);
  }

  const PATHS = [
    { name: "an even path", loss: 0, duplicate: 0, reorder: 0, jitter_ms: 0 },
    // Below the packet time: reordering at the wrap of sequence numbers makes tshark 4.0 count 65535 lost packets.
    { name: "jitter alone", loss: 0, duplicate: 0, reorder: 0, jitter_ms: 18 },
    {
      name: "loss 3 %, duplicates 1 %, reorder 5 %, jitter",
      loss: 0.03,
      duplicate: 0.01,
      reorder: 0.05,
      jitter_ms: 8,
    },
    { name: "loss 20 %", loss: 0.2, duplicate: 0, reorder: 0, jitter_ms: 12 },
    { name: "more duplicates than losses", loss: 0.01, duplicate: 0.1, reorder: 0.05, jitter_ms: 8 },
  ];
  for (const [seed, { name, ...path }] of PATHS.entries())
    test(`MET-15, MET-16 ${name} (seed ${seed}): loss equal, mean and maximum jitter to three decimals`, async () => {
      const place = { seed, packets: 3000, first_seq: 64_000, first_timestamp: 0xfffe0000 };
      const arrivals = traffic({ ...place, ...path });
      const lines = await tshark(arrivals);
      expect(lines).toHaveLength(1);
      agrees(measured(arrivals), lines[0]!);
    });

  test("MET-15 a stream that changes its SSRC: the sum of what tshark shows as two", async () => {
    const path = { packets: 1000, loss: 0.03, duplicate: 0.01, reorder: 0.05, jitter_ms: 8 };
    const before = traffic({ ...path, seed: 7, ssrc: 0x1111 });
    const after = traffic({ ...path, seed: 8, ssrc: 0x2222, start_ms: 20_000, first_seq: 30_000 });
    const lines = await tshark([...before, ...after]);
    const ours = measured([...before, ...after]);
    expect(lines).toHaveLength(2);
    expect(ours).toMatchObject({ sources: 2, ssrc_changes: 1 });
    expect(ours.received).toBe(lines[0]!.packets + lines[1]!.packets);
    expect(ours.lost).toBe(lines[0]!.lost + lines[1]!.lost);
    const max_ms = Math.max(lines[0]!.jitter_max_ms, lines[1]!.jitter_max_ms);
    expect(Math.abs(ours.jitter_max_ms! - max_ms)).toBeLessThan(0.001);
  });
});

function measured(arrivals: readonly Arrival[]): RtpSnapshot {
  const stream = new RtpStream(new PayloadTypes());
  for (const { bytes, at_ms } of arrivals) stream.packet(bytes, at_ms);
  return stream.snapshot(arrivals.at(-1)!.at_ms);
}

/** Start, end, addresses and ports, SSRC, payload, then packets, `lost (percent)`, three deltas and three jitters. */
function linesOf(output: string): Line[] {
  const row = /\s0x[0-9A-Fa-f]{8}\s+\S+\s+(\d+)\s+(-?\d+) \((-?[\d.]+)%\)((?:\s+[\d.]+){6})/g;
  return [...output.matchAll(row)].map(([, packets, lost, percent, figures]) => {
    const [, , , , mean, max] = figures!.trim().split(/\s+/).map(Number);
    return {
      packets: Number(packets),
      lost: Number(lost),
      loss_percent: Math.max(0, Number(percent)),
      jitter_mean_ms: mean!,
      jitter_max_ms: max!,
    };
  });
}

/** A capture with nanoseconds (magic a1b23c4d) of raw IPv4 packets (link type 101). */
function pcap(arrivals: readonly Arrival[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b23c4d, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(101, 20);
  return Buffer.concat([head, ...arrivals.map(record)]);
}

const START_S = 1_700_000_000;
const IP_UDP_BYTES = 28;

function record({ at_ms, bytes }: Arrival): Buffer {
  const out = Buffer.alloc(16 + IP_UDP_BYTES);
  const us = Math.round(at_ms * 1000);
  out.writeUInt32LE(START_S + Math.floor(us / 1e6), 0);
  out.writeUInt32LE((us % 1e6) * 1000, 4);
  out.writeUInt32LE(IP_UDP_BYTES + bytes.length, 8);
  out.writeUInt32LE(IP_UDP_BYTES + bytes.length, 12);
  const ip = out.subarray(16);
  ip[0] = 0x45;
  ip.writeUInt16BE(IP_UDP_BYTES + bytes.length, 2);
  ip[8] = 64;
  ip[9] = 17;
  ip.set([192, 0, 2, 1, 192, 0, 2, 2], 12);
  ip.writeUInt16BE(FROM_PORT, 20);
  ip.writeUInt16BE(TO_PORT, 22);
  ip.writeUInt16BE(8 + bytes.length, 24);
  return Buffer.concat([out, bytes]);
}
