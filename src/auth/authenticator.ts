/**
 * Who sends this request: digest authentication of RFC 3261 §22 with the algorithms of RFC 7616 and
 * RFC 8760. Accounts come from whoever makes this; here are only challenges and proofs.
 */
import type { Counter, Metrics } from "../base/metrics.ts";
import { parseAuthParams } from "../message/auth-params.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { parseUri } from "../message/uri.ts";
import type { Algorithm, Qop } from "./digest.ts";
import { digestResponse } from "./digest.ts";
import type { Nonces } from "./nonces.ts";

/** What an account proves itself with; null: this algorithm cannot be used with it. */
export interface Account {
  readonly name: string;
  readonly ha1_md5: string | null;
  readonly ha1_sha256: string | null;
  readonly ha1_sha512_256?: string | null;
}

/** The account as far as it can be proved under that realm; null: it cannot. */
export type FindAccount = (name: string, realm: string) => Account | null;

/** Why a request was challenged: the label of the counter and the word in the trace. */
export type ChallengeCause =
  | "no_credentials"
  | "malformed"
  | "unknown_user"
  | "no_hash"
  | "wrong_password"
  | "stale_nonce"
  | "nonce_of_another"
  | "replayed_nonce"
  | "uri_mismatch"
  | "too_many_tries";

export type Verdict =
  | { readonly user: string }
  | { readonly challenge: readonly string[]; readonly cause: ChallengeCause };

export interface AuthRules {
  /** Of whoever is at no domain with a realm of its own. */
  readonly realm: string;
  /** Realms by domain, in lower case. */
  readonly realms: ReadonlyMap<string, string>;
  /** In the order in which they are offered (RFC 8760 §2.4: the one preferred first). */
  readonly algorithms: readonly Algorithm[];
  /** What responses may cover, in the order in which it is offered (RFC 7616 §3.3 qop). */
  readonly qop: readonly Qop[];
  /** Whether a nonce proves something only from the address it was issued to. */
  readonly bindsNonces: boolean;
}

export interface AuthenticatorOptions extends AuthRules {
  readonly nonces: Nonces;
  readonly accounts: FindAccount;
  readonly metrics: Metrics;
}

/** Where credentials stand and how we ask for them: as user agent server (401) or as proxy (407). */
interface Side {
  readonly credentials: typeof H.Authorization | typeof H.ProxyAuthorization;
  readonly challenge: string;
}
const SERVER: Side = { credentials: H.Authorization, challenge: "WWW-Authenticate" };
const PROXY: Side = { credentials: H.ProxyAuthorization, challenge: "Proxy-Authenticate" };

const STALE: ReadonlySet<ChallengeCause> = new Set(["stale_nonce", "replayed_nonce", "nonce_of_another"]);
const NC = /^[0-9a-fA-F]{8}$/;

export class Authenticator {
  rules: AuthRules;
  /** Told of a wrong password or an unknown account. `isProved`: the sender receives what is sent to that address. */
  onFailed: (address: string, account: string, isProved: boolean) => void = () => {};
  /** Told that somebody at that address has proved an account. */
  onProved: (address: string) => void = () => {};
  /** Whether somebody at that address may try the password of that account now. */
  mayTry: (address: string, account: string) => boolean = () => true;
  readonly #nonces: Nonces;
  readonly #accounts: FindAccount;
  readonly #metrics: Metrics;
  readonly #accepted: Counter;

