/**
 * Who is named as caller towards a peer (RFC 3325 §9.1): the one our own proof names, never what the
 * caller's phone wrote.
 */
import { ParseError } from "../message/parse-error.ts";
import { parseUri } from "../message/uri.ts";
import type { Peer } from "./peer.ts";

/** Headers by which callers are named; those of the request that came must not go on to a peer. */
export const IDENTITY_HEADERS = ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"] as const;

/**
 * The header lines, without CRLF, to put into a request to this peer. `user` is the account that was
 * proved (a user part, null: none was), `domain` our main name.
 */
export function identityLines({ rules }: Peer, user: string | null, domain: string): readonly string[] {
  const { identity, identity_uri } = rules;
  if (identity === "none") return [];
  const template = identity_uri ?? `sip:{user}@${domain}`;
  if (user === null && template.includes("{user}")) return [];
  const uri = parseUri(template.replaceAll("{user}", () => user ?? ""));
  if (uri instanceof ParseError) return [];
  if (identity === "asserted") return [`P-Asserted-Identity: <${uri.text}>`];
  return [`Remote-Party-ID: <${uri.text}>;party=calling;screen=yes`];
}
