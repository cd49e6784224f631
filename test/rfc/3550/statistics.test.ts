/** Sequence numbers, loss and jitter of one source (RFC 3550 appendix A) against models written from the text. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RtpSource } from "../../../src/media/rtp-source.ts";

const HZ = 8000;
const MS = 20;

/** Feeds sequence numbers, one each 20 ms, with timestamps to match. */
function fed(...seqs: readonly number[]): RtpSource {
  const source = new RtpSource();
  source.start(1);
  for (const [i, seq] of seqs.entries()) source.packet(seq & 0xffff, (seq * 160) >>> 0, HZ, false, i * MS);
  return source;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const counts = ({ expected, received, duplicates, reordered, restarts }: RtpSource) => ({
  expected,
  lost: expected - received,
  duplicates,
  reordered,
  restarts,
});

describe("RFC 3550 §A.1 sequence numbers", () => {
  test("MET-15 a source is not counted before two packets in sequence (probation)", () => {
    const source = fed(10, 500, 3);
    expect(source.valid).toBe(false);
    expect(source.expected).toBe(0);
    expect(counts(fed(10, 500, 501))).toEqual({
      expected: 2,
      lost: 0,
      duplicates: 0,
      reordered: 0,
      restarts: 0,
    });
  });

  test("MET-15 65535 is followed by 0: cycles are counted", () => {
    const source = fed(...range(65_530, 65_536 * 2 + 10));
    expect(source.expected).toBe(65_536 + 16);
    expect(source.highest).toBe(65_536 * 2 + 9);
    expect(source.received).toBe(source.expected);
  });

  test("MET-15 a reordered packet over the wrap is no loss and no new cycle", () => {
    expect(counts(fed(65_533, 65_534, 65_536, 65_535, 65_537))).toEqual({
      expected: 5,
      lost: 0,
      duplicates: 0,
      reordered: 1,
      restarts: 0,
    });
  });

  test("MET-15 two packets in sequence far away are a restart, one is not", () => {
    const stray = fed(...range(100, 120), 40_000, 120, 121);
    expect(counts(stray)).toEqual({ expected: 22, lost: 0, duplicates: 0, reordered: 0, restarts: 0 });
    const anew = fed(...range(100, 120), ...range(40_000, 40_010));
    expect(counts(anew)).toEqual({ expected: 30, lost: 0, duplicates: 0, reordered: 0, restarts: 1 });
    const zero = fed(...range(30_000, 30_010), 65_535, 65_536, 65_537);
    expect(counts(zero)).toEqual({ expected: 13, lost: 0, duplicates: 0, reordered: 0, restarts: 1 });
  });

  test("a jump of 2999 is loss, one of 3000 is a restart if it goes on", () => {
    expect(counts(fed(1, 2, 2 + 2999, 2 + 3000))).toMatchObject({ expected: 3002, lost: 2998, restarts: 0 });
    expect(counts(fed(1, 2, 2 + 3000, 2 + 3001))).toMatchObject({ expected: 4, lost: 0, restarts: 1 });
  });

  test("99 behind is late, 100 behind is off the track", () => {
    expect(counts(fed(...range(1000, 1200), 1199 - 99)).reordered).toBe(1);
    expect(fed(...range(1000, 1200), 1199 - 100).received).toBe(200);
  });
});

describe("RFC 3550 §A.3 lost packets", () => {
  test("MET-15 duplicates make cumulative loss negative", () => {
    expect(counts(fed(1, 2, 3, 3, 3, 4))).toEqual({
      expected: 4,
      lost: -2,
      duplicates: 2,
      reordered: 0,
      restarts: 0,
    });
  });

  test("MET-15 reordering is not loss: any shuffle within the window, any losses and duplicates", () => {
    fc.assert(
      fc.property(arrivals, ({ first, order }) => {
        const source = fed(first, first + 1, ...order.map((n) => first + 2 + n));
        const seen = new Set<number>();
        let highest = 1;
        let reordered = 0;
        for (const n of order) {
          if (!seen.has(n) && n + 2 < highest) reordered++;
          seen.add(n);
          highest = Math.max(highest, n + 2);
        }
        expect(counts(source)).toEqual({
          expected: highest + 1,
          lost: highest + 1 - (order.length + 2),
          duplicates: order.length - seen.size,
          reordered,
          restarts: 0,
        });
      }),
    );
  });
});

/** Packets 0 to n: each lost, once or twice there, and moved by less than the window. */
const arrivals = fc
  .record({
    first: fc.integer({ min: 0, max: 65_535 }),
    packets: fc.array(
      fc.record({ copies: fc.constantFrom(1, 1, 1, 1, 0, 2), late: fc.integer({ min: 0, max: 50 }) }),
      { maxLength: 300, size: "max" },
    ),
  })
  .map(({ first, packets }) => ({
    first,
    order: packets
      .flatMap(({ copies, late }, n) =>
        Array.from({ length: copies }, (_, copy) => ({ n, at: n + late + copy })),
      )
      .sort((a, b) => a.at - b.at)
      .map(({ n }) => n),
  }));

describe("RFC 3550 §A.8 interarrival jitter", () => {
  test("MET-16 sent 30 ms apart, arrived 50 ms apart: |D| is 20, J becomes 20/16 = 1.25 ms", () => {
    const source = new RtpSource();
    source.start(1);
    source.packet(1, 0, HZ, false, 0);
    source.packet(2, 240, HZ, false, 50);
    expect(source.jitter_ms).toBeCloseTo(1.25, 10);
    expect(source.jitter_max_ms).toBeCloseTo(1.25, 10);
    expect(source.jitter_mean_ms).toBeCloseTo(1.25, 10);
  });

  test("MET-16 the appendix's own integer arithmetic gives the same within rounding", () => {
    const gaps = fc.array(
      fc.record({ wait: fc.integer({ min: 0, max: 100 }), step: fc.integer({ min: 1, max: 4 }) }),
      {
        maxLength: 200,
        size: "max",
      },
    );
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 0xffffffff }), (list, start) => {
        const source = new RtpSource();
        source.start(1);
        // RFC 3550 A.8 with scaled J, in timestamp units.
        let transit: number | null = null;
        let scaled = 0;
        let now_ms = 0;
        let units = start;
        for (const [i, { wait, step }] of list.entries()) {
          now_ms += wait;
          units = (units + step * 160) >>> 0;
          source.packet(i, units, HZ, false, now_ms);
          const next = (now_ms * 8 - units) | 0;
          if (transit !== null) scaled += Math.abs((next - transit) | 0) - ((scaled + 8) >> 4);
          transit = next;
        }
        expect(Math.abs(source.jitter_ms - scaled / 16 / 8)).toBeLessThan(0.2);
      }),
    );
  });

  test("MET-16 the first packet of a talk spurt (marker) moves J, but neither mean nor maximum", () => {
    const source = fed(...range(0, 20));
    source.packet(20, 20 * 160, HZ, true, 20 * MS + 32);
    expect([source.jitter_ms, source.jitter_max_ms, source.jitter_mean_ms]).toEqual([2, 0, 0]);
    source.packet(21, 21 * 160, HZ, false, 21 * MS + 32);
    expect(source.jitter_max_ms).toBe(1.875);
  });

  test("the timestamp's wrap is no jitter", () => {
    const source = new RtpSource();
    source.start(1);
    for (let i = 0; i < 50; i++) source.packet(i, (0xffffff00 + i * 160) >>> 0, HZ, false, i * MS);
    expect(source.jitter_ms).toBe(0);
    expect(source.jitter_samples).toBe(49);
  });

  test("a new timeline (transfer, music on hold) is counted and is no jitter", () => {
    const source = fed(...range(0, 20));
    source.packet(20, 3_000_000_000, HZ, true, 20 * MS);
    source.packet(21, 3_000_000_160, HZ, false, 21 * MS);
    expect(source.jitter_ms).toBe(0);
    expect(source.timeline_jumps).toBe(1);
  });

  test("ARC-34 packets without a pacing clock (telephone-event) move no jitter", () => {
    const source = fed(...range(0, 20));
    for (let i = 20; i < 30; i++) source.packet(i, 20 * 160, 0, i === 20, i * MS);
    source.packet(30, 30 * 160, HZ, false, 30 * MS);
    expect(source.jitter_ms).toBe(0);
    expect(source.received).toBe(31);
  });
});
