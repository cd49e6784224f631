/**
 * Rounds of pings: each flow has its slot in the round, and all slots have about as many. There is a timer only
 * while there is a flow, and it wakes the process once a second at most: waking costs more than many pings.
 */
import type { Alarm, Clock } from "../base/clock.ts";

/** A round has so many slots. */
const SLOTS = 100;
/** The slots of so long are visited together: as many as make a whole number of wakes in a round. */
const WAKE_MS = 1000;
const AT_ONCE = [100, 50, 25, 20, 10, 5, 4, 2, 1] as const;
/** Flows visited before whatever else has arrived has its turn. */
const TURN_MAX = 200;
/** A round that is later than this many wakes stays late: nobody is sent a round's pings at once. */
const LATE_WAKES_MAX = 4;

export class Rounds<T> {
  interval_ms: number;
  readonly #clock: Clock;
  readonly #visit: (item: T, now: number) => void;
  readonly #slots: Set<T>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #slotOf = new Map<T, Set<T>>();
  /** The next slot to be visited, or the one that is. */
  #slot = 0;
  /** Who is still to be visited in it; null: nobody was yet. */
  #visiting: Iterator<T> | null = null;
  /** Slots still to be visited in this wake. */
  #left = 0;
  #due = 0;
  #alarm: Alarm | null = null;
  #running = false;

  /** `visit` is called for each item once in a round, with `clock.now()`; it may remove items. */
  constructor(clock: Clock, interval_ms: number, visit: (item: T, now: number) => void) {
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
    let best = this.#slots[(this.#slot + SLOTS - 1) % SLOTS]!;
    for (let i = 2; i <= SLOTS; i++) {
      const slot = this.#slots[(this.#slot + SLOTS - i) % SLOTS]!;
      if (slot.size < best.size) best = slot;
    }
    return best;
  }

  #arm(): void {
    if (this.#alarm !== null || this.#left > 0 || !this.#running || this.#slotOf.size === 0) return;
    this.#due = this.#clock.now();
    this.#armNext();
  }

  /** Counted from when it was due: being a little late delays nothing after it. A long sleep is not made up for. */
  #armNext(): void {
    const now = this.#clock.now();
    const wake_ms = (this.interval_ms / SLOTS) * this.#slotsAtOnce;
    this.#due = Math.max(this.#due + wake_ms, now - LATE_WAKES_MAX * wake_ms);
    this.#alarm = this.#clock.after(Math.max(0, this.#due - now), () => {
      this.#alarm = null;
      this.#left = this.#slotsAtOnce;
      this.#turn();
    });
  }

  get #slotsAtOnce(): number {
    const slot_ms = this.interval_ms / SLOTS;
    return AT_ONCE.find((count) => count * slot_ms <= WAKE_MS) ?? 1;
  }

  readonly #turn = (): void => {
    const now = this.#clock.now();
    for (let visited = 0; this.#left > 0 && this.#running; visited++) {
      if (visited === TURN_MAX) return this.#clock.atTurnEnd(this.#turn);
      this.#visiting ??= this.#slots[this.#slot]!.values();
      const next = this.#visiting.next();
      if (next.done !== true) this.#visit(next.value, now);
      else this.#slotEnds();
    }
    this.#left = 0;
    if (this.#running && this.#slotOf.size > 0) this.#armNext();
  };

  #slotEnds(): void {
    this.#visiting = null;
    this.#slot = (this.#slot + 1) % SLOTS;
    this.#left--;
  }
}
