/**
 * Rules that can be stored and will still not do what was meant. A destination may come later, so
 * these are said, not refused.
 */
import { ParseError } from "../message/parse-error.ts";
import { parseUri, unescapeUser } from "../message/uri.ts";
import { FORWARD_KEYS, type ForwardRules } from "./forwards.ts";

export interface Site {
  /** Whether a user or a group of that name is here. */
  knows(name: string): boolean;
  /** The hosts that are ours, in lower case. */
  readonly domains: readonly string[];
}

/** One sentence each, beginning with the key; empty when nothing is odd. */
export function forwardWarnings(user: string, rules: ForwardRules, site: Site): string[] {
  const warnings: string[] = [];
  for (const key of FORWARD_KEYS) {
    const destination = rules[key];
    const name = destination === null ? null : nameHere(destination, site.domains);
    if (name === user) warnings.push(`${key}: ${destination} is the user itself, so nothing is gained`);
    else if (name !== null && !site.knows(name))
      warnings.push(`${key}: ${destination} is no user or group here now`);
  }
  if (rules.no_answer_after_s !== null && rules.no_answer === null)
    warnings.push("no_answer_after_s: without no_answer it changes nothing");
  if (rules.always !== null && FORWARD_KEYS.some((key) => key !== "always" && rules[key] !== null))
    warnings.push("always: all calls go there, so the other rules wait until it is gone");
  return warnings;
}

/** The name here that a destination means; null when it is somewhere else, or a host alone. */
function nameHere(destination: string, domains: readonly string[]): string | null {
  if (!/^sips?:/i.test(destination)) return unescapeUser(destination);
  const uri = parseUri(destination);
  if (uri instanceof ParseError || uri.user === null || !domains.includes(uri.host)) return null;
  return unescapeUser(uri.user);
}
