/** `/v1/dns`: what name service has told, and what could not be reached. */
import type { DeadTarget } from "../dns/dead-targets.ts";
import { placeKey } from "../dns/place.ts";
import type { RecordSnapshot } from "../dns/resolver.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function dnsView(sources: ApiSources, limit: number): Answer<"Dns"> {
  const { servers, records, ...rest } = sources.dns.snapshot(limit);
  return {
    ...rest,
    servers: servers.map((server) => ({ ...server, retry_in_ms: Math.round(server.retry_in_ms) })),
    records: records.map(shownRecord),
    dead_targets: sources.dns
      .deadTargets()
      .slice(0, limit)
      .map((dead) => shownTarget(sources, dead)),
  };
}

/** Forgets every answer. `from`: who asks, for the log. */
export function flushDns(sources: ApiSources, limit: number, from: string | null): Answer<"Dns"> {
  sources.log.info("dns-flushed", { answers: sources.dns.flush(), from });
  return dnsView(sources, limit);
}

function shownRecord({ name, type, answer, expires_in_ms, hits }: RecordSnapshot): Answer<"DnsRecord"> {
  return {
    name: shownText(name),
    type,
    answer: answer.kind,
    records: answer.kind === "records" ? answer.records.length : 0,
    expires_in_ms: Math.round(expires_in_ms),
    hits,
  };
}

/** `until_ms` is on the clock that nobody sets. */
function shownTarget(
  { clock }: ApiSources,
  { place, reason, until_ms, probes }: DeadTarget,
): Answer<"DeadTarget"> {
  const until = clock.wall() + until_ms - clock.now();
  return { place: placeKey(place), reason: shownText(reason), until: rfc3339(until), probes };
}
