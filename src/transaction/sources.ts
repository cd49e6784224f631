/**
 * How many server transactions each source address has: one look-up for each transaction, and an entry
 * lives as long as its address has any, so there are never more entries than transactions.
 */

/** Who is counted for a transaction: everything that came from one address. */
export interface Source {
  readonly address: string;
  /** Its server transactions now. */
  count: number;
}

export class Sources {
  readonly #sources = new Map<string, Source>();
  #last: Source | null = null;

  /** Addresses with a transaction. */
  get size(): number {
    return this.#sources.size;
  }

  /** How many that address has. */
  countOf(address: string): number {
    return this.#find(address)?.count ?? 0;
  }

  /** One more; to be given back to `leave`. */
  enter(address: string): Source {
    let source = this.#find(address);
    if (source === undefined) {
      source = { address, count: 0 };
      this.#sources.set(address, source);
      this.#last = source;
    }
    source.count++;
    return source;
  }

  leave(source: Source): void {
    if (--source.count > 0) return;
    this.#sources.delete(source.address);
    if (this.#last === source) this.#last = null;
  }

  /** Who is entered was asked for just before, and messages come in bursts: the last one found is kept. */
  #find(address: string): Source | undefined {
    if (this.#last !== null && this.#last.address === address) return this.#last;
    const source = this.#sources.get(address);
    if (source !== undefined) this.#last = source;
    return source;
  }
}
