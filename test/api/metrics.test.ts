import { describe, expect, test } from "bun:test";
import { busySources, FakeSources, openApi } from "./fixture.ts";
import { parseMetrics } from "./prometheus-parser.ts";

async function metricsOf(sources: FakeSources): Promise<string> {
  const response = await openApi(sources).request("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return response.text();
}

describe("/metrics", () => {
  test("every family once, with help and type", async () => {
    const families = parseMetrics(await metricsOf(busySources()));
    expect(families.get("sipedge_location_bindings")).toEqual({
      help: "Bindings held",
      type: "gauge",
      samples: [{ labels: {}, value: 3 }],
    });
    expect(families.get("sipedge_location_expired_total")?.type).toBe("counter");
  });

  test("what describes the process", async () => {
    const families = parseMetrics(await metricsOf(new FakeSources()));
    const value = (name: string) => families.get(name)?.samples[0]?.value;
    expect(value("process_cpu_seconds_total")).toBe(1.75);
    expect(value("process_resident_memory_bytes")).toBe(43_000_000);
    expect(value("process_start_time_seconds")).toBe(Date.parse("2025-12-30T22:13:36Z") / 1000);
    expect(value("sipedge_ready")).toBe(1);
    expect(families.get("sipedge_build_info")?.samples[0]?.labels).toEqual({
      version: "1.2.3",
      commit: "0123456789abcdef0123456789abcdef01234567",
    });
  });

  test("labels and help from anywhere cannot break the text", async () => {
    const sources = new FakeSources();
    const hostile = 'a"b\\n\\\nc{d="e"} 1\n# TYPE x counter';
    sources.metrics.counter("hostile_total", "back\\slash\nand line", { method: hostile, code: "ü" }).inc(3);
    sources.metrics.gauges("odd", "Odd values", () => [
      { labels: { n: "1" }, value: Number.NaN },
      { labels: { n: "2" }, value: Number.POSITIVE_INFINITY },
      { labels: { n: "3" }, value: Number.NEGATIVE_INFINITY },
      { labels: { n: "4" }, value: 1e21 },
      { labels: { n: "5" }, value: -1.5e-9 },
    ]);
    const families = parseMetrics(await metricsOf(sources));
    expect(families.get("hostile_total")).toEqual({
      help: "back\\\\slash\\nand line",
      type: "counter",
      samples: [{ labels: { method: hostile, code: "ü" }, value: 3 }],
    });
    expect(families.get("odd")?.samples.map(({ value }) => value)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1e21,
      -1.5e-9,
    ]);
  });

  test("a name that a room took from us comes once", async () => {
    const sources = new FakeSources();
    sources.metrics.gauge("sipedge_ready", "Another one", () => 7);
    expect(parseMetrics(await metricsOf(sources)).get("sipedge_ready")?.samples).toEqual([
      { labels: {}, value: 7 },
    ]);
  });

  test("answers of the API are counted by status", async () => {
    const sources = new FakeSources();
    const api = openApi(sources);
    await api.request("/nowhere");
    await api.request("/v1/status");
    await api.request("/v1/status");
    const families = parseMetrics(await (await api.request("/metrics")).text());
    expect(families.get("sipedge_http_answers_total")?.samples).toEqual([
      { labels: { status: "404" }, value: 1 },
      { labels: { status: "200" }, value: 2 },
    ]);
  });

  const promtool = Bun.which("promtool");
  if (promtool === null) process.stderr.write("skipped: promtool is not installed\n");
  test.skipIf(promtool === null)("promtool finds nothing to complain about", async () => {
    const text = await metricsOf(busySources());
    const check = Bun.spawnSync([promtool!, "check", "metrics"], { stdin: Buffer.from(text) });
    expect(`${check.stdout}${check.stderr}`).toBe("");
    expect(check.exitCode).toBe(0);
  });
});

describe("the strict parser refuses", () => {
  const head = "# HELP a_total x\n# TYPE a_total counter\n";
  test.each([
    ["no line feed at the end", `${head}a_total 1`],
    ["a sample without its family", "a_total 1\n"],
    ["a counter without _total", "# HELP a x\n# TYPE a counter\na 1\n"],
    ["a series twice", `${head}a_total 1\na_total 2\n`],
    ["an unescaped quote", `${head}a_total{b="c"d"} 1\n`],
    ["a family twice", `${head}a_total 1\n${head}a_total{x="y"} 1\n`],
  ])("%s", (_what, text) => {
    expect(() => parseMetrics(text)).toThrow();
  });
});
