/**
 * `/v1/forwards` and `/v1/users/{name}/forwarding`: where calls go instead, read and changed.
 */
import { forwardWarnings } from "../location/forward-warnings.ts";
import {
  type ForwardEntry,
  type ForwardFailure,
  type ForwardRules,
  NO_FORWARDS,
} from "../location/forwards.ts";
import type { ApiFailure } from "./failure.ts";
import { cursorOf, placeOf } from "./paging.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";

/** Null when the cursor is none of ours. */
export function forwardsView(
  sources: ApiSources,
  limit: number,
  cursor: string | undefined,
): Answer<"Forwards"> | null {
  const after = cursor === undefined ? "" : placeOf(cursor);
  if (after === null) return null;
  const all = sources.forwards.list();
  const first = all.findIndex(({ user }) => user > after);
  const shown = first < 0 ? [] : all.slice(first, first + limit);
  const last = first >= 0 && first + limit < all.length ? shown.at(-1) : undefined;
  return {
    forwards: shown.map(({ user, source, rules }) => ({ user, source, ...rules })),
    next_cursor: last === undefined ? null : cursorOf(last.user),
  };
}

/** What holds for a user, those without any rule included. */
export function userForwarding(sources: ApiSources, user: string): Answer<"UserForwarding"> | ApiFailure {
  const entry = entryOf(sources, user);
  if (entry === null && sources.users.find(user) === null) return noSuchUser(user);
  return shown(sources, user, entry);
}

/** Makes `rules` all there is for the user. `from`: who asks, for the log. */
export function putForwarding(
  sources: ApiSources,
  user: string,
  rules: ForwardRules,
  from: string | null,
): Answer<"UserForwarding"> | ApiFailure {
  if (sources.users.find(user) === null) return noSuchUser(user);
  const failure = sources.forwards.set(user, rules);
  if (failure !== null) return refused(sources, user, failure, from);
  sources.log.info("forwarding-set", { user, from, ...rules });
  return shown(sources, user, entryOf(sources, user));
}

/** Forgets what is stored, also of a user that is gone. `from`: who asks, for the log. */
export function deleteForwarding(
  sources: ApiSources,
  user: string,
  from: string | null,
): Answer<"UserForwarding"> | ApiFailure {
  const failure = sources.forwards.remove(user);
  if (failure !== null) return refused(sources, user, failure, from);
  sources.log.info("forwarding-removed", { user, from });
  return shown(sources, user, entryOf(sources, user));
}

function entryOf({ forwards }: ApiSources, user: string): ForwardEntry | null {
  return forwards.list().find((entry) => entry.user === user) ?? null;
}

function shown(sources: ApiSources, user: string, entry: ForwardEntry | null): Answer<"UserForwarding"> {
  const rules = entry?.rules ?? NO_FORWARDS;
  const { domains } = sources.appliance();
  const knows = (name: string) => sources.users.find(name) !== null || sources.isGroup(name);
  const warnings = forwardWarnings(user, rules, { knows, domains });
  return { user, source: entry?.source ?? null, ...rules, warnings };
}

function noSuchUser(user: string): ApiFailure {
  return { status: 404, error: "no_such_user", message: `There is no user ${shownText(user)}` };
}

function refused(
  { log }: ApiSources,
  user: string,
  { code, message }: ForwardFailure,
  from: string | null,
): ApiFailure {
  if (code === "bad_forward") return { status: 400, error: "bad_request", message };
  if (code === "unknown_user") return { status: 404, error: "not_stored", message: shownText(message) };
  log.warn("forwarding-not-stored", { user, from, code, message });
  return { status: 503, error: `store_${code}`, message };
}
