/**
 * What `sipedge trace` prints: a list of calls, or one of them as a ladder, with each decision where it was made. Text
 * that came from the network is made harmless for a terminal.
 */
import * as v from "valibot";
import type { Answer } from "../api/schemas.ts";
import { SCHEMAS } from "../api/schemas.ts";

/** Between two lines of the ladder. */
const COLUMN = 26;
const TIME = 10;
const WIDTH_MAX = 160;
const NOT_OURS = "What answers there is no sipedge, or one of another version.\n";

export function tracesText(answer: unknown): string {
  const list = v.safeParse(SCHEMAS.Traces, answer);
  if (!list.success) return NOT_OURS;
  const { traces } = list.output;
  if (traces.length === 0) return "Nothing has come yet, or nothing is kept of it ([trace]).\n";
  const rows = traces.map((trace) => [
    plain(trace.id),
    trace.began_at.slice(11, 19),
    trace.method === "INVITE" ? trace.state : plain(trace.method),
    trace.status === 0 ? "" : String(trace.status),
    `${short(trace.from)} → ${short(trace.to)}`,
    plain(trace.reason).slice(0, 40),
  ]);
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n\nOne of them: sipedge trace ${plain(traces[0]!.id)}\n`;
}

export function traceText(answer: unknown, showsMessages: boolean): string {
  const read = v.safeParse(SCHEMAS.Trace, answer);
  if (!read.success) return NOT_OURS;
  const trace = read.output;
  const ladder = new Ladder(trace);
  const lines = [headline(trace), "", ...ladder.lines(showsMessages)];
  if (trace.left_out > 0) lines.push("", `${trace.left_out} entries in the middle were left out.`);
  return `${lines.join("\n")}\n`;
}

function headline(trace: Answer<"Trace">): string {
  const end = trace.status === 0 ? trace.state : `${trace.status} ${plain(trace.reason)}`;
  return (
    `${plain(trace.method)} ${short(trace.from)} → ${short(trace.to)}, ${trace.began_at}: ${end.trimEnd()}\n` +
    `Call-ID ${plain(trace.call_id)}`
  );
}

/** The hosts as columns, we among them: left of us who began, right of us everybody else. */
class Ladder {
  readonly #trace: Answer<"Trace">;
  readonly #hosts: readonly string[];
  readonly #us: number;

  constructor(trace: Answer<"Trace">) {
    this.#trace = trace;
    const remotes = new Set<string>();
    for (const entry of trace.entries) {
      const host = remoteOf(entry);
      if (host !== null) remotes.add(host);
    }
    const [first, ...others] = remotes;
    this.#hosts = first === undefined ? ["sipedge"] : [first, "sipedge", ...others];
    this.#us = first === undefined ? 0 : 1;
  }

  lines(showsMessages: boolean): string[] {
    const lines = [" ".repeat(TIME) + this.#hosts.map((host) => centred(plain(host), COLUMN)).join("")];
    for (const entry of this.#trace.entries) {
      lines.push(...this.#row(entry));
      if (showsMessages && entry.message !== null)
        lines.push(
          ...entry.message
            .trimEnd()
            .split(/\r?\n/)
            .map((line) => `${" ".repeat(TIME + 4)}${plain(line)}`),
          "",
        );
    }
    return lines;
  }

  #row(entry: Answer<"TraceEntry">): string[] {
    const time = `${(entry.after_ms / 1000).toFixed(3)}`.padStart(TIME - 2).padEnd(TIME);
    const host = remoteOf(entry);
    if (host === null)
      return wrapped(`· ${plain(entry.summary)}`).map(
        (line, i) => (i === 0 ? time : " ".repeat(TIME)) + line,
      );
    const column = this.#hosts.indexOf(host);
    const [left, right] = column < this.#us ? [column, this.#us] : [this.#us, column];
    const toRight = (entry.kind === "received") === column < this.#us;
    return [time + this.#rails(left, right, this.#arrow(entry, (right - left) * COLUMN - 1, toRight))];
  }

  /** Lines of the hosts, and in between the arrow from one to the other. */
  #rails(left: number, right: number, arrow: string): string {
    let line = "";
    for (let column = 0; column < this.#hosts.length; column++) {
      const at = column * COLUMN + Math.floor(COLUMN / 2);
      if (column > left && column < right) continue;
      line = `${line.padEnd(at)}│`;
      if (column === left) line += arrow;
    }
    return line.trimEnd();
  }

  #arrow({ summary, kind }: Answer<"TraceEntry">, width: number, toRight: boolean): string {
    const text = ` ${labelOf(summary).slice(0, width - 6)}${kind === "unsent" ? " ✗" : ""} `;
    const rest = Math.max(2, width - text.length - 1);
    const before = Math.floor(rest / 2);
    const shaft = `${"─".repeat(before)}${text}${"─".repeat(rest - before)}`;
    return toRight ? `${shaft}▶` : `◀${shaft}`;
  }
}

/** Of a request its method, of an answer what it says; that it answers an INVITE goes without saying. */
function labelOf(summary: string): string {
  return /^\d/.test(summary) ? plain(summary).replace(/ \(INVITE\)$/, "") : plain(summary).split(" ", 1)[0]!;
}

function remoteOf({ kind, from, to }: Answer<"TraceEntry">): string | null {
  return kind === "note" ? null : kind === "received" ? from : to;
}

function centred(text: string, width: number): string {
  const shown = text.length > width - 1 ? `${text.slice(0, width - 2)}…` : text;
  const before = Math.floor((width - shown.length) / 2);
  return " ".repeat(before) + shown.padEnd(width - before);
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > WIDTH_MAX - TIME) {
    lines.push(rest.slice(0, WIDTH_MAX - TIME));
    rest = `  ${rest.slice(WIDTH_MAX - TIME)}`;
  }
  return [...lines, rest];
}

const short = (uri: string): string => plain(uri.replace(/^sips?:/, "")).slice(0, 60);

/** Without what could steer a terminal. */
const plain = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, "�");
