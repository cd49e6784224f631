/**
 * Where each key of a TOML text stands. The TOML parser keeps no positions, so this reads the text
 * again; it relies on the parser having accepted it, and checks nothing.
 */
import { parse } from "smol-toml";
import type { KeyPath } from "./key-path.ts";
import { pathText } from "./key-path.ts";

/** Both from 1; the column counts UTF-16 units, as the parser's errors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds keys, elements of lists and section headers by their path. */
export class KeyPositions {
  readonly #text: string;
  readonly #offsets: ReadonlyMap<string, number>;
  readonly #lineStarts: readonly number[];

  /** `text` must be valid TOML. */
  constructor(text: string) {
    this.#text = text;
    this.#offsets = new TomlReader(text).read();
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)];
  }

  /** Whether the text has this very key. */
  has(path: KeyPath): boolean {
    return this.#offsets.has(pathText(path));
  }

  /** Where the key stands, or else the innermost table around it; null when not even that is in the text. */
  find(path: KeyPath): Position | null {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(pathText(path.slice(0, length)));
      if (offset !== undefined) return this.#position(offset);
    }
    return null;
  }

  #position(offset: number): Position {
    const line = this.#lineAt(offset);
    const byteOrderMark = line === 1 && this.#text.startsWith("\ufeff") ? 1 : 0;
    return { line, column: offset - this.#lineStarts[line - 1]! + 1 - byteOrderMark };
  }

  /** How many lines begin at or before the offset: a binary search, for a file may have many lines and mistakes. */
  #lineAt(offset: number): number {
    let [low, high] = [0, this.#lineStarts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const BLANK = /[ \t\r\n\ufeff]*(?:#[^\n]*[ \t\r\n]*)*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
/** Multi-line strings first: they begin like the short ones. Up to two quotes may touch the closing three. */
const STRING = /"""(?:\\[\s\S]|[^\\])*?"""(?:""?)?|'''[\s\S]*?'''(?:''?)?|"(?:\\.|[^"\\\n])*"|'[^'\n]*'/y;
/** Numbers, truth values and dates, which may have a space inside. */
const SCALAR = /[^,\]}#\n]+/y;

/** One pass over the text. Every loop moves forward or ends, whatever the text is. */
class TomlReader {
  readonly #text: string;
  readonly #offsets = new Map<string, number>();
  /** How many tables each `[[list]]` has so far. */
  readonly #counts = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ReadonlyMap<string, number> {
    let table: KeyPath = [];
    this.#take(BLANK);
    while (this.#at < this.#text.length) {
      const before = this.#at;
      if (this.#next() === "[") table = this.#header();
      else this.#keyValue(table);
      this.#take(BLANK);
      if (this.#at === before) break;
    }
    return this.#offsets;
  }

  /** table = "[" key "]"; array-table = "[[" key "]]" */
  #header(): KeyPath {
    const start = this.#at;
    const isList = this.#text.startsWith("[[", start);
    this.#at += isList ? 2 : 1;
    const keys = this.#key();
    this.#at += isList ? 2 : 1;
    let path: KeyPath = [];
    for (const [index, key] of keys.entries()) {
      path = [...path, key];
      this.#note(path, start);
      const count = this.#counts.get(pathText(path)) ?? 0;
      const isNew = isList && index === keys.length - 1;
      if (isNew) this.#counts.set(pathText(path), count + 1);
      if (isNew || count > 0) path = [...path, isNew ? count : count - 1];
    }
    this.#note(path, start);
    return path;
  }

  /** keyval = key "=" val */
  #keyValue(table: KeyPath): void {
    const start = this.#at;
    let path = table;
    for (const key of this.#key()) {
      path = [...path, key];
      this.#note(path, start);
    }
    this.#at++;
    this.#take(BLANK);
    this.#value(path);
  }

  /** key = simple-key *( "." simple-key ); leaves the position behind it and behind any space. */
  #key(): string[] {
    const keys: string[] = [];
    do {
      if (this.#next() === ".") this.#at++;
      this.#take(BLANK);
      const quoted = this.#take(STRING);
      keys.push(quoted === "" ? this.#take(BARE_KEY) : unquote(quoted));
      this.#take(BLANK);
    } while (this.#next() === ".");
    return keys;
  }

  #value(path: KeyPath): void {
    if (this.#next() === "[")
      this.#members("]", (index) => {
        this.#note([...path, index], this.#at);
        this.#value([...path, index]);
      });
    else if (this.#next() === "{") this.#members("}", () => this.#keyValue(path));
    else if (this.#take(STRING) === "") this.#take(SCALAR);
  }

  /** What stands between brackets, separated by commas. */
  #members(close: string, member: (index: number) => void): void {
    this.#at++;
    this.#take(BLANK);
    for (let index = 0; this.#at < this.#text.length && this.#next() !== close; index++) {
      const before = this.#at;
      member(index);
      this.#take(BLANK);
      if (this.#next() === ",") this.#at++;
      this.#take(BLANK);
      if (this.#at === before) break;
    }
    this.#at++;
  }

  #next(): string | undefined {
    return this.#text[this.#at];
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    return taken;
  }

  /** The first place counts: a list is where its first table is. */
  #note(path: KeyPath, offset: number): void {
    const key = pathText(path);
    if (!this.#offsets.has(key)) this.#offsets.set(key, offset);
  }
}

/** What a quoted key says; the parser knows the escapes. */
function unquote(quoted: string): string {
  return String(parse(`key = ${quoted}`).key);
}
