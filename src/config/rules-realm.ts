/**
 * Rules between the keys of [[realm]], domains and [[user]].
 */
import { isAddress } from "./hosts.ts";
import { REALM_DEFAULT } from "./keys-realm.ts";
import type { Draft, Rule } from "./rules.ts";
import type { Config } from "./schema.ts";

export const REALM_RULES: readonly Rule[] = [realmsOnce, domainsHaveOneRealm, usersHaveAKnownRealm];

function realmsOnce({ realm = [] }: Draft<Config>, tell: Parameters<Rule>[1]): void {
  const first = new Map<string, number>();
  for (const [index, entry] of realm.entries()) {
    const name = entry?.name;
    if (name === undefined) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, index);
    else
      tell(["realm", index, "name"], JSON.stringify(name), `each name once: realm[${other}] has it already`);
  }
}

function domainsHaveOneRealm({ domains, realm = [] }: Draft<Config>, tell: Parameters<Rule>[1]): void {
  if (domains === undefined) return;
  const ours = new Set(domains.map((name) => name?.toLowerCase()));
  const first = new Map<string, number>();
  for (const [index, entry] of realm.entries())
    for (const [place, domain] of (entry?.domains ?? []).entries()) {
      if (domain === undefined) continue;
      const name = domain.toLowerCase();
      const other = first.get(name);
      const path = ["realm", index, "domains", place];
      if (other !== undefined) tell(path, JSON.stringify(domain), `each domain once: realm[${other}] has it`);
      else if (!isAddress(name) && !ours.has(name)) tell(path, JSON.stringify(domain), "one of domains");
      first.set(name, index);
    }
}

/** A hash made for a realm that nobody is asked with proves nothing. */
function usersHaveAKnownRealm(draft: Draft<Config>, tell: Parameters<Rule>[1]): void {
  const { auth, domains, realm = [], user = [] } = draft;
  if (auth === undefined || domains === undefined) return;
  const known = [auth.realm ?? domains[0] ?? REALM_DEFAULT, ...realm.map((entry) => entry?.name)];
  for (const [index, entry] of user.entries()) {
    if (entry?.realm === undefined) continue;
    const path = ["user", index, "realm"];
    if (!known.includes(entry.realm))
      tell(path, JSON.stringify(entry.realm), "auth.realm, or the name of a [[realm]]");
    else if ("password" in entry) tell(path, "realm beside a password", "only beside ha1");
  }
}
