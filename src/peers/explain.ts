/**
 * What would become of a call, in words, from the configuration alone: which routes fit and why, and
 * which hops would be tried. Pure: nothing is sent, and no peer's state is known.
 */
import type { PeerKeys } from "../config/keys-peers.ts";
import type { RouteKeys } from "../config/keys-routes.ts";
import { enumDomain, globalNumber } from "../dns/enum.ts";
import type { SipUri } from "../message/uri.ts";
import { unescapeUser } from "../message/uri.ts";
import type { Peer, PeerUri } from "./peer.ts";
import { hopTo, peerOf } from "./peer.ts";
import type { RouteCaller, RouteTrace, Way } from "./routes.ts";
import { callerText, Routes } from "./routes.ts";

/** The parts of a configuration that decide. */
export interface ExplainedConfig {
  readonly peer: readonly PeerKeys[];
  readonly route: readonly RouteKeys[];
  readonly user: readonly { readonly name: string }[];
  readonly group: readonly { readonly name: string }[];
  readonly dns: { readonly enum_suffix: string | null };
  readonly emergency: { readonly numbers: readonly string[]; readonly to: string | null };
}

export interface ExplainedCall {
  readonly uri: SipUri;
  /** Whether the URI is in one of our domains. */
  readonly ours: boolean;
  readonly caller: RouteCaller;
  /** Unix milliseconds. */
  readonly wall_ms: number;
}

export interface Explanation {
  /** Whole lines. */
  readonly text: string;
  /** The call would be answered with a refusal. */
  readonly refused: boolean;
}

export function explain(config: ExplainedConfig, call: ExplainedCall): Explanation {
  const head = headOf(call);
  const known = withoutRoutes(config, call);
  if (known !== null) return { text: `${head}${known}\n`, refused: false };
  const { uri, ours, caller, wall_ms } = call;
  const trace: RouteTrace[] = [];
  const routes = new Routes(config.route);
  const question = { user: uri.user, host: uri.host, ours, caller, wall_ms };
  const { ways, refusal } = routes.decide(question, trace);
  const rules = head + trace.map(traceText).join("") + unasked(config.route.length - trace.length);
  if (refusal !== null) {
    const { status, reason, section } = refusal;
    return { text: `${rules}refused: ${status} ${reason} (${section})\n`, refused: true };
  }
  if (ways.length === 0) return withoutRoute(config, call, rules);
  const peers = new Map(config.peer.map((keys) => [keys.name, peerOf(keys)]));
  const hops = ways.map((way, index) => `${index + 1}. ${wayText(config, peers, way, uri)}`);
  return { text: rules + hops.join(""), refused: false };
}

function headOf({ uri, ours, caller, wall_ms }: ExplainedCall): string {
  const whose = ours ? "a domain of ours" : "somebody else's domain";
  const when = new Date(wall_ms).toISOString();
  return `${uri.text} (${whose}), called by ${callerText(caller)}, at ${when}\n`;
}

/** Who is called without any route; null: the routes are asked. */
function withoutRoutes({ user, group, emergency }: ExplainedConfig, call: ExplainedCall): string | null {
  if (!call.ours || call.uri.user === null) return null;
  const name = unescapeUser(call.uri.user);
  const { numbers, to } = emergency;
  if (to !== null && numbers.includes(name))
    return `a call for help: goes to ${to.replaceAll("{number}", () => name)}; no route is asked`;
  if (group.some((entry) => entry.name === name)) return `${name} is a group here; no route is asked`;
  if (user.some((entry) => entry.name === name)) return `${name} is a user here; no route is asked`;
  return null;
}

function traceText({ route, fits, why }: RouteTrace): string {
  const [first = "", ...more] = why;
  return `route ${route} ${fits ? "fits" : "does not fit"}: ${[first, ...more].join("; ")}\n`;
}

function unasked(routes: number): string {
  return routes === 0 ? "" : `${routes} later route${routes === 1 ? " is" : "s are"} not asked\n`;
}

/** No route fits: ENUM may know the number, where one of ours dials it. */
function withoutRoute(
  { dns: { enum_suffix } }: ExplainedConfig,
  call: ExplainedCall,
  rules: string,
): Explanation {
  const { uri, ours, caller } = call;
  const number = ours && caller.ours && uri.user !== null ? globalNumber(unescapeUser(uri.user)) : null;
  if (enum_suffix === null || number === null) return { text: `${rules}${nobody(call)}\n`, refused: ours };
  return { text: `${rules}no route fits\n1. ${enumText(number, enum_suffix)}\n`, refused: false };
}

function enumText(number: string, suffix: string): string {
  return `where ENUM leads ${number}: the NAPTR records of ${enumDomain(number, suffix)}`;
}

function nobody({ uri, ours }: ExplainedCall): string {
  if (!ours) return `no route fits: ${uri.host} is looked up in DNS, if the caller may call there`;
  const name =
    uri.user === null ? "" : ` unless ${unescapeUser(uri.user)} is an account in the data directory`;
  return `refused: no route fits, 404${name}`;
}

function wayText(
  config: ExplainedConfig,
  peers: ReadonlyMap<string, Peer>,
  { route, to, user }: Way,
  asked: SipUri,
): string {
  const why = `(route ${route})`;
  if (to.kind === "local") return `${localText(config, to.name)} ${why}\n`;
  if (to.kind === "enum") return `${enumText(to.number, config.dns.enum_suffix ?? "")} ${why}\n`;
  const peer = peers.get(to.peer);
  if (peer === undefined) return `peer ${to.peer} ${why}: there is no such peer\n`;
  const { calls_max, calls_per_s } = peer.rules;
  const limits = [
    ...(calls_max > 0 ? [`${calls_max} calls at once`] : []),
    ...(calls_per_s > 0 ? [`${calls_per_s} new calls a second`] : []),
  ];
  const within = limits.length === 0 ? "" : `, within ${limits.join(" and ")}`;
  const uris = peer.uris.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
  return `peer ${peer.name} ${why}${within}\n${uris.map((at) => hopText(at, user, asked)).join("")}`;
}

function localText({ user, group }: ExplainedConfig, name: string): string {
  if (group.some((entry) => entry.name === name)) return `group ${name}`;
  if (user.some((entry) => entry.name === name)) return `user ${name}`;
  return `${name}, if that is an account in the data directory`;
}

function hopText(at: PeerUri, user: string | null, asked: SipUri): string {
  const hop = hopTo(at, user, asked);
  if (hop === null) return `   ${at.uri.text}: no URI can be made for it\n`;
  const via = hop.route === null ? "" : ` by Route ${hop.route}`;
  return `   ${hop.uri.text}${via}: priority ${at.priority}, ${shareText(at)}\n`;
}

/** How often it is the first of its priority; lower priorities than the best only follow. */
function shareText({ peer, priority, weight }: PeerUri): string {
  const equals = peer.uris.filter((other) => other.priority === priority);
  const total = equals.reduce((sum, other) => sum + other.weight, 0);
  if (total > 0 && weight === 0) return "only when the others of it cannot be had";
  const share = total === 0 ? 1 / equals.length : weight / total;
  const isBest = peer.uris.every((other) => other.priority >= priority);
  return `${isBest ? "first" : "next after those above"} in ${Math.round(share * 100)} % of calls`;
}
