/**
 * What the status API sees of the appliance.
 */
import type { ApiSources } from "../api/sources.ts";
import { systemClock } from "../base/clock.ts";
import { shownConfig } from "../config/shown.ts";
import type { Appliance } from "./appliance.ts";
import { realmOf } from "./room-rules.ts";
import { COMMIT, VERSION } from "./version.ts";

export function apiSources(appliance: Appliance): ApiSources {
  const { log, metrics, store, users, forwards, transports, core } = appliance;
  return {
    clock: systemClock,
    log,
    metrics,
    store,
    users,
    forwards,
    isGroup: (name) => appliance.config.group.some((group) => group.name === name),
    config: () => shownConfig(appliance.config),
    appliance: () => ({
      version: VERSION,
      commit: COMMIT,
      started_ms: appliance.startedAt,
      phase: core.draining ? "draining" : "running",
      listeners: transports.endpoints(),
      domains: core.names,
      aor_domain: core.domains.canonical,
      realm: realmOf(appliance.config),
      reload: appliance.reload,
    }),
    process() {
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      return {
        rss_bytes: rss,
        heap_bytes: heapUsed,
        cpu_user_s: user / 1e6,
        cpu_system_s: system / 1e6,
      };
    },
    transactionCounts: () => core.layer.counts,
    transactions: (max) => core.layer.snapshot(max),
    dns: {
      snapshot: (max) => appliance.resolver.snapshot(max),
      deadTargets: () => core.deadTargets.snapshot(),
      flush: () => appliance.resolver.flush(),
    },
    calls: {
      count: () => core.calls.table.size,
      some: (max) => core.calls.table.some(max),
      byId: (id) => core.calls.table.byId(id),
      totals: () => ({ begun: core.calls.table.begun.value, answered: core.calls.table.taken.value }),
      hangUp: (call) => core.calls.hangUp(call, "Ended over the API"),
      records: (max, before) => appliance.records.newest(max, before),
    },
    bans: {
      running: () => core.guard.bans.running(),
      ban: (text, by, reason, seconds) => core.guard.banBy(text, by, reason, seconds),
      wrongToken: (address) => core.guard.wrongToken(address),
      lift: (text, by) => core.guard.lift(text, by),
    },
    traces: core.traces,
    certificates: () => transports.certificates(),
    qualityReports: (max) => core.qualityReports.newest(max),
    keepalive: {
      enabled: () => core.keepalive.enabled,
      setEnabled: (enabled) => core.keepalive.setEnabled(enabled),
      counts: () => core.keepalive.counts(),
      endpoints: (max) => core.keepalive.snapshot(max),
      reach: (binding) => core.keeper.reach(binding, transports),
    },
    engines: () => appliance.engine?.snapshot() ?? [],
    history: appliance.api.history,
    events: appliance.api.events,
    peers: (max) => core.trunks.book.snapshot(max),
    drain: () => appliance.stopWhenIdle(),
    connectionCount: () => transports.snapshot(0).connections_total,
    connections: (max) => transports.snapshot(max).connections,
  };
}
