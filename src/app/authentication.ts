/**
 * Proofs of accounts, wired: nonces, accounts by realm, and what [auth] and [[realm]] say.
 */
import { Authenticator } from "../auth/authenticator.ts";
import { Nonces } from "../auth/nonces.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import type { UserStore } from "../location/users.ts";
import { RealmAccounts } from "./accounts.ts";
import { authRules } from "./room-rules.ts";

export interface AuthenticationParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly metrics: Metrics;
  readonly users: UserStore;
}

export class Authentication {
  readonly authenticator: Authenticator;
  readonly #nonces: Nonces;
  readonly #accounts: RealmAccounts;

  constructor({ clock, dice, metrics, users }: AuthenticationParts, config: Config) {
    this.#nonces = new Nonces(clock, dice, config.auth.nonce_lifetime_s * 1000);
    this.#accounts = new RealmAccounts(config);
    this.authenticator = new Authenticator({
      ...authRules(config),
      nonces: this.#nonces,
      accounts: (name, realm) => this.#accounts.usable(users, name, realm),
      metrics,
    });
  }

  configure(config: Config): void {
    this.#nonces.lifetimeMs = config.auth.nonce_lifetime_s * 1000;
    this.#accounts.configure(config);
    this.authenticator.rules = authRules(config);
  }
}
