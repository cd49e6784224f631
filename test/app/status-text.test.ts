import { describe, expect, test } from "bun:test";
import type { Answer } from "../../src/api/schemas.ts";
import { statusText } from "../../src/app/status-text.ts";

const STATUS: Answer<"Status"> = {
  version: "1.2.3",
  commit: "0123456789abcdef0123456789abcdef01234567",
  started_at: "2026-01-01T00:16:40.000Z",
  uptime_s: 93_784,
  ready: true,
  reasons: [],
  listeners: [
    { transport: "udp", address: "192.0.2.1", port: 5060, advertised: "192.0.2.1:5060" },
    { transport: "tcp", address: "2001:db8::1", port: 5060, advertised: "edge.example.test:5060" },
  ],
  certificates: [],
  domains: ["example.test", "192.0.2.1"],
  realm: "example.test",
  counts: {
    registrations: 2,
    users_registered: 1,
    transactions_server: 1,
    transactions_client: 2,
    connections: 1,
  },
  rtpengines: [],
  store: { kind: "sqlite", ok: true, code: null, message: "", since: "2026-01-01T00:16:40.000Z" },
  memory: { rss_bytes: 43_400_000, heap_bytes: 5_000_000 },
  cpu: { user_s: 80.25, system_s: 13.5 },
  reload: null,
};

const ROW: Answer<"Registration"> = {
  aor: "alice@example.test",
  contact: "sip:alice@192.0.2.7:5062;ob",
  q: 1,
  expires_in_s: 3120,
  expires_at: "2026-01-01T01:16:40.000Z",
  registered_at: "2026-01-01T00:16:40.000Z",
  instance: null,
  reg_id: null,
  path: [],
  user_agent: null,
  transport: "udp",
  local: "192.0.2.1:5060",
  remote: "192.0.2.7:5062",
  flow_id: "udp:192.0.2.1:5060>192.0.2.7:5062",
  nat: [],
  alg_signs: [],
  outbound: false,
  reachable: true,
  latency_ms: null,
  pings_missed: 0,
};

const list = (...rows: Partial<Answer<"Registration">>[]): Answer<"Registrations"> => ({
  registrations: rows.map((row) => ({ ...ROW, ...row })),
  next_cursor: null,
});

const NOBODY = list();
const columns = (text: string): number => Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)));

test("all is well", () => {
  const rows = list(
    {},
    { contact: "sip:alice@[2001:db8::7]:5062;transport=tcp", transport: "tcp", expires_in_s: 40 },
  );
  expect(statusText(STATUS, rows)).toBe(`\
sipedge 1.2.3 (0123456789ab) is ready, up for 1 day 2 h, since 2026-01-01 00:16 UTC.

Listens on   udp 192.0.2.1:5060
             tcp [2001:db8::1]:5060, known as edge.example.test:5060
Domains      example.test, 192.0.2.1
Realm        example.test
Registered   2 contacts of 1 address
In progress  3 transactions (1 being answered, 2 sent on), 1 connection
Store        sqlite, in order since 2026-01-01 00:16 UTC
Memory       43 MB, of it heap 5 MB
CPU          93.8 s since the start, 0.1 % of one core

  Registered               Reached at                       Over Ends in
  alice@example.test       sip:alice@192.0.2.7:5062;ob      udp  52 min
  alice@example.test       sip:alice@[2001:db8::7]:5062;tr… tcp  40 s
`);
});

test("warnings come before everything else", () => {
  const text = statusText(
    {
      ...STATUS,
      ready: false,
      reasons: ["draining: the appliance is stopping and takes nothing new", "store_full: no space left"],
      listeners: [],
      store: { kind: "sqlite", ok: false, code: "full", message: "no space left", since: STATUS.started_at },
      reload: {
        last_at: STATUS.started_at,
        ok: false,
        errors: ["listen[0].port: a number from 1 to 65535"],
        restart_needed: [],
      },
    },
    NOBODY,
  );
  expect(text).toStartWith(`\
sipedge 1.2.3 (0123456789ab) is NOT ready, up for 1 day 2 h, since 2026-01-01 00:16 UTC.

  !   not ready: draining: the appliance is stopping and takes nothing new
  !   not ready: store_full: no space left
  !   the store has been failing since 2026-01-01 00:16 UTC
  !   the config read at 2026-01-01 00:16 UTC has mistakes; the one before is in
      force:
      listen[0].port: a number from 1 to 65535

Listens on   nothing
`);
  expect(text).toContain("Store        sqlite, failing\n");
});

