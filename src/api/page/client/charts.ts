/** The last day as charts. */
import type { Answer } from "./api.ts";
import { line } from "./chart.ts";
import { el, svg } from "./dom.ts";
import { bytes, moment } from "./format.ts";

type Sample = Answer<"History">["samples"][number];

const WIDTH = 300;
const HEIGHT = 60;

const CHARTS: readonly {
  readonly name: string;
  readonly value: (sample: Sample) => number;
  readonly shown: (value: number) => string;
  readonly top: number;
}[] = [
  { name: "Calls at a time", value: ({ calls }) => calls, shown: String, top: 2 },
  { name: "Calls begun a minute", value: ({ calls_begun }) => calls_begun, shown: String, top: 2 },
  {
    name: "Not answered a minute",
    value: ({ calls_begun, calls_answered }) => Math.max(0, calls_begun - calls_answered),
    shown: String,
    top: 2,
  },
  { name: "Registrations", value: ({ registrations }) => registrations, shown: String, top: 5 },
  { name: "Memory", value: ({ rss_bytes }) => rss_bytes, shown: bytes, top: 1 << 20 },
  {
    name: "CPU of one core",
    value: ({ cpu_percent }) => cpu_percent,
    shown: (value) => `${value} %`,
    top: 5,
  },
];

/** A day of samples: the hour says enough. */
const clock = (at: string): string =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function charts({ samples }: Answer<"History">): HTMLElement {
  if (samples.length < 2)
    return el("p", { class: "none" }, "Charts begin after two minutes: one point a minute, a day of them.");
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return el(
    "div",
    { class: "charts" },
    CHARTS.map(({ name, value, shown, top: atLeast }) => {
      const values = samples.map(value);
      const { path, top } = line(values, WIDTH, HEIGHT, atLeast);
      const now = shown(values.at(-1)!);
      return el(
        "figure",
        null,
        el("figcaption", null, name, " ", el("strong", null, now)),
        svg(
          "svg",
          {
            viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`,
            preserveAspectRatio: "none",
            role: "img",
            "aria-label": `${name} since ${moment(first.at)}: now ${now}, highest ${shown(Math.max(...values))}`,
          },
          svg("path", { class: "area", d: `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` }),
          svg("path", { class: "line", d: path }),
        ),
        el(
          "p",
          { class: "axis" },
          el("span", null, clock(first.at)),
          el("span", null, `top ${shown(top)}`),
          el("span", null, clock(last.at)),
        ),
      );
    }),
  );
}
