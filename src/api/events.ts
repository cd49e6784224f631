/**
 * `/v1/events`: tells who listens what has changed, as server-sent events (HTML §9.2), at most once a second. What
 * changed is asked for as always: an event names the routes.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { ApiFailure } from "./failure.ts";
import type { ApiSources } from "./sources.ts";
import { peersView } from "./views.ts";

/** Listeners at a time. */
export const LISTENERS_MAX = 16;
const LOOK_MS = 1000;
/** Events that a listener may leave unread before it is let go. */
const UNREAD_MAX = 64;

/** What may change, by the route that tells it, each with a text that is another one after a change. */
export type Topics = Readonly<Record<string, string>>;

interface Listener {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

export class Events {
  readonly #clock: Clock;
  readonly #topics: (look: number) => Topics;
  readonly #listeners = new Set<Listener>();
  readonly #refused: Counter;
  #seen: Topics = {};
  #alarm: Alarm | null = null;
  #looks = 0;

  constructor(clock: Clock, metrics: Metrics, topics: (look: number) => Topics) {
    this.#clock = clock;
    this.#topics = topics;
    metrics.gauge("sipedge_event_listeners", "Listeners of /v1/events", () => this.#listeners.size);
    this.#refused = metrics.counter("sipedge_event_listeners_refused_total", "Listeners beyond the bound");
  }

  /** A stream of events that begins now; an error when too many listen. */
  listen(): ReadableStream<Uint8Array> | ApiFailure {
    if (this.#listeners.size >= LISTENERS_MAX) {
      this.#refused.inc();
      return { status: 503, error: "busy", message: `${LISTENERS_MAX} listen to events already` };
    }
    let listener: Listener;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          listener = { controller };
          if (this.#listeners.size === 0) this.#begin();
          this.#listeners.add(listener);
          controller.enqueue(bytesOf("retry: 5000\nevent: hello\ndata: {}\n\n"));
        },
        cancel: () => this.#forget(listener),
      },
      { highWaterMark: UNREAD_MAX },
    );
  }

  /** Ends every stream: who listens asks anew, and is asked for the token again. */
  close(): void {
    for (const listener of [...this.#listeners]) this.#drop(listener);
  }

  #begin(): void {
    this.#seen = this.#topics(this.#looks);
    this.#arm();
  }

  #arm(): void {
    this.#alarm ??= this.#clock.after(LOOK_MS, () => {
      this.#alarm = null;
      if (this.#listeners.size === 0) return;
      this.#look();
      this.#arm();
    });
  }

  #look(): void {
    this.#looks++;
    const now = this.#topics(this.#looks);
    const changed = Object.keys(now).filter((topic) => now[topic] !== this.#seen[topic]);
    this.#seen = now;
    if (changed.length > 0) this.#tell(`event: changed\ndata: ${JSON.stringify({ topics: changed })}\n\n`);
  }

  #tell(text: string): void {
    const bytes = bytesOf(text);
    for (const listener of [...this.#listeners]) {
      if ((listener.controller.desiredSize ?? 0) <= 0) this.#drop(listener);
      else listener.controller.enqueue(bytes);
    }
  }

  #drop(listener: Listener): void {
    this.#forget(listener);
    listener.controller.close();
  }

  #forget(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#alarm?.cancel();
    this.#alarm = null;
  }
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "utf8");

/** Calls that run are told anew every other look: their quality changes all the time. */
const CALLS_LOOKS = 2;
/** So often at least something is told, so that nobody in between takes the connection for dead. */
const STATUS_LOOKS = 5;
/** Of so many of each a change is seen. */
const PEERS_TOLD = 100;
const BANS_TOLD = 100;

/** `registrations` changes with each change of a binding. */
export function topicsOf(sources: ApiSources, look: number, registrations: number): Topics {
  const { calls, store } = sources;
  const { begun, answered } = calls.totals();
  const running = calls.count();
  const { phase, reload } = sources.appliance();
  return {
    status: `${phase} ${reload?.at_ms} ${store.snapshot().health.ok} ${Math.floor(look / STATUS_LOOKS)}`,
    registrations: `${store.size} ${registrations}`,
    calls: `${running} ${begun} ${answered} ${running === 0 ? 0 : Math.floor(look / CALLS_LOOKS)}`,
    records: `${begun - running}`,
    peers: JSON.stringify(peersView(sources, PEERS_TOLD)),
    bans: sources.bans
      .running()
      .slice(0, BANS_TOLD)
      .map(({ source }) => source)
      .join(),
  };
}
