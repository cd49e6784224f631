/** ARC-20, B-13: what is turned away when there is too much to do, on a clock whose timers come late. */
import { expect, test } from "bun:test";
import type { Alarm, Clock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Overload } from "../../src/guard/overload.ts";
import { H } from "../../src/message/header-names.ts";
import { callerDialog, entries, inside, lab, Phone } from "../proxy/kit.ts";

/** Timers fire when the test says so. */
class LateClock implements Clock {
  at = 0;
  #fn: (() => void) | null = null;
  #due = 0;

  now = () => this.at;
  wall = () => this.at;
  hold = () => {};
  release = () => {};
  atTurnEnd = (fn: () => void) => fn();

  after(ms: number, fn: () => void): Alarm {
    this.#due = this.at + ms;
    this.#fn = fn;
    return {
      cancel: () => {
        this.#fn = null;
      },
    };
  }

  get isArmed(): boolean {
    return this.#fn !== null;
  }

  /** The timer comes so late. */
  late(ms: number): void {
    const fn = this.#fn;
    this.#fn = null;
    this.at = this.#due + ms;
    fn?.();
  }
}

function site() {
  const clock = new LateClock();
  const overload = new Overload({ clock, log: silentLog, metrics: new Metrics() });
  /** So many looks, each so late; a request comes before each. */
  const looks = (count: number, late_ms: number): void => {
    for (let i = 0; i < count; i++) {
      overload.refuses("INVITE");
      clock.late(late_ms);
    }
  };
  const refused = () => ["INVITE", "REGISTER", "OPTIONS"].map((method) => overload.refuses(method));
  return { clock, overload, looks, refused };
}

test("on time: everything is taken, and nobody looks while nothing comes", () => {
  const { clock, looks, refused } = site();
  looks(20, 10);
  expect(clock.isArmed).toBe(false);
  expect(refused()).toEqual([false, false, false]);
});

test("one stall turns nobody away", () => {
  const { looks, refused } = site();
  looks(1, 3000);
  looks(1, 0);
  looks(1, 3000);
  expect(refused()).toEqual([false, false, false]);
});

test("late again and again: new calls first, then everything new", () => {
  const { looks, refused } = site();
  looks(2, 300);
  expect(refused()).toEqual([true, false, false]);
  looks(2, 400);
  expect(refused()).toEqual([true, false, false]);
  looks(2, 1500);
  expect(refused()).toEqual([true, true, true]);
});

test("calm comes back step by step, also when nobody asks any more", () => {
  const { clock, overload, looks } = site();
  looks(2, 1500);
  expect(overload.level).toBe(2);
  for (let i = 0; i < 5; i++) clock.late(10);
  expect(overload.level).toBe(1);
  for (let i = 0; i < 5; i++) clock.late(10);
  expect([overload.level, clock.isArmed]).toEqual([0, false]);
});

test("in between: neither up nor down", () => {
  const { overload, looks } = site();
  looks(2, 300);
  looks(50, 200);
  expect(overload.level).toBe(1);
});

test("on the whole appliance: 503 with Retry-After for a new call; a call that runs and a call for help go on", () => {
  const world = lab(
    '[emergency]\nnumbers = ["112"]\nto = "sip:112@198.51.100.81"\nnetworks = ["198.51.100.0/24"]\n',
  );
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  const help = new Phone(world, "help", "198.51.100.81");
  bob.register();
  alice.request("INVITE", "sip:bob@example.test", { callId: "c" });
  bob.answer(bob.incoming("INVITE"), 200, { headers: [`Contact: <${bob.contact}>`] });
  const dialog = callerDialog(alice.last());
  world.core.layer.refusesNew = () => true;
  alice.request("INVITE", "sip:bob@example.test", { callId: "d", branch: "z9hG4bKd" });
  expect(alice.last().status).toBe(503);
  expect(entries(alice.last(), H.RetryAfter)).toHaveLength(1);
  expect(world.counter("sipedge_transactions_refused_total", { limit: "overload" })).toBe(1);
  alice.request("INVITE", "sip:112@example.test", { callId: "h", branch: "z9hG4bKh" });
  expect(help.count("INVITE")).toBe(1);
  alice.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
  expect(bob.count("BYE")).toBe(1);
});
