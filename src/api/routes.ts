/**
 * Every route in one literal list: what `createApi` serves and what `/openapi.json` describes.
 */
import { bansView, deleteBan, putBan } from "./bans-view.ts";
import { callsView, callView, hangUp, recordsCsv, recordsView } from "./calls-view.ts";
import { dnsView, flushDns } from "./dns-view.ts";
import type { ApiFailure } from "./failure.ts";
import { deleteForwarding, forwardsView, putForwarding, userForwarding } from "./forwarding.ts";
import { historyView } from "./history.ts";
import { keepaliveView, switchKeepalive } from "./keepalive-view.ts";
import { METRICS_TYPE, metricsText } from "./prometheus.ts";
import { qualityReportsView } from "./quality-view.ts";
import { LIMIT_DEFAULT, LimitQuery, PageQuery, RegistrationsQuery, TracesQuery } from "./queries.ts";
import { readiness } from "./readiness.ts";
import { aorRegistrationsView, registrationsView } from "./registrations-view.ts";
import type { Route } from "./route.ts";
import { change, json } from "./route.ts";
import { shownText } from "./shown-text.ts";
import { configView, statusView } from "./status-view.ts";
import { tracePcap, tracesView, traceView } from "./trace-view.ts";
import { flowsView, peersView, transactionsView, usersView } from "./views.ts";

const USER_NAME = "The user's name";
const CSV_TYPE = "text/csv; charset=utf-8; header=present";
const BAN_SOURCE = "An IP address, or a network like 192.0.2.0/24 with its / as %2F";
const PCAP_TYPE = "application/vnd.tcpdump.pcap";
const TRACE_NAME = "The trace's id, or a Call-ID";
const EVENTS_TYPE = "text/event-stream; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

