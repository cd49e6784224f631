/** Counters and gauges of peers. There are at most as many series as the configuration has peers and URIs. */
import type { Metrics, Sample } from "../base/metrics.ts";
import type { NoPeerWhy } from "./no-peer.ts";
import type { PeerState } from "./peer-book.ts";
import type { UriState } from "./uri-state.ts";

export class PeerMetrics {
  readonly #metrics: Metrics;

  constructor(metrics: Metrics, book: { states(): Iterable<PeerState> }) {
    this.#metrics = metrics;
    metrics.gauges("sipedge_peer_calls", "Calls a peer has now", function* (): Iterable<Sample> {
      for (const { peer, gate } of book.states()) yield { labels: { peer: peer.name }, value: gate.calls };
    });
    metrics.gauges("sipedge_peer_up", "1 while probes find this URI of a peer", () =>
      perUri(book, ({ up }) => (up ? 1 : 0)),
    );
    metrics.gauges("sipedge_peer_latency_seconds", "Smoothed time from a probe to its answer", () =>
      perUri(book, ({ latency_ms }) => (latency_ms === null ? null : latency_ms / 1000)),
    );
  }

  began(peer: string): void {
    this.#metrics.counter("sipedge_peer_calls_begun_total", "INVITEs offered to a peer", { peer }).inc();
  }

  /** A call went past the peer. */
  skipped(peer: string, why: NoPeerWhy): void {
    const help = "Requests that went past a peer, by why: down, aside, calls_max, calls_per_s";
    this.#metrics.counter("sipedge_peer_skipped_total", help, { peer, why }).inc();
  }

  aside(peer: string, why: string): void {
    const help = "How often a URI of a peer was left alone for a while: 503 (retry_after) or unreachable";
    this.#metrics.counter("sipedge_peer_asides_total", help, { peer, why }).inc();
  }

  probed(peer: string, found: boolean): void {
    const help = "Probes of a peer that found it, and that did not";
    this.#metrics.counter("sipedge_peer_probes_total", help, { peer, found: String(found) }).inc();
  }
}

function* perUri(
  book: { states(): Iterable<PeerState> },
  value: (state: UriState) => number | null,
): Iterable<Sample> {
  for (const { peer, uris } of book.states())
    for (const uri of uris) {
      const found = value(uri);
      if (found !== null) yield { labels: { peer: peer.name, uri: uri.at.uri.text }, value: found };
    }
}
