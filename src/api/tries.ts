/**
 * Wrong tokens, counted by where they come from: whoever has tried too often is not heard for a while, right or wrong,
 * so that a token cannot be found by trying.
 */
import { plainAddress } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { sourceOf } from "../guard/bans.ts";
import { FadingPoints } from "../guard/buckets.ts";
import type { ApiFailure } from "./failure.ts";

/** So many wrong tokens of one source (IPv6: of one /64) at once; then one for each part of the window. */
export const TRIES_MAX = 10;
export const WINDOW_S = 60;
/** Sources that are remembered; the oldest is forgotten first. */
const SOURCES_MAX = 10_000;
/** Where the address is not known all share one count. */
const NOWHERE = "unknown";

export interface TriesParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Told of each wrong token; the address is that of a connection. */
  readonly onWrong: (address: string) => void;
}

export class TokenTries {
  readonly #parts: TriesParts;
  readonly #points: FadingPoints;
  readonly #wrong: Counter;
  readonly #slowed: Counter;

  constructor(parts: TriesParts) {
    const { clock, metrics } = parts;
    this.#parts = parts;
    this.#points = new FadingPoints(clock, SOURCES_MAX);
    this.#wrong = metrics.counter(
      "sipedge_http_wrong_tokens_total",
      "Requests of the API with a wrong token",
    );
    this.#slowed = metrics.counter(
      "sipedge_http_slowed_total",
      "Requests of the API refused with 429 after too many wrong tokens, their token unseen",
    );
  }

  /** Asked before a token is looked at. Null: it may be tried. */
  refusal(address: string | null): ApiFailure | null {
    const points = this.#points.of(sourceAt(address), TRIES_MAX, WINDOW_S * 1000);
    if (points <= TRIES_MAX - 1) return null;
    this.#slowed.inc();
    const wait_s = Math.ceil(((points - TRIES_MAX + 1) * WINDOW_S) / TRIES_MAX);
    return { ...TOO_MANY_TRIES, headers: { "retry-after": String(wait_s) } };
  }

  wrong(address: string | null): void {
    const source = sourceAt(address);
    this.#wrong.inc();
    const tries = this.#points.add(source, 1, TRIES_MAX, WINDOW_S * 1000);
    this.#parts.log.warn("http-wrong-token", { source, tries: Math.ceil(tries) });
    if (address !== null) this.#parts.onWrong(plainAddress(address));
  }
}

const sourceAt = (address: string | null): string =>
  address === null ? NOWHERE : sourceOf(plainAddress(address));

const TOO_MANY_TRIES: ApiFailure = {
  status: 429,
  error: "too_many_tries",
  message: "Too many wrong tokens came from this address; try again after Retry-After seconds",
};
