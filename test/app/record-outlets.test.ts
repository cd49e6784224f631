/** IMS-16, CNV-09: call records for other programs, as JSON lines and by web hook. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OutletRules } from "../../src/app/record-outlets.ts";
import { RecordOutlets } from "../../src/app/record-outlets.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { CallRecord } from "../../src/calls/call-record.ts";
import { eventually } from "../support/process.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const dir = mkdtempSync(join(tmpdir(), "sipedge-outlets-"));
const servers: { stop(now: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));

const record = (id: string, more: Partial<CallRecord> = {}): CallRecord => ({
  id,
  call_id: `${id}@phone`,
  started_ms: 0,
  rang_ms: 1000,
  answered_ms: 2000,
  ended_ms: 62_000,
  from: "<sip:alice@example.test>",
  to: "<sip:bob@example.test>",
  asked: "sip:bob@example.test",
  user: "alice",
  source: "udp:192.0.2.1:5060>198.51.100.7:5060",
  target: "sip:bob@198.51.100.8",
  peer: null,
  legs: 1,
  status: 200,
  reason: "",
  ended_by: "caller",
  media: null,
  ...more,
});

function site(rules: Partial<OutletRules>) {
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const all = { file: null, webhook: null, webhook_token: null, ...rules };
  const outlets = new RecordOutlets({ clock, log: silentLog, metrics }, all);
  const counter = (name: string): number =>
    metrics
      .collect()
      .find((family) => family.name === name)
      ?.samples.reduce((sum, { value }) => sum + value, 0) ?? 0;
  return { clock, outlets, counter };
}

interface Hook {
  readonly url: string;
  readonly got: { readonly ids: string[]; readonly authorization: string | null }[];
  status: number;
}

function hook(): Hook {
  const hooked: Hook = { url: "", got: [], status: 204 };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { records } = (await request.json()) as { records: { id: string }[] };
      hooked.got.push({
        ids: records.map(({ id }) => id),
        authorization: request.headers.get("authorization"),
      });
      return new Response(null, { status: hooked.status });
    },
  });
  servers.push(server);
  return Object.assign(hooked, { url: `http://127.0.0.1:${server.port}/calls` });
}

describe("records.file", () => {
  test("a line of JSON for each record, as the API shows it, readable by nobody else", async () => {
    const file = join(dir, "calls.jsonl");
    const { clock, outlets } = site({ file });
    outlets.add(record("one"));
    outlets.add(record("two", { reason: 'he said "bye"\n' }));
    clock.advance(1000);
    await outlets.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(["one", "two"]);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      duration_s: 60,
      ended_at: "1970-01-01T00:01:02.000Z",
      media: null,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("moved away between two records: the next goes to a new file", async () => {
    const file = join(dir, "moved.jsonl");
    const { clock, outlets, counter } = site({ file });
    outlets.add(record("one"));
    clock.advance(1000);
    await eventually("the first line", () => counter("sipedge_records_delivered_total") === 1);
    renameSync(file, `${file}.1`);
    outlets.add(record("two"));
    await outlets.close();
    expect(readFileSync(file, "utf8")).toContain('"id":"two"');
  });

  test("a folder that is not there: tried again, given up at the end, and counted", async () => {
    const { clock, outlets, counter } = site({ file: join(dir, "no", "such", "folder.jsonl") });
    outlets.add(record("one"));
    clock.advance(1000);
    await Bun.sleep(20);
    await outlets.close();
    expect(counter("sipedge_records_undelivered_total")).toBe(1);
  });
});

describe("records.webhook", () => {
  test("gets what came together in one request, with the token", async () => {
    const at = hook();
    const { clock, outlets } = site({ webhook: at.url, webhook_token: "a-secret" });
    for (let n = 0; n < 3; n++) outlets.add(record(`r${n}`));
    clock.advance(1000);
    await eventually("the request", () => at.got.length === 1);
    expect(at.got[0]).toEqual({ ids: ["r0", "r1", "r2"], authorization: "Bearer a-secret" });
    await outlets.close();
  });

  test("one that answers 500 is asked again, later and later, and gets all of them", async () => {
    const at = hook();
    at.status = 500;
    const { clock, outlets, counter } = site({ webhook: at.url });
    outlets.add(record("one"));
    clock.advance(500);
    await eventually("the first try", () => at.got.length === 1);
    await Bun.sleep(20);
    outlets.add(record("two"));
    at.status = 200;
    clock.advance(5000);
    await eventually("the second try", () => counter("sipedge_records_delivered_total") === 2);
    expect(at.got.at(-1)!.ids).toEqual(["one", "two"]);
    await outlets.close();
  });

  test("one that is gone: no more than 5,000 wait, the oldest go", async () => {
    const { outlets, counter } = site({ webhook: "http://127.0.0.1:1/" });
    for (let n = 0; n < 5010; n++) outlets.add(record(`r${n}`));
    expect(counter("sipedge_records_undelivered_total")).toBe(10);
    await outlets.close();
    expect(counter("sipedge_records_undelivered_total")).toBe(5010);
  });
});
