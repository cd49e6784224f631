/**
 * The HTTP API: routes behind one list of checks. Knows no socket, so that a test asks it with
 * `app.request()`.
 */
import { Hono } from "hono/tiny";
import * as v from "valibot";
import type { Access, AccessRules, Caller, WriteAccess } from "./access.ts";
import { accessBy, writeAccessBy } from "./access.ts";
import { CHANGE_BYTES_MAX, CHANGE_TOO_LARGE, readBody } from "./body.ts";
import type { ApiFailure } from "./failure.ts";
import { failureResponse, jsonResponse } from "./failure.ts";
import { PAGE_ROUTES } from "./page/page.ts";
import type { QuerySchema, Route, TextReply } from "./route.ts";
import { isFailure } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { BODIES } from "./schemas.ts";
import type { ApiSources } from "./sources.ts";
import { TokenTries } from "./tries.ts";

/** Longest URL, scheme and host included. */
export const URL_CHARS_MAX = 4096;
/** Where a request has no use for a body, this much of one is overlooked. */
export const BODY_BYTES_MAX = 1024;
/** Requests answered at a time. */
export const REQUESTS_MAX = 32;

const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Answers requests; a Hono app, of which nothing else is needed. */
export interface Api {
  /** Without `caller` nobody knows where it came from. */
  fetch(request: Request, caller?: Caller): Response | Promise<Response>;
  request(path: string, init?: RequestInit, caller?: Caller): Response | Promise<Response>;
}

export function createApi(sources: ApiSources, rules: AccessRules): Api {
  const app = new Hono<{ Bindings: Partial<Caller> }>();
  const mayWrite = writeAccessBy(rules);
  const { clock, log, metrics, bans } = sources;
  const tries = new TokenTries({ clock, log, metrics, onWrong: (address) => bans.wrongToken(address) });
  const gate = new Gate(accessBy(rules, tries));
  const every = [...ROUTES, ...PAGE_ROUTES];
  const opens = new Set(every.filter((route) => route.open).map((route) => route.path));
  app.use("*", async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    const status = String(c.res.status);
    sources.metrics.counter("sipedge_http_answers_total", "Answers of the HTTP API", { status }).inc();
  });
  app.use("*", async (c, next) => {
    if (opens.has(c.req.path)) return next();
    const failure = gate.enter(c.req.raw, c.env?.address ?? null);
    if (failure !== null) return failureResponse(failure);
    try {
      await next();
    } finally {
      gate.leave();
    }
  });
  for (const [path, routes] of Map.groupBy(every, (route) => route.path.replace(/\{(\w+)\}/, ":$1"))) {
    for (const route of routes) {
      app.on(route.method.toUpperCase(), path, async (c) => {
        const parameter = Object.values<string>(c.req.param())[0] ?? "";
        const caller = { address: c.env?.address ?? null };
        return respond(sources, mayWrite, route, {
          request: c.req.raw,
          query: c.req.query(),
          parameter,
          caller,
        });
      });
    }
    app.all(path, () => failureResponse(wrongMethod(routes)));
  }
  app.notFound(() => failureResponse(NOT_FOUND));
  app.onError((error) => {
    sources.log.error("http-exception", { error: error.stack ?? String(error) });
    return failureResponse(OUR_MISTAKE);
  });
  return app;
}

function textResponse({ text, type, policy }: TextReply): Response {
  const headers = { "content-type": type };
  return new Response(text, {
    headers: policy === undefined ? headers : { ...headers, "content-security-policy": policy },
  });
}

/** A request that has found its route. */
interface Routed {
  readonly request: Request;
  readonly query: Record<string, string>;
  readonly parameter: string;
  readonly caller: Caller;
}