test("an idle appliance: no table, no share of a minute that is not over", () => {
  const counts = {
    registrations: 0,
    users_registered: 0,
    transactions_server: 0,
    transactions_client: 0,
    connections: 0,
  };
  const text = statusText({ ...STATUS, commit: null, uptime_s: 5, counts }, NOBODY);
  expect(text).toStartWith("sipedge 1.2.3 is ready, up for 5 s, since");
  expect(text).toContain("Registered   nobody\nIn progress  0 transactions, 0 connections\n");
  expect(text).toEndWith("CPU          93.8 s since the start\n");
});

test("a config taken over again says when", () => {
  const reload = { last_at: "2026-01-02T10:00:00.000Z", ok: true, errors: [], restart_needed: [] };
  expect(statusText({ ...STATUS, reload }, NOBODY)).toEndWith(
    "Config       read again 2026-01-02 10:00 UTC\n",
  );
});

test("twenty registrations and how many more", () => {
  const counts = { ...STATUS.counts, registrations: 137, users_registered: 130 };
  const text = statusText({ ...STATUS, counts }, list(...Array(30).fill({})));
  expect(text.match(/^ {2}alice@/gm)).toHaveLength(20);
  expect(text).toEndWith("\n  and 117 more: /v1/registrations lists them all\n");
});

describe("time left in words", () => {
  test.each([
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [3600, "1 h"],
    [3660, "1 h 1 min"],
    [86_400, "1 day"],
    [90_000, "1 day 1 h"],
    [172_860, "2 days"],
  ])("%d s", (expires_in_s, words) => {
    expect(statusText(STATUS, list({ expires_in_s }))).toContain(` udp  ${words}\n`);
  });
});

describe("text from the network", () => {
  test("cannot steer the terminal", () => {
    const hostile = "sip:\u001b[2J\u001b]0;x\u0007\u009b31m\u202e\u2028\r\n@h";
    const text = statusText({ ...STATUS, realm: hostile }, list({ aor: hostile, contact: hostile }));
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(text).toContain("sip:·[2J");
  });

  test("keeps the columns, wide characters and long words included", () => {
    const text = statusText(
      { ...STATUS, ready: false, reasons: [`store_io: ${"/very-long".repeat(30)} cannot be written`] },
      list({ aor: "日本語".repeat(20), contact: `sip:${"x".repeat(500)}`, expires_in_s: 31_536_000 * 9 }),
    );
    expect(columns(text.slice(text.indexOf("\n")))).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^ {2}日本語.*… +sip:x+… udp {2}3285 days$/m);
  });
});

describe("what is no answer of ours", () => {
  const SENTENCE = "What answers there is no sipedge, or one of another version.\n";
  test.each([[null], [{}], ["ok"], [{ ...STATUS, counts: null }]])("%j", (status) => {
    expect(statusText(status, NOBODY)).toBe(SENTENCE);
  });

  test("keys of a later version do no harm", () => {
    expect(statusText({ ...STATUS, news: 1 }, NOBODY)).toStartWith("sipedge 1.2.3");
  });

  test("a list that is none is left out", () => {
    expect(statusText(STATUS, { error: "busy" })).not.toContain("Reached at");
  });
});

test("keys that wait for a restart are named", () => {
  const restart_needed = ["data_dir", "log.level"];
  const reload = { last_at: "2026-01-02T10:00:00.000Z", ok: true, errors: [], restart_needed };
  expect(statusText({ ...STATUS, reload }, NOBODY)).toContain(
    "  !   changed, but only after a restart: data_dir, log.level\n",
  );
});

test("NAT-07 a phone behind a NAT is shown by its flow; one out of reach, and an ALG in between, are said", () => {
  const rows = list(
    { nat: ["private_contact"], contact: "sip:alice@192.168.1.10:5060", remote: "198.51.100.7:40123" },
    { aor: "bob@example.test", reachable: false, alg_signs: ["half_rewritten"], remote: "198.51.100.8:5060" },
  );
  const text = statusText(STATUS, rows);
  expect(text).toContain("198.51.100.7:40123 (NAT)");
  expect(text).not.toContain("192.168.1.10");
  expect(text).toContain("out of reach");
  expect(text.replace(/\s+/g, " ")).toContain(
    "ALG suspected: the router of bob@example.test at 198.51.100.8:5060 rewrites SIP (half_rewritten)",
  );
});

test("ARC-18 rtpengines: how many calls each has, and a warning for one that is down", () => {
  const engine = { weight: 1, commands_under_way: 0, since: STATUS.started_at };
  const rtpengines = [
    { ...engine, instance: "10.0.0.21:2223", up: true, calls: 1 },
    { ...engine, instance: "10.0.0.22:2223", up: false, calls: 0 },
  ];
  const text = statusText({ ...STATUS, rtpengines }, NOBODY);
  expect(text).toContain("  !   rtpengine 10.0.0.22:2223 has not answered since 2026-01-01 00:16 UTC\n");
  expect(text).toContain("\nrtpengine    10.0.0.21:2223 1 call\n             10.0.0.22:2223 down\n");
});
