/** `/v1/events` and `/v1/history`: what has changed, and what was counted. */
import { describe, expect, test } from "bun:test";
import { LISTENERS_MAX } from "../../src/api/events.ts";
import { SAMPLES_MAX } from "../../src/api/history.ts";
import type { Answer } from "../../src/api/schemas.ts";
import { FakeSources, openApi } from "./fixture.ts";

/** What a listener is sent, as text. */
async function listen(sources: FakeSources) {
  const response = await openApi(sources).request("/v1/events");
  const reader = response.body!.getReader();
  const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString("utf8");
  return { response, read, reader };
}

describe("/v1/events", () => {
  test("tells once a second at most which routes have something new", async () => {
    const sources = new FakeSources();
    const { response, read, reader } = await listen(sources);
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect(await read()).toContain("event: hello");
    sources.register("alice");
    sources.register("bob");
    sources.clock.advance(1000);
    expect(await read()).toBe('event: changed\ndata: {"topics":["registrations"]}\n\n');
    await reader.cancel();
    expect(
      sources.metrics.collect().find(({ name }) => name === "sipedge_event_listeners")?.samples[0]?.value,
    ).toBe(0);
  });

  test("nothing new: the status every five seconds, so that nobody takes it for dead", async () => {
    const sources = new FakeSources();
    const { read, reader } = await listen(sources);
    await read();
    sources.clock.advance(10_000);
    for (let i = 0; i < 2; i++) expect(await read()).toContain('{"topics":["status"]}');
    await reader.cancel();
  });

  test("one listener too many is told so, and a place is free again", async () => {
    const sources = new FakeSources();
    const listeners = await Promise.all(Array.from({ length: LISTENERS_MAX }, () => listen(sources)));
    const refused = await openApi(sources).request("/v1/events");
    expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([503, "busy"]);
    await listeners[0]!.reader.cancel();
    const { response, reader } = await listen(sources);
    expect(response.status).toBe(200);
    await reader.cancel();
    for (const each of listeners) await each.reader.cancel();
  });

  test("who does not read is let go, and holds up nobody", async () => {
    const sources = new FakeSources();
    const slow = await listen(sources);
    const quick = await listen(sources);
    for (let i = 0; i < 100; i++) {
      sources.register(`user${i}`);
      sources.clock.advance(1000);
      await quick.read();
    }
    let blocks = 0;
    for (let read = await slow.reader.read(); !read.done; read = await slow.reader.read()) blocks++;
    expect(blocks).toBeLessThan(70);
    await quick.reader.cancel();
  });

  test("close ends every stream", async () => {
    const sources = new FakeSources();
    const { read, reader } = await listen(sources);
    await read();
    sources.events.close();
    expect((await reader.read()).done).toBe(true);
  });
});

describe("/v1/history", () => {
  const history = async (sources: FakeSources): Promise<Answer<"History">> =>
    (await (await openApi(sources).request("/v1/history")).json()) as Answer<"History">;

  test("one sample a minute, of a day at most", async () => {
    const sources = new FakeSources();
    sources.history.start();
    sources.register("alice");
    expect((await history(sources)).samples).toEqual([]);
    sources.clock.advance(60_000);
    const { every_s, samples } = await history(sources);
    expect([every_s, samples.length, samples[0]?.registrations]).toEqual([60, 1, 1]);
    sources.clock.advance(60_000 * (SAMPLES_MAX + 5));
    const day = (await history(sources)).samples;
    expect(day.length).toBe(SAMPLES_MAX);
    expect(Date.parse(day.at(-1)!.at)).toBe(sources.clock.wall());
    sources.history.close();
  });
});
