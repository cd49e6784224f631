import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { busySources, FakeSources, GUARDED, LOOPBACK, openApi, TOKEN } from "./fixture.ts";

const READ = ROUTES.filter(({ method }) => method === "get").map(({ path }) =>
  path.replace(/\{\w+\}/, "alice"),
);
/** Its answer never ends: test/api/events.test.ts. */
const EVENTS = "/v1/events";
const PATHS = [...new Set(READ), "/nowhere"].filter((path) => path !== EVENTS);

describe("with a token", () => {
  const api = createApi(busySources(), GUARDED);
  const ask = (path: string, authorization?: string) =>
    api.request(path, authorization === undefined ? {} : { headers: { authorization } });

  test.each(PATHS.filter((path) => path !== "/healthz"))("%s needs it", async (path) => {
    const response = await ask(path);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="sipedge"');
    expect(((await response.json()) as { error: string }).error).toBe("unauthorized");
    expect((await ask(path, `Bearer ${TOKEN}`)).status).toBe(
      ["/nowhere", "/v1/calls/alice"].includes(path) ? 404 : 200,
    );
  });

  test("/healthz is open", async () => {
    expect((await ask("/healthz")).status).toBe(200);
    expect((await ask("/healthz", "Bearer wrong")).status).toBe(200);
    expect((await ask("/healthz/")).status).toBe(401);
    expect((await ask("/healthz/../v1/users")).status).toBe(401);
  });

  test("the scheme's case does not matter (RFC 9110 §11.1)", async () => {
    expect((await ask("/v1/status", `bEaReR ${TOKEN}`)).status).toBe(200);
  });

  test.each([
    ["another token", "Bearer wrong"],
    ["a part of it", `Bearer ${TOKEN.slice(0, -1)}`],
    ["more than it", `Bearer ${TOKEN}x`],
    ["another case", `Bearer ${TOKEN.toUpperCase()}`],
  ])("%s is not the token", async (_what, authorization) => {
    const response = await ask("/v1/status", authorization);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="sipedge", error="invalid_token"');
  });

  test.each([
    ["Basic", `Basic ${btoa(`sipedge:${TOKEN}`)}`],
    ["the bare token", TOKEN],
    ["nothing behind Bearer", "Bearer "],
    ["two words", `Bearer ${TOKEN} ${TOKEN}`],
  ])("%s is no Bearer token", async (_what, authorization) => {
    const response = await ask("/v1/status", authorization);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="sipedge"');
  });

  test("a token in the URL is of no use", async () => {
    expect((await ask(`/v1/status?token=${TOKEN}&access_token=${TOKEN}`)).status).toBe(401);
  });

  test("a token outside ASCII is compared as the UTF-8 that curl sends", async () => {
    const umlauts = createApi(new FakeSources(), { token: "schlüssel", address: "192.0.2.1" });
    const sent = Buffer.from("schlüssel", "utf8").toString("latin1");
    const response = await umlauts.request("/v1/status", { headers: { authorization: `Bearer ${sent}` } });
    expect(response.status).toBe(200);
  });

  test("any Host will do: no browser knows the token", async () => {
    const headers = { host: "edge.example.test", authorization: `Bearer ${TOKEN}` };
    expect((await api.request("/v1/status", { headers })).status).toBe(200);
  });

  test("the token appears in no answer", async () => {
    for (const path of PATHS) {
      const response = await ask(path, `Bearer ${TOKEN}`);
      expect(await response.text()).not.toContain(TOKEN);
      expect(JSON.stringify([...response.headers])).not.toContain(TOKEN);
    }
  });
});

describe("with a token to read", () => {
  const READER = "one-that-only-reads";
  const api = createApi(busySources(), { ...GUARDED, read_token: READER });
  const ask = async (method: string, path: string, token: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await api.request(path, { method, headers })).status;
  };

  test("it reads everything, and changes nothing", async () => {
    for (const path of PATHS) expect(await ask("GET", path, READER)).toBe(await ask("GET", path, TOKEN));
    for (const { method, path } of ROUTES.filter((route) => route.method !== "get"))
      expect(await ask(method.toUpperCase(), path.replace(/\{\w+\}/, "alice"), READER)).toBe(403);
  });

  test("what is neither is none", async () => {
    for (const token of ["wrong", `${READER}x`, READER.slice(1)])
      expect(await ask("GET", "/v1/status", token)).toBe(401);
  });
});

