/**
 * Rounds of pings: each flow has its tick in the round, and all ticks have about as many. There is a timer only
 * while there is a flow.
 */
import type { Alarm, Clock } from "../base/clock.ts";

/** A round has so many ticks. */
const TICKS = 100;
/** A round that is later than this many ticks stays late: nobody is sent a round's pings at once. */
const LATE_TICKS_MAX = 4;

export class Rounds<T> {
  interval_ms: number;
  readonly #clock: Clock;
  readonly #visit: (item: T) => void;
  readonly #slots: Set<T>[] = Array.from({ length: TICKS }, () => new Set());
  readonly #slotOf = new Map<T, Set<T>>();
  #tick = 0;
  #due = 0;
  #alarm: Alarm | null = null;
  #running = false;

  /** `visit` is called for each item once in a round; it may remove items. */
  constructor(clock: Clock, interval_ms: number, visit: (item: T) => void) {
    this.#clock = clock;
    this.interval_ms = interval_ms;
    this.#visit = visit;
  }

  /** Its turn comes within one round, as late as the balance allows: whoever is added has just been heard of. */
  add(item: T): void {
    const slot = this.#emptiest();
    slot.add(item);
    this.#slotOf.set(item, slot);
    this.#arm();
  }

  remove(item: T): void {
    this.#slotOf.get(item)?.delete(item);
    this.#slotOf.delete(item);
  }

  start(): void {
    this.#running = true;
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.#alarm?.cancel();
    this.#alarm = null;
  }

  #emptiest(): Set<T> {
    let best = this.#slots[(this.#tick + TICKS - 1) % TICKS]!;
    for (let i = 2; i <= TICKS; i++) {
      const slot = this.#slots[(this.#tick + TICKS - i) % TICKS]!;
      if (slot.size < best.size) best = slot;
    }
    return best;
  }

  #arm(): void {
    if (this.#alarm !== null || !this.#running || this.#slotOf.size === 0) return;
    this.#due = this.#clock.now();
    this.#armNext();
  }

  /** Counted from when it was due: being a little late delays nothing after it. A long sleep is not made up for. */
  #armNext(): void {
    const now = this.#clock.now();
    const tick_ms = this.interval_ms / TICKS;
    this.#due = Math.max(this.#due + tick_ms, now - LATE_TICKS_MAX * tick_ms);
    this.#alarm = this.#clock.after(Math.max(0, this.#due - now), () => this.#run());
  }

  #run(): void {
    this.#alarm = null;
    for (const item of this.#slots[this.#tick]!) this.#visit(item);
    this.#tick = (this.#tick + 1) % TICKS;
    if (this.#running && this.#slotOf.size > 0) this.#armNext();
  }
}
