/** Extended reports (RFC 3611): what is read of each block, and what phones write when they do not know. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RtcpPacket } from "../../../src/media/rtcp.ts";
import { readRtcp } from "../../../src/media/rtcp.ts";
import { readXrBlocks, XR_BLOCKS_MAX } from "../../../src/media/rtcp-xr.ts";
import { words, xr, xrBlock } from "../../media/rtp-samples.ts";

function report(bytes: Buffer) {
  const [packet] = readRtcp(bytes)!.packets as [Extract<RtcpPacket, { kind: "xr" }>];
  return packet.report;
}

const VOIP = Buffer.from([
  ...[0x11, 0x22, 0x33, 0x44], // SSRC
  ...[13, 26, 128, 3], // loss, discard, burst and gap density
  ...[0x01, 0x2c, 0x13, 0x88], // burst 300 ms, gap 5000 ms
  ...[0x00, 0x78, 0x00, 0x50], // round trip 120 ms, end system 80 ms
  ...[0xe7, 0xc4, 40, 16], // signal -25, noise -60, RERL 40, Gmin 16
  ...[82, 127, 41, 38], // R, external R, MOS-LQ, MOS-CQ
  ...[0b11_11_0101, 0, 0, 60], // standard concealment, adaptive, rate 5; nominal 60 ms
  ...[0, 120, 0, 200], // maximum, absolute maximum
]);

describe("RFC 3611 §4.7 VoIP metrics", () => {
  test("MET-12, B-44 every field", () => {
    expect(report(xr(1, xrBlock(7, 0, VOIP))).voip).toEqual([
      {
        ssrc: 0x11223344,
        loss_percent: (13 * 100) / 256,
        discard_percent: (26 * 100) / 256,
        burst_density_percent: 50,
        gap_density_percent: (3 * 100) / 256,
        burst_ms: 300,
        gap_ms: 5000,
        round_trip_ms: 120,
        end_system_ms: 80,
        signal_dbm0: -25,
        noise_dbm0: -60,
        rerl_db: 40,
        g_min: 16,
        r_factor: 82,
        external_r_factor: null,
        mos_lq: 4.1,
        mos_cq: 3.8,
        concealment: "standard",
        jitter_buffer: "adaptive",
        jitter_buffer_rate: 5,
        jitter_buffer_ms: 60,
        jitter_buffer_max_ms: 120,
        jitter_buffer_abs_max_ms: 200,
      },
    ]);
  });

  test("B-44 127, 0 and values out of range are null, not numbers", () => {
    const bytes = Buffer.from(VOIP);
    bytes.fill(127, 16, 19);
    bytes.fill(127, 20, 24);
    bytes.fill(0, 12, 16);
    const [voip] = report(xr(1, xrBlock(7, 0, bytes))).voip;
    const unknown = {
      signal_dbm0: null,
      noise_dbm0: null,
      rerl_db: null,
      round_trip_ms: null,
      end_system_ms: null,
    };
    expect(voip).toMatchObject({ ...unknown, r_factor: null, mos_lq: null, mos_cq: null });
    bytes[20] = 101;
    bytes[22] = 9;
    bytes[23] = 51;
    const [odd] = report(xr(1, xrBlock(7, 0, bytes))).voip;
    expect(odd).toMatchObject({ r_factor: null, mos_lq: null, mos_cq: null });
  });
});

describe("RFC 3611 §4.6 statistics summary", () => {
  const body = Buffer.concat([words(0x55, (100 << 16) | 200, 7, 2, 1, 90, 12, 8), words(0)]);

  test("B-44 lost, duplicates and jitter where the flags say so", () => {
    expect(report(xr(1, xrBlock(6, 0xe0, body))).summaries).toEqual([
      {
        ssrc: 0x55,
        begin_seq: 100,
        end_seq: 200,
        lost: 7,
        duplicates: 2,
        jitter: { min: 1, max: 90, mean: 12, dev: 8 },
      },
    ]);
    const [silent] = report(xr(1, xrBlock(6, 0, body))).summaries;
    expect(silent).toMatchObject({ lost: null, duplicates: null, jitter: null });
  });
});

describe("RFC 3611 §4.4 and §4.5 round trips of receivers", () => {
  test("reference time: its middle 32 bits; delay blocks: each sub-block", () => {
    const reference = xrBlock(4, 0, words(0xaaaa1234, 0x56789999));
    const delays = xrBlock(5, 0, words(1, 2, 3, 4, 5, 6));
    expect(report(xr(1, reference, delays))).toMatchObject({
      reference_time: 0x12345678,
      delays: [
        { ssrc: 1, lrr: 2, dlrr: 3 },
        { ssrc: 4, lrr: 5, dlrr: 6 },
      ],
    });
  });
});

describe("RFC 3611 §3 blocks", () => {
  test("B-44 unknown types are skipped, what follows them is read", () => {
    const unknown = xrBlock(99, 0, words(1, 2, 3));
    expect(report(xr(1, unknown, xrBlock(7, 0, VOIP), xrBlock(1, 0, words(1)))).voip).toHaveLength(1);
  });

  test("a VoIP block that is too short, or longer than the packet, gives nothing", () => {
    expect(report(xr(1, xrBlock(7, 0, VOIP.subarray(0, 28)))).voip).toEqual([]);
    const long = xrBlock(7, 0, VOIP);
    long.writeUInt16BE(9, 2);
    expect(report(xr(1, long)).voip).toEqual([]);
  });

  test("blocks of one kind are bounded", () => {
    const many = Array.from({ length: XR_BLOCKS_MAX + 5 }, () => xrBlock(7, 0, VOIP));
    expect(report(xr(1, ...many)).voip).toHaveLength(XR_BLOCKS_MAX);
  });

  test("any bytes: no exception", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (bytes) => {
        readXrBlocks(bytes, 0, bytes.length);
      }),
    );
  });
});
