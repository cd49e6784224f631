/**
 * The OpenAPI 3.1 document, made from the routes and their schemas. Needs nothing that runs.
 */
import { toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type { Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { BODIES, SCHEMAS } from "./schemas.ts";

/** Of the API, not of the appliance: changes when an answer loses or changes something. */
const API_VERSION = "1";

const FAILURES: Readonly<Record<number, string>> = {
  400: "A parameter is wrong",
  401: "A token is configured, and this request has not got it",
  403: "Only this machine changes something where no token is configured, and no page of another site does",
  404: "No such thing",
  408: "The body did not arrive in time",
  413: "The body is too large",
  415: "The body is not declared to be JSON",
  421: "No token is configured, and the Host header is a name that is not ours",
  429: "Too many wrong tokens came from this address; Retry-After says when the next is looked at",
  503: "The store does not take changes; the error says why",
};

const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** Always the same for the same sources. */
export function openapiDocument() {
  return {
    openapi: "3.1.0",
    info: {
      title: "sipedge",
      version: API_VERSION,
      summary: "How the appliance is and what it is doing",
      description:
        "GET only reads; what PUT and DELETE answer with 200 is on disk. Answers may gain keys at any time; keys that are there keep their meaning.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    security: [{ token: [] }, {}],
    paths: Object.fromEntries(
      [...Map.groupBy(ROUTES, ({ path }) => path)].map(([path, routes]) => [
        path,
        Object.fromEntries(routes.map((route) => [route.method, operation(route)])),
      ]),
    ),
    components: {
      schemas: toJsonSchemaDefs(
        { ...SCHEMAS, ...BODIES },
        {
          target: "draft-2020-12",
          ignoreActions: ["check"], // said in words by the descriptions
          overrideRef: ({ referenceId }) => refTo(referenceId).$ref,
        },
      ),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "The token of http.token; asked for only where one is configured",
        },
      },
    },
  };
}

/** The document as it is served and kept in `docs/api/openapi.json`. */
export function openapiText(): string {
  return `${JSON.stringify(openapiDocument(), null, 2)}\n`;
}

function operation(route: Route) {
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.open ? { security: [] } : {}),
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === null
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: refTo(route.body) } } } }),
    responses: { ...answers(route), ...failures(route) },
  };
}

/** GET of `/v1/registrations/{aor}` is `v1_registrations_aor`; other methods stand in front. */
function operationId({ method, path }: Route): string {
  const words = path.match(/\w+/g) ?? ["root"];
  return (method === "get" ? words : [method, ...words]).join("_");
}

function answers(route: Route) {
  if (route.textType !== undefined) {
    const schema = { type: route.textType === "application/json" ? "object" : "string" };
    return { 200: { description: route.summary, content: { [mediaType(route.textType)]: { schema } } } };
  }
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, name]) => [
      status,
      { description: route.summary, content: { "application/json": { schema: refTo(name) } } },
    ]),
  );
}

const mediaType = (type: string): string => type.split(";")[0]!;

function failures(route: Route) {
  const statuses = route.open ? route.failures : [...route.failures, 401, 421, 429];
  const content = { "application/json": { schema: refTo("Failure") } };
  return Object.fromEntries(
    [...statuses.map((status) => [status, FAILURES[status] ?? "Refused"]), ["default", "Anything else"]].map(
      ([status, description]) => [status, { description, content }],
    ),
  );
}

function pathParameters({ path, parameter }: Route) {
  const name = /\{(\w+)\}/.exec(path)?.[1];
  if (name === undefined) return [];
  return [{ name, in: "path", required: true, description: parameter ?? name, schema: { type: "string" } }];
}

function queryParameters({ query }: Route) {
  if (query === null) return [];
  // "output": a limit is documented as the number it becomes, not as the text it comes in.
  const { properties = {} } = toJsonSchema(query, { target: "draft-2020-12", typeMode: "output" });
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest } = schema as { description?: string };
    return { name, in: "query", required: false, ...(description ? { description } : {}), schema: rest };
  });
}
