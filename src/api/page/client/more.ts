/** Everything else the API gives, each in a section that is asked for once it is opened. */
import type { Answer } from "./api.ts";
import { ask } from "./api.ts";
import { link } from "./calls.ts";
import type { Child } from "./dom.ts";
import { el, put } from "./dom.ts";
import { moment, who } from "./format.ts";
import { facts, plainTable, table } from "./table.ts";

const SECTIONS: readonly { readonly title: string; readonly path: string; readonly topic: string | null }[] =
  [
    { title: "Peers", path: "/v1/peers", topic: "peers" },
    { title: "Bans", path: "/v1/bans", topic: "bans" },
    { title: "Name service", path: "/v1/dns", topic: null },
    { title: "Kept-alive flows", path: "/v1/keepalive", topic: null },
    { title: "Connections", path: "/v1/flows", topic: null },
    { title: "Transactions", path: "/v1/transactions", topic: null },
    { title: "Quality reports of phones", path: "/v1/quality-reports", topic: null },
    { title: "Accounts", path: "/v1/users", topic: null },
    { title: "Forwards", path: "/v1/forwards", topic: null },
    { title: "Traces", path: "/v1/traces", topic: "records" },
    { title: "Appliance", path: "/v1/status", topic: "status" },
  ];

interface Section {
  readonly details: HTMLDetailsElement;
  readonly topic: string | null;
  readonly refresh: () => Promise<void>;
}

export function moreSections(): {
  readonly element: HTMLElement;
  readonly changed: (topics: readonly string[]) => void;
} {
  const sections = SECTIONS.map(({ title, path, topic }): Section => {
    const content = el("div", { class: "content" });
    const refresh = async (): Promise<void> => {
      try {
        const answer = (await (await ask(path)).json()) as Record<string, unknown>;
        put(content, contentOf(title, answer), el("p", { class: "source" }, el("code", null, `GET ${path}`)));
      } catch (error) {
        put(content, el("p", { class: "bad" }, (error as Error).message));
      }
    };
    const details = el(
      "details",
      { toggle: () => void (details.open && refresh()) },
      el("summary", null, title),
      content,
    );
    return { details, topic, refresh };
  });
  return {
    element: el(
      "section",
      { "aria-label": "Everything else" },
      el("h2", null, "More"),
      sections.map(({ details }) => details),
    ),
    changed(topics) {
      for (const { details, topic, refresh } of sections)
        if (details.open && (topic === null || topics.includes(topic))) void refresh();
    },
  };
}

/** A trace is opened as a ladder, whatever it is of. */
function tracesTable(traces: Answer<"Traces">["traces"]): Child {
  return table<Answer<"Traces">["traces"][number]>(
    "The newest first",
    [
      { head: "Began", cell: ({ began_at }) => moment(began_at) },
      { head: "Method", cell: ({ call_id, method }) => link(call_id, method, "trace") },
      { head: "From", cell: ({ from }) => who(from) },
      { head: "To", cell: ({ to }) => who(to) },
      { head: "Result", cell: ({ status, reason }) => (status === 0 ? "none yet" : `${status} ${reason}`) },
      { head: "State", cell: ({ state }) => state },
      { head: "Entries", cell: ({ entries_total }) => entries_total, numeric: true },
    ],
    traces,
    "None.",
  );
}

/** The single numbers, then each list. */
function contentOf(title: string, answer: Record<string, unknown>): Child {
  const lists = Object.entries(answer).filter(
    ([, value]) => Array.isArray(value) && value.some((each) => typeof each === "object"),
  );
  return [
    facts(answer, title),
    lists.map(([key, rows]) =>
      key === "traces"
        ? tracesTable(rows as Answer<"Traces">["traces"])
        : plainTable(key.replaceAll("_", " "), rows as object[], "None."),
    ),
  ];
}
