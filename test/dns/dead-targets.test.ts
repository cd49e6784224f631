/** Places that failed lately. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import { DEAD_TARGETS_MAX, DeadTargets } from "../../src/dns/dead-targets.ts";
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
