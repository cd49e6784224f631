/**
 * Peers that are left alone for a while: because they said so (503 with Retry-After, RFC 3261 §21.5.4),
 * or because they left an INVITE without any answer. Only places of configured peers are remembered: a
 * stranger's 503 must not take anything away.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Metrics } from "../base/metrics.ts";
import { H } from "../message/header-names.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Final } from "./responses.ts";

export interface AsideRules {
  /** The longest Retry-After that is heeded, milliseconds; 0: none is. */
  readonly retry_after_max_ms: number;
  /** How long a peer that was silent is passed over where there is another, milliseconds; 0: not at all. */
  readonly silent_peer_ms: number;
}

export interface AsidesOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Whether the address is a configured peer's. */
  readonly isPeer: (address: string) => boolean;
}

interface Aside {
  readonly until: number;
  /** It said so itself; else it was silent, and is asked all the same when there is nobody else. */
  readonly asked: boolean;
}

/** Places remembered at once; the one put aside first is forgotten for the next. */
const ASIDES_MAX = 1000;

export class Asides {
  readonly #options: AsidesOptions;
  readonly #places: BoundedMap<string, Aside>;

  constructor(options: AsidesOptions) {
    this.#options = options;
    const forgotten = options.metrics.counter(
      "sipedge_peers_aside_forgotten_total",
      "Peers asked too early because too many were put aside",
    );
    this.#places = new BoundedMap(ASIDES_MAX, () => forgotten.inc());
    options.metrics.gauge("sipedge_peers_aside", "Places of peers that are left alone now", () =>
      this.#sweep(),
    );
  }

  /** Whether a request that begins something should pass it over; `others`: there is somebody else to ask. */
  passesOver({ transport, remoteAddress, remotePort }: Flow, others: boolean): boolean {
    if (this.#places.size === 0) return false;
    const key = keyOf(transport, remoteAddress, remotePort);
    const aside = this.#places.peek(key);
    if (aside === undefined) return false;
    if (aside.until > this.#options.clock.now()) return aside.asked || others;
    this.#places.delete(key);
    return false;
  }

  /** A request sent there ended so. A slow answer to anything but an INVITE proves nothing. */
  ended(flow: Flow, method: string, { response, outcome, status }: Final, rules: AsideRules): void {
    const { remoteAddress } = flow;
    if (response === null) {
      if (outcome === "unreachable" && method === "INVITE" && this.#options.isPeer(remoteAddress))
        this.#put(flow, rules.silent_peer_ms, false);
    } else if (status === 503 && this.#options.isPeer(remoteAddress))
      this.#put(flow, Math.min(retryAfterMs(response), rules.retry_after_max_ms), true);
  }

  #put({ transport, remoteAddress, remotePort }: Flow, ms: number, asked: boolean): void {
    if (ms <= 0) return;
    const key = keyOf(transport, remoteAddress, remotePort);
    this.#places.delete(key);
    this.#places.set(key, { until: this.#options.clock.now() + ms, asked });
    this.#options.metrics
      .counter("sipedge_peers_put_aside_total", "How often a peer was put aside, by reason", {
        reason: asked ? "retry_after" : "silent",
      })
      .inc();
  }

  #sweep(): number {
    const now = this.#options.clock.now();
    for (const [key, { until }] of this.#places.entries()) if (until <= now) this.#places.delete(key);
    return this.#places.size;
  }
}

const keyOf = (transport: string, address: string, port: number): string => `${transport} ${address} ${port}`;

/** delta-seconds of Retry-After (§20.33), what follows it left out; 0 without one. */
function retryAfterMs(response: SipMessage): number {
  const seconds = /^\s*(\d{1,10})/.exec(response.text(H.RetryAfter) ?? "")?.[1];
  return seconds === undefined ? 0 : Number(seconds) * 1000;
}
