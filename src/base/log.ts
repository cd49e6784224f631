/**
 * One line per event: time, level, event name, fields. Lines of one event are limited per ten seconds;
 * what was left out is said in the next line that gets through.
 */
import type { Clock } from "./clock.ts";

export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const WINDOW_MS = 10_000;
const LINES_PER_WINDOW_MAX = 20;
const EVENTS_MAX = 1000;
const FIELD_CHARS_MAX = 500;

interface Window {
  start: number;
  lines: number;
  dropped: number;
}

export class LineLog implements Log {
  readonly #write: (line: string) => void;
  readonly #clock: Clock;
  readonly #least: number;
  readonly #json: boolean;
  readonly #windows = new Map<string, Window>();

  constructor(
    clock: Clock,
    write: (line: string) => void,
    options: { level?: Level; format?: "text" | "json" } = {},
  ) {
    this.#clock = clock;
    this.#write = write;
    this.#least = RANK[options.level ?? "info"];
    this.#json = options.format === "json";
  }

  debug(event: string, fields?: Fields): void {
    this.#line("debug", event, fields);
  }
  info(event: string, fields?: Fields): void {
    this.#line("info", event, fields);
  }
  warn(event: string, fields?: Fields): void {
    this.#line("warn", event, fields);
  }
  error(event: string, fields?: Fields): void {
    this.#line("error", event, fields);
  }

  #line(level: Level, event: string, fields: Fields = {}): void {
    if (RANK[level] < this.#least) return;
    const dropped = this.#pass(event);
    if (dropped < 0) return;
    const all: Fields = dropped > 0 ? { ...fields, left_out: dropped } : fields;
    const time = new Date(this.#clock.wall()).toISOString();
    if (this.#json) {
      const own = { time, level, event };
      this.#write(JSON.stringify(Object.assign({ ...own }, all, own)));
      return;
    }
    let line = `${time} ${level.padEnd(5)} ${event}`;
    for (const key in all) {
      const value = all[key];
      if (value !== undefined) line += ` ${key}=${shown(value)}`;
    }
    this.#write(line);
  }

  /** How many lines of this event were left out before this one; -1 when this one is left out too. */
  #pass(event: string): number {
    const now = this.#clock.now();
    let window = this.#windows.get(event);
    if (!window) {
      if (this.#windows.size >= EVENTS_MAX) this.#windows.clear();
      window = { start: now, lines: 0, dropped: 0 };
      this.#windows.set(event, window);
    }
    if (now - window.start >= WINDOW_MS) {
      window.start = now;
      window.lines = 0;
    }
    if (window.lines >= LINES_PER_WINDOW_MAX) {
      window.dropped++;
      return -1;
    }
    window.lines++;
    const dropped = window.dropped;
    window.dropped = 0;
    return dropped;
  }
}

/** Bare when it is one plain word, else quoted, so that nothing from the network can forge a line. */
function shown(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  const text = value.length > FIELD_CHARS_MAX ? `${value.slice(0, FIELD_CHARS_MAX)}…` : value;
  return /^[\w.:@/+<>;=[\]#-]+$/.test(text) ? text : JSON.stringify(text);
}

/** Swallows everything: for tests and tools that want silence. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
