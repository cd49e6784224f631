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

/** A `describe(` or `test(` line with the first string in it; `test.each(…)` names stand on a line of their own. */
const LINE = /^(\s*)(describe|test|it)(?:\.\w+)*(?:\([^"'`]*\))?\(\s*(["'`])((?:\\.|(?!\3).)*)\3/;

function rulesOf(path: string): Rule[] {
  const file = relative(ROOT, path);
  const rules: Rule[] = [];
  const stack: { depth: number; rule: Rule | null }[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, indent = "", kind, , text = ""] = match;
    const depth = indent.length;
    while (stack.length > 0 && stack[stack.length - 1]!.depth >= depth) stack.pop();
    const name = text.replace(/\$\{[^}]*\}/g, "…").replace(/\\(.)/g, "$1");
    const around = stack.findLast((each) => each.rule !== null)?.rule ?? null;
    if (kind === "describe") {
      const rule = /^RFC \d/.test(name) ? { name, file, tests: [] } : null;
      if (rule) rules.push(rule);
      stack.push({ depth, rule });
      if (!rule && around) around.tests.push(name);
    } else if (around) around.tests.push(name);
    else if (/^RFC \d/.test(name)) rules.push({ name, file, tests: [] });
  }
  return rules;
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
  const rules = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .flatMap((name) => rulesOf(join(ROOT, "test", name)))
    .sort(compare);
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
  return `${[...lines, "", "## Departures", "", ...departures()].join("\n")}\n`;
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
