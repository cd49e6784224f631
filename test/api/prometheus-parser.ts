/**
 * A strict reader of the Prometheus text format 0.0.4: throws on whatever a scraper could refuse.
 */

export interface ParsedFamily {
  readonly help: string;
  readonly type: string;
  readonly samples: { readonly labels: Record<string, string>; readonly value: number }[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;

export function parseMetrics(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line has no line feed");
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  const lines = text.slice(0, -1).split("\n");
  let name = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const help = HELP.exec(line);
    if (help) {
      const type = TYPE.exec(lines[++i] ?? "");
      if (type === null || type[1] !== help[1]) throw new Error(`HELP without its TYPE: ${line}`);
      name = help[1]!;
      if (families.has(name)) throw new Error(`${name} comes twice`);
      if (type[2] === "counter" && !name.endsWith("_total")) throw new Error(`counter named ${name}`);
      if (help[2]!.replace(/\\[\\n]/g, "").includes("\\")) throw new Error(`bad escape: ${line}`);
      families.set(name, { help: help[2]!, type: type[2]!, samples: [] });
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample?.[1] !== name || name === "") throw new Error(`not a sample of ${name}: ${line}`);
    const series = line.slice(0, line.lastIndexOf(" "));
    if (seen.has(series)) throw new Error(`series twice: ${series}`);
    seen.add(series);
    families.get(name)!.samples.push({ labels: labels(sample[2] ?? ""), value: value(sample[3]!) });
  }
  return families;
}

function labels(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const label = LABEL.exec(rest);
    if (!label) throw new Error(`not a label: ${rest}`);
    if (label[1]! in found) throw new Error(`label twice: ${text}`);
    found[label[1]!] = label[2]!.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    rest = rest.slice(label[0].length);
    if (rest === "" && label[3] === ",") throw new Error(`comma at the end: ${text}`);
  }
  return found;
}

function value(text: string): number {
  if (text.endsWith("Inf")) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text);
}
