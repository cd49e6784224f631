import { describe, expect, test } from "bun:test";
import { type Expiring, ExpiryQueue } from "../../src/location/expiry-queue.ts";

const item = (due_ms: number): Expiring => ({ due_ms, queued_ms: 0, place: -1 });

describe("ExpiryQueue", () => {
  test("empty: nothing due, ever", () => {
    const queue = new ExpiryQueue<Expiring>();
    expect(queue.next_ms).toBe(Number.POSITIVE_INFINITY);
    expect(queue.take(1e12, 10)).toEqual([]);
  });

  test("an item is queued once, however often it is updated or removed", () => {
    const queue = new ExpiryQueue<Expiring>();
    const one = item(100);
    for (let due = 100; due > 50; due--) {
      one.due_ms = due;
      queue.update(one);
    }
    expect(queue.size).toBe(1);
    expect(queue.next_ms).toBe(51);
    queue.remove(one);
    queue.remove(one);
    expect(queue.size).toBe(0);
  });

  test("a step is bounded though nothing is due after all", () => {
    const queue = new ExpiryQueue<Expiring>();
    const items = Array.from({ length: 1000 }, (_, i) => item(i));
    for (const each of items) queue.update(each);
    for (const each of items) {
      each.due_ms += 1_000_000;
      queue.update(each);
    }
    expect(queue.take(5000, 10)).toEqual([]);
    expect(items.filter((each) => each.queued_ms > 5000)).toHaveLength(40);
  });

  test("against a sorted list, with random changes", () => {
    const queue = new ExpiryQueue<Expiring>();
    const queued = new Set<Expiring>();
    let state = 7;
    const roll = (n: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let now = 0;
    for (let step = 0; step < 20_000; step++) {
      const some = [...queued];
      const action = roll(10);
      if (action < 4 || some.length === 0) {
        const made = item(now + roll(500));
        queued.add(made);
        queue.update(made);
      } else if (action < 7) {
        const changed = some[roll(some.length)]!;
        changed.due_ms = now + roll(500);
        queue.update(changed);
      } else if (action < 8) {
        const gone = some[roll(some.length)]!;
        queued.delete(gone);
        queue.remove(gone);
      } else {
        now += roll(40);
        const due = some.filter((each) => each.due_ms <= now);
        const taken = queue.take(now, 10_000);
        expect(new Set(taken)).toEqual(new Set(due));
        for (const each of taken) queued.delete(each);
      }
      expect(queue.size).toBe(queued.size);
    }
  });
});
