/**
 * A timer wheel for the many short timers of transactions: setting and stopping one costs a few
 * pointer writes. The wheel sleeps until its next occupied slot, and stops when it is empty, so an
 * idle appliance does not wake up.
 */
import type { Alarm, Clock } from "./clock.ts";

const SLOT_MS = 10;
const SLOTS = 4096; // 41 s a round: covers 64*T1; longer timers wait for a later round
const WORDS = SLOTS / 32;

/** Whoever owns timers. Called synchronously with the timer that fired; must not throw. */
export interface TimerOwner {
  timerFired(timer: Timer): void;
}

/** A timer that belongs to its owner for life and is set and stopped again and again. */
export class Timer {
  readonly owner: TimerOwner;
  /** The RFC's letter while it runs ("A" … "M"): what the owner's state table calls it. */
  letter = "";
  /** Monotonic milliseconds at which it fires; 0 when it is not running. */
  deadline = 0;
  slot = -1;
  prev: Timer | null = null;
  next: Timer | null = null;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #heads: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  readonly #occupied = new Int32Array(WORDS);
  #count = 0;
  /** Every slot up to this tick has been run. */
  #tick: number;
  #alarm: Alarm | null = null;
  #alarmTick = 0;
  #running = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.now() / SLOT_MS);
  }

  /** Monotonic milliseconds, as deadlines are counted. */
  now(): number {
    return this.#clock.now();
  }

  /** How many timers are running. */
  get size(): number {
    return this.#count;
  }

  /** (Re)starts the timer: it fires once, at least `ms` from now and at most one slot (10 ms) later. */
  set(timer: Timer, letter: string, ms: number): void {
    if (timer.slot >= 0) this.#unlink(timer);
    const now = this.#clock.now();
    if (this.#count === 0 && !this.#running) this.#tick = Math.floor(now / SLOT_MS);
    const deadline = now + ms;
    const tick = Math.max(Math.ceil(deadline / SLOT_MS), this.#tick + 1);
    timer.letter = letter;
    timer.deadline = deadline;
    this.#link(timer, tick % SLOTS);
    this.#wakeBy(Math.min(tick, this.#tick + SLOTS));
  }

  /** Stops it; harmless when it is not running. */
  stop(timer: Timer): void {
    if (timer.slot >= 0) this.#unlink(timer);
    timer.deadline = 0;
    timer.letter = "";
    if (this.#count === 0 && this.#alarm !== null) {
      this.#alarm.cancel();
      this.#alarm = null;
    }
  }

  /** Nothing fires any more. */
  close(): void {
    this.#running = true; // no alarm is set while it seems to run
    this.#alarm?.cancel();
    this.#alarm = null;
  }

  #link(timer: Timer, slot: number): void {
    const head = this.#heads[slot] ?? null;
    timer.slot = slot;
    timer.prev = null;
    timer.next = head;
    if (head) head.prev = timer;
    this.#heads[slot] = timer;
    this.#occupied[slot >> 5]! |= 1 << (slot & 31);
    this.#count++;
  }

  #unlink(timer: Timer): void {
    const slot = timer.slot;
    if (timer.prev) timer.prev.next = timer.next;
    else this.#heads[slot] = timer.next;
    if (timer.next) timer.next.prev = timer.prev;
    timer.prev = null;
    timer.next = null;
    timer.slot = -1;
    if (this.#heads[slot] === null) this.#occupied[slot >> 5]! &= ~(1 << (slot & 31));
    this.#count--;
  }

  #wakeBy(tick: number): void {
    if (this.#running) return; // #run sets the alarm when it is through
    if (this.#alarm !== null) {
      if (this.#alarmTick <= tick) return;
      this.#alarm.cancel();
    }
    this.#alarmTick = tick;
    this.#alarm = this.#clock.after(Math.max(0, tick * SLOT_MS - this.#clock.now()), () => {
      this.#alarm = null;
      this.#run();
    });
  }

  #run(): void {
    this.#running = true;
    const now = this.#clock.now();
    const target = Math.floor(now / SLOT_MS);
    const first = Math.max(this.#tick + 1, target - SLOTS + 1); // after a long pause one round sees every slot
    this.#tick = target; // what a callback sets goes behind the slots of this run
    for (let tick = first; tick <= target; tick++) {
      if (this.#heads[tick % SLOTS]) this.#fire(tick % SLOTS, now);
    }
    this.#running = false;
    if (this.#count > 0) this.#wakeBy(this.#nextOccupied());
  }

  /** Timers whose round has come leave the slot before any of them fires: a callback may set or stop any other. */
  #fire(slot: number, now: number): void {
    const due: Timer[] = [];
    let timer = this.#heads[slot] ?? null;
    while (timer) {
      const next: Timer | null = timer.next;
      if (timer.deadline <= now) {
        this.#unlink(timer);
        due.push(timer);
      }
      timer = next;
    }
    for (const each of due) {
      // Stopped (deadline 0) or set anew (slot >= 0) by an earlier callback of this very slot: not due any more.
      if (each.deadline === 0 || each.slot >= 0) continue;
      each.deadline = 0;
      each.owner.timerFired(each);
    }
  }

  #nextOccupied(): number {
    for (let step = 1; step <= SLOTS; step++) {
      const slot = (this.#tick + step) % SLOTS;
      const word = this.#occupied[slot >> 5]!;
      if (word === 0 && (slot & 31) === 0) {
        step += 31;
        continue;
      }
      if (word & (1 << (slot & 31))) return this.#tick + step;
    }
    return this.#tick + SLOTS;
  }
}