async function respond(
  sources: ApiSources,
  mayWrite: WriteAccess,
  route: Route,
  { request, query: raw, parameter, caller }: Routed,
): Promise<Response> {
  const refusal = route.method === "get" ? null : mayWrite(request.headers, caller);
  if (refusal !== null) return failureResponse(refusal);
  const query = route.query === null ? null : readQuery(route.query, raw);
  if (query !== null && isFailure(query)) return failureResponse(query);
  const body = route.body === null ? null : await readBody(request, BODIES[route.body], sources.clock);
  if (body !== null && isFailure(body)) return failureResponse(body);
  const reply = await route.reply(sources, { query, parameter, body, caller });
  if ("error" in reply) return failureResponse(reply);
  if ("text" in reply) return textResponse(reply);
  if ("stream" in reply) return new Response(reply.stream, { headers: { "content-type": reply.type } });
  if ("bytes" in reply) return new Response(reply.bytes, { headers: { "content-type": reply.type } });
  return jsonResponse(reply.json, reply.status);
}

function readQuery(schema: QuerySchema, raw: Record<string, string>): object | ApiFailure {
  const read = v.safeParse(schema, raw);
  if (read.success) return read.output;
  const [issue] = read.issues;
  const name = v.getDotPath(issue) ?? "query";
  const what = Object.hasOwn(schema.entries, name) ? issue.message : "there is no such parameter here";
  return { status: 400, error: "bad_request", message: `${name.slice(0, NAME_CHARS_MAX)}: ${what}` };
}

/** Of a parameter's name when it is repeated to whoever sent it. */
const NAME_CHARS_MAX = 64;

/** What every request must pass before it is looked at, and how many may be inside. */
class Gate {
  readonly #access: Access;
  #inside = 0;

  constructor(access: Access) {
    this.#access = access;
  }

  /** Null: inside, until `leave`. */
  enter({ method, url, headers }: Request, address: string | null): ApiFailure | null {
    const failure =
      this.#access(headers.get("authorization") ?? undefined, headers.get("host") ?? undefined, address) ?? // first: a stranger learns nothing else
      (url.length > URL_CHARS_MAX ? URL_TOO_LONG : null) ??
      this.#largeBody(method, url, headers) ??
      (this.#inside >= REQUESTS_MAX ? TOO_MANY : null);
    if (failure === null) this.#inside++;
    return failure;
  }

  leave(): void {
    this.#inside--;
  }

  #largeBody(method: string, url: string, headers: Headers): ApiFailure | null {
    const length = Number(headers.get("content-length") ?? 0);
    if (takesBody(method, new URL(url).pathname)) return length > CHANGE_BYTES_MAX ? CHANGE_TOO_LARGE : null;
    return headers.has("transfer-encoding") || length > BODY_BYTES_MAX ? BODY_TOO_LARGE : null;
  }
}

const BODY_ROUTES = ROUTES.filter((route) => route.body !== null).map(({ method, path }) => ({
  method: method.toUpperCase(),
  path: new RegExp(`^${path.replace(/\{\w+\}/, "[^/]+")}$`),
}));

function takesBody(method: string, path: string): boolean {
  return BODY_ROUTES.some((route) => route.method === method && route.path.test(path));
}

function wrongMethod(routes: readonly Route[]): ApiFailure {
  const methods = routes.flatMap(({ method }) =>
    method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()],
  );
  const isReadOnly = methods.length === 2;
  return {
    status: 405,
    error: "method_not_allowed",
    message: isReadOnly ? "This can only be read: GET or HEAD" : `This takes ${methods.join(", ")}`,
    headers: { allow: methods.join(", ") },
  };
}

const NOT_FOUND: ApiFailure = {
  status: 404,
  error: "not_found",
  message: "There is nothing here; /openapi.json lists what there is",
};
const OUR_MISTAKE: ApiFailure = {
  status: 500,
  error: "internal",
  message: "This is a mistake in sipedge; the log has its details",
};
const URL_TOO_LONG: ApiFailure = {
  status: 414,
  error: "uri_too_long",
  message: `A URL here has at most ${URL_CHARS_MAX} characters`,
};
const BODY_TOO_LARGE: ApiFailure = {
  status: 413,
  error: "content_too_large",
  message: "This request has no use for a body",
};
const TOO_MANY: ApiFailure = {
  status: 503,
  error: "busy",
  message: `${REQUESTS_MAX} requests are being answered already`,
  headers: { "retry-after": "1" },
};
