/** Places that failed lately. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import { DEAD_TARGETS_MAX, DeadTargets, PROBES_MAX } from "../../src/dns/dead-targets.ts";
import type { Place } from "../../src/dns/place.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const place = (n: number): Place => ({ transport: "udp", address: `10.0.${n >> 8}.${n & 255}`, port: 5060 });

function rig(dead_ms = 30_000) {
  const clock = new VirtualClock();
  return { clock, dead: new DeadTargets(clock, new Metrics(), dead_ms) };
}

describe("DNS-03 dead targets", () => {
  test("the order of the others stays, the dead ones keep theirs behind them", () => {
    const { dead } = rig();
    dead.failed(place(1), "refused");
    dead.failed(place(3), "no reply");
    expect(dead.order([place(1), place(2), place(3), place(4)])).toEqual([
      place(2),
      place(4),
      place(1),
      place(3),
    ]);
  });

  test("another transport or port of the same host is another place", () => {
    const { dead } = rig();
    dead.failed(place(1), "refused");
    expect([
      dead.isDead({ ...place(1), transport: "tcp" }),
      dead.isDead({ ...place(1), port: 5061 }),
    ]).toEqual([false, false]);
  });

  test("a time of its own (Retry-After), and none at all when the option is 0", () => {
    const { dead, clock } = rig(0);
    dead.failed(place(1), "503");
    expect(dead.isDead(place(1))).toBe(false);
    dead.failed(place(1), "503", 5000);
    clock.advance(4999);
    expect(dead.isDead(place(1))).toBe(true);
    clock.advance(1);
    expect(dead.isDead(place(1))).toBe(false);
  });

  test("bounded; the snapshot holds those of now, with the reason", () => {
    const { dead, clock } = rig();
    for (let i = 0; i < DEAD_TARGETS_MAX + 50; i++) dead.failed(place(i), "refused");
    expect(dead.snapshot()).toHaveLength(DEAD_TARGETS_MAX);
    expect(dead.snapshot()[0]).toMatchObject({ place: place(50), reason: "refused" });
    clock.advance(30_000);
    expect(dead.snapshot()).toEqual([]);
  });
});

describe("DNS-03 a dead place is asked whether it is back", () => {
  /** Every probe that left, with its answer still to give. */
  function probed(dead_ms = 30_000) {
    const base = rig(dead_ms);
    const sent: { place: Place; done: (status: number | null) => void }[] = [];
    base.dead.probe = (at, done) => sent.push({ place: at, done });
    return { ...base, sent };
  }

  test("its time is over and somebody wanted it meanwhile: one probe, and it stays last until the answer", () => {
    const { dead, clock, sent } = probed();
    dead.failed(place(1), "refused");
    dead.order([place(1), place(2)]);
    clock.advance(30_000);
    expect([sent.length, dead.isDead(place(1)), dead.snapshot()[0]!.probes]).toEqual([1, true, 1]);
    sent[0]!.done(200);
    expect([dead.isDead(place(1)), dead.snapshot()]).toEqual([false, []]);
  });

  test("nobody wanted it: it is forgotten without a probe", () => {
    const { dead, clock, sent } = probed();
    dead.failed(place(1), "refused");
    clock.advance(30_000);
    expect([sent.length, dead.snapshot(), clock.pending]).toEqual([0, [], 0]);
  });

  test("silence for 4 s, 503 and no way there: it rests again, and is asked again only if it is wanted again", () => {
    for (const fail of [null, 503] as const) {
      const { dead, clock, sent } = probed();
      dead.failed(place(1), "no reply");
      dead.isDead(place(1));
      clock.advance(30_000);
      if (fail === 503) sent[0]!.done(503);
      clock.advance(4_000);
      expect(sent).toHaveLength(1);
      expect(dead.isDead(place(1))).toBe(true);
      clock.advance(30_000);
      expect(sent).toHaveLength(2);
      sent[1]!.done(null);
      clock.advance(30_000);
      expect([sent.length, dead.snapshot(), clock.pending]).toEqual([2, [], 0]);
    }
  });

  test("404 is an answer; a late or second one changes nothing", () => {
    const { dead, clock, sent } = probed();
    dead.failed(place(1), "no reply");
    dead.isDead(place(1));
    clock.advance(30_000);
    sent[0]!.done(404);
    expect(dead.isDead(place(1))).toBe(false);
    dead.failed(place(1), "refused again");
    sent[0]!.done(200);
    expect(dead.isDead(place(1))).toBe(true);
  });

  test("a few at a time: the next is asked when one is over, and all get their turn", () => {
    const { dead, clock, sent } = probed();
    for (let i = 0; i < PROBES_MAX + 5; i++) {
      dead.failed(place(i), "refused");
      dead.isDead(place(i));
    }
    clock.advance(30_000);
    expect(sent).toHaveLength(PROBES_MAX);
    for (let i = 0; i < PROBES_MAX; i++) sent[i]!.done(200);
    clock.advance(1);
    expect(sent).toHaveLength(PROBES_MAX + 5);
    expect(new Set(sent.map((each) => each.place.address)).size).toBe(PROBES_MAX + 5);
  });

  test("stopped: no probe leaves any more, no alarm is left", () => {
    const { dead, clock, sent } = probed();
    dead.failed(place(1), "refused");
    dead.isDead(place(1));
    dead.stop();
    clock.advance(60_000);
    expect([sent.length, clock.pending]).toEqual([0, 0]);
  });
});
