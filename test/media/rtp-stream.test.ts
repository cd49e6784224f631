/** One RTP stream as it passes a relay: bandwidth, sources, silence, intervals. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PayloadTypes } from "../../src/media/codecs.ts";
import { RtpStream, SOURCES_MAX } from "../../src/media/rtp-stream.ts";
import { g711, rr, rtp, traffic } from "./rtp-samples.ts";

const TYPES = new PayloadTypes([{ type: 101, name: "telephone-event", clock_hz: 8000 }]);

function even(stream: RtpStream, from: number, to: number, fields = {}): void {
  for (let n = from; n < to; n++) stream.packet(g711(n, fields), n * 20);
}

describe("bandwidth", () => {
  test("CNV-01 G.711 with 20 ms per packet is 80 kbit/s with IP and UDP, 88 over IPv6", () => {
    for (const [family, kbit_s] of [
      [4, 80],
      [6, 88],
    ] as const) {
      const stream = new RtpStream(TYPES, family);
      even(stream, 0, 51);
      stream.closeInterval(1000);
      even(stream, 51, 101);
      expect(stream.closeInterval(2000)).toEqual({ ms: 1000, packets: 50, kbit_s, loss_percent: 0 });
    }
  });

  test("MET-01 an interval shows its own loss, the snapshot that of the whole call", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 100);
    stream.closeInterval(2000);
    for (let n = 100; n < 200; n++) if (n % 4 !== 1) stream.packet(g711(n), n * 20);
    expect(stream.closeInterval(4000)).toMatchObject({ loss_percent: 25 });
    expect(stream.snapshot(4000)).toMatchObject({ loss_percent: 12.5, lost: 25, interval: { packets: 75 } });
  });

  test("RFC 3550 §A.3 duplicates in an interval make no negative fraction", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 10);
    even(stream, 5, 10);
    expect(stream.closeInterval(200)?.loss_percent).toBe(0);
    expect(stream.snapshot(200)).toMatchObject({ lost: -5, duplicates: 5, missing: 0, loss_percent: 0 });
  });

  test("an interval without time or before any packet divides by nothing", () => {
    const stream = new RtpStream(TYPES);
    expect(stream.closeInterval(5)).toBeNull();
    stream.packet(g711(0), 10);
    expect(stream.closeInterval(10)).toEqual({ ms: 0, packets: 1, kbit_s: 0, loss_percent: 0 });
  });
});

describe("sources", () => {
  test("MET-15 a new SSRC starts anew and keeps what was counted", () => {
    const stream = new RtpStream(TYPES);
    for (let n = 0; n < 100; n++) if (n !== 50) stream.packet(g711(n), n * 20);
    for (let n = 0; n < 100; n++) stream.packet(g711(n + 7000, { ssrc: 2 }), 2000 + n * 20);
    expect(stream.snapshot(4000)).toMatchObject({
      packets: 199,
      expected: 200,
      lost: 1,
      sources: 2,
      ssrc_changes: 1,
      ssrc: 2,
      jitter_ms: 0,
    });
  });

  test("two sources that take turns are no loss", () => {
    const stream = new RtpStream(TYPES);
    for (let n = 0; n < 100; n++) {
      stream.packet(g711(n, { ssrc: 1 }), n * 20);
      stream.packet(g711(n + 9000, { ssrc: 2 }), n * 20 + 3);
    }
    expect(stream.snapshot(2000)).toMatchObject({
      expected: 200,
      lost: 0,
      restarts: 0,
      sources: 2,
      jitter_max_ms: 0,
    });
  });

  test("a flood of SSRCs is bounded, counts no loss and does not push out the real source", () => {
    const stream = new RtpStream(TYPES);
    for (let n = 0; n < 1000; n++) {
      stream.packet(g711(n), n * 20);
      const strangers = n % 50 === 10 ? 2 * SOURCES_MAX : 0;
      for (let i = 0; i < strangers; i++)
        stream.packet(rtp({ seq: i * 77, ssrc: 0x50000000 + n * 100 + i }), n * 20 + 1);
    }
    expect(stream.snapshot(20_000)).toMatchObject({
      packets: 1000 + 20 * 2 * SOURCES_MAX,
      sources: 1 + 20 * 2 * SOURCES_MAX, // the real one once: it never had to begin again
      expected: 1000,
      received: 1000,
      lost: 0,
      restarts: 0,
    });
  });

  test(`the ninth source takes the place of the one heard longest ago; its counts stay (${SOURCES_MAX} places)`, () => {
    const stream = new RtpStream(TYPES);
    const all = SOURCES_MAX + 3;
    for (let source = 0; source < all; source++)
      for (let n = 0; n < 50; n++)
        if (n !== 20) stream.packet(g711(n, { ssrc: source }), source * 1000 + n * 20);
    const { expected, lost, sources, loss_pattern } = stream.snapshot(all * 1000);
    expect([expected, lost, sources]).toEqual([all * 50, all, all]);
    expect(loss_pattern).toMatchObject({ bursts: 0, gap_density: 1 / 50 });
  });
});

describe("what passes", () => {
  test("MET-01 nothing yet: zeros and nulls", () => {
    expect(new RtpStream(TYPES).snapshot(5)).toMatchObject({
      packets: 0,
      ssrc: null,
      payload_type: null,
      codec: "",
      jitter_ms: null,
      first_ms: null,
      loss_percent: 0,
      longest_silence_ms: 0,
    });
  });

  test("the longest silence is between two packets, or since the last one", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 10);
    even(stream, 60, 70);
    expect(stream.snapshot(1400)).toMatchObject({ first_ms: 0, last_ms: 1380, longest_silence_ms: 1020 });
    expect(stream.snapshot(9380).longest_silence_ms).toBe(8000);
  });

  test("ARC-34 events and comfort noise do not change the codec of the stream", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 10, { type: 8 });
    even(stream, 10, 15, { type: 101 });
    even(stream, 15, 16, { type: 13 });
    expect(stream.snapshot(400)).toMatchObject({ payload_type: 8, codec: "pcma", lost: 0 });
  });

  test("a codec nobody described: loss is counted, jitter is null and not zero", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 10, { type: 100 });
    expect(stream.snapshot(200)).toMatchObject({
      received: 10,
      jitter_ms: null,
      jitter_mean_ms: null,
      payload_type: null,
    });
    stream.describe(new PayloadTypes([{ type: 100, name: "opus", clock_hz: 48_000 }]), 4);
    even(stream, 10, 20, { type: 100 });
    expect(stream.snapshot(400)).toMatchObject({ received: 20, codec: "opus" });
    expect(stream.snapshot(400).jitter_ms).toBeGreaterThan(0);
  });

  test("RTCP and anything else is only counted", () => {
    const stream = new RtpStream(TYPES);
    for (const bytes of [rr(1), Buffer.alloc(0), Buffer.from("hello, this is not RTP")])
      stream.packet(bytes, 0);
    expect(stream.snapshot(0)).toMatchObject({ packets: 0, not_rtp: 3, ssrc: null });
  });

  test("losses in the last packets before the end of the call are in the loss pattern", () => {
    const stream = new RtpStream(TYPES);
    for (let n = 0; n < 40; n++) if (n !== 30 && n !== 32) stream.packet(g711(n), n * 20);
    expect(stream.snapshot(800).loss_pattern).toMatchObject({ bursts: 1, burst_packets: 3 });
  });

  test("MET-15 a long jump ahead costs a bounded amount and is counted once", () => {
    const stream = new RtpStream(TYPES);
    even(stream, 0, 100);
    even(stream, 2100, 2200);
    expect(stream.snapshot(44_000)).toMatchObject({
      expected: 2200,
      lost: 2000,
      loss_pattern: { bursts: 1, burst_packets: 2000 },
    });
  });

  test("MET-15 loss pattern and counters tell of the same losses, whatever the path", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 0.5, noNaN: true }), (seed, loss) => {
        const stream = new RtpStream(TYPES);
        const path = { seed, packets: 400, loss, duplicate: 0.02, reorder: 0.05, jitter_ms: 10 };
        for (const { bytes, at_ms } of traffic(path)) stream.packet(bytes, at_ms);
        const { expected, missing, loss_pattern: pattern } = stream.snapshot(8000);
        const in_bursts = pattern.burst_density * pattern.burst_packets * pattern.bursts;
        const in_gaps = pattern.gap_density * pattern.gap_packets * (pattern.bursts + 1);
        expect(in_bursts + in_gaps).toBeCloseTo(missing, 6);
        const packets = pattern.burst_packets * pattern.bursts + pattern.gap_packets * (pattern.bursts + 1);
        expect(packets).toBeCloseTo(expected, 6);
      }),
    );
  });

  test("any datagrams: no exception, and the sums hold", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40, size: "max" }), { maxLength: 100, size: "max" }),
        (list) => {
          const stream = new RtpStream(TYPES);
          for (const [i, bytes] of list.entries()) {
            if (bytes.length > 1) bytes[0] = 0x80 | (bytes[0]! & 0x3f);
            if (bytes.length > 11) bytes.fill(i % 3, 8, 12);
            stream.packet(bytes, i * 20);
          }
          const { packets, not_rtp, received, missing_percent } = stream.snapshot(9999);
          expect(packets + not_rtp).toBe(list.length);
          expect(received).toBeLessThanOrEqual(packets);
          expect(missing_percent).toBeLessThanOrEqual(100);
        },
      ),
    );
  });
});
