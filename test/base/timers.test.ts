/**
 * The timer wheel against a naive list of deadlines, and its promises one by one.
 */
import { describe, expect, test } from "bun:test";
import type { TimerOwner } from "../../src/base/timers.ts";
import { Timer, TimerWheel } from "../../src/base/timers.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const SLOT_MS = 10;
const ROUND_MS = 40_960;

interface Fired {
  readonly name: string;
  readonly letter: string;
  readonly at: number;
}

/** A wheel whose timers write down when they fire. */
class Rig {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly start = this.clock.now();
  readonly fired: Fired[] = [];

  timer(name: string, then: (timer: Timer) => void = () => {}): Timer {
    const owner: TimerOwner = {
      timerFired: (timer) => {
        this.fired.push({ name, letter: timer.letter, at: this.clock.now() - this.start });
        then(timer);
      },
    };
    return new Timer(owner);
  }

  names(): string[] {
    return this.fired.map((each) => each.name);
  }
}

describe("timer wheel", () => {
  test("fires once, not before its time and at most one slot later, with its letter", () => {
    const rig = new Rig();
    const timer = rig.timer("one");
    rig.wheel.set(timer, "A", 503);
    rig.clock.advance(502);
    expect(rig.fired).toEqual([]);
    rig.clock.advance(5000);
    expect(rig.fired).toHaveLength(1);
    expect(rig.fired[0]!.letter).toBe("A");
    expect(rig.fired[0]!.at).toBeGreaterThanOrEqual(503);
    expect(rig.fired[0]!.at).toBeLessThanOrEqual(503 + SLOT_MS);
  });

  test("a zero delay fires in the next slot, never within set", () => {
    const rig = new Rig();
    rig.wheel.set(rig.timer("now"), "K", 0);
    expect(rig.fired).toEqual([]);
    rig.clock.advance(SLOT_MS);
    expect(rig.names()).toEqual(["now"]);
  });

  test("setting a running timer moves it and takes the new letter", () => {
    const rig = new Rig();
    const timer = rig.timer("moved");
    rig.wheel.set(timer, "A", 100);
    rig.wheel.set(timer, "B", 1000);
    expect(rig.wheel.size).toBe(1);
    rig.clock.advance(999);
    expect(rig.fired).toEqual([]);
    rig.clock.advance(20);
    expect(rig.fired.map((each) => each.letter)).toEqual(["B"]);
  });

  test("stop: it does not fire, its deadline and letter are gone, twice is harmless", () => {
    const rig = new Rig();
    const timer = rig.timer("stopped");
    rig.wheel.set(timer, "A", 100);
    rig.wheel.stop(timer);
    rig.wheel.stop(timer);
    expect([timer.deadline, timer.letter, rig.wheel.size]).toEqual([0, "", 0]);
    rig.clock.advance(1000);
    expect(rig.fired).toEqual([]);
  });

  test("empty: no alarm is left with the clock, after firing and after stopping", () => {
    const rig = new Rig();
    const timer = rig.timer("last");
    rig.wheel.set(timer, "A", 100);
    expect(rig.clock.pending).toBe(1);
    rig.wheel.stop(timer);
    expect(rig.clock.pending).toBe(0);
    rig.wheel.set(timer, "A", 100);
    rig.clock.advance(200);
    expect([rig.clock.pending, rig.wheel.size]).toEqual([0, 0]);
  });

  test("one alarm serves all timers; an earlier one brings it forward", () => {
    const rig = new Rig();
    rig.wheel.set(rig.timer("late"), "B", 32_000);
    rig.wheel.set(rig.timer("early"), "A", 500);
    expect(rig.clock.pending).toBe(1);
    rig.clock.advance(600);
    expect(rig.names()).toEqual(["early"]);
    rig.clock.advance(32_000);
    expect(rig.names()).toEqual(["early", "late"]);
  });

  for (const rounds of [1, 2, 7])
    test(`a delay of ${rounds} round(s) and a bit waits for its round`, () => {
      const rig = new Rig();
      const ms = rounds * ROUND_MS + 35;
      rig.wheel.set(rig.timer("long"), "C", ms);
      rig.wheel.set(rig.timer("same slot, this round"), "A", 35);
      rig.clock.advance(ms - 1);
      expect(rig.names()).toEqual(["same slot, this round"]);
      rig.clock.advance(SLOT_MS + 1);
      expect(rig.names()).toEqual(["same slot, this round", "long"]);
      expect(rig.clock.pending).toBe(0);
    });

  test("after a pause of hours every timer that came due fires, once, the earliest slot first", () => {
    const rig = new Rig();
    const clock = rig.clock;
    for (const ms of [50, 5000, 30_000, 45_000]) rig.wheel.set(rig.timer(String(ms)), "A", ms);
    // A suspended machine: the monotonic clock jumps, no alarm ran in between.
    const real = clock.now.bind(clock);
    const shift = 3 * 3_600_000;
    clock.now = () => real() + shift;
    clock.advance(100);
    expect(rig.names().toSorted()).toEqual(["30000", "45000", "50", "5000"].toSorted());
    clock.advance(10_000);
    expect([rig.fired.length, rig.wheel.size, clock.pending]).toEqual([4, 0, 0]);
  });

  test("a callback sets its own timer again: a new full delay each time", () => {
    const rig = new Rig();
    let left = 5;
    const timer = rig.timer("again", (self) => {
      if (--left > 0) rig.wheel.set(self, "E", 500);
    });
    rig.wheel.set(timer, "E", 500);
    rig.clock.advance(4000);
    const at = rig.fired.map((each) => each.at);
    expect(at).toHaveLength(5);
    at.forEach((each, i) => {
      expect(each).toBeGreaterThanOrEqual(500 * (i + 1));
      expect(each).toBeLessThanOrEqual((500 + SLOT_MS) * (i + 1));
    });
    expect(rig.clock.pending).toBe(0);
  });

  test("a callback sets a timer of the very same delay-slot: it does not fire within the same run", () => {
    const rig = new Rig();
    const other = rig.timer("other");
    rig.wheel.set(
      rig.timer("first", () => rig.wheel.set(other, "A", 0)),
      "A",
      100,
    );
    rig.clock.advance(100);
    expect(rig.names()).toEqual(["first"]);
    rig.clock.advance(SLOT_MS);
    expect(rig.names()).toEqual(["first", "other"]);
  });

  test("of two timers due in one slot, the one that fires first may stop the other", () => {
    const rig = new Rig();
    const pair: Timer[] = [];
    for (const name of ["a", "b"])
      pair.push(rig.timer(name, (self) => rig.wheel.stop(pair.find((other) => other !== self)!)));
    for (const timer of pair) rig.wheel.set(timer, "A", 100);
    rig.clock.advance(1000);
    expect(rig.fired).toHaveLength(1);
    expect([rig.wheel.size, rig.clock.pending]).toEqual([0, 0]);
  });

  test("of two timers due in one slot, the one that fires first may postpone the other", () => {
    const rig = new Rig();
    const pair: Timer[] = [];
    let done = false;
    for (const name of ["a", "b"])
      pair.push(
        rig.timer(name, (self) => {
          if (done) return;
          done = true;
          rig.wheel.set(pair.find((other) => other !== self)!, "B", 2000);
        }),
      );
    for (const timer of pair) rig.wheel.set(timer, "A", 100);
    rig.clock.advance(500);
    expect(rig.fired).toHaveLength(1);
    rig.clock.advance(2000);
    expect(rig.fired.map((each) => each.letter)).toEqual(["A", "B"]);
  });
});

