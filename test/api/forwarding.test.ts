import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { BODY_WAIT_MS, CHANGE_BYTES_MAX } from "../../src/api/body.ts";
import type { Answer } from "../../src/api/schemas.ts";
import { serveApi } from "../../src/api/server.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { FakeSources, GUARDED, getJson, LOOPBACK, TOKEN } from "./fixture.ts";

type Body = string | Buffer | ReadableStream;

const URL_OF_ALICE = "/v1/users/alice/forwarding";
const NEAR = { address: "127.0.0.1" };
const JSON_TYPE = { "content-type": "application/json" };

/** An appliance with alice, bob and a group, and ways to ask it. */
function site(rules = LOOPBACK as Parameters<typeof createApi>[1]) {
  const sources = new FakeSources();
  for (const name of ["alice", "bob"]) sources.account(name);
  sources.groups = ["sales"];
  const api = createApi(sources, rules);
  const ask = async (method: string, body?: Body, headers: Record<string, string> = {}, caller = NEAR) => {
    const init = { method, headers: { ...JSON_TYPE, ...headers }, ...(body === undefined ? {} : { body }) };
    const response = await api.request(URL_OF_ALICE, init, caller);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  return { sources, api, ask };
}

describe("GET /v1/users/{name}/forwarding", () => {
  test("a user without rules", async () => {
    const { api } = site();
    expect(await getJson(api, URL_OF_ALICE)).toEqual({
      user: "alice",
      source: null,
      ...NO_FORWARDS,
      warnings: [],
    });
  });

  test("rules of the config, and stored ones before them", async () => {
    const { sources, api } = site();
    sources.forwards.setConfigForwards(new Map([["alice", { ...NO_FORWARDS, always: "bob" }]]));
    expect(await getJson(api, URL_OF_ALICE)).toMatchObject({ source: "config", always: "bob" });
    sources.forward("alice", { busy: "bob" });
    expect(await getJson(api, URL_OF_ALICE)).toMatchObject({ source: "store", always: null, busy: "bob" });
  });

  test("nobody of that name: 404", async () => {
    const { api } = site();
    expect(await getJson(api, "/v1/users/carol/forwarding", 404)).toEqual({
      error: "no_such_user",
      message: "There is no user carol",
    });
    for (const name of ["%", "%00", "..%2F..", "al%69c"])
      expect((await api.request(`/v1/users/${name}/forwarding`)).status).toBe(404);
  });

  test("a name with a slash is written with %2F", async () => {
    const { sources, api } = site();
    sources.account("a/b?c");
    expect(await getJson(api, "/v1/users/a%2Fb%3Fc/forwarding")).toMatchObject({ user: "a/b?c" });
  });
});

describe("PUT /v1/users/{name}/forwarding", () => {
  test("replaces all rules, is stored, shown everywhere, and logged with who asked", async () => {
    const { sources, api, ask } = site();
    sources.forward("alice", { always: "bob" });
    const put = await ask(
      "PUT",
      '{"busy":"sales","no_answer":"sip:vm@elsewhere.test","no_answer_after_s":9}',
    );
    const rules = { ...NO_FORWARDS, busy: "sales", no_answer: "sip:vm@elsewhere.test", no_answer_after_s: 9 };
    expect(put).toEqual({ status: 200, json: { user: "alice", source: "store", ...rules, warnings: [] } });
    expect(sources.forwards.rulesOf("alice")).toEqual(rules);
    expect(await getJson(api, URL_OF_ALICE)).toEqual(put.json);
    expect(await getJson(api, "/v1/forwards")).toEqual({
      forwards: [{ user: "alice", source: "store", ...rules }],
      next_cursor: null,
    });
    const { users } = (await getJson(api, "/v1/users")) as Answer<"Users">;
    expect(users.map(({ name, forwarding }) => [name, forwarding])).toEqual([
      ["alice", true],
      ["bob", false],
    ]);
    expect(sources.lines).toEqual([["forwarding-set", { user: "alice", from: "127.0.0.1", ...rules }]]);
  });

  test("{} and nulls: nothing is forwarded, whatever the config says", async () => {
    const { sources, ask } = site();
    sources.forwards.setConfigForwards(new Map([["alice", { ...NO_FORWARDS, always: "bob" }]]));
    for (const body of ["{}", '{"always":null,"no_answer_after_s":null}'])
      expect(await ask("PUT", body)).toMatchObject({ status: 200, json: { source: "store", always: null } });
    expect(sources.forwards.rulesOf("alice")).toBeNull();
  });

  test("destinations that are nobody here are stored and said", async () => {
    const { sources, ask } = site();
    const { status, json } = await ask("PUT", '{"busy":"carol","no_answer":"sip:dave@example.test"}');
    expect(status).toBe(200);
    expect(json.warnings).toEqual([
      "busy: carol is no user or group here now",
      "no_answer: sip:dave@example.test is no user or group here now",
    ]);
    expect(sources.forwards.rulesOf("alice")?.busy).toBe("carol");
  });

  test("nobody of that name: 404, nothing stored", async () => {
    const { sources, api } = site();
    const init = { method: "PUT", headers: JSON_TYPE, body: '{"always":"bob"}' };
    expect((await api.request("/v1/users/carol/forwarding", init, NEAR)).status).toBe(404);
    expect(sources.forwards.list()).toEqual([]);
  });

  test("every mistake is told at once, each with its key", async () => {
    const { sources, ask } = site();
    const body = {
      always: "a b",
      busy: 5,
      no_answer: "tel:1",
      no_answer_after_s: 601,
      bussy: "x",
      toString: "x",
    };
    const { status, json } = await ask("PUT", JSON.stringify(body).replace("{", '{"__proto__":1,'));
    expect(status).toBe(400);
    const mistakes = String(json.message).split("; ");
    expect(mistakes.map((each) => each.slice(0, each.indexOf(":"))).toSorted()).toEqual(
      ["__proto__", ...Object.keys(body)].toSorted(),
    );
    expect(json.message).toContain("busy: a text or null is needed");
    expect(json.message).toContain("no_answer_after_s: a whole number from 1 to 600 is needed");
    expect(sources.forwards.list()).toEqual([]);
    expect(sources.lines).toEqual([]);
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "always=bob"],
    ["a list", '[{"always":"bob"}]'],
    ["an empty list", "[]"],
    ["null", "null"],
    ["a text", '"bob"'],
    ["bytes that are no UTF-8", Buffer.from('{"always":"b\xff"}', "latin1")],
    ["a number for a text", '{"always":1}'],
    ["a text for a number", '{"no_answer_after_s":"5"}'],
    ["a number JSON cannot say exactly", '{"no_answer_after_s":1e999}'],
    ["a line break", '{"always":"bob\\r\\nVia: x"}'],
    ["many unknown keys", JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [i, 1])))],
  ])("%s: 400, nothing changed", async (_, body) => {
    const { sources, ask } = site();
    const { status, json } = await ask("PUT", body as Body);
    expect([status, json.error]).toEqual([400, "bad_request"]);
    expect(String(json.message).length).toBeLessThan(3000);
    expect(sources.forwards.list()).toEqual([]);
  });

  test.each([
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "text/json",
  ])("CSRF: Content-Type %j is refused with 415", async (type) => {
    const { sources, ask } = site();
    expect((await ask("PUT", '{"always":"bob"}', { "content-type": type })).status).toBe(415);
    expect(sources.forwards.list()).toEqual([]);
  });

  test.each(["application/json", "Application/JSON; charset=utf-8"])("Content-Type %s", async (type) => {
    expect((await site().ask("PUT", "{}", { "content-type": type })).status).toBe(200);
  });

  test("a body above the bound: 413, whether its length is told or not", async () => {
    const { sources, ask } = site();
    const fits = `{"always":"bob"}${" ".repeat(CHANGE_BYTES_MAX - 16)}`;
    expect((await ask("PUT", fits)).status).toBe(200);
    sources.forwards.remove("alice");
    expect((await ask("PUT", `${fits} `)).status).toBe(413);
    expect((await ask("PUT", "{}", { "content-length": `${CHANGE_BYTES_MAX + 1}` })).status).toBe(413);
    let chunks = 0;
    const endless = new ReadableStream({
      pull(controller) {
        chunks++;
        controller.enqueue(Buffer.alloc(1000, 32));
      },
    });
    expect((await ask("PUT", endless, { "transfer-encoding": "chunked" })).status).toBe(413);
    expect(chunks).toBeLessThan(10);
    expect(sources.forwards.list()).toEqual([]);
  });

  test("a body that does not end in time: 408, and its place is free again", async () => {
    const { sources, ask } = site();
    for (let i = 0; i < 40; i++) {
      const never = new ReadableStream({ pull: () => new Promise(() => {}) });
      const answer = ask("PUT", never);
      await new Promise((resolve) => setImmediate(resolve)); // the reading has begun
      sources.clock.advance(BODY_WAIT_MS);
      expect((await answer).status).toBe(408);
    }
    expect(sources.clock.pending).toBe(0);
  });

  test("the store fails: 503 with its code, and a line in the log", async () => {
    const { sources, ask } = site();
    sources.forwards.set = () => ({ code: "full", message: "/data/sipedge.db: no space" });
    expect(await ask("PUT", '{"always":"bob"}')).toEqual({
      status: 503,
      json: { error: "store_full", message: "/data/sipedge.db: no space" },
    });
    expect(sources.lines).toMatchObject([
      ["forwarding-not-stored", { user: "alice", from: "127.0.0.1", code: "full" }],
    ]);
  });
});

