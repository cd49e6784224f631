/**
 * Call records for other programs: appended to a file as JSON lines, and posted to a web hook. Whoever is slow or
 * gone costs records, which are counted, and no call.
 */
import { appendFile } from "node:fs/promises";
import { shownRecord } from "../api/calls-view.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { CallRecord } from "../calls/call-record.ts";

export interface OutletRules {
  readonly file: string | null;
  readonly webhook: string | null;
  /** Sent as `Authorization: Bearer …`. */
  readonly webhook_token: string | null;
}

/** Takes a batch of records, as JSON texts. Rejects with the reason when it could not. */
type Deliver = (records: readonly string[], rules: OutletRules) => Promise<void>;

/** Records that wait for one outlet; one more, and the oldest is lost. */
const WAITING_MAX = 5000;
const BATCH_MAX = 100;
/** Gathers what comes close together. */
const GATHER_MS = 500;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;
const POST_MS_MAX = 10_000;

export interface OutletParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class RecordOutlets {
  readonly #outlets: readonly Outlet[];

  constructor(parts: OutletParts, rules: OutletRules) {
    this.#outlets = [
      new Outlet(parts, "file", toFile, ({ file }) => file !== null),
      new Outlet(parts, "webhook", toWebhook, ({ webhook }) => webhook !== null),
    ];
    this.configure(rules);
  }

  configure(rules: OutletRules): void {
    for (const outlet of this.#outlets) outlet.rules = rules;
  }

  add(record: CallRecord): void {
    const wanted = this.#outlets.filter(({ isWanted }) => isWanted);
    if (wanted.length === 0) return;
    const text = JSON.stringify(shownRecord(record));
    for (const outlet of wanted) outlet.add(text);
  }

  /** One last try for what waits. */
  async close(): Promise<void> {
    await Promise.all(this.#outlets.map((outlet) => outlet.close()));
  }
}

class Outlet {
  rules: OutletRules | null = null;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #name: string;
  readonly #deliver: Deliver;
  readonly #wants: (rules: OutletRules) => boolean;
  readonly #delivered: Counter;
  readonly #lost: Counter;
  #waiting: string[] = [];
  #retry_ms = RETRY_MS_MIN;
  #alarm: Alarm | null = null;
  #isBusy = false;
  /** The delivery that is under way, or the last one. */
  #running: Promise<void> = Promise.resolve();

  constructor(
    { clock, log, metrics }: OutletParts,
    name: string,
    deliver: Deliver,
    wants: (rules: OutletRules) => boolean,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#name = name;
    this.#deliver = deliver;
    this.#wants = wants;
    const labels = { to: name };
    this.#delivered = metrics.counter("sipedge_records_delivered_total", "Call records handed on", labels);
    this.#lost = metrics.counter(
      "sipedge_records_undelivered_total",
      "Call records that were given up",
      labels,
    );
  }

  get isWanted(): boolean {
    return this.rules !== null && this.#wants(this.rules);
  }

  add(text: string): void {
    this.#waiting.push(text);
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting.shift();
      this.#lost.inc();
    }
    this.#later(GATHER_MS);
  }

  async close(): Promise<void> {
    this.#rest();
    await this.#running;
    this.#rest();
    await this.#run();
    this.#rest();
    this.#lost.inc(this.#waiting.length);
    this.#waiting = [];
  }

  #rest(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
  }

  #later(ms: number): void {
    if (this.#isBusy) return;
    this.#alarm ??= this.#clock.after(ms, () => {
      this.#alarm = null;
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { rules } = this;
    const batch = this.#waiting.splice(0, BATCH_MAX);
    if (rules === null || batch.length === 0) return;
    if (!this.#wants(rules)) {
      this.#waiting = [];
      return;
    }
    this.#isBusy = true;
    let wait_ms = 0;
    try {
      await this.#deliver(batch, rules);
      this.#delivered.inc(batch.length);
      this.#retry_ms = RETRY_MS_MIN;
    } catch (error) {
      this.#waiting.unshift(...batch);
      wait_ms = this.#retry_ms;
      this.#retry_ms = Math.min(RETRY_MS_MAX, 2 * wait_ms);
      this.#log.warn("records-not-delivered", {
        to: this.#name,
        error: error instanceof Error ? error.message : String(error),
        waiting: this.#waiting.length,
      });
    }
    this.#isBusy = false;
    if (this.#waiting.length > 0) this.#later(wait_ms);
  }
}

/** Opened anew for each batch, so that it may be moved away by log rotation at any time. */
const toFile: Deliver = (records, { file }) =>
  appendFile(file ?? "", `${records.join("\n")}\n`, { mode: 0o600 });

/** `{"records": […]}`; anything but a 2xx is a failure. */
const toWebhook: Deliver = async (records, { webhook, webhook_token }) => {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (webhook_token !== null) headers.Authorization = `Bearer ${webhook_token}`;
  const response = await fetch(webhook ?? "", {
    method: "POST",
    headers,
    body: `{"records":[${records.join(",")}]}`,
    redirect: "error",
    signal: AbortSignal.timeout(POST_MS_MAX),
  });
  await response.arrayBuffer(); // or the connection stays in use
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
};
