import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { openapiDocument, openapiText } from "../../src/api/openapi.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { busySources, FakeSources, GUARDED, HA1_MD5, openApi } from "./fixture.ts";
import type { Schema } from "./json-schema.ts";
import { departures, resolve } from "./json-schema.ts";

const document: unknown = JSON.parse(openapiText());

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}
type Paths = Readonly<
  Record<string, { readonly get: Operation; readonly put?: Operation; readonly delete?: Operation }>
>;

const paths = (document as { paths: Paths }).paths;

/** The schema the document gives for an answer. */
const schemaOf = (path: string, status: number | "default", method: "get" | "put" | "delete" = "get") =>
  paths[path]![method]!.responses[status]!.content["application/json"]!.schema;

describe("every JSON answer is as the document says", () => {
  const full = busySources();
  const empty = new FakeSources();
  empty.now = { ...empty.now, phase: "draining", commit: null };
  empty.store.ill = { ok: false, code: "full", message: "no space", since_ms: 0 };

  const json = ROUTES.filter(({ textType, method }) => textType === undefined && method === "get").map(
    ({ path }) => path,
  );
  test.each(json)("%s", async (path) => {
    for (const sources of [full, empty]) {
      const response = await openApi(sources).request(path.replace(/\{\w+\}/, "alice"));
      const body: unknown = await response.json();
      expect(departures(schemaOf(path, response.status), body, document)).toEqual([]);
      expect(JSON.stringify(body)).not.toContain(HA1_MD5);
    }
  });

  test.each([
    ["/v1/registrations", "/v1/registrations?limit=0", 400],
    ["/v1/registrations/{aor}", "/v1/registrations/nobody", 404],
    ["/v1/users", "/v1/users?cursor=!", 400],
    ["/v1/forwards", "/v1/forwards?cursor=!", 400],
    ["/v1/users/{name}/forwarding", "/v1/users/nobody/forwarding", 404],
  ] as const)("%s refusing %s", async (path, url, status) => {
    const response = await openApi(full).request(url);
    expect(response.status).toBe(status);
    expect(departures(schemaOf(path, status), await response.json(), document)).toEqual([]);
  });

  test("changes, made and refused", async () => {
    const [path, url] = ["/v1/users/{name}/forwarding", "/v1/users/alice/forwarding"];
    const headers = { "content-type": "application/json" };
    for (const [method, body, status] of [
      ["put", '{"always":"bob"}', 200],
      ["put", "[]", 400],
      ["put", " ".repeat(5000), 413],
      ["delete", null, 200],
      ["delete", null, 404],
    ] as const) {
      const response = await openApi(full).request(url, { method, body, headers }, { address: "127.0.0.1" });
      expect(response.status).toBe(status);
      expect(departures(schemaOf(path, status, method), await response.json(), document)).toEqual([]);
      expect((await openApi(full).request(url, { method, body, headers })).status).toBe(403);
    }
  });

  test("refused before the route", async () => {
    const unauthorized = await createApi(full, GUARDED).request("/v1/status");
    expect(departures(schemaOf("/v1/status", 401), await unauthorized.json(), document)).toEqual([]);
    const misdirected = await openApi(full).request("/v1/status", { headers: { host: "evil.example" } });
    expect(departures(schemaOf("/v1/status", 421), await misdirected.json(), document)).toEqual([]);
    const method = await openApi(full).request("/v1/status", { method: "POST" });
    expect(departures(schemaOf("/v1/status", "default"), await method.json(), document)).toEqual([]);
  });
});

describe("the checker itself", () => {
  const schema: Schema = schemaOf("/v1/users", 200);
  const user = { name: "a", source: "config", realm: "r", disabled: false, forwarding: false };
  test.each([
    [
      "an unknown key",
      { users: [{ ...user, ha1_md5: "x" }], next_cursor: null },
      "$.users[0].ha1_md5: not described",
    ],
    ["a missing key", { users: [] }, "$.next_cursor: missing"],
    [
      "a wrong type",
      { users: [{ ...user, disabled: 1 }], next_cursor: null },
      "$.users[0].disabled: not of type boolean",
    ],
    [
      "a value outside the list",
      { users: [{ ...user, source: "x" }], next_cursor: null },
      "$.users[0].source: not one of config,store",
    ],
  ])("sees %s", (_what, value, departure) => {
    expect(departures(schema, value, document)).toEqual([departure]);
  });
});

describe("the document", () => {
  test("is served as it is kept in docs/api", async () => {
    const response = await openApi(busySources()).request("/openapi.json");
    expect(response.headers.get("content-type")).toBe("application/json");
    const text = await response.text();
    expect(text).toBe(openapiText());
    expect(text).toBe(await Bun.file(new URL("../../docs/api/openapi.json", import.meta.url)).text());
  });

  test("names every route and its parameters", () => {
    const named = Object.entries(paths).flatMap(([path, each]) =>
      Object.keys(each).map((method) => `${method} ${path}`),
    );
    expect(named.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
    expect(paths["/v1/registrations"]!.get.parameters).toEqual([
      {
        name: "user",
        in: "query",
        required: false,
        description: "Only AORs with exactly this user part",
        schema: { type: "string" },
      },
      {
        name: "limit",
        in: "query",
        required: false,
        description: "Most rows wanted; 100 when absent",
        schema: { type: "integer", minimum: 1, maximum: 1000 },
      },
      {
        name: "cursor",
        in: "query",
        required: false,
        description: "`next_cursor` of the page before",
        schema: { type: "string" },
      },
    ] as never);
    expect(paths["/v1/registrations/{aor}"]!.get.parameters.map(({ name }) => name)).toEqual(["aor"]);
    const ids = Object.values(paths).flatMap((each) => Object.values(each).map((one) => one.operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("has a curl line for each route in docs/status-api.md", async () => {
    const page = await Bun.file(new URL("../../docs/status-api.md", import.meta.url)).text();
    const asked = page.matchAll(/^curl (?:.*\\\n)?.*?(http:[^'\s]+)/gm);
    const shown = new Set([...asked].map(([, url]) => new URL(url!).pathname));
    expect([...shown].toSorted()).toEqual(
      [
        ...new Set(ROUTES.map(({ path }) => path.replace("{id}", "Xk3_9aQ2").replace(/\{\w+\}/, "alice"))),
      ].toSorted(),
    );
  });

  test("refers only to what it holds", () => {
    const refs = openapiText().matchAll(/"\$ref": "([^"]+)"/g);
    const found = [...refs].map(([, ref]) => resolve(document, ref!));
    expect(found.length).toBeGreaterThan(20);
  });

  test("says that keys are snake_case and times are date-time", () => {
    const { schemas } = openapiDocument().components;
    for (const { properties = {} } of Object.values(schemas) as { properties?: Record<string, unknown> }[]) {
      for (const [key, schema] of Object.entries(properties)) {
        expect(key).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
        if (/(_at|^since)$/.test(key)) expect(JSON.stringify(schema)).toContain('"date-time"');
      }
    }
  });
});