export const ROUTES: readonly Route[] = [
  {
    method: "get",
    body: null,
    path: "/healthz",
    summary: "Whether the process runs",
    query: null,
    answers: {},
    textType: TEXT_TYPE,
    failures: [],
    open: true,
    reply: () => ({ text: "ok\n", type: TEXT_TYPE }),
  },
  {
    method: "get",
    body: null,
    path: "/readyz",
    summary: "Whether calls and registrations are taken, and if not, why",
    query: null,
    answers: { 200: "Readiness", 503: "Readiness" },
    failures: [],
    open: false,
    reply(sources) {
      const json = readiness(sources);
      return { status: json.ready ? 200 : 503, json };
    },
  },
  {
    method: "get",
    body: null,
    path: "/metrics",
    summary: "Counters and gauges for Prometheus",
    query: null,
    answers: {},
    textType: METRICS_TYPE,
    failures: [],
    open: false,
    reply: (sources) => ({ text: metricsText(sources), type: METRICS_TYPE }),
  },
  {
    method: "get",
    body: null,
    path: "/openapi.json",
    summary: "This description",
    query: null,
    answers: {},
    textType: "application/json",
    failures: [],
    open: false,
    async reply() {
      const { openapiText } = await import("./openapi.ts"); // seldom asked for: kept out of the start
      return { text: openapiText(), type: "application/json" };
    },
  },
  json("/v1/status", "Status", {
    summary: "The appliance at one glance",
    reply: (sources) => statusView(sources),
  }),
  json("/v1/config", "Configuration", {
    summary: "The configuration in effect, without its secrets",
    reply: (sources) => configView(sources),
  }),
  json("/v1/registrations", "Registrations", {
    summary: "Who is registered, in the order of the users",
    query: RegistrationsQuery,
    failures: [400],
    reply: async (sources, { user, limit = LIMIT_DEFAULT, cursor }) =>
      (await registrationsView(sources, { user, limit, cursor })) ?? BAD_CURSOR,
  }),
  json("/v1/registrations/{aor}", "AorRegistrations", {
    summary: "The registrations of one address of record",
    parameter: "user@domain, or the user alone",
    failures: [404],
    reply: (sources, _query, aor) => aorRegistrationsView(sources, aor) ?? notRegistered(aor),
  }),
  json("/v1/transactions", "Transactions", {
    summary: "Transactions by state, and some of those that run",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => transactionsView(sources, limit),
  }),
  json("/v1/flows", "Flows", {
    summary: "Connections",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => flowsView(sources, limit),
  }),
  json("/v1/peers", "Peers", {
    summary: "Trunks: which of their URIs can be had, and how many calls they have",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => peersView(sources, limit),
  }),
  json("/v1/dns", "Dns", {
    summary: "What name service has told: answers kept, servers, places that could not be reached",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => dnsView(sources, limit),
  }),
  change("delete", "/v1/dns", "Dns", {
    summary: "Forgets every answer of name service",
    body: null,
    failures: [],
    reply: (sources, _parameter, _none, { address }) => flushDns(sources, LIMIT_DEFAULT, address),
  }),
  json("/v1/quality-reports", "QualityReports", {
    summary: "What phones report of the quality they heard (RFC 6035)",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => qualityReportsView(sources, limit),
  }),
  json("/v1/calls", "Calls", {
    summary: "Calls that are being set up or run",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => callsView(sources, limit),
  }),
  json("/v1/calls/{id}", "Call", {
    summary: "One call that runs",
    parameter: "The call's id",
    failures: [404],
    reply: (sources, _query, id) => callView(sources, id),
  }),
  change("delete", "/v1/calls/{id}", "Call", {
    summary: "Ends a call: both sides get a BYE",
    parameter: "The call's id",
    body: null,
    failures: [404, 409],
    reply: (sources, id, _none, { address }) => hangUp(sources, id, address),
  }),
  json("/v1/records", "CallRecords", {
    summary: "Calls that are over, the newest first",
    query: PageQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT, cursor }) => recordsView(sources, limit, cursor) ?? BAD_CURSOR,
  }),
  {
    method: "get",
    body: null,
    path: "/v1/records.csv",
    summary: "The newest 10,000 of them as CSV (RFC 4180)",
    query: null,
    answers: {},
    textType: CSV_TYPE,
    failures: [],
    open: false,
    reply: (sources) => ({ text: recordsCsv(sources), type: CSV_TYPE }),
  },
  json("/v1/traces", "Traces", {
    summary: "Calls and registrations whose messages are kept, the newest first",
    query: TracesQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT, state = null }) => tracesView(sources, limit, state),
  }),
  json("/v1/traces/{id}", "Trace", {
    summary: "What came and left for one of them, and what was decided",
    parameter: TRACE_NAME,
    failures: [404],
    reply: (sources, _query, name) => traceView(sources, name),
  }),
  {
    method: "get",
    body: null,
    path: "/v1/traces/{id}/pcap",
    summary: "Its messages as a capture file for Wireshark: each one a UDP datagram, whatever its transport",
    parameter: TRACE_NAME,
    query: null,
    answers: {},
    textType: PCAP_TYPE,
    failures: [404],
    open: false,
    reply(sources, { parameter }) {
      const found = tracePcap(sources, parameter);
      return "error" in found ? found : { bytes: found, type: PCAP_TYPE };
    },
  },
  json("/v1/bans", "Bans", {
    summary: "Who is kept out, and until when",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => bansView(sources, limit),
  }),
  change("put", "/v1/bans/{source}", "Bans", {
    summary: "Keeps an address or a network out; its connections are closed",
    parameter: BAN_SOURCE,
    body: "NewBan",
    failures: [400, 408, 413, 415],
    reply: (sources, source, ban, { address }) => putBan(sources, source, ban, LIMIT_DEFAULT, address),
  }),
  change("delete", "/v1/bans/{source}", "Bans", {
    summary: "Lets it in again",
    parameter: BAN_SOURCE,
    body: null,
    failures: [404],
    reply: (sources, source, _none, { address }) => deleteBan(sources, source, LIMIT_DEFAULT, address),
  }),
  json("/v1/history", "History", {
    summary: "What was counted in each minute of the last day",
    reply: (sources) => historyView(sources),
  }),
  {
    method: "get",
    body: null,
    path: "/v1/events",
    summary: "Server-sent events: which routes have something new, at most once a second",
    query: null,
    answers: {},
    textType: EVENTS_TYPE,
    failures: [503],
    open: false,
    reply(sources) {
      const stream = sources.events.listen();
      return "error" in stream ? stream : { stream, type: EVENTS_TYPE };
    },
  },
  json("/v1/keepalive", "Keepalive", {
    summary: "Flows that pings keep open",
    query: LimitQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT }) => keepaliveView(sources, limit),
  }),
  change("put", "/v1/keepalive", "Keepalive", {
    summary: "Switches pings off or on until the next start",
    body: "NewKeepalive",
    failures: [400, 408, 413, 415],
    reply: (sources, _parameter, { enabled }, { address }) =>
      switchKeepalive(sources, enabled, LIMIT_DEFAULT, address),
  }),
  change("post", "/v1/drain", "Readiness", {
    summary: "Takes nothing new from now on; the process ends after its last call",
    body: null,
    failures: [],
    reply: (sources, _parameter, _none, { address }) => {
      sources.log.info("drain-asked", { from: address });
      sources.drain();
      return readiness(sources);
    },
  }),
  json("/v1/users", "Users", {
    summary: "Who may register; no secrets",
    query: PageQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT, cursor }) => usersView(sources, limit, cursor) ?? BAD_CURSOR,
  }),
  json("/v1/forwards", "Forwards", {
    summary: "Users whose calls go elsewhere",
    query: PageQuery,
    failures: [400],
    reply: (sources, { limit = LIMIT_DEFAULT, cursor }) => forwardsView(sources, limit, cursor) ?? BAD_CURSOR,
  }),
  json("/v1/users/{name}/forwarding", "UserForwarding", {
    summary: "Where calls to a user go instead",
    parameter: USER_NAME,
    failures: [404],
    reply: (sources, _query, name) => userForwarding(sources, name),
  }),
  change("put", "/v1/users/{name}/forwarding", "UserForwarding", {
    summary: "Stores where calls to a user go instead, in place of all that held before",
    parameter: USER_NAME,
    body: "NewForwarding",
    failures: [400, 404, 408, 413, 415, 503],
    reply: (sources, name, rules, { address }) => putForwarding(sources, name, rules, address),
  }),
  change("delete", "/v1/users/{name}/forwarding", "UserForwarding", {
    summary: "Forgets what is stored; what the config says holds again",
    parameter: USER_NAME,
    body: null,
    failures: [404, 503],
    reply: (sources, name, _none, { address }) => deleteForwarding(sources, name, address),
  }),
];

const BAD_CURSOR: ApiFailure = {
  status: 400,
  error: "bad_request",
  message: "cursor: not a next_cursor of this list",
};

function notRegistered(aor: string): ApiFailure {
  return { status: 404, error: "not_registered", message: `${shownText(aor)} has no registration` };
}
