/** Compound RTCP packets (RFC 3550 §6) as they are read. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RTCP_PACKETS_MAX, readRtcp } from "../../../src/media/rtcp.ts";
import { block, rr, rtcp, sdes, sr, words } from "../../media/rtp-samples.ts";

const BLOCK = {
  ssrc: 0xdeadbeef,
  fraction: 64,
  lost: -3,
  highest: 0x10005,
  jitter: 160,
  lsr: 0x9abc1234,
  dlsr: 65_536,
};

describe("RFC 3550 §6.4 sender and receiver reports", () => {
  test("MET-17 SR with a block and SDES: every field, the sign of the loss too", () => {
    const read = readRtcp(Buffer.concat([sr(7, 0x9abc1234, block(BLOCK)), sdes(7, "alice@phone")]));
    const seen = { ssrc: 0xdeadbeef, loss_percent: 25, lost: -3, highest: 0x10005, jitter: 160 };
    expect(read).toEqual({
      complete: true,
      packets: [
        {
          kind: "sr",
          ssrc: 7,
          ntp: 0x9abc1234,
          rtp_timestamp: 8000,
          packets: 50,
          octets: 8000,
          blocks: [{ ...seen, lsr: 0x9abc1234, dlsr: 65_536 }],
        },
        { kind: "sdes", ssrc: 7, cname: "alice@phone" },
      ],
    });
  });

  test("an RR without blocks, and one whose count is larger than its length", () => {
    expect(readRtcp(rr(1))).toEqual({ complete: true, packets: [{ kind: "rr", ssrc: 1, blocks: [] }] });
    const lying = rtcp(201, 31, Buffer.concat([words(1), block(BLOCK)]));
    expect(readRtcp(lying)?.packets[0]).toMatchObject({ blocks: [{ ssrc: BLOCK.ssrc }] });
  });
});

describe("RFC 3550 §6.5 to §6.7 SDES, BYE and APP", () => {
  test("BYE names its sources, APP and feedback are passed over", () => {
    const app = rtcp(204, 0, Buffer.concat([words(1), Buffer.from("name")]));
    const feedback = rtcp(206, 1, words(1, 2));
    const bye = rtcp(203, 2, words(8, 9));
    expect(readRtcp(Buffer.concat([rr(1), app, feedback, bye]))).toEqual({
      complete: true,
      packets: [
        { kind: "rr", ssrc: 1, blocks: [] },
        { kind: "bye", ssrcs: [8, 9] },
      ],
    });
  });

  test("an SDES item that is longer than its packet gives no CNAME", () => {
    const bytes = sdes(7, "alice");
    bytes[9] = 200;
    expect(readRtcp(bytes)).toEqual({ complete: true, packets: [] });
  });
});

describe("RFC 3550 §A.2 validity", () => {
  test("padding of the last packet is no report block", () => {
    const padded = rtcp(201, 1, Buffer.concat([words(1), words(0, 0, 0, 0, 0, 24)]));
    padded[0] = padded[0]! | 0x20;
    expect(readRtcp(padded)?.packets[0]).toMatchObject({ blocks: [] });
    padded[padded.length - 1] = 255;
    expect(readRtcp(padded)).toEqual({ complete: true, packets: [] });
  });

  test("no RTCP: null; a cut compound: what was whole, and that it was cut", () => {
    expect(readRtcp(Buffer.from([0x40, 201, 0, 1, 0, 0, 0, 1]))).toBeNull();
    expect(readRtcp(Buffer.alloc(0))).toBeNull();
    const cut = Buffer.concat([rr(1), sr(2, 3)]).subarray(0, 20);
    expect(readRtcp(cut)).toEqual({ complete: false, packets: [{ kind: "rr", ssrc: 1, blocks: [] }] });
    const garbage = Buffer.concat([rr(1), Buffer.from([1, 2, 3, 4])]);
    expect(readRtcp(garbage)?.complete).toBe(false);
  });

  test("packets of one compound are bounded", () => {
    const many = Buffer.concat(Array.from({ length: RTCP_PACKETS_MAX + 1 }, () => rr(1)));
    const read = readRtcp(many)!;
    expect([read.packets.length, read.complete]).toEqual([RTCP_PACKETS_MAX, false]);
  });

  test("any bytes behind a good header: no exception", () => {
    const types = fc.constantFrom(200, 201, 202, 203, 204, 205, 207);
    const bytes = fc.uint8Array({ maxLength: 200, size: "max" });
    fc.assert(
      fc.property(
        types,
        fc.integer({ min: 0, max: 63 }),
        fc.integer({ min: 0, max: 50 }),
        bytes,
        (type, low, n, rest) => {
          const read = readRtcp(Buffer.from([0x80 | low, type, 0, n, ...rest]));
          expect(read).not.toBeNull();
        },
      ),
    );
  });
});
