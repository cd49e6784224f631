/** A trace as a ladder: who stands where, and between whom each message goes. */
import type { Answer } from "../../schemas.ts";

type Trace = Pick<Answer<"Trace">, "entries">;
type Entry = Trace["entries"][number];

export interface Rung {
  readonly entry: Entry;
  /** Columns, from 0; null: a decision. */
  readonly from: number | null;
  readonly to: number | null;
}

export interface Ladder {
  /** Whoever takes part by its address; the appliance is the second. */
  readonly columns: readonly string[];
  readonly rungs: readonly Rung[];
}

export const APPLIANCE = "sipedge";
/** The appliance's column: whoever was heard first stands left of it, everybody else to the right. */
export const APPLIANCE_COLUMN = 1;
/** Columns that can be told apart on a screen; whoever comes later shares the last one. */
export const COLUMNS_MAX = 6;
export const OTHERS = "others";

export function ladderOf({ entries }: Trace): Ladder {
  const others: string[] = [];
  for (const { kind, from, to } of entries) {
    const other = kind === "received" ? from : to;
    if (kind !== "note" && other !== null && !others.includes(other)) others.push(other);
  }
  const [first = "", ...rest] = others;
  const every = [first, APPLIANCE, ...rest];
  const columns = every.length <= COLUMNS_MAX ? every : [...every.slice(0, COLUMNS_MAX - 1), OTHERS];
  const rungs = entries.map((entry): Rung => {
    const other = entry.kind === "received" ? entry.from : entry.to;
    if (entry.kind === "note" || other === null) return { entry, from: null, to: null };
    const there = Math.min(every.indexOf(other), COLUMNS_MAX - 1);
    return entry.kind === "received"
      ? { entry, from: there, to: APPLIANCE_COLUMN }
      : { entry, from: APPLIANCE_COLUMN, to: there };
  });
  return { columns, rungs };
}

/** What a rung is to the eye: a refusal stands out. */
export function toneOf({ kind, summary }: Entry): "bad" | "good" | "note" | "plain" {
  if (kind === "unsent") return "bad";
  if (kind === "note") return /^refused: (?!40[17] )|ended: [3-6]\d\d/.test(summary) ? "bad" : "note";
  if (/^[4-6]\d\d /.test(summary)) return /^(401|407) /.test(summary) ? "plain" : "bad";
  return /^2\d\d /.test(summary) ? "good" : "plain";
}
