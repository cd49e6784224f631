/**
 * What a route is, and the two usual kinds of it.
 */
import type * as v from "valibot";
import type { Caller } from "./access.ts";
import type { ApiFailure } from "./failure.ts";
import type { Answer, BODIES, BodyName, SchemaName } from "./schemas.ts";
import type { ApiSources } from "./sources.ts";

export type QuerySchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;

export interface JsonReply {
  readonly status: number;
  readonly json: object;
}
export interface TextReply {
  readonly text: string;
  readonly type: string;
  /** The Content-Security-Policy, where it may load something. */
  readonly policy?: string;
}
export interface BytesReply {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
}
/** Text that goes on. */
export interface StreamReply {
  readonly stream: ReadableStream<Uint8Array>;
  readonly type: string;
}
export type Reply = JsonReply | TextReply | BytesReply | StreamReply | ApiFailure;

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
  readonly method: "get" | "put" | "post" | "delete";
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

/** A route that answers 200 with the JSON of that name. */
export function json<N extends SchemaName, Q extends QuerySchema>(
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
export function change<N extends SchemaName, B extends BodyName | null>(
  method: "put" | "post" | "delete",
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
