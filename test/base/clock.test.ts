/** The machine's clock stands still while it is held, and only then. */
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";

/** Until the clock of the platform has gone on. */
function goOn(): void {
  const begun = performance.now();
  while (performance.now() === begun);
}

test("held, it stays what it is; released, it goes on", () => {
  const before = systemClock.now();
  systemClock.hold();
  const held = systemClock.now();
  goOn();
  expect(systemClock.now()).toBe(held);
  expect(held).toBeGreaterThanOrEqual(before);
  systemClock.release();
  goOn();
  expect(systemClock.now()).toBeGreaterThan(held);
});
