/** `sipedge init`: asks a few questions, or takes flags, and writes a small configuration that works. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { renderErrors } from "../../config/errors.ts";
import { parseConfig } from "../../config/load.ts";
import { firstConfigToml } from "../first-config.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { user } from "./user.ts";

const SYSTEM_FOLDER = "/etc/sipedge";
const SYSTEM_DATA = "/var/lib/sipedge";
/** The group of the folder may read it: the service does not run as root. */
const FILE_MODE = 0o640;

interface Answers {
  readonly domain: string | null;
  readonly address: string;
  readonly port: string;
  readonly user: string | null;
}

export async function init(invocation: Invocation): Promise<number> {
  const { words, force } = invocation;
  if (words.length > 1) return usage("init takes one FILE at most");
  const file = words[0] ?? invocation.config ?? "sipedge.toml";
  if (existsSync(file) && !force) return complain(`${file} is there already; --force writes over it`);
  const answers = await answersOf(invocation);
  if (answers === null) return complain("nothing was written");
  const port = Number(answers.port);
  if (!/^\d{1,5}$/.test(answers.port) || port < 1 || port > 65_535)
    return usage("--port takes a port number, 1 to 65535");
  const data_dir = dirname(resolve(file)) === SYSTEM_FOLDER ? SYSTEM_DATA : "sipedge-data";
  const text = firstConfigToml({ ...answers, port, data_dir });
  const parsed = parseConfig(text, { readFile: () => "", readVariable: () => "" });
  if (!("config" in parsed)) {
    process.stderr.write(renderErrors(file, parsed.errors));
    return complain("nothing was written");
  }
  try {
    write(file, text);
  } catch (error) {
    return complain(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  process.stdout.write(`${file}: written\n`);
  return finish(invocation, file, answers.user);
}

/** From the flags; on a terminal, what no flag says is asked. Null: given up. */
async function answersOf({ domain, address, port, user: name }: Invocation): Promise<Answers | null> {
  const given: Answers = { domain, address: address ?? "any", port: port ?? "5060", user: name };
  if (!process.stdin.isTTY) return given;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ask = async (set: string | null, question: string, otherwise: string): Promise<string> =>
    set ?? ((await terminal.question(`${question} [${otherwise || "none"}]: `)).trim() || otherwise);
  try {
    const asked = await ask(
      domain,
      "Domain of your phones (example.test; none: this machine's addresses)",
      "",
    );
    return {
      domain: asked === "" ? null : asked,
      address: await ask(address, "Address to listen on (any: all of this machine)", "any"),
      port: await ask(port, "Port", "5060"),
      user: (await ask(name, "A first account (alice, or an extension like 201)", "")) || null,
    };
  } catch {
    return null; // Ctrl-C or Ctrl-D
  } finally {
    terminal.close();
  }
}

/** Whole or not at all. */
function write(file: string, text: string): void {
  mkdirSync(dirname(resolve(file)), { recursive: true, mode: 0o750 });
  rmSync(`${file}.new`, { force: true });
  writeFileSync(`${file}.new`, text, { mode: FILE_MODE, flag: "wx" });
  chmodSync(`${file}.new`, FILE_MODE); // a stricter umask would lock the service out
  renameSync(`${file}.new`, file);
}

/** The first account, and what comes next. */
async function finish(invocation: Invocation, file: string, name: string | null): Promise<number> {
  if (name !== null) {
    const code = await user({ ...invocation, words: ["add", name], config: file });
    if (code !== 0) return code;
  }
  const next = name === null ? `sipedge user add NAME --config ${file}\n      ` : "";
  const start =
    dirname(resolve(file)) === SYSTEM_FOLDER ? "systemctl start sipedge" : `sipedge serve --config ${file}`;
  process.stdout.write(`next: ${next}${start}\n`);
  return 0;
}

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}
