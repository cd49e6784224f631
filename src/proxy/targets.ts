/**
 * Targets of a request (RFC 3261 §16.5): where one copy each may go; and the contacts of an
 * address-of-record as such, in the order in which they are tried.
 */
import type { Place } from "../dns/place.ts";
import type { Binding } from "../location/binding.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri, unescapeParam, uriParam } from "../message/uri.ts";
import type { ForkMode, TrunkHop } from "./directory.ts";
import type { Retarget } from "./retarget.ts";

export interface Target {
  readonly uri: SipUri;
  /** Path of the binding, to become its Route (RFC 3327 §5.4). */
  readonly path: readonly string[];
  /** The registration it comes from; null when the Request-URI itself is the target. */
  readonly binding: Binding | null;
  /** Other flows of the same phone (RFC 5626 §5.3), tried when this one is dead. */
  readonly spares: readonly Binding[];
  /** Places that are left to try (RFC 3263 §4.3); null: they are still to be found. */
  readonly ways: readonly Place[] | null;
  /** The peer it goes to; null: none of the config. */
  readonly hop: TrunkHop | null;
  /** What the copy tells of forwards; null when there was none. */
  readonly retarget: Retarget | null;
}

const NONE: readonly Binding[] = [];

/** The Request-URI, or the next Route, as it stands. */
export function directTarget(uri: SipUri, retarget: Retarget | null = null): Target {
  return { uri, path: NO_PATH, binding: null, spares: NONE, ways: null, hop: null, retarget };
}

const NO_PATH: readonly string[] = [];

export function hopTarget(hop: TrunkHop, retarget: Retarget | null): Target {
  const path = hop.route === null ? NO_PATH : [hop.route];
  return { uri: hop.uri, path, binding: null, spares: NONE, ways: null, hop, retarget };
}

/** Null: a contact may be any URI (§10.2.1); a mailto: is kept and told, and never called. */
export function contactTarget(
  binding: Binding,
  retarget: Retarget | null,
  spares: readonly Binding[] = NONE,
): Target | null {
  const contact = parseUri(binding.contact);
  if (contact instanceof ParseError || (contact.scheme !== "sip" && contact.scheme !== "sips")) return null;
  return {
    uri: withoutHeaders(contact),
    path: binding.path,
    binding,
    spares,
    ways: null,
    hop: null,
    retarget,
  };
}

/** One target per phone, the preferred first. Several flows of one phone (RFC 5626) are one target: the newest, and its spares. */
export function contactTargets(bindings: readonly Binding[], retarget: Retarget | null): Target[] {
  if (bindings.length === 1) {
    const only = contactTarget(bindings[0]!, retarget);
    return only === null ? [] : [only];
  }
  const phones = new Map<string, Binding[]>();
  for (const binding of bindings) {
    const name = phoneOf(binding);
    const flows = phones.get(name);
    if (flows === undefined) phones.set(name, [binding]);
    else flows.push(binding);
  }
  const targets: Target[] = [];
  for (const flows of phones.values()) {
    if (flows.length > 1) flows.sort((a, b) => b.registered_at_ms - a.registered_at_ms);
    const target = contactTarget(flows[0]!, retarget, flows.length > 1 ? flows.slice(1) : NONE);
    if (target !== null) targets.push(target);
  }
  return targets.sort((a, b) => qOf(b) - qOf(a));
}

/** What names the phone among those of its user: several flows (RFC 5626) are one. */
function phoneOf({ instance, key, reg_id }: Binding): string {
  return reg_id !== null && instance !== null ? instance : key;
}

export function isSamePhone(a: Binding, b: Binding): boolean {
  return a.user === b.user && phoneOf(a) === phoneOf(b);
}

const qOf = (target: Target): number => target.binding?.q ?? 0;

/** Targets that ring together, then the next ones. `targets` come preferred first. */
export function roundsOf(targets: readonly Target[], fork: ForkMode): Target[][] {
  if (fork === "parallel") return [[...targets]];
  if (fork === "serial") return targets.map((target) => [target]);
  const rounds: Target[][] = [];
  for (const target of targets) {
    const round = rounds.at(-1);
    if (round !== undefined && qOf(round[0]!) === qOf(target)) round.push(target);
    else rounds.push([target]);
  }
  return rounds;
}

/** Headers and a method parameter have no place in a Request-URI (§19.1.1, Table 1). */
export function withoutHeaders(uri: SipUri): SipUri {
  if (uri.headers === "" && !/;method=/i.test(uri.params)) return uri;
  const params = uri.params.replace(/;method=[^;]*/gi, "");
  const end = uri.text.length - uri.params.length - (uri.headers === "" ? 0 : uri.headers.length + 1);
  return { ...uri, headers: "", params, text: uri.text.slice(0, end) + params };
}

/** A GRUU means one phone (RFC 5627 §5.4); any other URI of the user all of them. */
export function ofInstance(bindings: readonly Binding[], uri: SipUri): readonly Binding[] {
  const gr = uri.params === "" ? null : uriParam(uri, "gr");
  if (gr === null || gr === "") return bindings;
  const instance = unescapeParam(gr).toLowerCase();
  return bindings.filter((binding) => binding.instance?.toLowerCase() === instance);
}

/** Whether its phone is reached by TLS: over the connection it has, or by its Contact where it is not held to a flow. */
export function isSecure({ contact, flow, outbound }: Binding): boolean {
  if (flow.transport === "tls" || flow.transport === "wss") return true;
  return /^sips:/i.test(contact) && !outbound && flow.nat === "";
}
