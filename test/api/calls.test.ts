/** `/v1/calls` and `/v1/records`. */
import { describe, expect, test } from "bun:test";
import { Call } from "../../src/calls/call.ts";
import type { StoredRecord } from "../../src/calls/sqlite-records.ts";
import { FakeSources, getJson, openApi } from "./fixture.ts";

const NEAR = { address: "127.0.0.1" };
const INVITE = Buffer.from(
  "INVITE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n" +
    'From: "Alice" <sip:alice@example.test>;tag=1\r\nTo: <sip:bob@example.test>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n',
);
const FLOW = { id: "udp:10.0.0.1:5060>192.0.2.7:5060" } as never;

function running(sources: FakeSources, state: Call["state"] = "up"): Call {
  const wall = sources.clock.wall();
  const facts = {
    call_id: "c1",
    from_tag: "1",
    invite: INVITE,
    from: '"Alice" <sip:alice@example.test>',
    to: "<sip:bob@example.test>",
    asked: "sip:bob@example.test",
    user: "alice",
    source: FLOW,
    started_ms: wall,
    started_at: sources.clock.now(),
  };
  const call = new Call("Xk3_9aQ2", facts);
  call.state = state;
  call.answered_ms = state === "up" ? wall : null;
  call.answered_at = state === "up" ? sources.clock.now() : null;
  sources.running_calls.push(call);
  return call;
}

function past(seq: number, changes: Partial<StoredRecord> = {}): StoredRecord {
  return {
    seq,
    id: `id${seq}`,
    call_id: `c${seq}`,
    started_ms: 1_767_225_600_000,
    rang_ms: null,
    answered_ms: 1_767_225_601_000,
    ended_ms: 1_767_225_661_400,
    from: "sip:alice@example.test",
    to: "sip:bob@example.test",
    asked: "sip:bob@example.test",
    user: null,
    source: "udp:10.0.0.1:5060>192.0.2.7:5060",
    target: "sip:bob@192.0.2.8",
    peer: null,
    rule: null,
    legs: 1,
    status: 200,
    reason: "OK",
    ended_by: "callee",
    ...changes,
  };
}

describe("/v1/calls", () => {
  test("ARC-30 shows a call that runs", async () => {
    const sources = new FakeSources();
    running(sources).expires_at = sources.clock.now() + 90_000;
    sources.clock.advance(30_000);
    const shown = {
      id: "Xk3_9aQ2",
      call_id: "c1",
      from: "sip:alice@example.test",
      to: "sip:bob@example.test",
      user: "alice",
      state: "up",
      duration_s: 30,
      session_expires_in_s: 60,
    };
    expect(await getJson(openApi(sources), "/v1/calls")).toMatchObject({ calls_total: 1, calls: [shown] });
    expect(await getJson(openApi(sources), "/v1/calls/Xk3_9aQ2")).toMatchObject(shown);
    await getJson(openApi(sources), "/v1/calls/other", 404);
  });

  test("DELETE ends it, and says who asked in the log; one that rings is 409", async () => {
    const sources = new FakeSources();
    const call = running(sources);
    const ask = () => openApi(sources).request("/v1/calls/Xk3_9aQ2", { method: "DELETE" }, NEAR);
    expect((await ask()).status).toBe(200);
    expect(sources.hung_up).toEqual(["Xk3_9aQ2"]);
    expect(sources.lines.at(-1)).toEqual(["call-to-end", { call: "Xk3_9aQ2", from: "127.0.0.1" }]);
    call.state = "ringing";
    expect((await ask()).status).toBe(409);
    sources.running_calls = [];
    expect((await ask()).status).toBe(404);
  });
});

describe("/v1/records", () => {
  test("ARC-30 pages, the newest first", async () => {
    const sources = new FakeSources();
    sources.past = Array.from({ length: 5 }, (_, i) => past(5 - i));
    const first = await getJson(openApi(sources), "/v1/records?limit=2");
    expect(first.records).toMatchObject([{ id: "id5", duration_s: 60, ended_by: "callee" }, { id: "id4" }]);
    const next = await getJson(openApi(sources), `/v1/records?limit=3&cursor=${first.next_cursor}`);
    expect(next).toMatchObject({ records: [{ id: "id3" }, { id: "id2" }, { id: "id1" }], next_cursor: null });
    await getJson(openApi(sources), "/v1/records?cursor=nonsense", 400);
  });

  test("RFC 4180 as CSV; what a spreadsheet would run is text", async () => {
    const sources = new FakeSources();
    sources.past = [
      past(2, { from: '=cmd|" /C calc"!A0', to: "sip:a,b@example.test" }),
      past(1, { answered_ms: null }),
    ];
    const response = await openApi(sources).request("/v1/records.csv");
    expect(response.headers.get("content-type")).toStartWith("text/csv");
    const lines = (await response.text()).split("\r\n");
    expect(lines[0]).toStartWith("id,started_at,");
    expect(lines[1]).toContain(`"'=cmd|"" /C calc""!A0","sip:a,b@example.test"`);
    expect(lines[2]).toContain(",,2026-01-01T00:01:01"); // not answered: two empty fields before the end
    expect(lines).toHaveLength(4);
  });
});
