/** ARC-47, B-47: the parts of the status page that need no browser. */
import { describe, expect, test } from "bun:test";
import { createApi } from "../../../src/api/api.ts";
import type { Seen } from "../../../src/api/page/client/attention.ts";
import { findings } from "../../../src/api/page/client/attention.ts";
import { line, roundUp } from "../../../src/api/page/client/chart.ts";
import { bytes, duration, felt, heading, shown, who } from "../../../src/api/page/client/format.ts";
import type { Ladder } from "../../../src/api/page/client/ladder.ts";
import { COLUMNS_MAX, ladderOf, OTHERS, toneOf } from "../../../src/api/page/client/ladder.ts";
import type { Answer } from "../../../src/api/schemas.ts";
import { busySources, FakeSources, GUARDED, openApi } from "../fixture.ts";

describe("its files", () => {
  const api = createApi(busySources(), GUARDED);

  test("the shell says nothing of the appliance and loads only from it", async () => {
    const response = await api.request("/");
    const text = await response.text();
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(text).not.toContain("example.test");
    expect(response.headers.get("content-security-policy")).toContain(
      "default-src 'none'; script-src 'self'",
    );
    const loads = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, url]) => url!);
    expect(loads.filter((url) => !url.startsWith("/") && !url.startsWith("data:"))).toEqual([]);
  });

  test("every script it names is there, and every one that they import", async () => {
    const missing: string[] = [];
    const open = ["main.ts"];
    const seen = new Set(open);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const response = await api.request(`/page/${name}`);
      if (response.status !== 200) missing.push(name);
      const text = await response.text();
      expect(text).not.toContain("import type");
      for (const [, other] of text.matchAll(/from "\.\/([\w-]+\.ts)"/g))
        if (!seen.has(other!)) {
          seen.add(other!);
          open.push(other!);
        }
    }
    expect(missing).toEqual([]);
    expect(seen.size).toBeGreaterThan(10);
  });

  test("nothing in them reads text as HTML", async () => {
    for (const name of ["main.ts", "dom.ts", "trace.ts", "calls.ts", "table.ts"]) {
      const text = await (await api.request(`/page/${name}`)).text();
      expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
    }
  });
});

describe("values as people read them", () => {
  for (const [key, value, expected] of [
    ["rss_bytes", 43_000_000, "41.0 MiB"],
    ["latency_ms", 21.44, "21.4 ms"],
    ["loss_percent", 0.25, "0.3 %"],
    ["uptime_s", 93_784, "1 d 2 h"],
    ["calls_per_s", 0, "0"],
    ["reachable", false, "no"],
    ["nat", [], "–"],
    ["domains", ["a.test", "b.test"], "a.test, b.test"],
    ["peer", null, "–"],
  ] as const)
    test(`${key} ${JSON.stringify(value)}: ${expected}`, () => expect(shown(key, value)).toBe(expected));

  test("the rest", () => {
    expect([bytes(100), bytes(2048), bytes(5 * 2 ** 30)]).toEqual(["100 B", "2 KiB", "5.00 GiB"]);
    expect([duration(59.6), duration(61), duration(3600)]).toEqual(["1 min 0 s", "1 min 1 s", "1 h 0 min"]);
    expect([heading("loss_percent"), heading("answered_at"), heading("user_agent")]).toEqual([
      "Loss",
      "Answered",
      "User agent",
    ]);
    expect(who("sip:+4930@example.test;user=phone")).toBe("+4930@example.test");
    expect([felt(null), felt(4.4), felt(3.7), felt(2)]).toEqual(["unknown", "good", "fair", "poor"]);
  });
});

describe("a chart's line", () => {
  test("from left to right, a gap where nothing was measured", () => {
    expect(line([0, 5, null, 10], 30, 10)).toEqual({ path: "M0.0 10.0L10.0 5.0M30.0 0.0", top: 10 });
    expect(line([], 30, 10).path).toBe("");
    expect([0.3, 1, 3, 7, 11, 200, 201].map(roundUp)).toEqual([0.5, 1, 5, 10, 20, 200, 500]);
  });
});

