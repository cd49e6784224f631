/** `sipedge forward`: where calls to a user go instead of the phones (RFC 5359 §2.7 to §2.9). */
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { forwardWarnings } from "../../location/forward-warnings.ts";
import {
  checkAfter,
  checkDestination,
  FORWARD_KEYS,
  FORWARDS_MAX,
  type ForwardEntry,
  type ForwardFailure,
  type ForwardRules,
  NO_FORWARDS,
} from "../../location/forwards.ts";
import { StoreOpenError } from "../../location/sqlite-errors.ts";
import { SqliteFile } from "../../location/sqlite-file.ts";
import { SqliteForwardStore } from "../../location/sqlite-forwards.ts";
import { SqliteUserStore } from "../../location/sqlite-users.ts";
import { configUsers } from "../accounts.ts";
import { USERS_MAX } from "../appliance.ts";
import { ConfigDirectory } from "../directory.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

/** What stands for "no rule" on the command line. */
const OFF = "off";

/** What is to become of a user's rules; null: only show them. */
type Wanted = Partial<ForwardRules> | typeof OFF | null;

/** The data directory as a command sees it. */
interface Opened {
  readonly config: Config;
  readonly forwards: SqliteForwardStore;
  readonly directory: ConfigDirectory;
}

export async function forward({ words, config: file, after }: Invocation): Promise<number> {
  const wanted = wantedOf(words, after);
  if (wanted instanceof Error) return usage(wanted.message);
  const config = configOrComplaint(file);
  if (config === null) return 1;
  let opened: SqliteFile;
  try {
    opened = new SqliteFile(dataDirOf(config, file), systemClock, { guest: true });
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return complain(error.message);
  }
  try {
    const users = new SqliteUserStore(opened, { clock: systemClock, log: silentLog, users_max: USERS_MAX });
    const options = { clock: systemClock, log: silentLog, forwards_max: FORWARDS_MAX };
    const forwards = new SqliteForwardStore(opened, options);
    users.setConfigUsers(configUsers(config));
    const directory = new ConfigDirectory({ users, forwards, screening: null }, config);
    return act({ config, forwards, directory }, words[0], wanted);
  } finally {
    opened.close();
  }
}

/** What the words mean; an Error says what is wrong with them. */
function wantedOf(
  [user, rule, destination, ...more]: readonly string[],
  after: string | null,
): Wanted | Error {
  if (more.length > 0 || (user === undefined && after !== null)) return TAKES;
  const time = after === null ? {} : timeOf(after);
  if (time instanceof Error) return time;
  if (rule === undefined) return after === null ? null : time;
  if (destination === undefined) return rule === OFF && after === null ? OFF : TAKES;
  const key = FORWARD_KEYS.find((each) => each === rule);
  if (key === undefined) return new Error(`a rule is one of ${FORWARD_KEYS.join(", ")}, not ${rule}`);
  if (after !== null && (key !== "no_answer" || destination === OFF))
    return new Error("--after belongs to a destination of no_answer");
  const why = destination === OFF ? null : checkDestination(destination);
  if (why !== null) return new Error(`${key}: ${why}`);
  if (destination !== OFF) return { ...time, [key]: destination };
  return key === "no_answer" ? { no_answer: null, no_answer_after_s: null } : { [key]: null };
}

const TAKES = new Error(
  "forward takes: nothing, USER, USER off, or USER RULE DESTINATION (or off), and --after SECONDS",
);

function timeOf(after: string): Partial<ForwardRules> | Error {
  if (after === OFF) return { no_answer_after_s: null };
  const seconds = /^[0-9]{1,6}$/.test(after) ? Number(after) : Number.NaN;
  const why = checkAfter(seconds);
  return why === null ? { no_answer_after_s: seconds } : new Error(`--after: ${why}`);
}

function act(opened: Opened, user: string | undefined, wanted: Wanted): number {
  const { forwards, directory } = opened;
  if (user === undefined) return list(forwards.list());
  if (wanted === OFF) return tell(forwards.remove(user), opened, user);
  const known = directory.knowsUser(user) || entryOf(forwards, user) !== null;
  if (!known) return complain(`there is no user ${user}; to add one: user add ${user}`);
  if (wanted === null) return tell(null, opened, user);
  return tell(change(forwards, user, wanted), opened, user);
}

/** Nothing is stored of a user without any rule, unless that hides rules of the config file. */
function change(
  forwards: SqliteForwardStore,
  user: string,
  wanted: Partial<ForwardRules>,
): ForwardFailure | null {
  return forwards.change(user, (now) => {
    const next = { ...now, ...wanted };
    const isEmpty = Object.values(next).every((value) => value === null);
    return isEmpty && forwards.configRulesOf(user) === null ? null : next;
  });
}

function entryOf(forwards: SqliteForwardStore, user: string): ForwardEntry | null {
  return forwards.list().find((entry) => entry.user === user) ?? null;
}

function tell(failure: ForwardFailure | null, { config, forwards, directory }: Opened, user: string): number {
  if (failure !== null) return complain(failure.message);
  const entry = entryOf(forwards, user);
  process.stdout.write(entry === null ? `${user}: nothing is forwarded\n` : entryText(entry));
  const knows = (name: string) => directory.knowsUser(name) || directory.group(name) !== null;
  const domains = config.domains.map((name) => name.toLowerCase());
  for (const warning of forwardWarnings(user, entry?.rules ?? NO_FORWARDS, { knows, domains }))
    process.stderr.write(`sipedge: ${warning}\n`);
  return 0;
}

function list(entries: readonly ForwardEntry[]): number {
  process.stdout.write(entries.length === 0 ? "nothing is forwarded\n" : entries.map(entryText).join(""));
  return 0;
}

function entryText({ user, rules, source }: ForwardEntry): string {
  const where = source === "config" ? "in the config file" : "stored";
  const { no_answer_after_s } = rules;
  const lines = FORWARD_KEYS.filter((key) => rules[key] !== null).map(
    (key) => `  ${key.padEnd(16)}${rules[key]}`,
  );
  if (no_answer_after_s !== null) lines.push(`  ${"--after".padEnd(16)}${no_answer_after_s} s`);
  if (lines.length === 0) lines.push("  nothing is forwarded, whatever the config file says");
  return `${user} (${where})\n${lines.join("\n")}\n`;
}

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}
