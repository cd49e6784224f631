/**
 * Bencoding, in which rtpengine is spoken to. Strings are bytes, one character each (latin1). Reading is total: what
 * is no bencoding, or nested too deep, is null.
 */

/** A value as it was read. */
export type Ben = number | string | readonly Ben[] | BenMap;
export type BenMap = ReadonlyMap<string, Ben>;

/** A value to be written; numbers are integers, keys that are undefined are left out. */
export type BenInput =
  | number
  | string
  | readonly BenInput[]
  | { readonly [key: string]: BenInput | undefined };

/** Lists and dictionaries within each other; answers of rtpengine have eight. */
export const DEPTH_MAX = 32;
/** Digits of a number or length: more could not be told exactly. */
const DIGITS_MAX = 15;

const LIST = 0x6c;
const DICT = 0x64;
const INT = 0x69;
const END = 0x65;
const COLON = 0x3a;
const MINUS = 0x2d;

export function encodeBen(value: BenInput): Buffer {
  return Buffer.from(written(value), "latin1");
}

function written(value: BenInput): string {
  if (typeof value === "number") return `i${Math.trunc(value)}e`;
  if (typeof value === "string") return `${value.length}:${value}`;
  if (isList(value)) return `l${value.map(written).join("")}e`;
  let pairs = "";
  for (const [key, each] of Object.entries(value))
    if (each !== undefined) pairs += written(key) + written(each);
  return `d${pairs}e`;
}

/** `Array.isArray` does not tell lists that cannot be written to. */
const isList = (value: BenInput): value is readonly BenInput[] => Array.isArray(value);

/** The one value that begins at `from` and ends with the bytes; null: they are something else. */
export function decodeBen(bytes: Buffer, from = 0): Ben | null {
  const reader = new Reader(bytes, from);
  const value = reader.value(0);
  return value !== null && reader.at === bytes.length ? value : null;
}

class Reader {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes;
    this.at = from;
  }

  value(depth: number): Ben | null {
    if (depth > DEPTH_MAX) return null;
    switch (this.#bytes[this.at]) {
      case INT:
        this.at++;
        return this.#integer(END);
      case LIST:
        this.at++;
        return this.#list(depth);
      case DICT:
        this.at++;
        return this.#dictionary(depth);
      default:
        return this.#string();
    }
  }

  #list(depth: number): Ben[] | null {
    const items: Ben[] = [];
    while (this.#bytes[this.at] !== END) {
      const item = this.value(depth + 1);
      if (item === null) return null;
      items.push(item);
    }
    this.at++;
    return items;
  }

  #dictionary(depth: number): BenMap | null {
    const pairs = new Map<string, Ben>();
    while (this.#bytes[this.at] !== END) {
      const key = this.#string();
      const value = key === null ? null : this.value(depth + 1);
      if (key === null || value === null) return null;
      pairs.set(key, value);
    }
    this.at++;
    return pairs;
  }

  #string(): string | null {
    const length = this.#integer(COLON);
    if (length === null || length < 0 || this.at + length > this.#bytes.length) return null;
    const start = this.at;
    this.at += length;
    return this.#bytes.latin1Slice(start, this.at);
  }

  /** Digits up to `end`, which is taken too. */
  #integer(end: number): number | null {
    const isNegative = this.#bytes[this.at] === MINUS;
    if (isNegative) this.at++;
    const start = this.at;
    let value = 0;
    for (;;) {
      const byte = this.#bytes[this.at];
      if (byte === end && this.at > start) break;
      if (byte === undefined || byte < 0x30 || byte > 0x39 || this.at - start === DIGITS_MAX) return null;
      value = value * 10 + byte - 0x30;
      this.at++;
    }
    this.at++;
    return isNegative ? 0 - value : value; // -value would make i-0e a number that is written as another
  }
}

/** The text under that key; null: there is none. */
export function textAt(map: BenMap | null, key: string): string | null {
  const value = map?.get(key);
  return typeof value === "string" ? value : null;
}

export function numberAt(map: BenMap | null, key: string): number | null {
  const value = map?.get(key);
  return typeof value === "number" ? value : null;
}

export function mapAt(map: BenMap | null, key: string): BenMap | null {
  const value = map?.get(key);
  return value instanceof Map ? value : null;
}

export function listAt(map: BenMap | null, key: string): readonly Ben[] {
  const value = map?.get(key);
  return Array.isArray(value) ? value : [];
}
