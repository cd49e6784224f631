/** `sipedge route test`: what it prints, and its exit code. */
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { route } from "../../src/app/commands/route.ts";
import type { ExplainedConfig } from "../../src/peers/explain.ts";
import { explain } from "../../src/peers/explain.ts";
import { peerKeys, routeKeys, uriOf } from "./kit.ts";

const ALICE = { user: "alice", ours: true, peer: null };
const MONDAY = Date.UTC(2026, 10, 23, 9);

const CONFIG: ExplainedConfig = {
  user: [{ name: "alice" }],
  group: [{ name: "sales" }],
  dns: { enum_suffix: null },
  emergency: { numbers: ["112"], to: "sip:{number}@help.test" },
  peer: peerKeys(
    {
      name: "carrier",
      uris: [
        "sip:gw3.test priority=5",
        "sip:gw1.test weight=3",
        "sip:gw2.test weight=1",
        "sip:gw4.test weight=0",
      ],
      calls_max: 30,
      calls_per_s: 10,
    },
    { name: "out", uris: ["sip:out.test"], outbound_proxy: true },
  ),
  route: routeKeys(
    { name: "barred", numbers: ["0900."], to: ["refuse 403 Barred"] },
    {
      name: "world",
      numbers: ["0."],
      number_format: "e164",
      country_code: "49",
      to: ["peer:carrier", "sales", "zoe"],
      last: true,
    },
    { name: "federation", domains: ["foreign"], to: ["peer:out"] },
  ),
};

const said = (uri: string, ours = true, caller: Parameters<typeof explain>[1]["caller"] = ALICE) =>
  explain(CONFIG, { uri: uriOf(uri), ours, caller, wall_ms: MONDAY });

describe("B-25 sipedge route test", () => {
  test("says which routes fit and why, and each hop in its order", () => {
    const { text, refused } = said("sip:030123@example.test");
    expect(refused).toBe(false);
    expect(text).toBe(
      `sip:030123@example.test (a domain of ours), called by our user alice, at 2026-11-23T09:00:00.000Z
route barred does not fit: 030123 fits none of its numbers
route world fits: 030123 fits 0.; 030123 becomes +4930123; leads to peer carrier, then sales, then zoe, and to no later route
1 later route is not asked
1. peer carrier (route world), within 30 calls at once and 10 new calls a second
   sip:+4930123@gw1.test: priority 0, first in 75 % of calls
   sip:+4930123@gw2.test: priority 0, first in 25 % of calls
   sip:+4930123@gw4.test: priority 0, only when the others of it cannot be had
   sip:+4930123@gw3.test: priority 5, next after those above in 100 % of calls
2. group sales (route world)
3. zoe, if that is an account in the data directory (route world)
`,
    );
  });

  test("a refusal", () => {
    const { text, refused } = said("sip:0900123@example.test");
    expect(refused).toBe(true);
    expect(text).toEndWith("2 later routes are not asked\nrefused: 403 Barred (route barred)\n");
  });

  test("a stranger gets nowhere", () => {
    const { text, refused } = said("sip:030@example.test", true, { user: null, ours: false, peer: null });
    expect(refused).toBe(true);
    expect(text).toContain("route world does not fit: a stranger is none of its callers\n");
    expect(text).toEndWith("refused: no route fits, 404 unless 030 is an account in the data directory\n");
  });

  test.each([
    ["sip:alice@example.test", "alice is a user here; no route is asked\n"],
    ["sip:sales@example.test", "sales is a group here; no route is asked\n"],
    ["sip:112@example.test", "a call for help: goes to sip:112@help.test; no route is asked\n"],
  ])("%s is asked of no route", (uri, end) => {
    const { text, refused } = said(uri);
    expect([text.endsWith(end), refused]).toEqual([true, false]);
  });

  test("SIP-43 a foreign domain by a peer, and by DNS without a route", () => {
    expect(said("sip:bob@other.test", false).text).toEndWith(
      "1. peer out (route federation)\n   sip:bob@other.test by Route <sip:out.test;lr>: priority 0, first in 100 % of calls\n",
    );
    const none = explain(
      { ...CONFIG, route: [] },
      { uri: uriOf("sip:bob@other.test"), ours: false, caller: ALICE, wall_ms: MONDAY },
    );
    expect(none.text).toEndWith(
      "no route fits: other.test is looked up in DNS, if the caller may call there\n",
    );
    expect(none.refused).toBe(false);
  });
});

