/**
 * Who is named as caller, or as callee, towards a peer (RFC 3325 §9.1): the one our own proof names, never
 * what that phone wrote.
 */
import { ParseError } from "../message/parse-error.ts";
import { parseUri } from "../message/uri.ts";
import type { Peer } from "./peer.ts";

/** Headers by which callers are named; those of the request that came must not go on to a peer. */
export const IDENTITY_HEADERS = ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"] as const;

/** The account that was proved, and which of its names it calls under; null: none was. */
export interface NamedCaller {
  readonly user: string | null;
  readonly identity: string | null;
}

/** The header lines, without CRLF, to put into a request to this peer. `domain` is our main name. */
export function identityLines(
  { rules }: Peer,
  { user, identity }: NamedCaller,
  domain: string,
  party: "calling" | "called" = "calling",
): readonly string[] {
  const { identity_uri } = rules;
  if (rules.identity === "none") return [];
  const template = identity_uri ?? `sip:{identity}@${domain}`;
  if ((user === null || identity === null) && /\{(?:user|identity)\}/.test(template)) return [];
  const text = template.replaceAll("{user}", () => user ?? "").replaceAll("{identity}", () => identity ?? "");
  const uri = parseUri(text);
  if (uri instanceof ParseError) return [];
  if (rules.identity === "asserted") return [`P-Asserted-Identity: <${uri.text}>`];
  return [`Remote-Party-ID: <${uri.text}>;party=${party};screen=yes`];
}
