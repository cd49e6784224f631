import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";

const samples = (metrics: Metrics, name: string) =>
  metrics.collect().find((family) => family.name === name)!.samples;

describe("metrics", () => {
  test("the same name and labels are the same counter", () => {
    const metrics = new Metrics();
    const a = metrics.counter("x_total", "X", { side: "a" });
    a.inc();
    metrics.counter("x_total", "X", { side: "a" }).inc(2);
    metrics.counter("x_total", "X", { side: "b" }).inc(5);
    expect(samples(metrics, "x_total").map(({ labels, value }) => [labels.side!, value])).toEqual([
      ["a", 3],
      ["b", 5],
    ]);
  });

  test("a gauge is read when it is collected, and may have several samples", () => {
    const metrics = new Metrics();
    let size = 1;
    metrics.gauge("size", "S", () => size);
    metrics.gauges("sides", "S", () => [
      { labels: { side: "a" }, value: size },
      { labels: { side: "b" }, value: 2 * size },
    ]);
    size = 7;
    expect(samples(metrics, "size")).toEqual([{ labels: {}, value: 7 }]);
    expect(samples(metrics, "sides").map((sample) => sample.value)).toEqual([7, 14]);
  });

  test("families come in the order of their names, with help and type", () => {
    const metrics = new Metrics();
    metrics.gauge("b", "the B", () => 0);
    metrics.counter("c_total", "the C");
    metrics.counter("a_total", "the A");
    expect(metrics.collect().map(({ name, help, type }) => [name, help, type])).toEqual([
      ["a_total", "the A", "counter"],
      ["b", "the B", "gauge"],
      ["c_total", "the C", "counter"],
    ]);
  });

  test("10,000 label sets: bounded, and what does not fit is counted under other", () => {
    const metrics = new Metrics();
    for (let i = 0; i < 10_000; i++) metrics.counter("wild_total", "W", { peer: String(i) }).inc();
    const all = samples(metrics, "wild_total");
    expect(all.length).toBeLessThanOrEqual(201);
    expect(all.reduce((sum, sample) => sum + sample.value, 0)).toBe(10_000);
    expect(all.find((sample) => sample.labels.other === "true")?.value).toBe(9_800);
    metrics.counter("wild_total", "W", { peer: "5" }).inc();
    expect(all.find((sample) => sample.labels.peer === "5")?.value).toBe(2);
  });
});
