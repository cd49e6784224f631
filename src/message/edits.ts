/**
 * A copy of a message with some ranges replaced: all bytes between the edits stay as they came.
 * One instance serves all messages in turn, so that an edit costs no garbage.
 */
const EDITS_MAX = 600; // more than two for each header line a message may have
/** So many bytes are copied here in the time that a call out of compiled code takes. */
const BY_HAND_MAX = 64;

export class Edits {
  readonly #starts = new Int32Array(EDITS_MAX);
  readonly #ends = new Int32Array(EDITS_MAX);
  readonly #texts: string[] = new Array<string>(EDITS_MAX).fill("");
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  /** Puts `text` (latin1) in the place of bytes[start, end). Edits may come in any order but must not overlap. */
  replace(start: number, end: number, text: string): void {
    if (this.#count === EDITS_MAX) throw new RangeError("more than EDITS_MAX edits in one message");
    let i = this.#count++;
    // Keep them sorted; those at one place stay in the order in which they came.
    while (i > 0 && this.#starts[i - 1]! > start) {
      this.#starts[i] = this.#starts[i - 1]!;
      this.#ends[i] = this.#ends[i - 1]!;
      this.#texts[i] = this.#texts[i - 1]!;
      i--;
    }
    this.#starts[i] = start;
    this.#ends[i] = end;
    this.#texts[i] = text;
  }

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  remove(start: number, end: number): void {
    this.replace(start, end, "");
  }

  /** bytes[from, to) with the edits carried out, in memory of its own. Ends with an empty list of edits. */
  apply(bytes: Buffer, from: number, to: number): Buffer {
    let size = to - from;
    for (let i = 0; i < this.#count; i++)
      size += this.#texts[i]!.length - (this.#ends[i]! - this.#starts[i]!);
    const out = Buffer.allocUnsafeSlow(size);
    let read = from;
    let write = 0;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#starts[i]!;
      if (start > read) {
        if (start - read > BY_HAND_MAX) bytes.copy(out, write, read, start);
        else for (let at = read; at < start; at++) out[write + at - read] = bytes[at]!;
        write += start - read;
      }
      const text = this.#texts[i]!;
      if (text.length > BY_HAND_MAX) out.latin1Write(text, write);
      else for (let at = 0; at < text.length; at++) out[write + at] = text.charCodeAt(at);
      write += text.length;
      const end = this.#ends[i]!;
      if (end > read) read = end; // an insertion at the start of a removed range comes after it here
      this.#texts[i] = "";
    }
    if (to > read) bytes.copy(out, write, read, to);
    this.#count = 0;
    return out;
  }
}
