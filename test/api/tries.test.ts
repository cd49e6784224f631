/** Wrong tokens of the API: counted and slowed by where they come from, and told to the guard. */
import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { TRIES_MAX, WINDOW_S } from "../../src/api/tries.ts";
import { FakeSources, GUARDED, LOOPBACK, TOKEN } from "./fixture.ts";

const GUESSER = "203.0.113.66";

function rig(rules: Parameters<typeof createApi>[1] = GUARDED) {
  const sources = new FakeSources();
  const api = createApi(sources, rules);
  const ask = async (token: string | null, address: string | null, path = "/v1/status", method = "GET") => {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    return api.request(path, { method, headers }, { address });
  };
  const status = async (...args: Parameters<typeof ask>) => (await ask(...args)).status;
  /** As many wrong tokens as there may be at once. */
  const exhaust = async (address: string | null) => {
    for (let i = 0; i < TRIES_MAX; i++) expect(await status(`guess-${i}`, address)).toBe(401);
  };
  return { sources, ask, status, exhaust };
}

const counted = ({ metrics }: FakeSources, name: string): number =>
  metrics.collect().find((family) => family.name === name)?.samples[0]?.value ?? 0;

describe("a source that sends wrong tokens", () => {
  test(`after ${TRIES_MAX} is answered 429 with Retry-After, its token unseen: the right one as well`, async () => {
    const { sources, ask, status, exhaust } = rig();
    await exhaust(GUESSER);
    const response = await ask("guess", GUESSER);
    expect([response.status, response.headers.get("retry-after")]).toEqual([
      429,
      String(WINDOW_S / TRIES_MAX),
    ]);
    expect(((await response.json()) as { error: string }).error).toBe("too_many_tries");
    expect(await status(TOKEN, GUESSER)).toBe(429);
    expect(counted(sources, "sipedge_http_wrong_tokens_total")).toBe(TRIES_MAX);
    expect(counted(sources, "sipedge_http_slowed_total")).toBe(2);
  });

  test("may try again when Retry-After has passed, once", async () => {
    const { sources, status, exhaust } = rig();
    await exhaust(GUESSER);
    sources.clock.advance((WINDOW_S / TRIES_MAX) * 1000);
    expect([await status("guess", GUESSER), await status("guess", GUESSER)]).toEqual([401, 429]);
    sources.clock.advance((WINDOW_S / TRIES_MAX) * 1000);
    expect([await status(TOKEN, GUESSER), await status(TOKEN, GUESSER)]).toEqual([200, 200]);
  });

  test("holds up nobody else; an IPv6 source is its /64, a mapped address the IPv4 one", async () => {
    const { status, exhaust } = rig();
    await exhaust("2001:db8:1::1");
    expect(await status(TOKEN, "2001:db8:1::ffff")).toBe(429);
    expect(await status(TOKEN, "2001:db8:1:1::1")).toBe(200);
    await exhaust(`::ffff:${GUESSER}`);
    expect([await status(TOKEN, GUESSER), await status(TOKEN, "203.0.113.67")]).toEqual([429, 200]);
  });

  test("is told to the guard, try by try, and written into the log without the token", async () => {
    const { sources, exhaust } = rig();
    await exhaust(`::ffff:${GUESSER}`);
    expect(sources.wrongTokens).toEqual(Array(TRIES_MAX).fill(GUESSER));
    expect(sources.lines).toEqual(
      Array.from({ length: TRIES_MAX }, (_, i) => ["http-wrong-token", { source: GUESSER, tries: i + 1 }]),
    );
  });

  test("is held up for whatever it asks, but for /healthz", async () => {
    const { status, exhaust } = rig();
    await exhaust(GUESSER);
    expect(await status(TOKEN, GUESSER, "/metrics")).toBe(429);
    expect(await status(TOKEN, GUESSER, "/v1/bans/192.0.2.9", "DELETE")).toBe(429);
    expect(await status(TOKEN, GUESSER, "/healthz")).toBe(200);
  });
});

describe("what is no try", () => {
  const many = async (fn: () => Promise<number>): Promise<Set<number>> => {
    const statuses = new Set<number>();
    for (let i = 0; i < 3 * TRIES_MAX; i++) statuses.add(await fn());
    return statuses;
  };

  test("no token at all: a browser that was never told one", async () => {
    const { status } = rig();
    expect(await many(() => status(null, GUESSER))).toEqual(new Set([401]));
    expect(await status(TOKEN, GUESSER)).toBe(200);
  });

  test("the token that only reads, where something would be changed", async () => {
    const { sources, status } = rig({ ...GUARDED, read_token: "one-that-only-reads" });
    const change = () => status("one-that-only-reads", GUESSER, "/v1/bans/192.0.2.9", "DELETE");
    expect(await many(change)).toEqual(new Set([403]));
    expect(sources.wrongTokens).toEqual([]);
  });

  test("any token where none is configured", async () => {
    const { status } = rig(LOOPBACK);
    expect(await many(() => status("whatever", "127.0.0.1"))).toEqual(new Set([200]));
  });
});

test("senders of unknown address share one count, and none of them is told to the guard", async () => {
  const { sources, status, exhaust } = rig();
  await exhaust(null);
  expect([await status(TOKEN, null), sources.wrongTokens.length]).toEqual([429, 0]);
});

test("many sources push out the oldest, and nothing grows", async () => {
  const { status, exhaust } = rig();
  await exhaust(GUESSER);
  for (let i = 0; i < 10_000; i++)
    await status("guess", `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, "/v1/status");
  expect(await status(TOKEN, GUESSER)).toBe(200);
});
