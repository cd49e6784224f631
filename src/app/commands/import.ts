/** `sipedge import kamailio|siproxd FILE`: a configuration on stdout, and what was not taken over on stderr. */
import { readFileSync, statSync } from "node:fs";
import { renderErrors } from "../../config/errors.ts";
import { parseConfig } from "../../config/load.ts";
import type { Imported } from "../imports/imported.ts";
import { importedToml, otherRealms } from "../imports/imported.ts";
import { fromKamailio } from "../imports/kamailio.ts";
import { fromSiproxd } from "../imports/siproxd.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";

const FILE_BYTES_MAX = 64 * 1024 * 1024;

const READERS: Readonly<Record<string, (text: string, users: string | null) => Imported>> = {
  kamailio: fromKamailio,
  siproxd: fromSiproxd,
};

export function importConfig({ words }: Invocation): number {
  const [kind = "", file, users, ...more] = words;
  const reader = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
  if (reader === undefined || file === undefined || more.length > 0)
    return usage("import takes: kamailio FILE [SUBSCRIBER-DUMP] or siproxd FILE [PASSWORD-FILE]");
  try {
    const imported = reader(textOf(file), users === undefined ? null : textOf(users));
    const toml = importedToml(imported, file);
    process.stdout.write(toml);
    tellLeft([...imported.left, ...otherRealms(imported.users)]);
    return complaintsOf(toml);
  } catch (error) {
    process.stderr.write(`sipedge: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function textOf(file: string): string {
  if (statSync(file).size > FILE_BYTES_MAX) throw new Error(`${file} is too large`);
  return readFileSync(file, "utf8");
}

function tellLeft(left: readonly string[]): void {
  if (left.length === 0) process.stderr.write("everything was taken over\n");
  else
    process.stderr.write(
      `not taken over:\n${left.map((each) => `  ${each.replace(/[\p{C}]/gu, "·")}\n`).join("")}`,
    );
}

/** What was written there may not be what a configuration takes here. */
function complaintsOf(toml: string): number {
  const parsed = parseConfig(toml, { readFile: () => "", readVariable: () => "" });
  if ("config" in parsed) return 0;
  process.stderr.write(`to be mended by hand:\n${renderErrors("the output", parsed.errors)}`);
  return 1;
}
