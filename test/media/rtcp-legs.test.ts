/** Round trips per leg and far-end reports, from RTCP that passes a relay in the middle. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { REPORTS_REMEMBERED_MAX, RtcpLegs } from "../../src/media/rtcp-legs.ts";
import { block, rr, sdes, sr, words, xr, xrBlock } from "./rtp-samples.ts";

const CALLER = 0xaaaa;
const CALLEE = 0xbbbb;
const NTP = 0x12345678;
const units = (ms: number) => Math.round(ms * 65.536);

describe("round trip per leg", () => {
  test("MET-14 now, minus when the SR passed us, minus what the phone held it", () => {
    const legs = new RtcpLegs();
    legs.packet(sr(CALLER, NTP), "caller", 1000);
    legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP, dlsr: units(2000) })), "callee", 3100);
    const { caller, callee, round_trip_ms } = legs.snapshot();
    expect(callee.round_trip_ms).toBeCloseTo(100, 1);
    expect([caller.round_trip_ms, round_trip_ms]).toEqual([null, null]);
  });

  test("MET-14 both legs by the SRs of both: their sum is phone to phone and back", () => {
    const legs = new RtcpLegs();
    legs.packet(sr(CALLER, NTP), "caller", 0);
    legs.packet(sr(CALLEE, 99, block({ ssrc: CALLER, lsr: NTP, dlsr: units(500) })), "callee", 530);
    legs.packet(sr(CALLER, NTP + 1, block({ ssrc: CALLEE, lsr: 99, dlsr: units(4000) })), "caller", 4600);
    const { caller, callee, round_trip_ms } = legs.snapshot();
    expect(callee.round_trip_ms).toBeCloseTo(30, 1);
    expect(caller.round_trip_ms).toBeCloseTo(70, 1);
    expect(round_trip_ms).toBeCloseTo(100, 1);
  });

  test("MET-14 no RTCP, LSR 0, an SR nobody saw or another SSRC: null", () => {
    const legs = new RtcpLegs();
    expect(legs.snapshot()).toMatchObject({ caller: { round_trip_ms: null }, round_trip_ms: null });
    legs.packet(sr(CALLER, NTP), "caller", 0);
    for (const [ssrc, lsr] of [
      [CALLER, 0],
      [CALLER, NTP + 1],
      [CALLEE, NTP],
    ] as const)
      legs.packet(rr(CALLEE, block({ ssrc, lsr, dlsr: 0 })), "callee", 100);
    expect(legs.snapshot().callee).toMatchObject({ round_trip_ms: null, round_trips: 0 });
  });

  test("an answer that held the SR for longer than it was out is impossible and counted", () => {
    const legs = new RtcpLegs();
    legs.packet(sr(CALLER, NTP), "caller", 0);
    legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP, dlsr: units(1000) })), "callee", 500);
    legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP, dlsr: 0 })), "callee", 100_000);
    expect(legs.snapshot()).toMatchObject({ callee: { round_trip_ms: null }, impossible: 2 });
    legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP, dlsr: units(503) })), "callee", 500);
    expect(legs.snapshot().callee.round_trip_ms).toBe(0);
  });

  test("mean and maximum over all answers; only the last SRs are remembered", () => {
    const legs = new RtcpLegs();
    for (const [i, ms] of [20, 40, 90].entries()) {
      legs.packet(sr(CALLER, NTP + i), "caller", i * 5000);
      legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP + i })), "callee", i * 5000 + ms);
    }
    const { callee } = legs.snapshot();
    expect(callee).toMatchObject({
      round_trip_ms: 90,
      round_trip_mean_ms: 50,
      round_trip_max_ms: 90,
      round_trips: 3,
    });
    for (let i = 0; i < REPORTS_REMEMBERED_MAX; i++) legs.packet(sr(CALLER, 1 + i), "caller", 20_000);
    legs.packet(rr(CALLEE, block({ ssrc: CALLER, lsr: NTP + 2 })), "callee", 20_001);
    expect(legs.snapshot().callee.round_trips).toBe(3);
  });

  test("RFC 3611 §4.5 receivers that only listen: RRTR and DLRR give it too", () => {
    const legs = new RtcpLegs();
    legs.packet(xr(CALLER, xrBlock(4, 0, words(0x1234, 0x56780000))), "caller", 0);
    legs.packet(xr(CALLEE, xrBlock(5, 0, words(CALLER, NTP, units(100)))), "callee", 160);
    expect(legs.snapshot().callee.round_trip_ms).toBeCloseTo(60, 1);
  });
});

describe("far ends", () => {
  test("MET-15 loss after the edge: what the phone of a leg reports of the other side, jitter in its clock", () => {
    const legs = new RtcpLegs();
    const heard = block({ ssrc: CALLER, fraction: 128, lost: 12, jitter: 160 });
    legs.packet(Buffer.concat([rr(CALLEE, heard), sdes(CALLEE, "bob")]), "callee", 700);
    expect(legs.snapshot().callee).toMatchObject({
      far_end: { ssrc: CALLER, loss_percent: 50, lost: 12, jitter_ms: null, at_ms: 700 },
      cname: "bob",
      said_bye: false,
    });
    legs.setClock("caller", 8000);
    expect(legs.snapshot().callee.far_end?.jitter_ms).toBe(20);
    expect(legs.snapshot().caller.far_end).toBeNull();
  });

  test("any bytes are counted at most", () => {
    const legs = new RtcpLegs();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100, size: "max" }), (bytes) => {
        const before = legs.snapshot().malformed;
        bytes[0] = 0;
        legs.packet(bytes, "caller", 1);
        expect(legs.snapshot().malformed).toBe(before + 1);
      }),
    );
  });
});
