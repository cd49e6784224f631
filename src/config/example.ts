/**
 * The example configuration: every key with what it does, what it takes and its default. Made from
 * the schema alone.
 */
import type { KeyFacts, SectionFacts } from "./facts.ts";
import { SECTIONS } from "./facts.ts";
import type { TomlValue } from "./kinds.ts";
import { tomlText } from "./toml-text.ts";

const LINE_CHARS_MAX = 100;

const HEAD = `# The configuration of sipedge: every key there is. All of them may be left out.
#
# "# " begins an explanation; "#" right before a key or a [[section]] switches it off. What is
# switched off holds its default, where there is one; else an example.
#
# Look for mistakes:   sipedge check FILE
# Run with it:         sipedge serve --config FILE
# Read it again:       kill -HUP (the status API and the log say how that went)
#
# This file is made from the schema by \`bun build.ts docs\`; copy it and change the copy.
`;

/** The text of the example. As it is, it is a configuration; with every "#" before a key gone, too. */
export function exampleToml(): string {
  return `${[HEAD, ...SECTIONS.map(sectionText)].join("\n")}`;
}

function sectionText(section: SectionFacts): string {
  const { name, does, many, keys } = section;
  if (name === null) return keys.map((key) => keyText(key)).join("\n");
  const heading = comment(`---- ${name}: ${does}`);
  if (many) return `${heading}\n${entriesText(section)}`;
  return `${heading}[${name}]\n${keys.map((key) => keyText(key)).join("\n")}`;
}

/** Each entry of a `[[section]]`; a key is explained where it comes first. */
function entriesText({ name, keys, entries, entriesAreDefault }: SectionFacts): string {
  const off = entriesAreDefault ? "" : "#";
  const explained = new Set<string>();
  const texts = entries.map((entry, index) => {
    const isLast = index === entries.length - 1;
    const lines = keys.flatMap((key) => {
      const value = entry[key.name];
      const isNew = !explained.has(key.name);
      if (value === undefined) {
        const isShownNowhere = !entries.some((other) => other[key.name] !== undefined);
        return isLast && isShownNowhere
          ? [explanation(key), `#${assignment(key.name, key.example ?? key.fallback)}`]
          : [];
      }
      explained.add(key.name);
      return [isNew ? explanation(key) : "", `${off}${assignment(key.name, value)}`];
    });
    return `${off}[[${name}]]\n${lines.join("")}`;
  });
  return texts.join("\n");
}

function keyText(key: KeyFacts): string {
  const off = key.start ? "" : "#";
  return `${explanation(key)}${off}${assignment(key.name, key.fallback ?? key.example)}`;
}

const assignment = (name: string, value: TomlValue | undefined) => `${name} = ${tomlText(value ?? "")}\n`;

/** What it does, what it takes, what holds without it; the last two in one line where they fit. */
function explanation({ does, allowed, fallback, required, example, restart }: KeyFacts): string {
  const takes = `Takes: ${allowed}.`;
  const facts = [required ? "Required." : "No default."];
  if (fallback !== undefined) facts[0] = `Default: ${tomlText(fallback)}.`;
  if (fallback !== undefined && example !== undefined) facts.push(`Example: ${tomlText(example)}.`);
  if (restart) facts.push("Changes with the next start.");
  const oneLine = `${takes} ${facts.join(" ")}`;
  const fits = "# ".length + oneLine.length <= LINE_CHARS_MAX;
  return comment(does) + (fits ? comment(oneLine) : comment(takes) + comment(facts.join(" ")));
}

/** The text in lines of comment, broken between words. */
function comment(text: string): string {
  let lines = "";
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > LINE_CHARS_MAX) {
      lines += `${line}\n`;
      line = "#";
    }
    line += ` ${word}`;
  }
  return `${lines}${line}\n`;
}
