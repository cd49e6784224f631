/**
 * What a connection could not take at once, in order, with a bound in bytes.
 */

/** Takes bytes as far as it can: how many, or -1 when it is closed. */
export type Write = (bytes: Uint8Array) => number;

export class SendQueue {
  #waiting: Uint8Array[] = [];
  /** Entries before this one have left. */
  #first = 0;
  #bytes = 0;

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends. The bytes are kept as they are, not copied. False: `max` bytes would be passed; nothing changed. */
  push(bytes: Uint8Array, max: number): boolean {
    if (this.#bytes + bytes.length > max) return false;
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    return true;
  }

  /** Writes what it can. True: nothing waits any more. */
  flush(write: Write): boolean {
    while (this.#first < this.#waiting.length) {
      const bytes = this.#waiting[this.#first]!;
      const taken = write(bytes);
      if (taken > 0) this.#bytes -= taken;
      if (taken < bytes.length) {
        if (taken > 0) this.#waiting[this.#first] = bytes.subarray(taken);
        this.#forgetSent();
        return false;
      }
      this.#first++;
    }
    this.clear();
    return true;
  }

  /** A queue that moves but never empties must not keep what has left. */
  #forgetSent(): void {
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }

  clear(): void {
    this.#waiting = [];
    this.#first = 0;
    this.#bytes = 0;
  }
}
