/**
 * Which rows `refreshes` holds, oldest first, and whose they are; so that clearing its front needs no
 * reading. A row is live while its place still names it.
 */

/** Where one stored binding lies; it passes from a binding to its refresh. */
export interface Place {
  readonly id: number;
  /** The number of its newest refresh; 0 when it has none, or is removed. */
  seq: number;
}

/** Cleared entries at the front that may wait before the arrays are cut. */
const FRONT_MAX = 16_384;

export class RefreshLog {
  #seqs: number[] = [];
  #places: (Place | null)[] = [];
  #front = 0;

  /** Rows, dead ones included. */
  get size(): number {
    return this.#seqs.length - this.#front;
  }

  /** Adds the newest row. Null: it belongs to nobody. */
  push(seq: number, place: Place | null): void {
    this.#seqs.push(seq);
    this.#places.push(place);
  }

  /** The live ones among the `count` oldest rows. */
  oldest(count: number): Place[] {
    const live: Place[] = [];
    const end = Math.min(this.#front + count, this.#seqs.length);
    for (let i = this.#front; i < end; i++) {
      const place = this.#places[i] ?? null;
      if (place !== null && place.seq === this.#seqs[i]) live.push(place);
    }
    return live;
  }

  /** The number of the row behind the `count` oldest; null when there is none. */
  after(count: number): number | null {
    return this.#seqs[this.#front + count] ?? null;
  }

  /** Forgets the `count` oldest rows. */
  drop(count: number): void {
    this.#front = Math.min(this.#front + count, this.#seqs.length);
    if (this.#front < FRONT_MAX && this.#front < this.#seqs.length) return;
    this.#seqs = this.#seqs.slice(this.#front);
    this.#places = this.#places.slice(this.#front);
    this.#front = 0;
  }

  clear(): void {
    this.drop(this.size);
  }
}
