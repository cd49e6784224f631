/** `sipedge route test URI`: which route a call would take and why, from the config file alone. */
import { systemClock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import { Domains } from "../../location/domains.ts";
import { ParseError } from "../../message/parse-error.ts";
import type { SipUri } from "../../message/uri.ts";
import { parseUri } from "../../message/uri.ts";
import { explain } from "../../peers/explain.ts";
import type { RouteCaller } from "../../peers/routes.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

/** `from` and `at` as they were written; null when not given. */
export interface RouteInvocation extends Pick<Invocation, "words" | "config"> {
  readonly from: string | null;
  readonly at: string | null;
}

const TAKES = "route takes: test URI, and --from URI (or peer:NAME), --at TIME";
const ANY_USER: RouteCaller = { user: null, ours: true, peer: null };

/** 1 when the call would be refused. */
export function route({ words, config: file, from, at }: RouteInvocation): number {
  const [verb, target, ...more] = words;
  if (verb !== "test" || target === undefined || more.length > 0) return usage(TAKES);
  const uri = sipUriOf(target);
  if (uri === null) return usage(`${target} is no sip: URI`);
  const wall_ms = at === null ? systemClock.wall() : Date.parse(at);
  if (Number.isNaN(wall_ms)) return usage("--at takes a time like 2026-11-23T08:00");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const domains = domainsOf(config);
  const caller = from === null ? ANY_USER : callerOf(from, config, domains);
  if (caller === null) return usage(`--from takes a sip: URI or peer:NAME of the config, not ${from}`);
  const { text, refused } = explain(config, { uri, ours: domains.isOurs(uri), caller, wall_ms });
  process.stdout.write(text);
  return refused ? 1 : 0;
}

function sipUriOf(text: string): SipUri | null {
  const uri = parseUri(text);
  return uri instanceof ParseError || (uri.scheme !== "sip" && uri.scheme !== "sips") ? null : uri;
}

/** A URI here stands for the proved account of that name, any other one for a stranger. */
function callerOf(from: string, { peer }: Config, domains: Domains): RouteCaller | null {
  if (from.startsWith("peer:")) {
    const name = from.slice("peer:".length);
    return peer.some((entry) => entry.name === name) ? { user: null, ours: false, peer: name } : null;
  }
  const uri = sipUriOf(from);
  if (uri === null) return null;
  const user = domains.userOf(uri);
  return { user, ours: user !== null, peer: null };
}

/** Our domains as far as the file tells them: addresses of "any" are those of the machine that serves. */
function domainsOf({ domains: names, listen }: Config): Domains {
  const domains = new Domains();
  const endpoints = listen
    .filter(({ address }) => address !== "any")
    .map(({ transport, address, port, advertise }) => {
      const host = address.includes(":") ? `[${address}]` : address;
      return { transport, address, port, sentBy: advertise ?? `${host}:${port}` };
    });
  domains.configure(names, endpoints);
  return domains;
}
