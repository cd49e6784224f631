/**
 * Orders items by the time they fall due. Putting a due time off, which every refresh does, costs
 * nothing: the item moves only when its old time comes up. An item is in the heap at most once.
 */

/** What the queue needs of an item. `due_ms` is the owner's; the other two are the queue's. */
export interface Expiring {
  /** Monotonic milliseconds. */
  due_ms: number;
  /** The time it is ordered by: never later than `due_ms`. */
  queued_ms: number;
  /** Its index in the heap; -1 when it is not queued. */
  place: number;
}

/** Items that only moved back count too when a step is bounded. */
const LOOKS_PER_ITEM_MAX = 4;

export class ExpiryQueue<T extends Expiring> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Nothing falls due before this; Infinity when nothing is queued. */
  get next_ms(): number {
    return this.#heap[0]?.queued_ms ?? Number.POSITIVE_INFINITY;
  }

  /** Queues the item, or takes note that its `due_ms` has changed. */
  update(item: T): void {
    if (item.place < 0) {
      item.queued_ms = item.due_ms;
      this.#heap.push(item);
      this.#up(item, this.#heap.length - 1);
    } else if (item.due_ms < item.queued_ms) {
      item.queued_ms = item.due_ms;
      this.#up(item, item.place);
    }
  }

  /** Harmless when it is not queued. */
  remove(item: T): void {
    const place = item.place;
    if (place < 0) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  /** Takes out at most `max` items that are due at `now`. */
  take(now: number, max: number): T[] {
    const taken: T[] = [];
    for (let looks = max * LOOKS_PER_ITEM_MAX; looks > 0 && taken.length < max; looks--) {
      const first = this.#heap[0];
      if (first === undefined || first.queued_ms > now) break;
      if (first.due_ms <= now) {
        this.remove(first);
        taken.push(first);
      } else {
        first.queued_ms = first.due_ms;
        this.#down(first, 0);
      }
    }
    return taken;
  }

  #up(item: T, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1]!;
      if (parent.queued_ms <= item.queued_ms) break;
      this.#set(parent, place);
      place = (place - 1) >> 1;
    }
    this.#set(item, place);
  }

  #down(item: T, from: number): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.queued_ms < this.#heap[child]!.queued_ms) {
        child++;
      }
      const smaller = this.#heap[child]!;
      if (smaller.queued_ms >= item.queued_ms) break;
      this.#set(smaller, place);
      place = child;
    }
    this.#set(item, place);
  }

  #set(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}
