/**
 * The throw-away accounts of the self-test: stored as `sipedge user add` does, gone when it is over. Those of a test
 * that was killed go with the next one.
 */
import type { Clock } from "../../base/clock.ts";
import type { Dice } from "../../base/dice.ts";
import { silentLog } from "../../base/log.ts";
import { StoreOpenError } from "../../location/sqlite-errors.ts";
import { SqliteFile } from "../../location/sqlite-file.ts";
import { SqliteUserStore } from "../../location/sqlite-users.ts";
import { accountOf } from "../accounts.ts";
import { USERS_MAX } from "../appliance.ts";
import { Failed } from "./failed.ts";
import type { Secret } from "./sip-text.ts";

/** No account of anybody else begins so. The seconds of its making follow, in base 36. */
const PREFIX = "sipedge-selftest-";
const NAME = /^sipedge-selftest-([0-9a-z]+)-/;
/** No test takes so long. */
const STALE_MS = 30 * 60_000;
const PASSWORD_BYTES = 18;

export class TestAccounts {
  readonly #file: SqliteFile;
  readonly #users: SqliteUserStore;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #made: string[] = [];

  /** Throws Failed. */
  constructor(data_dir: string, clock: Clock, dice: Dice) {
    this.#clock = clock;
    this.#dice = dice;
    try {
      this.#file = new SqliteFile(data_dir, clock, { guest: true });
    } catch (error) {
      if (!(error instanceof StoreOpenError)) throw error;
      throw new Failed(error.message, "run it as the user that runs sipedge, or as root");
    }
    this.#users = new SqliteUserStore(this.#file, { clock, log: silentLog, users_max: USERS_MAX });
    this.#removeStale();
  }

  /** A new account with a password nobody knows. Throws Failed. */
  add(realm: string, what: string): Secret {
    const made_s = Math.floor(this.#clock.wall() / 1000).toString(36);
    const name = `${PREFIX}${made_s}-${this.#dice.token().replace(/[^A-Za-z0-9]/g, "x")}-${what}`;
    const password = Buffer.from(this.#dice.bytes(PASSWORD_BYTES)).toString("base64url");
    this.#made.push(name);
    const failure = this.#users.put(accountOf(name, realm, password));
    if (failure !== null) throw new Failed(`no account can be stored: ${failure.message}`, "sipedge doctor");
    return { name, password };
  }

  /** Removes what was made; the names of those that could not be. */
  close(): readonly string[] {
    const left = this.#made.filter((name) => {
      const failure = this.#users.remove(name);
      return failure !== null && failure.code !== "unknown_user";
    });
    this.#file.close();
    return left;
  }

  #removeStale(): void {
    for (const { name } of this.#users.list()) {
      const made_s = Number.parseInt(NAME.exec(name)?.[1] ?? "", 36);
      if (made_s * 1000 < this.#clock.wall() - STALE_MS) this.#users.remove(name);
    }
  }
}
