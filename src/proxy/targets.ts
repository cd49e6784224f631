/**
 * The target set of a request (RFC 3261 §16.5): where one copy each may go.
 */

import type { Binding } from "../location/binding.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore } from "../location/store.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri } from "../message/uri.ts";
import type { Routing } from "./route.ts";

export interface Target {
  readonly uri: SipUri;
  /** Path of the binding, to become its Route (RFC 3327 §5.4). */
  readonly path: readonly string[];
  /** The registration it comes from; null when the Request-URI itself is the target. */
  readonly binding: Binding | null;
}

/** Whether an account of that user part exists, registered or not. */
export type KnowsUser = (user: string) => boolean;

/**
 * One target when the Route or a foreign Request-URI decides; the bindings of the AOR, best q first,
 * when it is in our domain. 404: nobody of that name; 480: known, but registered nowhere.
 */
export function findTargets(
  routing: Routing,
  domains: Domains,
  store: LocationStore,
  knowsUser: KnowsUser,
): readonly Target[] | Refusal {
  const { uri } = routing;
  if (routing.next !== null || !domains.isOurs(uri)) return [{ uri, path: [], binding: null }];
  const aor = domains.aorOf(uri);
  const bindings = aor === null ? [] : store.bindings(aor);
  if (bindings.length === 0) {
    const known = aor !== null && uri.user !== null && knowsUser(aor.slice(0, aor.lastIndexOf("@")));
    return known ? NOT_REGISTERED : NO_SUCH_USER;
  }
  const targets: Target[] = [];
  for (const binding of bindings) {
    const contact = parseUri(binding.contact);
    // A contact may be any URI (§10.2.1); a mailto: is kept and told, and never called.
    if (contact instanceof ParseError || (contact.scheme !== "sip" && contact.scheme !== "sips")) continue;
    targets.push({ uri: withoutHeaders(contact), path: binding.path, binding });
  }
  if (targets.length === 0) return NOT_REGISTERED;
  if (targets.length > 1) targets.sort((a, b) => (b.binding?.q ?? 0) - (a.binding?.q ?? 0));
  return targets;
}

const NOT_REGISTERED: Refusal = {
  status: 480,
  reason: "The user is not registered",
  section: "RFC 3261 §16.5",
};
const NO_SUCH_USER: Refusal = { status: 404, reason: "No such user", section: "RFC 3261 §16.5" };

/** Headers and a method parameter have no place in a Request-URI (§19.1.1, Table 1). */
function withoutHeaders(uri: SipUri): SipUri {
  if (uri.headers === "" && !/;method=/i.test(uri.params)) return uri;
  const params = uri.params.replace(/;method=[^;]*/gi, "");
  const end = uri.text.length - uri.params.length - (uri.headers === "" ? 0 : uri.headers.length + 1);
  return { ...uri, headers: "", params, text: uri.text.slice(0, end) + params };
}
