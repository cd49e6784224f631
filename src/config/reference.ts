/**
 * The reference of all keys as a page of Markdown, made from the schema alone.
 */
import type { KeyFacts, SectionFacts } from "./facts.ts";
import { SECTIONS } from "./facts.ts";
import { tomlText } from "./toml-text.ts";

const HEAD = `# Configuration

<!-- Made from src/config by \`bun build.ts docs\`: change the schema, not this page. -->

One TOML file, named by \`sipedge serve --config FILE\`. Every key may be left out, unless it says otherwise;
without a file everything has its default: the appliance listens at port 5060, and nobody can register or
call until there is an account. [config/sipedge.toml](../config/sipedge.toml) is a file with all keys to start from.

\`sipedge check FILE\` tells every mistake of a file at once, with its line. A running appliance reads the file
again on SIGHUP; when there is a mistake in it, everything stays as it was. Keys marked *restart* change only
with the next start.

Secrets (\`token\`, \`webhook_token\`, \`password\`, \`ha1\`, \`ha1_sha256\`) may be \`"file:PATH"\`: the content of that
file, without white space around it; a relative path starts at the folder of the configuration file. Or
\`"env:NAME"\`: the environment variable of that name, as the appliance was started with it.
`;

const COLUMNS =
  "| key | takes | default | what it does | what goes wrong |\n| --- | --- | --- | --- | --- |\n";

/** The text of the page. */
export function configurationPage(): string {
  return [HEAD, ...SECTIONS.map(sectionText)].join("\n");
}

function sectionText({ name, does, many, keys }: SectionFacts): string {
  const title = name === null ? "Above the first section" : many ? `\`[[${name}]]\`` : `\`[${name}]\``;
  const intro = does === "" ? "" : `${does}\n\n`;
  return `## ${title}\n\n${intro}${COLUMNS}${keys.map(rowText).join("")}`;
}

function rowText({ name, allowed, fallback, required, does, without, restart, example }: KeyFacts): string {
  const shownDefault = fallback !== undefined ? code(tomlText(fallback)) : required ? "required" : "none";
  const words = example === undefined ? does : `${does} Example: ${code(tomlText(example))}`;
  const cells = [code(name), cell(allowed), shownDefault, cell(words), cell(without)];
  if (restart) cells[0] += " *restart*";
  return `| ${cells.join(" | ")} |\n`;
}

const code = (text: string) => `\`${cell(text)}\``;

/** A bar would end the cell. */
const cell = (text: string) => text.replaceAll("|", "\\|");
