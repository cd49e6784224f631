/** What a check of `sipedge doctor` has found. */

/** `stops`: calls will not work; `may_stop`: some will not, or not for long; `good`: nothing to do. */
export type Weight = "good" | "may_stop" | "stops";

export interface Finding {
  readonly weight: Weight;
  /** What was looked at, in one or two words. */
  readonly about: string;
  readonly found: string;
  /** What to do; null when good. */
  readonly cure: string | null;
}

export const good = (about: string, found: string): Finding => ({ weight: "good", about, found, cure: null });
export const mayStop = (about: string, found: string, cure: string): Finding => ({
  weight: "may_stop",
  about,
  found,
  cure,
});
export const stops = (about: string, found: string, cure: string): Finding => ({
  weight: "stops",
  about,
  found,
  cure,
});

const MARKS: Readonly<Record<Weight, string>> = { good: "ok  ", may_stop: "WARN", stops: "BAD " };

/** One line per finding, and what to do under each that is not good. */
export function findingsText(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ weight, about, found, cure }) => [
    `${MARKS[weight]}  ${about}: ${plain(found)}`,
    ...(cure === null ? [] : [`      ${plain(cure)}`]),
  ]);
  const bad = findings.filter(({ weight }) => weight === "stops").length;
  const warn = findings.filter(({ weight }) => weight === "may_stop").length;
  return `${lines.join("\n")}\n${bad} to mend, ${warn} to look at\n`;
}

/** Names and texts from outside must not steer the terminal. */
const plain = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "·");
