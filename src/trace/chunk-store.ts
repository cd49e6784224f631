/**
 * Room for messages in one piece of memory, cut into chunks: what is kept costs no garbage, and what is freed is used
 * again at once.
 */
export const CHUNK_BYTES = 1024;
/** The end of a message's chunks, and of the free ones. */
const END = -1;

export class ChunkStore {
  readonly #bytes: Buffer;
  /** The chunk behind each one, of the same message or of the free ones. */
  readonly #next: Int32Array;
  #free: number;
  #used = 0;

  /** `bytes_max` is rounded down to whole chunks. Memory is taken from the system as it is first written to. */
  constructor(bytes_max: number) {
    const chunks = Math.max(1, Math.floor(bytes_max / CHUNK_BYTES));
    this.#bytes = Buffer.alloc(chunks * CHUNK_BYTES);
    this.#next = new Int32Array(chunks);
    for (let i = 0; i < chunks; i++) this.#next[i] = i + 1 < chunks ? i + 1 : END;
    this.#free = 0;
  }

  /** In chunks. */
  get size(): number {
    return this.#next.length;
  }

  get used(): number {
    return this.#used;
  }

  /** Copies a message; its name for `get` and `release`, or null when there is not enough room. */
  put(message: Buffer): number | null {
    const count = chunksOf(message.length);
    if (this.#used + count > this.#next.length) return null;
    const first = this.#free;
    let last = first;
    for (let from = 0, chunk = first; from < message.length || from === 0; from += CHUNK_BYTES) {
      message.copy(this.#bytes, chunk * CHUNK_BYTES, from, Math.min(message.length, from + CHUNK_BYTES));
      last = chunk;
      chunk = this.#next[chunk]!;
    }
    this.#free = this.#next[last]!;
    this.#next[last] = END;
    this.#used += count;
    return first;
  }

  /** A copy of what was put. */
  get(first: number, length: number): Buffer {
    const message = Buffer.alloc(length);
    let chunk = first;
    for (let to = 0; to < length; to += CHUNK_BYTES) {
      this.#bytes.copy(
        message,
        to,
        chunk * CHUNK_BYTES,
        chunk * CHUNK_BYTES + Math.min(CHUNK_BYTES, length - to),
      );
      chunk = this.#next[chunk]!;
    }
    return message;
  }

  release(first: number): void {
    let last = first;
    let count = 1;
    while (this.#next[last] !== END) {
      last = this.#next[last]!;
      count++;
    }
    this.#next[last] = this.#free;
    this.#free = first;
    this.#used -= count;
  }
}

/** How many chunks a message of so many bytes takes. */
export function chunksOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / CHUNK_BYTES));
}
