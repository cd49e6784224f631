/**
 * Accounts from names and passwords: only hashes go on from here.
 */
import { ha1 } from "../auth/digest.ts";
import type { Config } from "../config/schema.ts";
import type { User, UserStore } from "../location/users.ts";
import { realmOf } from "./room-rules.ts";

export function accountOf(name: string, realm: string, password: string): User {
  return {
    name,
    realm,
    ha1_md5: ha1("MD5", name, realm, password),
    ha1_sha256: ha1("SHA-256", name, realm, password),
    ha1_sha512_256: ha1("SHA-512-256", name, realm, password),
    source: "store",
  };
}

/** The accounts of `[[user]]`, with the passwords turned to hashes. */
export function configUsers(config: Config): User[] {
  const realm = realmOf(config);
  return config.user.map((entry) => {
    if (entry.password !== undefined)
      return { ...accountOf(entry.name, realm, entry.password), source: "config" as const };
    return {
      name: entry.name,
      realm: entry.realm ?? realm,
      ha1_md5: entry.ha1?.toLowerCase() ?? null,
      ha1_sha256: entry.ha1_sha256?.toLowerCase() ?? null,
      ha1_sha512_256: entry.ha1_sha512_256?.toLowerCase() ?? null,
      source: "config" as const,
    };
  });
}

/** The accounts of users whose password is known, as each realm that is not the main one needs them. */
export class RealmAccounts {
  #ofRealm: ReadonlyMap<string, ReadonlyMap<string, User>> = new Map();

  constructor(config: Config) {
    this.configure(config);
  }

  configure(config: Config): void {
    const main = realmOf(config);
    const others = config.realm.map(({ name }) => name).filter((name) => name !== main);
    this.#ofRealm = new Map(others.map((name) => [name, accountsIn(name, config)]));
  }

  /** Null: there is none, or its hashes were made for another realm and prove nothing in this one. */
  usable(users: UserStore, name: string, realm: string): User | null {
    const user = this.#ofRealm.get(realm)?.get(name) ?? users.find(name);
    return user === null || user.disabled || user.realm !== realm ? null : user;
  }
}

function accountsIn(realm: string, { user }: Config): ReadonlyMap<string, User> {
  const accounts = new Map<string, User>();
  for (const { name, password } of user)
    if (password !== undefined) accounts.set(name, { ...accountOf(name, realm, password), source: "config" });
  return accounts;
}
