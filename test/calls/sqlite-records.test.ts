/** Records of calls in SQLite: kept, paged, bounded by rows and days, and no call's trouble. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { CallRecord } from "../../src/calls/call-record.ts";
import { SqliteRecords } from "../../src/calls/sqlite-records.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const RULES = { enabled: true, rows_max: 100, days: 30 };

function store(rules = RULES) {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-records-"));
  dirs.push(dir);
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const file = new SqliteFile(dir, clock);
  const open = () => new SqliteRecords(file, { clock, log: silentLog, metrics }, rules);
  const lost = () =>
    metrics.counter("sipedge_call_records_lost_total", "Call records that did not reach the disk").value;
  return { clock, file, records: open(), open, lost };
}

function record(id: string, ended_ms: number, changes: Partial<CallRecord> = {}): CallRecord {
  return {
    id,
    call_id: `${id}@host`,
    started_ms: ended_ms - 2000,
    rang_ms: null,
    answered_ms: ended_ms - 1000,
    ended_ms,
    from: "sip:alice@example.test",
    to: "sip:bob@example.test",
    asked: "sip:bob@example.test",
    user: "alice",
    source: "udp:10.0.0.1:5060>192.0.2.7:5060",
    target: "sip:bob@192.0.2.8",
    peer: null,
    legs: 1,
    status: 200,
    reason: "OK",
    ended_by: "caller",
    ...changes,
  };
}

describe("ARC-30 call records", () => {
  test("come back as they were, the newest first, also after a restart", () => {
    const { clock, records, open } = store();
    const first = record("a", clock.wall(), { user: null, peer: "carrier", rang_ms: 5, ended_by: "nobody" });
    records.add(first);
    records.add(record("b", clock.wall()));
    clock.advance(1000);
    const found = open().newest(10);
    expect(found.map(({ id }) => id)).toEqual(["b", "a"]);
    expect(found[1]).toMatchObject({ ...first });
  });

  test("are written once a second, and before they are read", () => {
    const { clock, records, open } = store();
    records.add(record("a", clock.wall()));
    expect(open().newest(10)).toEqual([]);
    expect(records.newest(10)).toHaveLength(1);
    expect(open().newest(10)).toHaveLength(1);
  });

  test("pages go on where the last one ended", () => {
    const { clock, records } = store();
    for (let i = 0; i < 25; i++) records.add(record(String(i), clock.wall()));
    const ids: string[] = [];
    for (let before = Number.MAX_SAFE_INTEGER, round = 0; round < 4; round++) {
      const page = records.newest(10, before);
      ids.push(...page.map(({ id }) => id));
      before = page.at(-1)?.seq ?? 0;
    }
    expect(ids).toEqual(Array.from({ length: 25 }, (_, i) => String(24 - i)));
  });

  test("the oldest go by number", () => {
    const { clock, records } = store();
    for (let i = 0; i < 250; i++) records.add(record(String(i), clock.wall()));
    expect(records.newest(1000)).toHaveLength(100);
    expect(records.newest(1)[0]?.id).toBe("249");
  });

  test("and by age", () => {
    const { clock, records } = store();
    records.add(record("old", clock.wall()));
    clock.advance(31 * 24 * 3600 * 1000);
    records.add(record("new", clock.wall()));
    expect(records.newest(10).map(({ id }) => id)).toEqual(["new"]);
  });

  test("switched off nothing is kept", () => {
    const { clock, records } = store({ ...RULES, enabled: false });
    records.add(record("a", clock.wall()));
    clock.advance(2000);
    expect(records.newest(10)).toEqual([]);
  });

  test("a file that fails costs records, counted, and nothing is thrown", () => {
    const { clock, file, records, lost } = store();
    file.close();
    records.add(record("a", clock.wall()));
    clock.advance(1000);
    expect(lost()).toBe(1);
    expect(records.newest(10)).toEqual([]);
  });

  test("no more than 10,000 wait for the disk", () => {
    const { clock, records, lost } = store();
    for (let i = 0; i < 10_005; i++) records.add(record(String(i), clock.wall()));
    expect(lost()).toBe(5);
  });
});
