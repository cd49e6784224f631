/**
 * A session description written anew from front to back: what is not replaced is copied as it came, and what
 * changed becomes one edit, however many lines it touched.
 */
import { LF } from "./chars.ts";
import type { Edits } from "./edits.ts";

export class SdpWriter {
  readonly #bytes: Buffer;
  /** What the lines that are put in end with: as the first line does. */
  readonly #eol: string;
  /** From where on the text differs; -1: not yet. */
  #start = -1;
  /** The text from #start on, up to #read of the original. */
  #text = "";
  #read = 0;
  #lastByte = LF;

  /** `firstLineEnd` is where the first line ends, its line end included. */
  constructor(bytes: Buffer, firstLineEnd: number) {
    this.#bytes = bytes;
    const isBare = bytes[firstLineEnd - 1] === LF && bytes[firstLineEnd - 2] !== 13;
    this.#eol = isBare ? "\n" : "\r\n";
  }

  /** Puts `text` in the place of bytes[start, end), which must lie behind everything written so far. */
  replace(start: number, end: number, text: string): void {
    this.#copyTo(start);
    if (text !== "") {
      this.#text += text;
      this.#lastByte = text.charCodeAt(text.length - 1);
    }
    this.#read = end;
  }

  /** A line of its own at `at`, where a line ends; `text` without line end. */
  insertLine(at: number, text: string): void {
    this.#copyTo(at);
    const isOpen = this.#lastByte !== LF; // the last line came without its end: so does the new last one
    this.replace(at, at, isOpen ? `${this.#eol}${text}` : `${text}${this.#eol}`);
  }

  #copyTo(at: number): void {
    if (this.#start < 0) this.#start = this.#read = at;
    else if (at > this.#read) this.#text += this.#bytes.latin1Slice(this.#read, at);
    else return;
    if (at > 0) this.#lastByte = this.#bytes[at - 1]!;
    this.#read = at;
  }

  /** Adds what changed to `edits`; how many bytes longer the description is now (negative: shorter). */
  finish(edits: Edits): number {
    if (this.#start < 0) return 0;
    edits.replace(this.#start, this.#read, this.#text);
    return this.#text.length - (this.#read - this.#start);
  }
}
