/**
 * Who may ask. With a token: whoever has it (RFC 6750 §2.1). Without one we listen on loopback only,
 * and what is left to fear is a web page in the owner's browser: one that made its own name point here
 * (DNS rebinding) cannot hide that name from the Host header, and one that writes tells its Origin.
 */
import { isIP } from "node:net";
import { plainAddress } from "../base/address.ts";
import { Networks } from "../base/networks.ts";
import type { ApiFailure } from "./failure.ts";
import type { TokenTries } from "./tries.ts";

export interface AccessRules {
  /** Null: open to everyone who reaches the socket. */
  readonly token: string | null;
  /** Whoever has this one may ask, and change nothing; absent or null: there is none. Of no use without `token`. */
  readonly read_token?: string | null;
  /** The configured address or name of the HTTP listener. */
  readonly address: string;
}

/** Judges a request's Authorization and Host, and where it came from. Null: welcome. */
export type Access = (
  authorization: string | undefined,
  host: string | undefined,
  address: string | null,
) => ApiFailure | null;

/** Who sent a request. */
export interface Caller {
  /** The address it came from; null when that is not known. */
  readonly address: string | null;
}

/** Judges a request that changes something, after `Access` has welcomed it. Null: go on. */
export type WriteAccess = (headers: Headers, caller: Caller) => ApiFailure | null;

export function writeAccessBy({ token }: AccessRules): WriteAccess {
  const loopback = new Networks(["127.0.0.0/8", "::1"]);
  const isToken = token === null ? null : matcher(token);
  return (headers, { address }) => {
    if (isForeign(headers.get("origin"), headers.get("host"))) return FOREIGN_ORIGIN;
    if (isToken !== null) return isToken(bearerOf(headers.get("authorization")) ?? "") ? null : READS_ONLY;
    const isNear = address !== null && loopback.has(plainAddress(address));
    return isNear ? null : NOT_FROM_HERE;
  };
}

/** Browsers name the page's site with every request that writes (Fetch §3.2); tools send none. */
function isForeign(origin: string | null, host: string | null): boolean {
  if (origin === null) return false;
  return host === null || !URL.canParse(origin) || new URL(origin).host !== host.toLowerCase();
}

/** `tries`: counts wrong tokens, and says who has to wait. */
export function accessBy(rules: AccessRules, tries: TokenTries): Access {
  if (rules.token === null) {
    const own = rules.address.toLowerCase();
    return (_authorization, host) => (isLocalName(host, own) ? null : MISDIRECTED);
  }
  const isToken = matcher(rules.token);
  const isReader = typeof rules.read_token === "string" ? matcher(rules.read_token) : () => false;
  return (authorization, _host, address) => {
    const given = bearerOf(authorization);
    if (given === null) return NO_TOKEN;
    const wait = tries.refusal(address);
    if (wait !== null) return wait; // the token unseen, or the answer would tell the right one from the others
    const isWriter = isToken(given); // both are compared, whichever fits
    if (isReader(given) || isWriter) return null;
    tries.wrong(address);
    return WRONG_TOKEN;
  };
}

function bearerOf(authorization: string | null | undefined): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** Both sides are hashed: equal lengths, and no time that tells how much of the token was right. */
function matcher(token: string): (given: string) => boolean {
  const expected = sha256(Buffer.from(token, "utf8"));
  return (given) => sameBytes(sha256(Buffer.from(given, "latin1")), expected);
}

const sha256 = (bytes: Buffer): Buffer => Buffer.from(Bun.SHA256.hash(bytes, "hex"), "hex");

/** Of equal length; takes the same time wherever they differ. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** No Host at all is a plain tool (HTTP/1.0), never a browser. */
function isLocalName(host: string | undefined, own: string): boolean {
  if (host === undefined) return true;
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]\s,]+))(?::\d{1,5})?$/.exec(host.toLowerCase());
  const name = parts?.[1] ?? parts?.[2];
  return name !== undefined && (name === "localhost" || name === own || isIP(name) !== 0);
}

const MISDIRECTED: ApiFailure = {
  status: 421,
  error: "misdirected",
  message: "Ask by address, as localhost, or by the name in http.address",
};
const FOREIGN_ORIGIN: ApiFailure = {
  status: 403,
  error: "foreign_origin",
  message: "Pages of other sites change nothing here",
};
const NOT_FROM_HERE: ApiFailure = {
  status: 403,
  error: "not_local",
  message: "Without http.token only this machine itself (loopback) can change something",
};
const READS_ONLY: ApiFailure = {
  status: 403,
  error: "reads_only",
  message: "To change something takes http.token; http.read_token only reads",
};
const NO_TOKEN: ApiFailure = {
  status: 401,
  error: "unauthorized",
  message: "This needs the header Authorization: Bearer and the token of http.token",
  headers: { "www-authenticate": 'Bearer realm="sipedge"' },
};
const WRONG_TOKEN: ApiFailure = {
  status: 401,
  error: "unauthorized",
  message: "This is not the token of http.token",
  headers: { "www-authenticate": 'Bearer realm="sipedge", error="invalid_token"' },
};
