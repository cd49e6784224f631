/**
 * A Map that keeps what was set lately, at no cost when something leaves: with `max` new entries those that were not
 * set among the last `max` go all at once. For what can be reckoned again.
 */
export class RecentMap<K, V> {
  readonly #max: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** Holds between `max` and twice as many of the newest entries. */
  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#max) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
