/**
 * Asks each URI of the peers again and again whether it is there, with OPTIONS (RFC 3261 §11), and tells
 * the peer book. It sends nothing itself: `sendProbe` is handed in.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { PeerUri } from "./peer.ts";
import type { PeerBook } from "./peer-book.ts";

/**
 * Sends an OPTIONS there and says its final status; null when it could not be sent. Never throws; `done`
 * may come at once, late, twice or never.
 */
export type SendProbe = (at: PeerUri, done: (status: number | null) => void) => void;

export interface ProberOptions {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly book: PeerBook;
  readonly sendProbe: SendProbe;
}

/** The first probes are spread over this time, or one interval when that is shorter. */
const START_SPREAD_MS = 5000;
/** Intervals vary by so much of themselves to both sides, so that probes do not come in step. */
const JITTER = 0.1;
/** How soon after a miss the next probe follows while it is still counted as up. */
const DOUBT_MS = 500;

export class Prober {
  readonly #options: ProberOptions;
  #probes = new Map<string, Probe>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Takes up what the book has now. Probes of URIs that stay go on in their rhythm. */
  configure(): void {
    const before = this.#probes;
    this.#probes = new Map();
    for (const { peer } of this.#options.book.states()) {
      if (peer.rules.probe_s === 0) continue;
      for (const at of peer.uris) {
        const probe = before.get(at.key) ?? new Probe(this.#options, at);
        before.delete(at.key);
        probe.at = at;
        this.#probes.set(at.key, probe);
      }
    }
    for (const probe of before.values()) probe.stop();
  }

  /** No probe is sent any more; answers to those under way count for nothing. */
  stop(): void {
    for (const probe of this.#probes.values()) probe.stop();
    this.#probes.clear();
  }

  /** How many URIs are probed. */
  get size(): number {
    return this.#probes.size;
  }
}

/** One URI: waits, asks, waits for the answer. */
class Probe {
  at: PeerUri;
  readonly #options: ProberOptions;
  #alarm: Alarm;
  /** Tells the answer to this probe from those to earlier ones. */
  #round = 0;

  constructor(options: ProberOptions, at: PeerUri) {
    this.at = at;
    this.#options = options;
    const spread_ms = Math.min(START_SPREAD_MS, at.peer.rules.probe_s * 1000);
    this.#alarm = options.clock.after(options.dice.fraction() * spread_ms, () => this.#ask());
  }

  stop(): void {
    this.#alarm.cancel();
    this.#round++;
  }

  #ask(): void {
    const { clock, book, sendProbe } = this.#options;
    const at = this.at;
    const round = ++this.#round;
    const sentAt = clock.now();
    this.#alarm = clock.after(at.peer.rules.probe_timeout_s * 1000, () => {
      book.probeMissed(at);
      this.#rest();
    });
    sendProbe(at, (status) => {
      if (round !== this.#round) return;
      if (status === null) book.probeMissed(at);
      else book.probeAnswered(at, status, clock.now() - sentAt);
      this.#rest();
    });
  }

  #rest(): void {
    this.#round++;
    this.#alarm.cancel();
    const { clock, book, dice } = this.#options;
    const jitter = 1 + JITTER * (2 * dice.fraction() - 1);
    const rest_ms = book.isDoubtful(this.at) ? DOUBT_MS : this.at.peer.rules.probe_s * 1000 * jitter;
    this.#alarm = clock.after(rest_ms, () => this.#ask());
  }
}