describe("without a token, the Host header", () => {
  const api = createApi(new FakeSources(), { token: null, address: "status.lan" });
  const status = async (host: string, path = "/v1/status") =>
    (await api.request(path, { headers: { host } })).status;

  test.each([
    "localhost",
    "LOCALHOST:8080",
    "127.0.0.1",
    "127.0.0.1:8080",
    "[::1]:8080",
    "[::1]",
    "192.0.2.1:80",
    "status.lan:8080",
    "Status.LAN",
  ])("%s is welcome", async (host) => {
    expect(await status(host)).toBe(200);
  });

  test.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1:8080@evil.example",
    "evil.example, 127.0.0.1",
    "[evil.example]",
    "localhost:8080:1",
    "::1:x",
    "0x7f.1",
    "",
  ])("%j is refused", async (host) => {
    expect(await status(host)).toBe(421);
    expect(await status(host, "/healthz")).toBe(200);
  });

  test("none at all is a plain tool", async () => {
    expect((await api.request("/v1/status")).status).toBe(200);
  });
});

describe("every answer", () => {
  test.each([...PATHS, "/v1/status?limit=1&nonsense"])("%s is hardened", async (path) => {
    for (const rules of [LOOPBACK, GUARDED]) {
      const { headers } = await createApi(busySources(), rules).request(path, {
        headers: { origin: "https://evil.example" },
      });
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });
});

describe("bounds", () => {
  const api = openApi(new FakeSources());

  test("a wrong method: 405 and what is allowed", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await api.request("/v1/status", { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, HEAD");
      expect(await response.json()).toEqual({
        error: "method_not_allowed",
        message: "This can only be read: GET or HEAD",
      });
    }
  });

  test("HEAD is GET without the body", async () => {
    const response = await api.request("/v1/status", { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test.each([
    "/v1",
    "/v1/",
    "/page",
    "/page/",
    "/page/scripts.ts",
    "/page/../style.css",
    "/V1/status",
    "/v1/registrations/a/b",
    "/%",
  ])("%s: 404", async (path) => {
    const response = await api.request(path);
    expect(response.status).toBe(404);
    expect(((await response.json()) as { error: string }).error).toBe("not_found");
  });

  test("a URL of more than 4096 characters: 414", async () => {
    const response = await api.request(`/v1/registrations?cursor=${"x".repeat(5000)}`);
    expect(response.status).toBe(414);
  });

  test("a body nobody needs: 413", async () => {
    const large = { method: "POST", headers: { "content-length": "1025" } };
    expect((await api.request("/v1/status", large)).status).toBe(413);
    const endless = { method: "POST", headers: { "transfer-encoding": "chunked" } };
    expect((await api.request("/v1/status", endless)).status).toBe(413);
  });

  test("the 33rd request at a time: 503, and later ones are welcome again", async () => {
    const sources = new FakeSources();
    for (let i = 0; i < 2500; i++) sources.register(`user${i}`);
    const busy = openApi(sources);
    const all = Array.from({ length: 33 }, () => busy.request("/v1/registrations?limit=1"));
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(32);
    expect(statuses.filter((status) => status === 503)).toHaveLength(1);
    expect((await busy.request("/v1/registrations?limit=1")).status).toBe(200);
  });

  test("an exception of ours: 500 without its text, the log has it, and the place is free again", async () => {
    const sources = new FakeSources();
    const lines: unknown[] = [];
    Object.assign(sources, { log: { ...sources.log, error: (...line: unknown[]) => lines.push(line) } });
    sources.process = () => {
      throw new Error("a secret path");
    };
    const broken = openApi(sources);
    for (let i = 0; i < 40; i++) {
      const response = await broken.request("/v1/status");
      expect(response.status).toBe(500);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(await response.text()).not.toContain("secret");
    }
    expect(JSON.stringify(lines[0])).toContain("a secret path");
  });
});
