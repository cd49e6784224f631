/** A client's half of digest authentication. */
import { createHash } from "node:crypto";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { ParseError } from "../../src/message/parse-error.ts";

export interface CredentialOptions {
  readonly username?: string;
  readonly password?: string;
  readonly method: string;
  readonly uri: string;
  readonly nc?: string;
  readonly qop?: "auth" | "auth-int";
  readonly body?: string;
  readonly algorithm?: "MD5" | "SHA-256" | "SHA-512-256" | null;
  /** Parameters that stand in the header instead of the right ones; null leaves one out. */
  readonly changes?: Readonly<Record<string, string | null>>;
}

const HASHES: Readonly<Record<string, string>> = {
  MD5: "md5",
  "SHA-256": "sha256",
  "SHA-512-256": "sha512-256",
};

/** The value of an Authorization or Proxy-Authorization that answers this challenge value. */
export function credentials(challenge: string, options: CredentialOptions): string {
  const parsed = parseAuthParams(challenge);
  if (parsed instanceof ParseError) throw new Error(`no challenge: ${challenge}`);
  const { params } = parsed;
  const {
    username = "alice",
    password = "wonderland",
    method,
    uri,
    nc = "00000001",
    qop = "auth",
    body = "",
  } = options;
  const algorithm = options.algorithm === undefined ? (params.get("algorithm") ?? "MD5") : options.algorithm;
  const hash = (text: string) =>
    createHash(HASHES[algorithm ?? "MD5"] ?? "md5")
      .update(text, "latin1")
      .digest("hex");
  const realm = params.get("realm") ?? "";
  const nonce = params.get("nonce") ?? "";
  const cnonce = "0a4f113b";
  const secret = `${username}:${realm}:${password}`;
  const covered = qop === "auth" ? `${method}:${uri}` : `${method}:${uri}:${hash(body)}`;
  const response = hash(`${hash(secret)}:${nonce}:${nc}:${cnonce}:${qop}:${hash(covered)}`);
  const fields: Record<string, string | null> = {
    username: `"${username}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    algorithm,
    cnonce: `"${cnonce}"`,
    qop,
    nc,
    ...options.changes,
  };
  const written = Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${value}`],
  );
  return `Digest ${written.join(", ")}`;
}