describe("DELETE /v1/users/{name}/forwarding", () => {
  test("forgets what is stored, says what holds now, and logs it", async () => {
    const { sources, ask } = site();
    sources.forwards.setConfigForwards(new Map([["alice", { ...NO_FORWARDS, always: "bob" }]]));
    sources.forward("alice", { busy: "bob" });
    expect(await ask("DELETE")).toMatchObject({
      status: 200,
      json: { source: "config", always: "bob", busy: null },
    });
    expect(sources.lines).toEqual([["forwarding-removed", { user: "alice", from: "127.0.0.1" }]]);
    expect(await ask("DELETE")).toEqual({
      status: 404,
      json: { error: "not_stored", message: "forwarding of alice is in the config file" },
    });
  });

  test("rules of a user that is gone can be removed", async () => {
    const { sources, ask } = site();
    sources.forward("alice", { busy: "bob" });
    sources.accounts = [];
    expect((await ask("DELETE")).status).toBe(200);
    expect(sources.forwards.list()).toEqual([]);
  });
});

describe("who may change something", () => {
  const BODY = '{"always":"bob"}';

  test.each(["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])(
    "without a token %s may",
    async (address) => {
      expect((await site().ask("PUT", BODY, {}, { address })).status).toBe(200);
    },
  );

  test.each(["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "127.0.0.1.evil.example", "", null])(
    "without a token %s may not, though it may read",
    async (address) => {
      const { sources, api, ask } = site();
      const caller = { address: address as string };
      for (const method of ["PUT", "DELETE"])
        expect(await ask(method, method === "PUT" ? BODY : undefined, {}, caller)).toMatchObject({
          status: 403,
          json: { error: "not_local" },
        });
      expect((await api.request(URL_OF_ALICE, {}, caller)).status).toBe(200);
      expect(sources.forwards.list()).toEqual([]);
    },
  );

  test("with a token, whoever has it, from anywhere", async () => {
    const { sources, ask } = site(GUARDED);
    const far = { address: "192.0.2.7" };
    const bearer = { authorization: `Bearer ${TOKEN}` };
    expect((await ask("PUT", BODY)).status).toBe(401);
    expect((await ask("PUT", BODY, { authorization: "Bearer wrong" }, far)).status).toBe(401);
    expect(sources.forwards.list()).toEqual([]);
    expect((await ask("PUT", BODY, bearer, far)).status).toBe(200);
    expect(sources.lines).toMatchObject([
      ["http-wrong-token", { source: "192.0.2.7" }],
      ["forwarding-set", { from: "192.0.2.7" }],
    ]);
  });

  test.each([
    ["https://evil.example", "127.0.0.1:8080"],
    ["null", "127.0.0.1:8080"],
    ["http://127.0.0.1:9090", "127.0.0.1:8080"],
    ["http://127.0.0.1:8080@evil.example", "127.0.0.1:8080"],
    ["file://", "127.0.0.1:8080"],
    ["", "127.0.0.1:8080"],
  ])("CSRF: a page of %j is refused, token or not", async (origin, host) => {
    for (const rules of [LOOPBACK, GUARDED]) {
      const { sources, ask } = site(rules);
      const headers = { origin, host, authorization: `Bearer ${TOKEN}` };
      for (const method of ["PUT", "DELETE"])
        expect(await ask(method, method === "PUT" ? BODY : undefined, headers)).toMatchObject({
          status: 403,
          json: { error: "foreign_origin" },
        });
      expect(sources.forwards.list()).toEqual([]);
    }
  });

  test("a page of our own may", async () => {
    const headers = { origin: "http://127.0.0.1:8080", host: "127.0.0.1:8080" };
    expect((await site().ask("PUT", BODY, headers)).status).toBe(200);
  });

  test("a name made to point here (DNS rebinding) is refused before anything else", async () => {
    const headers = { origin: "http://evil.example", host: "evil.example" };
    expect((await site().ask("PUT", BODY, headers)).status).toBe(421);
  });

  test("a preflight is refused, without a word about CORS", async () => {
    const { api } = site();
    const headers = { origin: "https://evil.example", "access-control-request-method": "PUT" };
    const response = await api.request(URL_OF_ALICE, { method: "OPTIONS", headers }, NEAR);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD, PUT, DELETE");
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("POST and PATCH are no way around it", async () => {
    for (const method of ["POST", "PATCH"]) expect((await site().ask(method, BODY)).status).toBe(405);
  });
});

describe("GET /v1/forwards", () => {
  test("page by page, in the order of names", async () => {
    const { sources, api } = site();
    for (const name of ["d", "b", "c", "a"]) sources.forward(name, { always: "bob" });
    const names: string[] = [];
    let query = "?limit=3";
    for (let page = 0; page < 3; page++) {
      const { forwards, next_cursor } = (await getJson(api, `/v1/forwards${query}`)) as Answer<"Forwards">;
      names.push(...forwards.map(({ user }) => user));
      if (next_cursor === null) break;
      query = `?limit=3&cursor=${next_cursor}`;
    }
    expect(names).toEqual(["a", "b", "c", "d"]);
  });

  test("a foreign cursor is refused", async () => {
    expect((await getJson(site().api, "/v1/forwards?cursor=!", 400)).message).toStartWith("cursor:");
  });
});

describe("over a real socket", () => {
  test("this machine may change, and bounds hold", async () => {
    const { sources, api } = site();
    const server = serveApi(api, "127.0.0.1", 0);
    if ("code" in server) throw new Error(server.message);
    const url = `http://127.0.0.1:${server.port}${URL_OF_ALICE}`;
    const put = (body: Body) => fetch(url, { method: "PUT", headers: JSON_TYPE, body });
    try {
      expect((await put('{"always":"bob"}')).status).toBe(200);
      expect(sources.lines).toMatchObject([["forwarding-set", { from: "127.0.0.1" }]]);
      expect((await put(" ".repeat(CHANGE_BYTES_MAX + 1))).status).toBe(413);
      const chunked = new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from('{"busy":'));
          controller.enqueue(Buffer.from('"bob"}'));
          controller.close();
        },
      });
      expect((await put(chunked)).status).toBe(200);
      expect(sources.forwards.rulesOf("alice")).toMatchObject({ always: null, busy: "bob" });
      expect((await fetch(url, { method: "DELETE" })).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
