import { describe, expect, test } from "bun:test";
import { busySources, FakeSources, getJson, openApi } from "./fixture.ts";

describe("/healthz", () => {
  test("says ok while the process runs, whatever else is wrong", async () => {
    const sources = new FakeSources();
    sources.now = { ...sources.now, phase: "draining", listeners: [] };
    const response = await openApi(sources).request("/healthz");
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok\n");
  });
});

describe("/readyz", () => {
  test("200 without reasons", async () => {
    expect(await getJson(openApi(new FakeSources()), "/readyz")).toEqual({ ready: true, reasons: [] });
  });

  test("503 with every reason at once", async () => {
    const sources = new FakeSources();
    sources.now = { ...sources.now, phase: "draining", listeners: [] };
    sources.store.ill = { ok: false, code: "full", message: "/data: no space left", since_ms: 0 };
    expect(await getJson(openApi(sources), "/readyz", 503)).toEqual({
      ready: false,
      reasons: [
        "draining: the appliance is stopping and takes nothing new",
        "no_listener: no address and port is listened on",
        "store_full: /data: no space left",
      ],
    });
  });

  test("503 until the start is complete", async () => {
    const sources = new FakeSources();
    sources.now = { ...sources.now, phase: "starting" };
    const { reasons } = await getJson(openApi(sources), "/readyz", 503);
    expect(reasons).toEqual(["starting: the appliance is not up yet"]);
  });
});

describe("/v1/status", () => {
  test("tells it all", async () => {
    const sources = busySources();
    expect(await getJson(openApi(sources), "/v1/status")).toEqual({
      version: "1.2.3",
      commit: "0123456789abcdef0123456789abcdef01234567",
      started_at: "2025-12-30T22:13:36.000Z",
      uptime_s: 93_784,
      ready: true,
      reasons: [],
      listeners: [
        { transport: "udp", address: "127.0.0.1", port: 5060, advertised: "127.0.0.1:5060" },
        { transport: "tcp", address: "2001:db8::1", port: 5060, advertised: "edge.example.test:5060" },
      ],
      certificates: [
        {
          file: "/etc/tls/c.pem",
          names: ["example.test"],
          expires_at: "2027-01-15T08:00:00.000Z",
          problem: null,
        },
      ],
      domains: ["example.test", "127.0.0.1"],
      realm: "example.test",
      counts: {
        registrations: 3,
        users_registered: 2,
        transactions_server: 2,
        transactions_client: 1,
        connections: 1,
      },
      rtpengines: [
        {
          instance: "127.0.0.1:2223",
          up: true,
          since: "2026-01-01T00:16:39.000Z",
          weight: 1,
          calls: 3,
          commands_under_way: 0,
        },
      ],
      store: { kind: "memory", ok: true, code: null, message: "", since: "2026-01-01T00:16:40.000Z" },
      memory: { rss_bytes: 43_000_000, heap_bytes: 5_000_000 },
      cpu: { user_s: 1.25, system_s: 0.5 },
      reload: {
        last_at: "2026-01-01T00:16:40.000Z",
        ok: false,
        errors: ["listen[0].port: 1 to 65535"],
        restart_needed: [],
      },
    });
  });

  test("a board that learns the date after its start shows when it really started", async () => {
    const sources = new FakeSources();
    sources.now = { ...sources.now, started_ms: sources.clock.now() };
    sources.clock.wallOffset += 86_400_000;
    sources.clock.advance(5000);
    const { started_at, uptime_s } = await getJson(openApi(sources), "/v1/status");
    expect([started_at, uptime_s]).toEqual(["2026-01-02T00:16:40.000Z", 5]);
  });

  test("an ill store: not ready, and since when", async () => {
    const sources = new FakeSources();
    sources.store.ill = { ok: false, code: "readonly", message: "/data: read-only", since_ms: 0 };
    const { ready, reasons, store } = await getJson(openApi(sources), "/v1/status");
    expect(ready).toBe(false);
    expect(reasons).toEqual(["store_readonly: /data: read-only"]);
    expect(store).toEqual({
      kind: "memory",
      ok: false,
      code: "readonly",
      message: "/data: read-only",
      since: "1970-01-01T00:00:00.000Z",
    });
  });
});
