/**
 * Keys about digest realms: [[realm]], and what every realm looks like (RFC 3261 §22.4).
 */
import * as v from "valibot";
import { isHost } from "./hosts.ts";
import { listOf, sections, text } from "./kinds.ts";

const REALMS_MAX = 100;
const REALM_CHARS_MAX = 128;

/** Where neither auth.realm nor a domain is given. */
export const REALM_DEFAULT = "sipedge";

export const isRealm = (realm: string): boolean =>
  realm.length <= REALM_CHARS_MAX && /^[^\x00-\x1f\x7f"\\]+$/.test(realm);

export const REALM_ALLOWED = `1..${REALM_CHARS_MAX} characters without quotes and backslashes`;

export const realm = sections(
  [0, REALMS_MAX],
  {
    does:
      "A realm of its own for some of the domains: their phones are asked with it, as the registrar did that " +
      "they come from. Accounts stay accounts of all domains.",
    entries: [{ name: "asterisk", domains: ["192.0.2.10"] }],
  },
  {
    name: text(isRealm, REALM_ALLOWED, {
      does: "What phones are told, and what goes into hashes (H(name:realm:password)).",
      without: "needed",
    }),
    domains: v.pipe(
      listOf(isHost, "host names or IP addresses", {
        does: "Those of domains whose phones are asked with it.",
        without: "needed",
      }),
      v.minLength(1, "at least one of domains"),
    ),
  },
);
