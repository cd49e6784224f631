/**
 * The configuration in the words of each room: milliseconds in place of seconds, defaults that follow others.
 */
import type { AuthRules } from "../auth/authenticator.ts";
import type { LocalEndpoint } from "../base/flow.ts";
import type { CallRules } from "../calls/call-table.ts";
import type { SessionRules } from "../calls/session-timer.ts";
import { REALM_DEFAULT } from "../config/keys-realm.ts";
import type { Config } from "../config/schema.ts";
import type { LocatorOptions } from "../dns/locator.ts";
import { locatorOptions } from "../dns/resolver-options.ts";
import type { ProxyRules } from "../proxy/proxy.ts";
import type { RegistrarLimits } from "../registrar/registrar.ts";
import type { TlsRules } from "../transport/certificates.ts";
import type { OutletRules } from "./record-outlets.ts";

/** The digest realm: as configured, else the first domain, else our name. */
export function realmOf(config: Config): string {
  return config.auth.realm ?? config.domains[0] ?? REALM_DEFAULT;
}

/** The realm of each domain that has one of its own, by its name in lower case. */
export function realmsOf({ realm }: Config): ReadonlyMap<string, string> {
  return new Map(realm.flatMap(({ name, domains }) => domains.map((host) => [host.toLowerCase(), name])));
}

export function proxyRules({ calls, limits, timers }: Config): ProxyRules {
  return {
    branches_max: limits.branches_max,
    timer_c_ms: timers.timer_c_s * 1000,
    no_reply_ms: (timers.no_reply_s ?? timers.timer_c_s) * 1000, // Timer B comes first by default
    failover_ms: timers.failover_s * 1000,
    restart_on_higher: timers.restart_timer_c === "higher",
    invite_lifetime_ms: timers.invite_lifetime_s * 1000,
    cancel_wait_ms: 64 * timers.t1_ms,
    hunt_ms: calls.hunt_s * 1000,
    no_answer_ms: calls.no_answer_s * 1000,
    forwards_max: calls.forwards_max,
    decline_ends_search: calls.decline_ends_search,
    follow_redirects: calls.follow_redirects,
    early_media: calls.early_media,
    late_forking: calls.late_forking,
    history_info: calls.history_info,
    diversion: calls.diversion,
  };
}

export function registrarLimits({ registrar, tcp }: Config): RegistrarLimits {
  return { ...registrar, tcp_idle_s: tcp.idle_s };
}

/** Only transports that we listen on can be sent on. */
export function locatorRules({ dns }: Config, endpoints: readonly LocalEndpoint[]): LocatorOptions {
  return locatorOptions(
    dns,
    endpoints.map(({ transport }) => transport),
  );
}

export function outletRules({ records }: Config): OutletRules {
  const { file, webhook, webhook_token = null } = records;
  return { file, webhook, webhook_token };
}

/** A timer that is inserted is never one that would be refused. */
export function sessionRules({ calls }: Config): SessionRules {
  const { session_s, session_min_s } = calls;
  return { insert_s: session_s === 0 ? null : Math.max(session_s, session_min_s), min_s: session_min_s };
}

export function tlsRules({ certificate, tls }: Config): TlsRules {
  return { certificates: certificate, ...tls };
}

export function callRules({ calls, records }: Config): CallRules {
  return { calls_max: records.calls_max, max_duration_ms: calls.max_duration_s * 1000 };
}

/** [auth], as the authenticator has it. */
export const authRules = (config: Config): AuthRules => ({
  realm: realmOf(config),
  realms: realmsOf(config),
  algorithms: config.auth.algorithms,
  qop: config.auth.qop,
  bindsNonces: config.auth.nonce_source,
});
