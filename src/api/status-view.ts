/** `/v1/status`: the appliance at one glance. */
import { readiness } from "./readiness.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources, ReloadSnapshot } from "./sources.ts";
import { rfc3339 } from "./time.ts";

/** Most mistakes, and most keys, of a config file that are listed. */
const RELOAD_ROWS_MAX = 100;

export function statusView(sources: ApiSources): Answer<"Status"> {
  const { clock, store } = sources;
  const appliance = sources.appliance();
  const { server, client } = sources.transactionCounts();
  const { rss_bytes, heap_bytes, cpu_user_s, cpu_system_s } = sources.process();
  const uptime_ms = Math.max(0, clock.now() - appliance.started_ms);
  return {
    version: appliance.version,
    commit: appliance.commit,
    started_at: rfc3339(clock.wall() - uptime_ms),
    uptime_s: Math.floor(uptime_ms / 1000),
    ...readiness(sources),
    listeners: appliance.listeners.map(({ transport, address, port, sentBy }) => ({
      transport,
      address,
      port,
      advertised: sentBy,
    })),
    certificates: sources.certificates().map(({ file, names, expires_ms, problem }) => ({
      file,
      names: names.map(shownText),
      expires_at: rfc3339(expires_ms),
      problem,
    })),
    domains: [...appliance.domains],
    realm: appliance.realm,
    counts: {
      registrations: store.size,
      users_registered: store.users,
      transactions_server: server,
      transactions_client: client,
      connections: sources.connectionCount(),
    },
    rtpengines: sources.engines().map(({ since, ...engine }) => ({
      ...engine,
      since: rfc3339(clock.wall() - Math.max(0, clock.now() - since)),
    })),
    store: storeState(sources),
    memory: { rss_bytes, heap_bytes },
    cpu: { user_s: cpu_user_s, system_s: cpu_system_s },
    reload: reloadState(appliance.reload),
  };
}

/** `/v1/config`. */
export function configView(sources: ApiSources): Answer<"Configuration"> {
  return { config: { ...sources.config() }, reload: reloadState(sources.appliance().reload) };
}

function storeState({ store }: ApiSources): Answer<"StoreState"> {
  const { kind, health } = store.snapshot();
  return {
    kind,
    ok: health.ok,
    code: health.code,
    message: health.message,
    since: rfc3339(health.since_ms),
  };
}

function reloadState(reload: ReloadSnapshot | null): Answer<"Reload"> | null {
  if (reload === null) return null;
  return {
    last_at: rfc3339(reload.at_ms),
    ok: reload.ok,
    errors: reload.errors.slice(0, RELOAD_ROWS_MAX),
    restart_needed: reload.restart_needed.slice(0, RELOAD_ROWS_MAX),
  };
}
