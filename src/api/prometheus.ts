/**
 * Counters and gauges in the Prometheus text format 0.0.4, with what describes the process itself.
 */
import type { Family, Labels, Sample } from "../base/metrics.ts";
import { readiness } from "./readiness.ts";
import type { ApiSources } from "./sources.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function metricsText(sources: ApiSources): string {
  const families = new Map<string, Family>();
  for (const family of [...processFamilies(sources), ...sources.metrics.collect()])
    families.set(family.name, family); // a name twice would make the whole text invalid
  return [...families.values()].map(familyText).join("");
}

function familyText({ name, help, type, samples }: Family): string {
  let text = `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n`;
  for (const sample of samples) text += `${name}${labelsText(sample.labels)} ${number(sample.value)}\n`;
  return text;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapedValue(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapedValue = (text: string): string => escapedHelp(text).replaceAll('"', '\\"');

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function processFamilies(sources: ApiSources): Family[] {
  const { version, commit, started_ms } = sources.appliance();
  const { rss_bytes, heap_bytes, cpu_user_s, cpu_system_s } = sources.process();
  const { clock } = sources;
  const started_s = (clock.wall() - (clock.now() - started_ms)) / 1000;
  const build: Sample = { labels: { version, commit: commit ?? "" }, value: 1 };
  return [
    one("process_cpu_seconds_total", "counter", "CPU time since the start", cpu_user_s + cpu_system_s),
    one("process_resident_memory_bytes", "gauge", "Resident set", rss_bytes),
    one("process_start_time_seconds", "gauge", "Unix time of the start", started_s),
    { name: "sipedge_build_info", help: "What is running", type: "gauge", samples: [build] },
    one("sipedge_heap_bytes", "gauge", "JavaScript heap in use", heap_bytes),
    one(
      "sipedge_ready",
      "gauge",
      "1 when calls and registrations are taken",
      Number(readiness(sources).ready),
    ),
  ];
}

function one(name: string, type: Family["type"], help: string, value: number): Family {
  return { name, help, type, samples: [{ labels: {}, value }] };
}
