/** Calls that run, and the last ones that are over. */
import type { Answer } from "./api.ts";
import { traceLink } from "./attention.ts";
import type { Child } from "./dom.ts";
import { el } from "./dom.ts";
import { duration, felt, moment, shown, who } from "./format.ts";
import { table } from "./table.ts";

type Call = Answer<"Calls">["calls"][number];
type CallRecord = Answer<"CallRecords">["records"][number];
type Media = Call["media"];

export const link = (call_id: string, text: string, of: string): Child =>
  el(
    "a",
    { href: traceLink(call_id), "data-key": `${of} ${call_id}`, "aria-label": `${text}: what happened` },
    text,
  );

/** One line for each direction of the first stream. */
function quality(media: Media): Child {
  if (media === null) return "not relayed";
  if (media.length === 0) return "nothing heard yet";
  return media.map(({ from, stream, codec, mos_lqe, mos_cqe, loss_percent, jitter_ms }) => {
    const mos = mos_cqe ?? mos_lqe;
    return el(
      "span",
      { class: `quality ${felt(mos)}` },
      `${from}${stream > 0 ? ` (${stream + 1})` : ""}: `,
      el("b", null, mos === null ? "MOS –" : `MOS ${mos}`),
      ` ${codec}, ${shown("loss_percent", loss_percent)} lost, jitter ${shown("jitter_ms", jitter_ms)}`,
    );
  });
}

export function runningCalls({ calls, calls_total }: Answer<"Calls">): Child {
  const more = calls_total > calls.length ? ` (the oldest ${calls.length} of ${calls_total})` : "";
  return table<Call>(
    `Calls that are being set up or run${more}`,
    [
      { head: "From", cell: ({ call_id, from }) => link(call_id, who(from), "call") },
      { head: "To", cell: ({ to }) => who(to) },
      { head: "State", cell: ({ state, peer }) => (peer === null ? state : `${state}, by ${peer}`) },
      { head: "Since", cell: ({ started_at }) => moment(started_at) },
      {
        head: "Lasts",
        cell: ({ duration_s }) => (duration_s === null ? "–" : duration(duration_s)),
        numeric: true,
      },
      { head: "Is heard", cell: ({ media }) => quality(media) },
    ],
    calls,
    "Nobody is on the phone.",
  );
}

export function lastCalls({ records }: Answer<"CallRecords">): Child {
  return table<CallRecord>(
    "Calls that are over, the newest first",
    [
      { head: "Ended", cell: ({ ended_at }) => moment(ended_at) },
      { head: "From", cell: ({ call_id, from }) => link(call_id, who(from), "record") },
      { head: "To", cell: ({ to }) => who(to) },
      {
        head: "Result",
        cell: ({ answered_at, status, reason, ended_by, rule }) =>
          answered_at !== null
            ? `answered, ended by ${ended_by}${reason === "" ? "" : `: ${reason}`}`
            : el(
                "span",
                { class: status >= 500 || status === 403 ? "bad" : "" },
                `${status} ${reason}`,
                rule === null ? "" : ` (${rule})`,
              ),
      },
      {
        head: "Lasted",
        cell: ({ duration_s }) => (duration_s === null ? "–" : duration(duration_s)),
        numeric: true,
      },
      { head: "Was heard", cell: ({ media, answered_at }) => (answered_at === null ? "–" : quality(media)) },
    ],
    records,
    "No call yet.",
  );
}
