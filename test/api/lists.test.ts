import { describe, expect, test } from "bun:test";
import type { Answer } from "../../src/api/schemas.ts";
import { busySources, FakeSources, getJson, HA1_MD5, openApi } from "./fixture.ts";

test("/v1/transactions: counts of all, rows up to the limit", async () => {
  const answer = await getJson(openApi(busySources()), "/v1/transactions?limit=1");
  expect(answer).toEqual({
    server: 2,
    client: 1,
    timers: 3,
    states: { "invite_server.Proceeding": 2, "invite_client.Calling": 1 },
    transactions: [
      { machine: "invite_server", state: "Proceeding", method: "INVITE", key: "z9hG4bK1", age_ms: 250 },
    ],
  });
});

test("/v1/flows: who opened each connection, and what waits", async () => {
  expect(await getJson(openApi(busySources()), "/v1/flows")).toEqual({
    connections: 1,
    flows: [
      {
        flow_id: "tcp:10.0.0.1:5060>[2001:db8::7]:5062#3",
        transport: "tcp",
        remote: "[2001:db8::7]:5062",
        direction: "in",
        state: "open",
        since: "2026-01-01T00:10:00.000Z",
        idle_s: 12,
        messages_in: 2,
        bytes_in: 1200,
        bytes_out: 900,
        queued_bytes: 0,
      },
    ],
  });
});

describe("/v1/users", () => {
  test("names and sources, no hashes", async () => {
    const response = await openApi(busySources()).request("/v1/users");
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      users: [
        { name: "alice", source: "config", realm: "example.test", disabled: false, forwarding: false },
        { name: "bob", source: "store", realm: "example.test", disabled: true, forwarding: true },
      ],
      next_cursor: null,
    });
    expect(text).not.toContain(HA1_MD5);
  });

  test("page by page", async () => {
    const sources = new FakeSources();
    for (const name of ["a", "b", "ç", "日本"]) sources.account(name);
    const api = openApi(sources);
    const names: string[] = [];
    let query = "?limit=1";
    for (;;) {
      const { users, next_cursor } = (await getJson(api, `/v1/users${query}`)) as Answer<"Users">;
      names.push(...users.map(({ name }) => name));
      if (next_cursor === null) break;
      query = `?limit=1&cursor=${next_cursor}`;
    }
    expect(names).toEqual(["a", "b", "ç", "日本"]);
  });

  test("a foreign cursor is refused", async () => {
    const { message } = await getJson(openApi(new FakeSources()), "/v1/users?cursor=!", 400);
    expect(message).toBe("cursor: not a next_cursor of this list");
  });
});

test("/v1/peers: states and times of each URI", async () => {
  const sources = busySources();
  const uri = { uri: "sip:gw1.test", priority: 0, weight: 1, calls: 2, latency_ms: 21.4 } as const;
  const times = { aside_until_ms: 1_767_225_600_000, answered_ms: null };
  sources.peerRows = [
    {
      name: "carrier",
      calls: 2,
      calls_max: 30,
      calls_per_s: 0,
      uris: [{ ...uri, ...times, state: "aside", aside_why: "retry_after" }],
    },
  ];
  expect(await getJson(openApi(sources), "/v1/peers")).toEqual({
    peers: [
      {
        name: "carrier",
        calls: 2,
        calls_max: 30,
        calls_per_s: 0,
        uris: [
          {
            ...uri,
            state: "aside",
            aside_why: "retry_after",
            aside_until: "2026-01-01T00:00:00.000Z",
            answered_at: null,
          },
        ],
      },
    ],
  });
});

test("/v1/dns: answers, servers and dead places; DELETE forgets the answers and says so in the log", async () => {
  const sources = busySources();
  const place = { transport: "udp", address: "2001:db8::7", port: 5060 } as const;
  sources.dead = [{ place, reason: "No reply at all", until_ms: sources.clock.now() + 60_000, probes: 2 }];
  sources.answers = [
    {
      name: "trunk.test",
      type: "A",
      answer: { kind: "records", records: ["192.0.2.7"], authentic: false, stale: false },
      expires_in_ms: 29_999.6,
      hits: 4,
    },
  ];
  const api = openApi(sources);
  const until = new Date(sources.clock.wall() + 60_000).toISOString();
  expect(await getJson(api, "/v1/dns")).toMatchObject({
    entries: 1,
    servers: [{ server: "192.0.2.53", dead: true, retry_in_ms: 1500 }],
    records: [
      { name: "trunk.test", type: "A", answer: "records", records: 1, expires_in_ms: 30_000, hits: 4 },
    ],
    dead_targets: [{ place: "udp [2001:db8::7]:5060", reason: "No reply at all", until }],
  });
  const flushed = await api.request("/v1/dns", { method: "DELETE" }, { address: "127.0.0.1" });
  expect([flushed.status, await flushed.json()]).toMatchObject([200, { entries: 0, records: [] }]);
  expect(sources.lines.at(-1)).toEqual(["dns-flushed", { answers: 1, from: "127.0.0.1" }]);
});