describe("the command", () => {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-route-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "sipedge.toml");
  writeFileSync(
    file,
    `domains = ["example.test"]
[[listen]]
transport = "udp"
address = "192.0.2.1"
port = 5060
[[peer]]
name = "carrier"
uris = ["sip:gw.test"]
[[route]]
name = "night"
times = ["22:00-06:00"]
time_zone = "UTC"
to = ["refuse 480 Closed"]
[[route]]
name = "incoming"
callers = ["peer:carrier"]
to = ["bob"]
[[route]]
name = "bobs"
callers = ["bob"]
to = ["peer:carrier"]
`,
  );

  /** Exit code and everything said. */
  const run = (words: string[], from: string | null = null, at: string | null = "2026-11-23T12:00Z") => {
    let text = "";
    const take = (chunk: string | Uint8Array) => {
      text += String(chunk);
      return true;
    };
    const spies = [process.stdout, process.stderr].map((out) => spyOn(out, "write").mockImplementation(take));
    try {
      return { code: route({ words, config: file, from, at }), text };
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  };

  test.each<[string, string, string | null, string, number, string]>([
    [
      "a user by --from",
      "sip:1@example.test",
      "sip:bob@example.test",
      "2026-11-23T12:00Z",
      0,
      "1. peer carrier (route bobs)",
    ],
    [
      "our address is ours",
      "sip:1@192.0.2.1",
      "sip:bob@192.0.2.1",
      "2026-11-23T12:00Z",
      0,
      "1. peer carrier (route bobs)",
    ],
    ["a peer by --from", "sip:1@example.test", "peer:carrier", "2026-11-23T12:00Z", 0, "1. bob, if"],
    ["any user without it", "sip:1@example.test", null, "2026-11-23T12:00Z", 1, "no route fits"],
    ["--at", "sip:1@example.test", null, "2026-11-23T23:00Z", 1, "refused: 480 Closed (route night)"],
    ["no URI", "1", null, "2026-11-23T12:00Z", 2, "is no sip: URI"],
    ["no time", "sip:1@example.test", null, "noon", 2, "--at takes a time"],
    ["no peer of that name", "sip:1@example.test", "peer:x", "2026-11-23T12:00Z", 2, "--from takes"],
  ])("%s", (_, uri, from, at, code, words) => {
    const result = run(["test", uri], from, at);
    expect([result.code, result.text]).toEqual([code, expect.stringContaining(words)]);
  });

  test("wrong words", () => {
    for (const words of [[], ["test"], ["show", "sip:1@a"], ["test", "sip:1@a", "more"]])
      expect(run(words).code).toBe(2);
  });
});

describe("DNS-13 route test and ENUM", () => {
  const enumOn = {
    ...CONFIG,
    dns: { enum_suffix: "e164.test" },
    route: routeKeys({
      name: "try",
      numbers: ["0."],
      number_format: "e164",
      country_code: "49",
      to: ["{enum}", "sales"],
    }),
  };
  const shown = (uri: string, caller: typeof ALICE | { user: null; ours: false; peer: null } = ALICE) =>
    explain(enumOn, { uri: uriOf(uri), ours: true, caller, wall_ms: MONDAY });

  test("a route to {enum}: the name that is asked, then the next destination", () => {
    const { text, refused } = shown("sip:0301@example.test");
    expect(text).toContain(
      "1. where ENUM leads +49301: the NAPTR records of 1.0.3.9.4.e164.test (route try)\n2. group sales",
    );
    expect(refused).toBe(false);
  });

  test("no route: ENUM for numbers of users, a refusal for strangers and names", () => {
    expect(shown("sip:+49301@example.test").text).toContain("no route fits\n1. where ENUM leads +49301");
    const stranger = { user: null, ours: false, peer: null } as const;
    expect([
      shown("sip:+49301@example.test", stranger).refused,
      shown("sip:nobody@example.test").refused,
    ]).toEqual([true, true]);
  });
});
