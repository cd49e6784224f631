/** `/v1/keepalive`: what is kept open, and the switch. */
import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { FakeSources, GUARDED, getJson, keptFlow, openApi, TOKEN } from "./fixture.ts";

const FLOW = "udp:10.0.0.1:5060>198.51.100.7:40123";

const read = (sources: FakeSources, query = "") => getJson(openApi(sources), `/v1/keepalive${query}`);

function put(sources: FakeSources, body: unknown, token = TOKEN) {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const init = { method: "PUT", body: JSON.stringify(body), headers };
  return createApi(sources, GUARDED).request("/v1/keepalive", init);
}

describe("/v1/keepalive", () => {
  test("NT-22 NT-23 NT-24 NT-25 counts endpoints by what keeps them", async () => {
    const sources = new FakeSources();
    sources.kept = [
      keptFlow(FLOW, { conditions: ["registration", "dialog"] }),
      keptFlow(`${FLOW}1`, { conditions: ["subscription"] }),
    ];
    expect(await read(sources, "?limit=1")).toEqual({
      enabled: true,
      endpoints: 2,
      registered: 1,
      subscribed: 1,
      in_dialog: 1,
      flows: [keptFlow(FLOW, { conditions: ["registration", "dialog"] })],
    });
  });

  test("NH-35 can be switched off and on while it runs; who did it stands in the log", async () => {
    const sources = new FakeSources();
    const answer = await put(sources, { enabled: false });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ enabled: false });
    expect(sources.pings).toBe(false);
    expect(sources.lines.map(([event]) => event)).toContain("keepalive-switched");
    await put(sources, { enabled: true });
    expect(sources.pings).toBe(true);
  });

  test("anything but true and false is refused", async () => {
    const sources = new FakeSources();
    for (const body of [{}, { enabled: 0 }, { enabled: "no" }, { enabled: false, more: 1 }, []])
      expect((await put(sources, body)).status).toBe(400);
    expect(sources.pings).toBe(true);
  });

  test("without the token nothing is switched", async () => {
    const sources = new FakeSources();
    expect((await put(sources, { enabled: false }, "wrong")).status).toBe(401);
    expect(sources.pings).toBe(true);
  });
});
