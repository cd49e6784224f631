/**
 * The commands of `sipedge` and their words.
 */
import { parseArgs } from "node:util";
import { COMMIT, VERSION } from "../version.ts";
import { check } from "./check.ts";
import { dnsRecords } from "./dns-records.ts";
import { forward } from "./forward.ts";
import { route } from "./route.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";
import { trace } from "./trace.ts";
import { user } from "./user.ts";

/** What a command gets: its words and its options. Returns the exit code. */
export interface Invocation {
  readonly words: readonly string[];
  readonly config: string | null;
  readonly url: string | null;
  readonly passwordStdin: boolean;
  /** `--after` as it was written; null when it was not given. */
  readonly after: string | null;
  readonly from: string | null;
  readonly at: string | null;
  /** `--pcap`: the file to write. */
  readonly pcap: string | null;
  readonly messages: boolean;
}

type Command = (invocation: Invocation) => number | Promise<number>;

const COMMANDS: Readonly<Record<string, { run: Command; words: string; does: string }>> = {
  serve: { run: serve, words: "[--config FILE]", does: "run the appliance" },
  check: { run: check, words: "FILE", does: "say everything that is wrong with a config file" },
  user: {
    run: user,
    words: "add|passwd|remove NAME | list  [--config FILE] [--password-stdin]",
    does: "manage the accounts phones register with",
  },
  forward: {
    run: forward,
    words: "[USER [RULE DESTINATION|off] | USER off]  [--after SECONDS|off] [--config FILE]",
    does: "say or set where calls go: always, busy, no_answer, not_registered, unreachable",
  },
  route: {
    run: route,
    words: "test URI  [--from URI|peer:NAME] [--at TIME] [--config FILE]",
    does: "say which route a call would take, and why",
  },
  "dns-records": {
    run: dnsRecords,
    words: "[zone|dnsmasq]  [--config FILE]",
    does: "print the DNS records that lead others to your domains here",
  },
  trace: {
    run: trace,
    words: "[CALL]  [--messages] [--pcap FILE] [--config FILE] [--url URL]",
    does: "say what came and left for a call and why it went so; without CALL, list the last ones",
  },
  status: { run: status, words: "[--config FILE] [--url URL]", does: "ask the running appliance how it is" },
  version: { run: version, words: "", does: "print the version" },
  help: { run: help, words: "", does: "print this" },
};

/** Runs the command line's words; 0 when all is well, 1 for the operator's mistakes, 2 for wrong words. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const { values, positionals, mistake } = read(args);
  if (mistake !== null) return usage(mistake);
  if (values.help) return help();
  if (values.version) return version();
  const [name = "help", ...words] = positionals;
  const command = COMMANDS[name];
  if (command === undefined) return usage(`there is no command "${name}"`);
  return command.run({
    words,
    config: values.config ?? null,
    url: values.url ?? null,
    passwordStdin: values["password-stdin"] ?? false,
    after: values.after ?? null,
    from: values.from ?? null,
    at: values.at ?? null,
    pcap: values.pcap ?? null,
    messages: values.messages ?? false,
  });
}

const OPTIONS = {
  config: { type: "string", short: "c" },
  url: { type: "string" },
  "password-stdin": { type: "boolean" },
  after: { type: "string" },
  from: { type: "string" },
  at: { type: "string" },
  pcap: { type: "string" },
  messages: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

function read(args: readonly string[]) {
  const config = { args: [...args], options: OPTIONS, allowPositionals: true } as const;
  try {
    return { ...parseArgs(config), mistake: null };
  } catch (error) {
    const mistake = error instanceof Error ? error.message : String(error);
    return { ...parseArgs({ ...config, args: [] }), mistake };
  }
}

/** Tells what was wrong with the words, on stderr. */
export function usage(mistake: string): number {
  process.stderr.write(`sipedge: ${mistake}\nTry: sipedge help\n`);
  return 2;
}

function version(): number {
  process.stdout.write(`sipedge ${VERSION}${COMMIT === null ? "" : ` (${COMMIT})`}, Bun ${Bun.version}\n`);
  return 0;
}

function help(): number {
  const lines = Object.entries(COMMANDS).map(
    ([name, { words, does }]) => `  ${`sipedge ${name} ${words}`.trimEnd()}\n      ${does}`,
  );
  process.stdout.write(`sipedge ${VERSION}: a SIP edge in one file\n\n${lines.join("\n")}\n`);
  return 0;
}
