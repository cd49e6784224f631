/** `sipedge user add|passwd|remove|list`: the accounts phones register with. */
import { createInterface } from "node:readline";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { FORWARDS_MAX } from "../../location/forwards.ts";
import { StoreOpenError } from "../../location/sqlite-errors.ts";
import { SqliteFile } from "../../location/sqlite-file.ts";
import { SqliteForwardStore } from "../../location/sqlite-forwards.ts";
import { SqliteUserStore } from "../../location/sqlite-users.ts";
import type { User, UserFailure } from "../../location/users.ts";
import { accountOf, configUsers } from "../accounts.ts";
import { USERS_MAX } from "../appliance.ts";
import { realmOf, realmsOf } from "../room-rules.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

export async function user({ words, config: file, passwordStdin, domain }: Invocation): Promise<number> {
  const [action = "", name] = words;
  const wanted = action === "list" ? 1 : 2;
  if (!["add", "passwd", "remove", "list"].includes(action) || words.length !== wanted)
    return usage("user takes: add NAME, passwd NAME, remove NAME or list");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const realm = realmAt(config, domain);
  if (realm === null) return complain(`${domain} is none of domains`);
  let opened: SqliteFile;
  try {
    opened = new SqliteFile(dataDirOf(config, file), systemClock, { guest: true });
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return complain(error.message);
  }
  try {
    const rooms = { clock: systemClock, log: silentLog };
    const users = new SqliteUserStore(opened, { ...rooms, users_max: USERS_MAX });
    users.setConfigUsers(configUsers(config));
    const code = await act(users, action, name ?? "", { config, realm }, passwordStdin, opened.path);
    // Whoever gets the name next must not inherit where its calls went.
    if (code === 0 && action === "remove")
      new SqliteForwardStore(opened, { ...rooms, forwards_max: FORWARDS_MAX }).remove(name ?? "");
    return code;
  } finally {
    opened.close();
  }
}

async function act(
  users: SqliteUserStore,
  action: string,
  name: string,
  { config, realm }: { readonly config: Config; readonly realm: string },
  passwordStdin: boolean,
  path: string,
): Promise<number> {
  if (action === "list") return list(users.list(), config);
  if (action === "remove") return tell(users.remove(name), `user ${name} removed from ${path}`);
  const known = users.list().find((each) => each.name === name);
  if (known?.source === "config") return complain(`user ${name} is in the config file; change it there`);
  if (action === "add" && known)
    return complain(`user ${name} is there already; to change the password: user passwd ${name}`);
  if (action === "passwd" && !known)
    return complain(`there is no user ${name}; to add one: user add ${name}`);
  const password = await readPassword(name, passwordStdin);
  if (password === null) return complain("no password was given, or the two differ; nothing is stored");
  return tell(users.put(accountOf(name, realm, password)), `user ${name} stored in ${path} (realm ${realm})`);
}

/** The realm phones are asked with that are set up with this domain (null: the main one). Null: it is none of ours. */
function realmAt(config: Config, domain: string | null): string | null {
  const host = domain?.toLowerCase() ?? null;
  if (host === null) return realmOf(config);
  const realm = realmsOf(config).get(host);
  return realm ?? (config.domains.some((name) => name.toLowerCase() === host) ? realmOf(config) : null);
}

function list(users: readonly User[], config: Config): number {
  const main = realmOf(config);
  const realms = new Set(realmsOf(config).values());
  if (users.length === 0) process.stdout.write("no users yet\n");
  for (const each of users) {
    const known = realms.has(each.realm) ? `   realm ${each.realm}` : staleText(each);
    process.stdout.write(`${each.name.padEnd(24)} ${each.source}${each.realm === main ? "" : known}\n`);
  }
  return 0;
}

const staleText = ({ realm }: User): string => `   made for realm ${realm}: needs a new password`;

function tell(failure: UserFailure | null, done: string): number {
  if (failure !== null) return complain(failure.message);
  process.stdout.write(`${done}\n`);
  return 0;
}

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}

/** From a terminal twice and unseen; from a pipe its first line. Null: none, or they differ. */
async function readPassword(name: string, fromStdin: boolean): Promise<string | null> {
  if (fromStdin || !process.stdin.isTTY) {
    for await (const line of createInterface({ input: process.stdin })) return line === "" ? null : line;
    return null;
  }
  const first = await ask(`password for ${name}: `);
  const second = await ask("once more: ");
  return first !== "" && first === second ? first : null;
}

function ask(question: string): Promise<string> {
  process.stdin.setRawMode(true); // before the question: who answers at once must not see it echoed
  process.stderr.write(question);
  return new Promise((resolve) => {
    let typed = "";
    const take = (chunk: Buffer): void => {
      for (const char of chunk.toString("utf8")) {
        if (char === "\u0003") process.exit(130);
        if (char === "\u007f") typed = typed.slice(0, -1);
        else if (char === "\r" || char === "\n") {
          process.stdin.off("data", take);
          process.stdin.setRawMode(false);
          process.stdin.pause();
          process.stderr.write("\n");
          resolve(typed);
          return;
        } else typed += char;
      }
    };
    process.stdin.on("data", take);
    process.stdin.resume();
  });
}
