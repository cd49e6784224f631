/** `POST /v1/drain`: who may, and what it says. */
import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { FakeSources, GUARDED, openApi, TOKEN } from "./fixture.ts";

const POST = { method: "POST" };

describe("B-76 /v1/drain", () => {
  test("begins it with the token, and not without", async () => {
    const sources = new FakeSources();
    const api = createApi(sources, GUARDED);
    expect((await api.request("/v1/drain", POST)).status).toBe(401);
    expect(sources.drained).toBe(0);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await api.request("/v1/drain", { ...POST, headers });
    expect(response.status).toBe(200);
    expect(await response.json()).toHaveProperty("reasons");
    expect(sources.drained).toBe(1);
    expect(sources.lines.map(([event]) => event)).toContain("drain-asked");
  });
  test("a page of another site cannot, and nobody by reading", async () => {
    const sources = new FakeSources();
    const headers = { origin: "http://evil.example" };
    expect((await openApi(sources).request("/v1/drain", { ...POST, headers })).status).toBe(403);
    expect((await openApi(sources).request("/v1/drain")).status).toBe(405);
    expect(sources.drained).toBe(0);
  });
});
