/** How calls sounded: counted when they end, and told in the log while one is worse than it may be. */
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Call } from "../calls/call.ts";
import type { MediaReport, StreamReport } from "../media/media-session.ts";

/** Listening quality at least so much is in this class (ITU-T G.107 Annex B: from "very satisfied" down). */
const CLASSES = [4.34, 4.03, 3.6, 3.1, 2.58] as const;
/** Packets of a direction before its quality is judged: five seconds of voice. */
const PACKETS_MIN = 250;

export class CallQuality {
  /** Listening quality below which a call is told of; 0: never. */
  mos_alarm = 0;
  readonly #log: Log;
  readonly #directions: (mos: string) => Counter;
  readonly #poor: Counter;
  /** Directions that were told of. */
  readonly #told = new WeakMap<Call, Set<string>>();

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#directions = (mos) =>
      metrics.counter(
        "sipedge_media_directions_total",
        "Directions of relayed streams of calls that ended, by listening quality",
        { mos },
      );
    this.#poor = metrics.counter("sipedge_media_poor_total", "Directions worse than media.mos_alarm");
  }

  /** A call that runs. */
  look(call: Call): void {
    const report = this.mos_alarm > 0 ? (call.meter?.latest ?? null) : null;
    if (report !== null) this.#warn(call, report);
  }

  ended(call: Call, report: MediaReport): void {
    this.#warn(call, report);
    for (const { mos_lqe, packets } of report.streams)
      if (packets > 0) this.#directions(mos_lqe === null ? "unknown" : classOf(mos_lqe)).inc();
  }

  #warn(call: Call, { streams }: MediaReport): void {
    for (const stream of streams) {
      const { mos_lqe, packets } = stream;
      if (mos_lqe === null || packets < PACKETS_MIN || mos_lqe >= this.mos_alarm) continue;
      const told = this.#told.get(call) ?? new Set();
      const direction = `${stream.stream} ${stream.from}`;
      if (told.has(direction)) continue;
      this.#told.set(call, told.add(direction));
      this.#poor.inc();
      this.#log.warn("call-quality-poor", { call: call.id, ...figures(stream) });
    }
  }
}

const classOf = (mos: number): string => {
  const least = CLASSES.find((each) => mos >= each);
  return least === undefined ? `below ${CLASSES.at(-1)}` : `${least} or more`;
};

function figures({ from, codec, mos_lqe, loss_percent, jitter_ms, source }: StreamReport) {
  return {
    from,
    codec,
    mos: (mos_lqe ?? 0).toFixed(2),
    loss_percent: (loss_percent ?? 0).toFixed(1),
    jitter_ms: (jitter_ms ?? 0).toFixed(1),
    source: source ?? "",
  };
}
