/** One call as a ladder: each message and each decision in its place. */
import type { Answer } from "./api.ts";
import { download, get } from "./api.ts";
import type { Child } from "./dom.ts";
import { el } from "./dom.ts";
import { moment, who } from "./format.ts";
import type { Ladder, Rung } from "./ladder.ts";
import { APPLIANCE, ladderOf, toneOf } from "./ladder.ts";

type Trace = Answer<"Trace">;

/** What the page shows of the trace of that name. */
export async function traceView(name: string): Promise<Child> {
  const path = `/v1/traces/${encodeURIComponent(name)}`;
  const trace = await get(path, "Trace");
  const ladder = ladderOf(trace);
  return [
    el("nav", null, el("a", { href: "#/" }, "← all calls")),
    el(
      "section",
      { class: "trace" },
      el("h2", null, `${trace.method}: ${who(trace.from)} → ${who(trace.to)}`),
      verdict(trace),
      el(
        "p",
        { class: "source" },
        `Call-ID ${trace.call_id}, began ${moment(trace.began_at)}. `,
        el(
          "button",
          { type: "button", click: () => void download(`${path}/pcap`, `${trace.id}.pcap`) },
          "pcap for Wireshark",
        ),
      ),
      trace.left_out > 0
        ? el("p", { class: "warn" }, `${trace.left_out} entries gave way to newer ones.`)
        : null,
      ladderView(ladder),
    ),
  ];
}

function verdict({ state, status, reason }: Trace): Child {
  const text = status === 0 ? "No final answer yet" : `${status} ${reason}`;
  const tone = state === "failed" || status >= 400 ? "bad" : "good";
  return el("p", { class: `verdict ${tone}` }, el("b", null, text), ` (${state})`);
}

function ladderView({ columns, rungs }: Ladder): Child {
  return el(
    "div",
    { class: `ladder columns-${columns.length}` },
    el(
      "div",
      { class: "heads" },
      el("span", { class: "time" }, "ms"),
      columns.map((name) => el("span", { class: name === APPLIANCE ? "head us" : "head" }, name)),
    ),
    el(
      "ol",
      null,
      rungs.map((rung) => el("li", null, rungView(rung))),
    ),
  );
}

function rungView(rung: Rung): Child {
  const { entry, from, to } = rung;
  const tone = toneOf(entry);
  const time = el("span", { class: "time", title: entry.at }, entry.after_ms.toFixed(1));
  if (from === null || to === null)
    return el("div", { class: `rung decision ${tone}` }, time, el("span", { class: "words" }, entry.summary));
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  const way = to > from ? "right" : "left";
  const arrow = el(
    "span",
    {
      class: `arrow ${way} ${tone} from-${left} over-${right - left}`,
    },
    el("span", { class: "words" }, entry.kind === "unsent" ? `${entry.summary}: not sent` : entry.summary),
  );
  return el(
    "details",
    { class: "rung message" },
    el(
      "summary",
      null,
      time,
      arrow,
      el("span", { class: "unseen" }, `, ${entry.kind}: ${entry.from} to ${entry.to}`),
    ),
    el("p", { class: "source" }, `${entry.kind} over ${entry.transport}, ${entry.from} → ${entry.to}`),
    el("pre", { tabindex: "0" }, entry.message ?? ""),
  );
}
