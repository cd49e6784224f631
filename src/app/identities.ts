/**
 * Under which names an account may call (`auth.check_from`, `[[user]] identities`), who is meant by a From that
 * names nobody (RFC 3323 §4.1.1.3), and which of its names a caller asks for (RFC 3325 §9.2).
 */
import { USER_NAME } from "../config/keys-calls.ts";
import type { Config } from "../config/schema.ts";
import type { Domains } from "../location/domains.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { readTel } from "../peers/tel.ts";

/** The names of one account beside its own. */
interface Names {
  readonly exact: ReadonlySet<string>;
  /** What a name may begin with; "" for any name. */
  readonly beginnings: readonly string[];
}

export class Identities {
  #checksFrom = true;
  #names: ReadonlyMap<string, Names> = new Map();

  constructor(config: Config) {
    this.configure(config);
  }

  configure({ auth, user }: Config): void {
    this.#checksFrom = auth.check_from;
    const named = user.filter(({ identities }) => identities.length > 0);
    this.#names = new Map(named.map(({ name, identities }) => [name, namesOf(identities)]));
  }

  /** Whether the account has that name (a user part without escapes). */
  isNameOf(account: string, name: string): boolean {
    if (name === account) return true;
    const names = this.#names.get(account);
    if (names === undefined) return false;
    if (names.exact.has(name)) return true;
    // What would need escapes stands for nothing: it goes into URIs as it is.
    return USER_NAME.test(name) && names.beginnings.some((beginning) => name.startsWith(beginning));
  }

  /**
   * The name to assert for a caller who has proved the account: the one it prefers, if it is one of its own, else
   * that of its From, else the account. Null: From names somebody else, so the request must not go on.
   */
  nameOf(account: string, request: SipMessage, from: SipUri, domains: Domains): string | null {
    const name = ownName(from, domains);
    const isItsOwn = name !== null && this.isNameOf(account, name);
    if (!isItsOwn && this.#checksFrom && !isAnonymous(from, domains)) return null;
    const preferred = preferredName(request, domains);
    if (preferred !== null && this.isNameOf(account, preferred)) return preferred;
    return isItsOwn ? name : account;
  }
}

function namesOf(identities: readonly string[]): Names {
  const isBeginning = (text: string): boolean => text.endsWith("*");
  return {
    exact: new Set(identities.filter((text) => !isBeginning(text))),
    beginnings: identities.filter(isBeginning).map((text) => text.slice(0, -1)),
  };
}

const ANONYMOUS = "anonymous";

/** Whether a From names nobody: any host under .invalid (RFC 3323 §4.1.1.3), or "anonymous" at a name of ours. */
export function isAnonymous(from: SipUri, domains: Domains): boolean {
  if (from.scheme !== "sip" && from.scheme !== "sips") return false;
  if (from.host === "invalid" || from.host.endsWith(".invalid")) return true;
  return from.user?.toLowerCase() === ANONYMOUS && domains.isOurs(from);
}

/** The first P-Preferred-Identity that is a name here or a number; null: there is none. */
function preferredName(request: SipMessage, domains: Domains): string | null {
  const text = request.text(H.PPreferredIdentity);
  if (text === null) return null;
  const preferred = parseNameAddr(text);
  return preferred instanceof ParseError ? null : ownName(preferred.uri, domains);
}

/** The user part of a URI in a domain of ours, escapes resolved, or the number of a tel: URI. */
function ownName(uri: SipUri, domains: Domains): string | null {
  if (uri.scheme === "tel") return readTel(uri.text)?.number ?? null;
  return domains.userOf(uri);
}