  constructor(options: AuthenticatorOptions) {
    this.rules = options;
    this.#nonces = options.nonces;
    this.#accounts = options.accounts;
    this.#metrics = options.metrics;
    this.#accepted = options.metrics.counter(
      "sipedge_auth_accepted_total",
      "Requests whose digest credentials were right",
    );
  }

  get realm(): string {
    return this.rules.realm;
  }

  /** For requests we answer ourselves (REGISTER): Authorization, and 401 challenges. `address`: where it came from. */
  asServer(request: SipMessage, address = ""): Verdict {
    return this.#check(request, SERVER, address);
  }

  /** For requests we pass on: Proxy-Authorization, and 407 challenges. */
  asProxy(request: SipMessage, address = ""): Verdict {
    return this.#check(request, PROXY, address);
  }

  /** Whether the request brings credentials for our realm, right or wrong, to be passed on by us. */
  bringsProof(request: SipMessage): boolean {
    for (let line = request.find(H.ProxyAuthorization); line >= 0; ) {
      if (this.isOurs(request, line)) return true;
      line = request.find(H.ProxyAuthorization, line + 1);
    }
    return false;
  }

  /** Whether this credentials line is for our realm: such a line is used up here and not passed on. */
  isOurs(request: SipMessage, line: number): boolean {
    return this.#credentials(request, line) !== null;
  }

  #check(request: SipMessage, side: Side, address: string): Verdict {
    for (
      let line = request.find(side.credentials);
      line >= 0;
      line = request.find(side.credentials, line + 1)
    ) {
      const params = this.#credentials(request, line);
      if (params === null) continue;
      const name = params.get("username") ?? "";
      const cause = this.mayTry(address, name) ? this.#prove(request, params, address) : "too_many_tries";
      if (cause === null) {
        this.#accepted.inc();
        this.onProved(address);
        return { user: name };
      }
      if (cause === "wrong_password" || cause === "unknown_user")
        this.onFailed(address, name, this.#nonces.wasIssuedTo(params.get("nonce") ?? "", address));
      return this.#challenge(request, side, cause, name, address);
    }
    return this.#challenge(request, side, "no_credentials", null, address);
  }

  /** Whether it is a realm of ours, be it of another domain: an account is one of all domains. */
  #isRealm(realm: string): boolean {
    const { rules } = this;
    if (realm === rules.realm) return true;
    for (const other of rules.realms.values()) if (realm === other) return true;
    return false;
  }

  /** The realm of the domain the sender belongs to. */
  #realmFor(request: SipMessage, side: Side): string {
    const { realm, realms } = this.rules;
    return realms.size === 0 ? realm : (realms.get(domainOf(request, side)) ?? realm);
  }

  #credentials(request: SipMessage, line: number): ReadonlyMap<string, string> | null {
    const parsed = parseAuthParams(request.valueOf(line));
    if (parsed instanceof ParseError || parsed.scheme !== "digest") return null;
    const realm = parsed.params.get("realm");
    return realm !== undefined && this.#isRealm(realm) ? parsed.params : null;
  }

  /** Null when the credentials prove the account; the nonce counts as used only then. */
  #prove(request: SipMessage, params: ReadonlyMap<string, string>, address: string): ChallengeCause | null {
    const algorithm = algorithmOf(params.get("algorithm"));
    const nc = params.get("nc") ?? "";
    const uri = params.get("uri") ?? "";
    const nonce = params.get("nonce") ?? "";
    // Departs from RFC 2617 §3.2.2.1: without qop there is no count, so a replay could not be refused.
    if (algorithm === null || !this.rules.algorithms.includes(algorithm)) return "malformed";
    const qop = this.rules.qop.find((offered) => offered === params.get("qop")?.toLowerCase());
    if (qop === undefined || !NC.test(nc)) return "malformed";
    const account = this.#accounts(params.get("username") ?? "", params.get("realm") ?? "");
    if (account === null) return "unknown_user";
    const ha1 = hashFor(account, algorithm);
    if (ha1 === null) return "no_hash";
    const cnonce = params.get("cnonce") ?? "";
    const body = qop === "auth-int" ? request.body : null;
    const expected = digestResponse(algorithm, ha1, request.method, uri, nonce, nc, cnonce, body);
    // Each nonce gives another expected value, so comparing in constant time would protect nothing.
    if (expected !== params.get("response")?.toLowerCase()) return "wrong_password";
    if (!isMeantFor(uri, request)) return "uri_mismatch";
    if (this.rules.bindsNonces && !this.#nonces.wasIssuedTo(nonce, address)) return "nonce_of_another";
    const count = Number.parseInt(nc, 16);
    switch (count > 0 ? this.#nonces.use(nonce, count) : "replayed") {
      case "fresh":
        return null;
      case "replayed":
        return "replayed_nonce";
      default:
        return "stale_nonce";
    }
  }

  #challenge(
    request: SipMessage,
    side: Side,
    cause: ChallengeCause,
    name: string | null,
    address: string,
  ): Verdict {
    this.#metrics
      .counter("sipedge_auth_challenges_total", "Requests answered with 401 or 407, by cause", { cause })
      .inc();
    // Whoever proved the password with an old nonce need not ask the user again (RFC 7616 §3.3 stale).
    const stale = STALE.has(cause) ? ", stale=true" : "";
    const nonce = this.#nonces.issue(address);
    const realm = this.#realmFor(request, side);
    const account = name === null ? null : this.#accounts(name, realm);
    const { algorithms } = this.rules;
    const usable = algorithms.filter((algorithm) => account === null || hashFor(account, algorithm) !== null);
    const offered = usable.length > 0 ? usable : algorithms;
    const qop = this.rules.qop.join(",");
    return {
      cause,
      challenge: offered.map(
        (algorithm) =>
          `${side.challenge}: Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="${qop}"${stale}`,
      ),
    };
  }
}

/** The host of To where the request ends here (REGISTER), else that of From; of the Request-URI where From names nobody. */
function domainOf(request: SipMessage, side: Side): string {
  const party = parseNameAddr(request.text(side === SERVER ? H.To : H.From) ?? "");
  const host = party instanceof ParseError ? "" : party.uri.host;
  if (host !== "" && !host.endsWith(".invalid")) return host;
  return request.uri instanceof ParseError ? "" : request.uri.host;
}

function hashFor(account: Account, algorithm: Algorithm): string | null {
  if (algorithm === "MD5") return account.ha1_md5;
  return algorithm === "SHA-256" ? account.ha1_sha256 : (account.ha1_sha512_256 ?? null);
}

/** Absent means MD5 (RFC 7616 §3.4). */
function algorithmOf(text: string | undefined): Algorithm | null {
  const name = (text ?? "MD5").toUpperCase();
  return name === "MD5" || name === "SHA-256" || name === "SHA-512-256" ? name : null;
}

/**
 * RFC 3261 §22.4 rule: the digest-uri names the request's target. Some clients put only the server
 * there, so a digest-uri without user part passes; one that names another user does not.
 */
function isMeantFor(digestUri: string, request: SipMessage): boolean {
  if (digestUri === request.uriText) return true;
  const meant = parseUri(digestUri);
  const actual = request.uri;
  if (meant instanceof ParseError || actual instanceof ParseError) return false;
  return meant.user === null || meant.user === actual.user;
}
