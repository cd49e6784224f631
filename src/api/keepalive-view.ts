/** `/v1/keepalive`: the flows that pings keep open, and the switch. */
import type { Answer } from "./schemas.ts";
import type { ApiSources } from "./sources.ts";

export function keepaliveView({ keepalive }: ApiSources, limit: number): Answer<"Keepalive"> {
  const { all, registration, subscription, dialog } = keepalive.counts();
  return {
    enabled: keepalive.enabled(),
    endpoints: all,
    registered: registration,
    subscribed: subscription,
    in_dialog: dialog,
    flows: keepalive
      .endpoints(limit)
      .map((endpoint) => ({ ...endpoint, conditions: [...endpoint.conditions] })),
  };
}

/** `from`: who asks, for the log. */
export function switchKeepalive(
  sources: ApiSources,
  enabled: boolean,
  limit: number,
  from: string | null,
): Answer<"Keepalive"> {
  sources.keepalive.setEnabled(enabled);
  sources.log.info("keepalive-switched", { enabled, from });
  return keepaliveView(sources, limit);
}
