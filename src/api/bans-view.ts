/** `/v1/bans`: who is kept out, and the operator's word on it. */
import type * as v from "valibot";
import type { ApiFailure } from "./failure.ts";
import type { Answer, BODIES } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function bansView({ bans }: ApiSources, limit: number): Answer<"Bans"> {
  const running = bans.running();
  return {
    bans_total: running.length,
    bans: running.slice(0, limit).map(({ source, reason, by, since_ms, until_ms, times }) => ({
      source,
      reason: shownText(reason),
      by,
      since: rfc3339(since_ms),
      until: rfc3339(until_ms),
      times,
    })),
  };
}

/** `from`: who asks, for the log and the list. */
export function putBan(
  sources: ApiSources,
  source: string,
  { reason, seconds }: v.InferOutput<(typeof BODIES)["NewBan"]>,
  limit: number,
  from: string | null,
): Answer<"Bans"> | ApiFailure {
  const done = sources.bans.ban(source, from ?? "api", reason, seconds);
  if (done === null)
    return {
      status: 400,
      error: "bad_request",
      message: `${shownText(source)} is no IP address and no network`,
    };
  return bansView(sources, limit);
}

export function deleteBan(
  sources: ApiSources,
  source: string,
  limit: number,
  from: string | null,
): Answer<"Bans"> | ApiFailure {
  if (!sources.bans.lift(source, from ?? "api"))
    return { status: 404, error: "not_banned", message: `${shownText(source)} is not banned` };
  return bansView(sources, limit);
}
