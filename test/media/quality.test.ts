/** The E-model: golden tables, the shape of its curves, and the full delay formula of G.107 as a judge of the fit. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { codecByName, PayloadTypes, WITHOUT_CONCEALMENT } from "../../src/media/codecs.ts";
import {
  delayImpairment,
  equipmentImpairment,
  mosOf,
  oneWayDelay,
  quality,
  rFactor,
  simpleR,
  streamQuality,
} from "../../src/media/quality.ts";
import { RtpStream } from "../../src/media/rtp-stream.ts";
import { g711 } from "./rtp-samples.ts";

const PCMU = codecByName("PCMU")!;
const G729 = codecByName("G729")!;
const EVEN = { burst_ratio: 1, jitter_ms: 0, round_trip_ms: null };

describe("MOS of R", () => {
  test("MET-02 the default is R 93.2 and MOS 4.41", () => {
    expect(rFactor(0, 0)).toBe(93.2);
    expect(mosOf(93.2)).toBeCloseTo(4.41, 2);
  });

  for (const [r, mos] of [
    [90, 4.34],
    [80, 4.02],
    [70, 3.6],
    [60, 3.1],
    [50, 2.58],
  ] as const)
    test(`MET-03 R ${r}: MOS ${mos}`, () => expect(Math.abs(mosOf(r) - mos)).toBeLessThan(0.01));

  test("MET-08 1 for R up to 0, 4.5 from 100 on, and never below 1 in between", () => {
    expect([mosOf(-20), mosOf(0), mosOf(Number.NaN)]).toEqual([1, 1, 1]);
    expect([mosOf(100), mosOf(120)]).toEqual([4.5, 4.5]);
    expect(mosOf(6.5)).toBe(1);
    expect(mosOf(3)).toBe(1);
  });

  test("MET-04 always 1 to 4.5, and more R never means less", () => {
    const r = fc.double({ min: -50, max: 150, noNaN: true });
    fc.assert(
      fc.property(r, r, (a, b) => {
        expect(mosOf(a)).toBeGreaterThanOrEqual(1);
        expect(mosOf(a)).toBeLessThanOrEqual(4.5);
        // The cubic has its minimum below 6.5, where the clamp holds it at 1.
        expect(mosOf(Math.max(a, b))).toBeGreaterThanOrEqual(mosOf(Math.min(a, b)) - 1e-9);
      }),
    );
  });
});

/** R without delay by codec, at 0, 1, 3, 5 and 20 % of independent loss; worked out apart from this code. */
const GOLDEN = {
  pcmu: [93.2, 89.56, 83.06, 77.42, 51.07],
  pcma: [93.2, 89.56, 83.06, 77.42, 51.07],
  g729: [82.2, 78.0, 70.75, 64.7, 39.12],
  g723: [78.2, 73.52, 65.63, 59.24, 33.88],
  "gsm-efr": [88.2, 80.02, 67.43, 58.2, 28.2],
} as const;
const LOSSES = [0, 1, 3, 5, 20];

describe("loss", () => {
  for (const [name, row] of Object.entries(GOLDEN))
    test(`MET-07 ${name}: R at 0, 1, 3, 5 and 20 % loss`, () => {
      const codec = codecByName(name)!;
      expect(codec.listed).toBe(true);
      for (const [i, r] of row.entries())
        expect(quality(codec, { ...EVEN, loss_percent: LOSSES[i]! }).r_lq).toBeCloseTo(r, 1);
    });

  test("MET-07 G.711 whose receiver conceals nothing", () => {
    const r = (loss: number) => rFactor(equipmentImpairment(WITHOUT_CONCEALMENT, loss), 0);
    expect([1, 5].map((loss) => Math.round(r(loss) * 100) / 100)).toEqual([75.28, 42.12]);
  });

  test("MET-07 losses in runs hurt more than the same number apart", () => {
    const at = (burst_ratio: number) => quality(PCMU, { ...EVEN, loss_percent: 5, burst_ratio }).r_lq;
    expect(at(2)).toBeCloseTo(75.99, 2);
    expect(at(2)).toBeLessThan(at(1));
  });

  test("everything lost: R 0, MOS 1, for every codec", () => {
    for (const codec of [PCMU, G729, codecByName("opus")!]) {
      const { r_lq, mos_lqe } = quality(codec, { ...EVEN, loss_percent: 100, burst_ratio: 8 });
      expect([r_lq, mos_lqe]).toEqual([0, 1]);
    }
  });
});

