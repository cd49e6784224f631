/** What the relay counts. */
import type { Counter, Metrics } from "../base/metrics.ts";

export type DropReason = "stranger" | "no_media" | "unexpected" | "not_heard_yet" | "send_failed";

export class RelayMetrics {
  readonly #packets: Counter;
  readonly #bytes: Counter;
  readonly #drops: Readonly<Record<DropReason, Counter>>;
  readonly moves: Counter;

  constructor(metrics: Metrics) {
    this.#packets = metrics.counter("sipedge_media_packets_total", "RTP and RTCP packets passed on");
    this.#bytes = metrics.counter("sipedge_media_bytes_total", "Their bytes, without IP and UDP headers");
    const drop = (reason: DropReason): Counter =>
      metrics.counter("sipedge_media_dropped_total", "Packets to ports of calls that were not passed on", {
        reason,
      });
    this.#drops = {
      stranger: drop("stranger"),
      no_media: drop("no_media"),
      unexpected: drop("unexpected"),
      not_heard_yet: drop("not_heard_yet"),
      send_failed: drop("send_failed"),
    };
    this.moves = metrics.counter(
      "sipedge_media_moved_total",
      "Phones whose media came from another address than before",
    );
  }

  relayed(bytes: number): void {
    this.#packets.inc();
    this.#bytes.inc(bytes);
  }

  dropped(reason: DropReason): void {
    this.#drops[reason].inc();
  }
}
