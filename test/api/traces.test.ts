/** `/v1/traces`: what is told of a kept call. */
import { describe, expect, test } from "bun:test";
import type { Ends } from "../../src/trace/trace.ts";
import { FakeSources, openApi } from "./fixture.ts";

const ENDS: Ends = {
  transport: "udp",
  local: { address: "192.0.2.1", port: 5060 },
  remoteAddress: "2001:db8::7",
  remotePort: 5062,
};

function site() {
  const sources = new FakeSources();
  const { trace } = sources;
  const invite =
    'INVITE sip:bob@x SIP/2.0\r\nf: "Al" <sip:al@x>;tag=1\r\nTo: <sip:bob@x>\r\nCall-ID: alice\r\n' +
    'Proxy-Authorization: Digest username="al", response="5ec2e7"\r\n\r\n';
  trace.message(0, "received", ENDS, Buffer.from(invite));
  trace.note(1.25, "refused: 403 no (rule)");
  trace.message(2, "sent", ENDS, Buffer.from("SIP/2.0 403 No\r\nCSeq: 1 INVITE\r\n\r\n"));
  trace.status = 403;
  trace.reason = "no";
  const api = openApi(sources);
  const ask = async (path: string) => api.request(path);
  // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects of it
  return { ask, read: async (path: string): Promise<any> => (await ask(path)).json() };
}

describe("/v1/traces", () => {
  test("lists what there is, with who, whom and the end", async () => {
    const answer = await site().read("/v1/traces?state=passing&limit=5");
    expect(answer).toEqual({
      traces_total: 1,
      bytes: 900,
      traces: [
        expect.objectContaining({
          id: "aB3_",
          call_id: "alice",
          method: "INVITE",
          from: "sip:al@x",
          to: "sip:bob@x",
          state: "passing",
          status: 403,
          reason: "no",
          entries_total: 3,
        }),
      ],
    });
  });

  test("one of them, by id and by Call-ID: messages with both ends, decisions in words, no secrets", async () => {
    const { read } = site();
    const byId = await read("/v1/traces/aB3_");
    expect(await read("/v1/traces/alice")).toEqual(byId);
    expect(byId.entries).toEqual([
      expect.objectContaining({
        kind: "received",
        after_ms: 0,
        transport: "udp",
        from: "[2001:db8::7]:5062",
        to: "192.0.2.1:5060",
        summary: "INVITE sip:bob@x",
      }),
      {
        kind: "note",
        at: expect.any(String),
        after_ms: 1.3,
        transport: null,
        from: null,
        to: null,
        summary: "refused: 403 no (rule)",
        message: null,
      },
      expect.objectContaining({ kind: "sent", summary: "403 No (INVITE)", to: "[2001:db8::7]:5062" }),
    ]);
    expect(byId.entries[0].message).toContain('response="******"');
  });

  test("as a capture file", async () => {
    const answer = await site().ask("/v1/traces/alice/pcap");
    expect(answer.headers.get("content-type")).toBe("application/vnd.tcpdump.pcap");
    const bytes = new DataView(await answer.arrayBuffer());
    expect(bytes.getUint32(0, true)).toBe(0xa1b2c3d4);
  });

  test("one that is not kept: 404; a state that there is not: 400", async () => {
    const { ask, read } = site();
    for (const path of ["/v1/traces/zed", "/v1/traces/zed/pcap"]) {
      expect((await ask(path)).status).toBe(404);
      expect((await read(path)).error).toBe("no_such_trace");
    }
    expect((await ask("/v1/traces?state=odd")).status).toBe(400);
  });
});
