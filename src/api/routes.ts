/**
 * Every route in one literal list: what `createApi` serves and what `/openapi.json` describes.
 */
import type * as v from "valibot";
import type { Caller } from "./access.ts";
import { dnsView, flushDns } from "./dns-view.ts";
import type { ApiFailure } from "./failure.ts";
import { deleteForwarding, forwardsView, putForwarding, userForwarding } from "./forwarding.ts";
import { keepaliveView, switchKeepalive } from "./keepalive-view.ts";
import { METRICS_TYPE, metricsText } from "./prometheus.ts";
import { readiness } from "./readiness.ts";
import { aorRegistrationsView, registrationsView } from "./registrations-view.ts";
import type { Answer, BODIES, BodyName, SchemaName } from "./schemas.ts";
import { LIMIT_DEFAULT, LimitQuery, PageQuery, RegistrationsQuery } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { statusView } from "./status-view.ts";
import { flowsView, peersView, transactionsView, usersView } from "./views.ts";

export type QuerySchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;

export interface JsonReply {
  readonly status: number;
  readonly json: object;
}
export interface TextReply {
  readonly text: string;
  readonly type: string;
}
export type Reply = JsonReply | TextReply | ApiFailure;

/** What a request asks, checked against the route's schemas. */
export interface Asked {
  readonly query: unknown;
  /** The path parameter, decoded. */
  readonly parameter: string;
  readonly body: unknown;
  readonly caller: Caller;
}

export interface Route {
  /** All but `get` change something. */
  readonly method: "get" | "put" | "delete";
  /** In the manner of OpenAPI: a path parameter in braces. */
  readonly path: string;
  readonly summary: string;
  /** What the path parameter means. */
  readonly parameter?: string;
  /** Null: whatever the query says is not looked at. */
  readonly query: QuerySchema | null;
  /** Null: it takes no body. */
  readonly body: BodyName | null;
  /** Every JSON answer by its status; a route without one answers with text. */
  readonly answers: Readonly<Record<number, SchemaName>>;
  /** Of a route that answers with text. */
  readonly textType?: string;
  /** The statuses of its own errors. */
  readonly failures: readonly number[];
  /** Answered to everybody, whatever the access rules say. */
  readonly open: boolean;
  reply(sources: ApiSources, asked: Asked): Reply | Promise<Reply>;
}

const USER_NAME = "The user's name";
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
  json("/v1/registrations", "Registrations", {
    summary: "Who is registered, in the order of the addresses of record",
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

/** A route that answers 200 with the JSON of that name. */
function json<N extends SchemaName, Q extends QuerySchema>(
  path: string,
  name: N,
  route: {
    readonly summary: string;
    readonly parameter?: string;
    readonly query?: Q;
    readonly failures?: readonly number[];
    reply(
      sources: ApiSources,
      query: v.InferOutput<Q>,
      parameter: string,
    ): Answer<N> | ApiFailure | Promise<Answer<N> | ApiFailure>;
  },
): Route {
  return {
    method: "get",
    body: null,
    path,
    summary: route.summary,
    ...(route.parameter === undefined ? {} : { parameter: route.parameter }),
    query: route.query ?? null,
    answers: { 200: name },
    failures: route.failures ?? [],
    open: false,
    async reply(sources, { query, parameter }) {
      const answer = await route.reply(sources, query as v.InferOutput<Q>, parameter);
      return isFailure(answer) ? answer : { status: 200, json: answer };
    },
  };
}

/** A route that changes something and answers 200 with the JSON of that name. */
function change<N extends SchemaName, B extends BodyName | null>(
  method: "put" | "delete",
  path: string,
  name: N,
  route: {
    readonly summary: string;
    readonly parameter?: string;
    readonly body: B;
    readonly failures: readonly number[];
    reply(
      sources: ApiSources,
      parameter: string,
      body: B extends BodyName ? v.InferOutput<(typeof BODIES)[B]> : null,
      caller: Caller,
    ): Answer<N> | ApiFailure;
  },
): Route {
  return {
    method,
    path,
    summary: route.summary,
    ...(route.parameter === undefined ? {} : { parameter: route.parameter }),
    query: null,
    body: route.body,
    answers: { 200: name },
    failures: [...route.failures, 403],
    open: false,
    reply(sources, { parameter, body, caller }) {
      const answer = route.reply(sources, parameter, body as never, caller);
      return isFailure(answer) ? answer : { status: 200, json: answer };
    },
  };
}

export const isFailure = (answer: object): answer is ApiFailure => "error" in answer;
