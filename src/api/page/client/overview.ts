/** The first view: what needs attention, who talks, who is there. */
import type { Answer } from "./api.ts";
import { get } from "./api.ts";
import type { Seen } from "./attention.ts";
import { findings } from "./attention.ts";
import { lastCalls, runningCalls } from "./calls.ts";
import { charts } from "./charts.ts";
import type { Child } from "./dom.ts";
import { el, put } from "./dom.ts";
import { bytes, duration } from "./format.ts";
import { moreSections } from "./more.ts";
import { phones } from "./phones.ts";

const ROWS = 50;
const CHARTS_EVERY_MS = 60_000;

const PARTS = {
  status: () => get("/v1/status", "Status"),
  registrations: () => get(`/v1/registrations?limit=${ROWS}`, "Registrations"),
  calls: () => get(`/v1/calls?limit=${ROWS}`, "Calls"),
  records: () => get(`/v1/records?limit=${ROWS}`, "CallRecords"),
  peers: () => get("/v1/peers", "Peers"),
} as const;
type Part = keyof typeof PARTS;
const NAMES = Object.keys(PARTS) as Part[];

export class Overview {
  readonly #boxes = new Map<string, HTMLElement>();
  readonly #more = moreSections();
  readonly #state: HTMLElement;
  #seen: Seen | null = null;
  #chartsAt = 0;
  /** What each box was made from last: it is made anew only when that changed. */
  readonly #made = new Map<string, string>();

  constructor(state: HTMLElement) {
    this.#state = state;
  }

  /** Its elements; they are kept while another view stands in their place. */
  get elements(): readonly HTMLElement[] {
    return [
      this.#box("attention", "Needs attention"),
      this.#box("numbers", "Now"),
      this.#box("calls", "Calls"),
      this.#box("records", "Last calls"),
      this.#box("phones", "Phones"),
      this.#box("charts", "The last day"),
      this.#more.element,
    ];
  }

  /** Asks for what changed, and shows it. */
  async refresh(topics: readonly string[] = NAMES): Promise<void> {
    const wanted = this.#seen === null ? NAMES : NAMES.filter((name) => topics.includes(name));
    const answers = await Promise.all(wanted.map(async (name) => [name, await PARTS[name]()] as const));
    const seen = { ...this.#seen, ...Object.fromEntries(answers) } as unknown as Seen;
    this.#seen = seen;
    this.#show(seen);
    this.#more.changed(topics);
    if (Date.now() - this.#chartsAt < CHARTS_EVERY_MS) return;
    this.#chartsAt = Date.now();
    const history = await get("/v1/history", "History");
    this.#put("charts", history, () => charts(history));
  }

  #show(seen: Seen): void {
    const { status, calls, records, registrations } = seen;
    const now = Date.now();
    const found = findings(seen, now);
    this.#put("attention", found, () =>
      found.length === 0
        ? el("p", { class: "good" }, "Nothing.")
        : el(
            "ul",
            { class: "findings" },
            found.map(({ tone, text, link }) =>
              el(
                "li",
                { class: tone },
                link === null ? text : el("a", { href: link, "data-key": link + text }, text),
              ),
            ),
          ),
    );
    this.#put("numbers", status, () => tiles(status, calls));
    this.#put("calls", calls, () => runningCalls(calls));
    this.#put("records", records, () => lastCalls(records));
    this.#put("phones", registrations, () => phones(registrations, status.counts.registrations));
    put(
      this.#state,
      el("span", { class: `badge ${status.ready ? "good" : "bad"}` }, status.ready ? "ready" : "not ready"),
      ` ${status.domains[0] ?? ""}, up ${duration(status.uptime_s)}, ${status.version}`,
    );
  }

  #box(name: string, title: string): HTMLElement {
    const known = this.#boxes.get(name);
    if (known !== undefined) return known;
    const content = el("div", { class: "content" }, "…");
    const box = el(
      "section",
      { id: name, "aria-labelledby": `${name}-title` },
      el("h2", { id: `${name}-title` }, title),
      content,
    );
    this.#boxes.set(name, box);
    return box;
  }

  #put(name: string, from: unknown, make: () => Child): void {
    const text = JSON.stringify(from);
    const content = this.#boxes.get(name)?.querySelector(".content");
    if (content === null || content === undefined || this.#made.get(name) === text) return;
    this.#made.set(name, text);
    put(content, make());
  }
}

function tiles(
  { counts, memory, cpu, listeners, uptime_s }: Answer<"Status">,
  calls: Answer<"Calls">,
): Child {
  const used = cpu.user_s + cpu.system_s;
  const tile = (value: string | number, what: string): Child =>
    el("div", { class: "tile" }, el("dt", null, what), el("dd", null, value));
  return el(
    "dl",
    { class: "tiles" },
    tile(calls.calls_total, "calls"),
    tile(counts.registrations, "registrations"),
    tile(counts.users_registered, "users registered"),
    tile(counts.connections, "connections"),
    tile(counts.transactions_server + counts.transactions_client, "transactions"),
    tile(bytes(memory.rss_bytes), "memory"),
    tile(`${uptime_s === 0 ? 0 : ((100 * used) / uptime_s).toFixed(1)} %`, "CPU since the start"),
    tile(
      listeners.map(({ transport, address, port }) => `${transport} ${address}:${port}`).join(", "),
      "listens on",
    ),
  );
}
