/** What the self-test prints. */
import type { Answer } from "../../api/schemas.ts";
import type { MediaResult } from "./test-call.ts";
import type { Heard } from "./tone.ts";

/** `look`: it works, and somebody should look at it. */
export type Outcome = "ok" | "look" | "failed";

export interface Step {
  readonly outcome: Outcome;
  /** What was tried, in a word. */
  readonly what: string;
  /** What came of it; further lines below. */
  readonly found: readonly string[];
  /** What to do; null when all is well. */
  readonly cure: string | null;
}

const MARKS: Readonly<Record<Outcome, string>> = { ok: "ok    ", look: "LOOK  ", failed: "FAILED" };
const WHAT_CHARS = 10;
const INDENT = " ".repeat(2 + 6 + 2 + WHAT_CHARS + 2);

export function stepText({ outcome, what, found, cure }: Step): string {
  const [first = "", ...others] = found.map(plain);
  const below = [...others, ...(cure === null ? [] : [plain(cure)])];
  const lines = [
    `  ${MARKS[outcome]}  ${what.padEnd(WHAT_CHARS)}  ${first}`,
    ...below.map((line) => INDENT + line),
  ];
  return `${lines.join("\n")}\n`;
}

/** Of each direction what its hearer heard. */
export function mediaLines({ sent, caller, callee }: MediaResult): string[] {
  return [`caller → callee: ${heardText(sent, callee)}`, `callee → caller: ${heardText(sent, caller)}`];
}

function heardText(sent: number, { packets, loss_percent, jitter_ms, mos }: Heard): string {
  const quality = `loss ${loss_percent.toFixed(1)} %, jitter ${jitter_ms.toFixed(1)} ms`;
  return `${packets} of ${sent} packets, ${quality}, MOS ${mos === null ? "–" : mos.toFixed(2)}`;
}

/** What the relay measured of each direction, from the call's record. */
export function recordLines({ status, duration_s, ended_by, media }: Answer<"CallRecord">): string[] {
  const head = `${status}, ${duration_s ?? 0} s, ended by ${ended_by}`;
  const streams = (media ?? []).map(
    ({ from, codec, packets, loss_percent, jitter_ms, mos_lqe }) =>
      `the relay measured from the ${from}: ${codec} ${packets} packets, loss ${loss_percent ?? "–"} %, ` +
      `jitter ${jitter_ms ?? "–"} ms, MOS ${mos_lqe ?? "–"}`,
  );
  return [head, ...streams];
}

/** Names and texts from outside must not steer the terminal. */
const plain = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "·");
