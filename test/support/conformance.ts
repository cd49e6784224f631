/**
 * `docs/conformance.md`: which rule of which RFC has which test, read off the names of the tests.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");

interface Rule {
  /** `RFC 3261 §16.3 step 3 Max-Forwards` */
  readonly name: string;
  readonly file: string;
  readonly tests: string[];
}

/** A feature of the list by its ID (`TM-09`), and a test that shows it. */
interface Feature {
  readonly id: string;
  readonly name: string;
  readonly file: string;
}

/** A `describe(` or `test(` line with the first string in it; `test.each(…)` names stand on a line of their own. */
const LINE = /^(\s*)(describe|test|it)(?:\.\w+)*(?:\([^"'`]*\))?\(\s*(["'`])((?:\\.|(?!\3).)*)\3/;
/** The IDs of features that a name begins with: `TM-08, SRV-10 `. */
const IDS = /^((?:[A-Z]{1,5}-\d{2}(?:, | |: ))+)/;

interface Names {
  readonly rules: Rule[];
  readonly features: Feature[];
}

function namesIn(path: string): Names {
  const file = relative(ROOT, path);
  const names: Names = { rules: [], features: [] };
  const stack: { depth: number; rule: Rule | null }[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, indent = "", kind, , text = ""] = match;
    const depth = indent.length;
    while (stack.length > 0 && stack[stack.length - 1]!.depth >= depth) stack.pop();
    const whole = text.replace(/\$\{[^}]*\}/g, "…").replace(/\\(.)/g, "$1");
    const ids = IDS.exec(whole)?.[1] ?? "";
    const name = whole.slice(ids.length);
    for (const [id] of ids.matchAll(/[A-Z]+-\d{2}/g)) names.features.push({ id, name, file });
    const around = stack.findLast((each) => each.rule !== null)?.rule ?? null;
    if (kind === "describe") {
      const rule = /^RFC \d/.test(name) ? { name, file, tests: [] } : null;
      if (rule) names.rules.push(rule);
      stack.push({ depth, rule });
      if (!rule && around) around.tests.push(name);
    } else if (around) around.tests.push(name);
    else if (/^RFC \d/.test(name)) names.rules.push({ name, file, tests: [] });
  }
  return names;
}

/** Sections in the order of the RFC: 9 before 16, 16.3 before 16.10. */
function compare(a: Rule, b: Rule): number {
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  const [x, y] = [numbers(a.name), numbers(b.name)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const step = (x[i] ?? -1) - (y[i] ?? -1);
    if (step !== 0) return step;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : a.file < b.file ? -1 : 1;
}

const cell = (text: string) => text.replace(/\|/g, "\\|").replace(/</g, "&lt;");

/** The whole page. */
export function conformancePage(): string {
  const files = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(test|proof)\.ts$/.test(name))
    .sort()
    .map((name) => namesIn(join(ROOT, "test", name)));
  const rules = files.flatMap((names) => names.rules).sort(compare);
  const lines = [
    "# Conformance",
    "",
    "Made from the names of the tests by `bun build.ts docs`; do not edit. A rule without a line here has no test.",
    "Where the code departs from a rule on purpose, its source says `Departs from §…` and why (listed at the end).",
    "",
  ];
  let rfc = "";
  for (const { name, file, tests } of rules) {
    const number = /^RFC \d+/.exec(name)?.[0] ?? "";
    if (number !== rfc) {
      rfc = number;
      lines.push(`## ${rfc}`, "", "| rule | tests | file |", "|---|---|---|");
    }
    lines.push(`| ${cell(name.slice(rfc.length).trim())} | ${tests.map(cell).join(" · ")} | \`${file}\` |`);
    const next = rules[rules.findIndex((rule) => rule.name === name && rule.file === file) + 1];
    if (next && !next.name.startsWith(`${rfc} `)) lines.push("");
  }
  lines.push("", ...featureLines(files.flatMap((names) => names.features)));
  return `${[...lines, "", "## Departures", "", ...departures()].join("\n")}\n`;
}

const FEATURES = `## Features

Behaviour that other SIP servers are known for, by the IDs that stand in the names of the tests: TM what a
transaction module does, SRV the roles of a server, SIP the protocol's elements, FLOW the call flows of RFC 3665,
SVC the services of RFC 5359, DNS the finding of the next hop, B what operators have asked such servers for.

| ID | shown by | file |
|---|---|---|`;

function featureLines(features: readonly Feature[]): string[] {
  const sorted = features.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.file < b.file ? -1 : 1));
  return [FEATURES, ...sorted.map(({ id, name, file }) => `| ${id} | ${cell(name)} | \`${file}\` |`)];
}

/** Every `Departs from` in the source, with the sentence that follows it. */
function departures(): string[] {
  const found: string[] = [];
  for (const name of readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).sort()) {
    if (!name.endsWith(".ts")) continue;
    const text = readFileSync(join(ROOT, "src", name), "utf8").replace(/\n\s*(?:\*|\/\/) ?/g, " ");
    for (const [sentence] of text.matchAll(/Departs from [^:]+: [^*]*?\.(?=\s|$)/g))
      found.push(`- \`src/${name}\`: ${sentence.replace(/\s+/g, " ")}`);
  }
  return found;
}
