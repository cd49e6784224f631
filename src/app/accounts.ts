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
      realm,
      ha1_md5: entry.ha1?.toLowerCase() ?? null,
      ha1_sha256: entry.ha1_sha256?.toLowerCase() ?? null,
      source: "config" as const,
    };
  });
}

/** Null: there is none, or its stored hash was made for another realm and proves nothing here. */
export function usableAccount(users: UserStore, name: string, realm: string): User | null {
  const user = users.find(name);
  return user === null || user.disabled || user.realm !== realm ? null : user;
}
