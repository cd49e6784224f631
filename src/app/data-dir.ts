/**
 * Where the appliance keeps what must survive: the store and its secret keys.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Dice } from "../base/dice.ts";

const SYSTEM_DIR = "/var/lib/sipedge";
const KEY_BYTES = 32;

/**
 * The data directory when none is configured: what systemd gives, else /var/lib/sipedge when it can be
 * written or made, else a folder in the user's own state directory.
 */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  const given = env.STATE_DIRECTORY;
  if (given) return given.split(":", 1)[0] ?? given;
  const place = existsSync(SYSTEM_DIR) ? SYSTEM_DIR : dirname(SYSTEM_DIR);
  try {
    accessSync(place, constants.W_OK);
    return SYSTEM_DIR;
  } catch {
    return join(env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "sipedge");
  }
}

/** The secret of that name, made at first use and readable by the owner alone. */
export function secretKey(dataDir: string, name: string, dice: Dice): Uint8Array {
  const file = join(dataDir, `${name}.key`);
  if (existsSync(file)) {
    const key = readFileSync(file);
    if (key.length === KEY_BYTES) return key;
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const key = dice.bytes(KEY_BYTES);
  // A key cut short by a crash must not be taken for a key: the file appears whole or not at all.
  writeFileSync(`${file}.new`, key, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return key;
}
