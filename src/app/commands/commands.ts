/**
 * The commands of `sipedge` and their words.
 */
import { parseArgs } from "node:util";
import { COMMIT, VERSION } from "../version.ts";
import { backup } from "./backup.ts";
import { check } from "./check.ts";
import { dnsRecords } from "./dns-records.ts";
import { doctor } from "./doctor.ts";
import { drain } from "./drain.ts";
import { forward } from "./forward.ts";
import { importConfig } from "./import.ts";
import { init } from "./init.ts";
import { restore } from "./restore.ts";
import { route } from "./route.ts";
import { selftest } from "./selftest.ts";
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
  readonly force: boolean;
  readonly domain: string | null;
  readonly address: string | null;
  readonly port: string | null;
  readonly user: string | null;
}

type Command = (invocation: Invocation) => number | Promise<number>;

const COMMANDS: Readonly<Record<string, { run: Command; words: string; does: string }>> = {
  serve: { run: serve, words: "[--config FILE]", does: "run the appliance" },
  check: { run: check, words: "FILE", does: "say everything that is wrong with a config file" },
  user: {
    run: user,
    words: "add|passwd|remove NAME | list  [--domain NAME] [--config FILE] [--password-stdin]",
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
  init: {
    run: init,
    words: "[FILE] [--domain NAME] [--address ADDRESS] [--port N] [--user NAME] [--password-stdin] [--force]",
    does: "write a small configuration that works; asks on a terminal",
  },
  doctor: {
    run: doctor,
    words: "[--config FILE]",
    does: "look for what will stop calls, and say what to do",
  },
  selftest: {
    run: selftest,
    words: "[--config FILE] [--url URL]",
    does: "call through every listener of the running appliance with two phones of its own, and say how it was",
  },
  backup: {
    run: backup,
    words: "FILE [--config FILE] [--force]",
    does: "store, keys and configuration in one file; the appliance may run",
  },
  restore: {
    run: restore,
    words: "FILE [--config FILE] [--force]",
    does: "put a backup in place of what is there; the appliance must not run",
  },
  import: {
    run: importConfig,
    words: "kamailio|siproxd FILE [SUBSCRIBERS]",
    does: "print a configuration made of another server's, and what was not taken over",
  },
  drain: {
    run: drain,
    words: "[--config FILE] [--url URL]",
    does: "take nothing new; the appliance ends after its last call",
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
    force: values.force ?? false,
    domain: values.domain ?? null,
    address: values.address ?? null,
    port: values.port ?? null,
    user: values.user ?? null,
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
  force: { type: "boolean" },
  domain: { type: "string" },
  address: { type: "string" },
  port: { type: "string" },
  user: { type: "string" },
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