/** The plainest thing that could work: a list of deadlines. */
class Model {
  readonly deadlines = new Map<number, { at: number; letter: string }>();
}

const LETTERS = ["A", "B", "E", "G"];

function randomDelay(dice: SeededDice): number {
  const kind = dice.fraction();
  if (kind < 0.1) return 0;
  if (kind < 0.6) return Math.floor(dice.fraction() * 3000);
  if (kind < 0.9) return Math.floor(dice.fraction() * ROUND_MS);
  return Math.floor(dice.fraction() * 4 * ROUND_MS);
}

describe("timer wheel against a list of deadlines", () => {
  for (const seed of [1, 2, 3, 4, 5, 6])
    test(`3000 random steps, seed ${seed}: nothing early, late, lost, twice or under a wrong letter`, () => {
      const dice = new SeededDice(seed);
      const clock = new VirtualClock();
      const wheel = new TimerWheel(clock);
      const model = new Model();
      const timers: Timer[] = [];
      const wrong: string[] = [];
      let fired = 0;

      const setOne = (i: number) => {
        const ms = randomDelay(dice);
        const letter = LETTERS[Math.floor(dice.fraction() * LETTERS.length)]!;
        wheel.set(timers[i]!, letter, ms);
        model.deadlines.set(i, { at: clock.now() + ms, letter });
      };
      const stopOne = (i: number) => {
        wheel.stop(timers[i]!);
        model.deadlines.delete(i);
      };
      const anyTimer = () => Math.floor(dice.fraction() * timers.length);
      for (let i = 0; i < 60; i++)
        timers.push(
          new Timer({
            timerFired: (timer) => {
              fired++;
              const due = model.deadlines.get(i);
              if (due === undefined) wrong.push(`timer ${i} fired without being set`);
              else if (clock.now() < due.at) wrong.push(`timer ${i} early by ${due.at - clock.now()}`);
              else if (clock.now() > due.at + SLOT_MS)
                wrong.push(`timer ${i} late by ${clock.now() - due.at}`);
              else if (timer.letter !== due.letter) wrong.push(`timer ${i} as ${timer.letter}`);
              model.deadlines.delete(i);
              const act = dice.fraction();
              if (act < 0.3) setOne(i);
              else if (act < 0.5) setOne(anyTimer());
              else if (act < 0.7) stopOne(anyTimer());
            },
          }),
        );
      for (let step = 0; step < 3000; step++) {
        const act = dice.fraction();
        if (act < 0.55) setOne(anyTimer());
        else if (act < 0.75) stopOne(anyTimer());
        else clock.advance(Math.floor(dice.fraction() * (act < 0.98 ? 700 : ROUND_MS)));
        if (wheel.size !== model.deadlines.size) wrong.push(`step ${step}: ${wheel.size} timers run`);
        const overdue = [...model.deadlines.values()].filter((due) => due.at + SLOT_MS < clock.now());
        if (overdue.length > 0) wrong.push(`step ${step}: ${overdue.length} timers are overdue`);
        if (clock.pending > 1) wrong.push(`step ${step}: ${clock.pending} alarms at once`);
        if (wrong.length > 0) break;
      }
      expect(wrong).toEqual([]);
      expect(fired).toBeGreaterThan(200);
      for (let i = 0; i < timers.length; i++) stopOne(i);
      expect([wheel.size, clock.pending]).toEqual([0, 0]);
    });
});