describe("a trace as a ladder", () => {
  const entry = (kind: string, from: string | null, to: string | null, summary: string) =>
    ({
      at: "",
      after_ms: 0,
      kind,
      transport: "udp",
      from,
      to,
      summary,
      message: null,
    }) as Answer<"TraceEntry">;
  const ways = ({ rungs }: Ladder) => rungs.map(({ from, to }) => [from, to]);

  test("the caller to the left, the appliance, then everybody it turns to", () => {
    const ladder = ladderOf({
      entries: [
        entry("received", "A", "E", "INVITE sip:bob"),
        entry("note", null, null, "target: …"),
        entry("sent", "E", "B", "INVITE sip:bob"),
        entry("received", "B", "E", "486 Busy Here (INVITE)"),
        entry("sent", "E", "A", "486 Busy Here (INVITE)"),
      ],
    });
    expect(ladder.columns).toEqual(["A", "sipedge", "B"]);
    expect(ways(ladder)).toEqual([
      [0, 1],
      [null, null],
      [1, 2],
      [2, 1],
      [1, 0],
    ]);
  });

  test("more than fit share the last column", () => {
    const ladder = ladderOf({
      entries: Array.from({ length: 9 }, (_, i) => entry("sent", "E", `P${i}`, "INVITE")),
    });
    expect([ladder.columns.length, ladder.columns.at(-1)]).toEqual([COLUMNS_MAX, OTHERS]);
    expect(ways(ladder).at(-1)).toEqual([1, COLUMNS_MAX - 1]);
  });

  test("a refusal stands out, a question for the password does not", () => {
    const tone = (kind: string, summary: string) => toneOf(entry(kind, "A", "E", summary));
    expect([tone("note", "refused: 403 No (x)"), tone("note", "refused: 407 no_credentials (x)")]).toEqual([
      "bad",
      "note",
    ]);
    expect([
      tone("sent", "503 No (INVITE)"),
      tone("sent", "407 Who (INVITE)"),
      tone("sent", "200 OK (INVITE)"),
    ]).toEqual(["bad", "plain", "good"]);
    expect(tone("unsent", "INVITE sip:bob")).toBe("bad");
  });
});

describe("what needs attention", () => {
  async function seen(sources: FakeSources): Promise<Seen> {
    const api = openApi(sources);
    const get = async (path: string) => (await (await api.request(path)).json()) as never;
    return {
      status: await get("/v1/status"),
      registrations: await get("/v1/registrations"),
      calls: await get("/v1/calls"),
      records: await get("/v1/records"),
      peers: await get("/v1/peers"),
    };
  }
  const NOW = Date.UTC(2026, 0, 1);

  test("all is well: nothing", async () => {
    expect(findings(await seen(new FakeSources()), NOW)).toEqual([]);
  });

  test("the worst first", async () => {
    const sources = busySources();
    sources.store.ill = { ok: false, code: "full", message: "no space left", since_ms: 0 };
    const found = await seen(sources);
    const [registration] = found.registrations.registrations;
    const told = findings(
      {
        ...found,
        registrations: {
          next_cursor: null,
          registrations: [
            { ...registration!, reachable: false, pings_missed: 3, alg_signs: ["via_rewritten"] },
          ],
        },
      },
      NOW,
    );
    expect(told.map(({ tone }) => tone)).toEqual([...told.map(({ tone }) => tone)].sort());
    const text = told.map((each) => each.text).join("\n");
    for (const part of [
      "no space left",
      "listen[0].port: 1 to 65535",
      "3 pings without an answer",
      "(ALG): via_rewritten",
    ])
      expect(text).toContain(part);
  });

  test("a certificate that ends, and one that has ended", async () => {
    const found = await seen(new FakeSources());
    const of = (days: number) => {
      const expires_at = new Date(NOW + days * 86_400_000).toISOString();
      const certificates = [{ file: "c.pem", names: [], expires_at, problem: null }];
      return findings({ ...found, status: { ...found.status, certificates } }, NOW).map(({ tone }) => tone);
    };
    expect([of(30), of(3), of(-1)]).toEqual([[], ["warn"], ["bad"]]);
  });
});
