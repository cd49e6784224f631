/**
 * A Map with a named bound: the entry not used for longest leaves when a new one needs its place.
 */
export class BoundedMap<K, V> {
  readonly #map = new Map<K, V>();
  readonly #max: number;
  readonly #evicted: ((key: K, value: V) => void) | undefined;

  constructor(max: number, evicted?: (key: K, value: V) => void) {
    this.#max = max;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#map.size;
  }

  /** The value, which counts as a use. */
  get(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value !== undefined) {
      this.#map.delete(key);
      this.#map.set(key, value);
    }
    return value;
  }

  /** The value, without counting as a use: for hot look-ups where the order of insertion is good enough. */
  peek(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    if (!this.#map.delete(key) && this.#map.size >= this.#max) this.#evictOldest();
    this.#map.set(key, value);
  }

  delete(key: K): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
  }

  entries(): IterableIterator<[K, V]> {
    return this.#map.entries();
  }

  #evictOldest(): void {
    for (const [key, value] of this.#map) {
      this.#map.delete(key);
      this.#evicted?.(key, value);
      return;
    }
  }
}