describe("delay", () => {
  test("MET-06 the fit follows G.107's own Id (echo at TELR 65 dB, Idte + Idle + Idd) within a point of R up to 300 ms", () => {
    for (const one_way_ms of [10, 25, 50, 100, 150, 177, 200, 250, 300])
      expect(Math.abs(delayImpairment(one_way_ms) - fullId(one_way_ms))).toBeLessThan(1);
    expect(Math.abs(delayImpairment(400) - fullId(400))).toBeLessThan(3.5);
  });

  test("MET-09 no round trip: no conversational quality, not a made-up one", () => {
    const { r_cq, mos_cqe, mos_lqe } = quality(PCMU, { ...EVEN, loss_percent: 0 });
    expect([r_cq, mos_cqe]).toEqual([null, null]);
    expect(mos_lqe).toBeCloseTo(4.41, 2);
  });

  test("MET-09 with delay MOS-CQE falls below MOS-LQE, which does not know it", () => {
    const near = quality(PCMU, { ...EVEN, loss_percent: 1, round_trip_ms: 40, jitter_ms: 5 });
    const far = quality(PCMU, { ...EVEN, loss_percent: 1, round_trip_ms: 600, jitter_ms: 5 });
    // 20 + 10 + 20 = 50 ms: Id 1.2; 300 + 10 + 20 = 330 ms: Id 7.92 + 16.797.
    expect(near.r_cq).toBeCloseTo(89.56 - 1.2, 1);
    expect(far.r_cq).toBeCloseTo(89.56 - 24.717, 1);
    expect(far.mos_lqe).toBe(near.mos_lqe);
    expect(far.mos_cqe!).toBeLessThan(near.mos_cqe!);
  });

  test("mouth to ear: half the round trip, twice the jitter, a packet and the look-ahead", () => {
    expect(oneWayDelay(100, 10, G729)).toBe(50 + 20 + 20 + 5);
    expect(oneWayDelay(100, 10, PCMU, 30)).toBe(50 + 20 + 30);
  });
});

describe("the simplified formula", () => {
  /** Latency, jitter, loss, R: 93.2 - eff/40 below 160 ms, 93.2 - (eff-120)/10 above; eff = latency + 2 jitter + 10. */
  for (const [latency, jitter, loss, r] of [
    [0, 0, 0, 92.95],
    [149, 0, 0, 89.225],
    [150, 0, 0, 89.2],
    [390, 0, 0, 65.2],
    [100, 20, 1, 86.95],
    [100, 20, 5, 76.95],
    [0, 0, 20, 42.95],
  ] as const)
    test(`MET-05, MET-06, MET-07 latency ${latency} ms, jitter ${jitter} ms, loss ${loss} %: R ${r}`, () => {
      expect(simpleR(latency, jitter, loss)).toBeCloseTo(r, 6);
    });

  test("MET-05 stands beside the E-model and knows no codec", () => {
    const impairments = { ...EVEN, loss_percent: 1, round_trip_ms: 100, jitter_ms: 20 };
    expect(quality(PCMU, impairments).mos_simple).toBeCloseTo(mosOf(86.95), 9);
    expect(quality(G729, impairments).mos_simple).toBe(quality(PCMU, impairments).mos_simple);
  });
});

describe("of a stream", () => {
  test("MET-10 G.711 is on scale N, G.722 on W, Opus on F, and what G.113 does not list says so", () => {
    const labels = ["PCMA", "G722", "EVS", "opus"].map((name) => {
      const { scale, listed } = quality(codecByName(name)!, { ...EVEN, loss_percent: 0 });
      return `${scale} ${listed}`;
    });
    expect(labels).toEqual(["N true", "W false", "S false", "F false"]);
  });

  test("MET-07 counts what never came: duplicates make up for no loss", () => {
    const types = new PayloadTypes();
    const stream = new RtpStream(types);
    for (let n = 0; n < 1000; n++) {
      if (n % 20 === 10) continue; // 5 %
      stream.packet(g711(n), n * 20);
      if (n % 20 === 15) stream.packet(g711(n), n * 20 + 1);
    }
    const snapshot = stream.snapshot(20_000);
    expect(snapshot).toMatchObject({ lost: 0, missing: 50, loss_percent: 0, missing_percent: 5 });
    const seen = streamQuality(snapshot, types.codec(snapshot.payload_type!), null)!;
    expect(seen.r_lq).toBeCloseTo(77.42, 1);
  });

  test("nothing expected yet, or a codec the model does not know: null", () => {
    const empty = new RtpStream(new PayloadTypes()).snapshot(0);
    expect(streamQuality(empty, PCMU, null)).toBeNull();
    const stream = new RtpStream(new PayloadTypes());
    for (let n = 0; n < 5; n++) stream.packet(g711(n), n * 20);
    expect(streamQuality(stream.snapshot(100), null, 10)).toBeNull();
  });
});

/** Id of G.107 (06/2015) §7.4 with its defaults: TELR 65, WEPL 110, RLR 2, SLR 8, No -61.18; less its value at 0 ms. */
function fullId(t: number): number {
  const id = (ms: number) => {
    const no = -61.18;
    const ro = 15 - 1.5 * (8 + no);
    const roe = -1.5 * (no - 2);
    const terv = 65 - 40 * Math.log10((1 + ms / 10) / (1 + ms / 150)) + 6 * Math.exp(-0.3 * ms * ms);
    const re = 80 + 2.5 * (terv - 14);
    const idte = ((roe - re) / 2 + Math.sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - Math.exp(-ms));
    const rle = 10.5 * (110 + 7) * (2 * ms + 1) ** -0.25;
    const idle = (ro - rle) / 2 + Math.sqrt((ro - rle) ** 2 / 4 + 169);
    const x = Math.log2(ms / 100);
    const idd = ms <= 100 ? 0 : 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
    return idte + idle + idd;
  };
  return id(t) - id(0);
}
