/**
 * The peers and what is known of each: which of their URIs can be had now, how many calls they have
 * (RFC 3261 §21.5.4, RFC 3263 §4.3). It sends nothing; whoever sends tells it what came of it.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import { provesName } from "../transport/certificate-names.ts";
import { CallGate } from "./call-gate.ts";
import { drawOrder } from "./draw.ts";
import type { NoPeer, NoPeerWhy } from "./no-peer.ts";
import type { Peer, PeerUri } from "./peer.ts";
import { PeerMetrics } from "./peer-metrics.ts";
import type { PeerSnapshot } from "./snapshot.ts";
import { snapshotOf } from "./snapshot.ts";
import { SourceNetworks } from "./source-networks.ts";
import type { AsideWhy } from "./uri-state.ts";
import { UriState } from "./uri-state.ts";

export interface PeerBookOptions {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** A peer with its calls and the states of its URIs. */
export interface PeerState {
  readonly peer: Peer;
  readonly gate: CallGate;
  readonly uris: readonly UriState[];
}

/** These are tried whatever is known of the URI: they end calls. */
const ALWAYS_TRIED: ReadonlySet<string> = new Set(["BYE", "CANCEL", "ACK"]);

/** When to ask again while all lines are taken: calls end at any time. */
const RETRY_FULL_S = 10;

export class PeerBook {
  readonly #options: PeerBookOptions;
  readonly #metrics: PeerMetrics;
  #peers: ReadonlyMap<string, PeerState> = new Map();
  #uris: ReadonlyMap<string, UriState> = new Map();
  #networks = new SourceNetworks([]);
  /** Those that are known by their certificate. */
  #certified: readonly Peer[] = [];
  #serving: ReadonlyMap<string, Peer> = new Map();

  constructor(options: PeerBookOptions) {
    this.#options = options;
    this.#metrics = new PeerMetrics(options.metrics, this);
  }

  /** Makes these all the peers there are. A peer of the same name keeps its calls, a URI of it its state. */
  configure(peers: readonly Peer[]): void {
    const states = new Map<string, PeerState>();
    const uris = new Map<string, UriState>();
    for (const peer of peers) {
      const gate = this.#peers.get(peer.name)?.gate ?? new CallGate(peer.rules);
      gate.configure(peer.rules);
      const of = peer.uris.map((at) => {
        const state = this.#uris.get(at.key) ?? new UriState(at);
        state.configure(at);
        uris.set(at.key, state);
        return state;
      });
      states.set(peer.name, { peer, gate, uris: of });
    }
    this.#peers = states;
    this.#uris = uris;
    this.#serving = new Map(
      peers.flatMap((peer) => peer.rules.serves.map((host) => [host.toLowerCase(), peer] as const)),
    );
    this.#certified = peers.filter(({ rules }) => rules.certificate_name !== null);
    this.#networks = new SourceNetworks(
      peers.flatMap(({ name, rules }) => rules.networks.map((network) => [network, name] as const)),
    );
  }

  /** The peers as they are now, in the order of the configuration. */
  states(): Iterable<PeerState> {
    return this.#peers.values();
  }

  peer(name: string): Peer | null {
    return this.#peers.get(name)?.peer ?? null;
  }

  /** The peer that keeps the accounts of this domain (lower case); null: none does. */
  serving(host: string): Peer | null {
    return this.#serving.get(host) ?? null;
  }

  /** The peer that sends on this flow: the one its certificate names, wherever it comes from, else as `peerAt`. */
  peerOf(source: Pick<Flow, "names" | "remoteAddress">): Peer | null {
    return this.certifiedOf(source) ?? this.peerAt(source.remoteAddress);
  }

  /** The peer that the certificate of this connection names (RFC 5922 §7); null: none, or there is no such one. */
  certifiedOf({ names }: Pick<Flow, "names">): Peer | null {
    if (names === undefined || names === null) return null;
    return this.#certified.find(({ rules }) => provesName(names, rules.certificate_name ?? "")) ?? null;
  }

  /** The peer from whose networks this address is; null: from nobody's. */
  peerAt(address: string): Peer | null {
    const name = this.#networks.ownerOf(address);
    return name === null ? null : this.peer(name);
  }

  /**
   * Where to send a request for this peer, in the order to try, or why nowhere. A new call (INVITE) also
   * needs room within the peer's limits; BYE, CANCEL and ACK go to any URI.
   */
  pick(name: string, method: string): readonly PeerUri[] | NoPeer {
    const state = this.#peers.get(name);
    if (state === undefined) return this.#none(name, "unknown", null);
    const now = this.#options.clock.now();
    const all = ALWAYS_TRIED.has(method);
    const closed = method === "INVITE" ? state.gate.closedBy(now) : null;
    if (closed !== null) return this.#none(name, closed, retryAfterOf(state.gate, now));
    const usable = state.uris.filter((uri) => all || (uri.up && uri.asideMs(now) === 0));
    if (usable.length > 0)
      return drawOrder(
        usable.map(({ at }) => at),
        this.#options.dice,
      );
    const waits = state.uris.filter(({ up }) => up).map((uri) => uri.asideMs(now));
    if (waits.length === 0) return this.#none(name, "down", null);
    return this.#none(name, "aside", Math.ceil(Math.min(...waits) / 1000));
  }

  /** Whether this place may be tried now: asked again when its turn comes after others. */
  isUsable(at: PeerUri, method: string): boolean {
    const state = this.#uris.get(at.key);
    if (state === undefined) return false;
    return ALWAYS_TRIED.has(method) || (state.up && state.asideMs(this.#options.clock.now()) === 0);
  }

  /** A final answer came from there; `retryAfter_s` is its Retry-After, null without one (or an unreadable one). */
  answered(at: PeerUri, status: number, retryAfter_s: number | null): void {
    const state = this.#uris.get(at.key);
    if (state === undefined) return;
    if (status === 503) this.#putAside(state, "retry_after", secondsAside(state, retryAfter_s));
    else state.heard();
  }

  /** No answer at all came to a request: a silent INVITE puts it aside; slow answers to others are no proof. */
  silent(at: PeerUri, method: string): void {
    if (method === "INVITE") this.failed(at);
  }

  /** It could not be sent there: refused connection, ICMP error, no address for the name. */
  failed(at: PeerUri): void {
    const state = this.#uris.get(at.key);
    if (state !== undefined) this.#putAside(state, "unreachable", state.at.peer.rules.unreachable_s);
  }

  /** An INVITE that begins a call is about to leave: counts it. False: its limits are reached, do not send it. */
  callBegan(at: PeerUri): boolean {
    const peer = this.#peers.get(at.peer.name);
    const uri = this.#uris.get(at.key);
    if (peer === undefined || uri === undefined) return false;
    const now = this.#options.clock.now();
    const closed = peer.gate.closedBy(now);
    if (closed !== null || !peer.gate.begin(now)) {
      this.#metrics.skipped(at.peer.name, closed ?? "calls_max");
      return false;
    }
    uri.calls++;
    this.#metrics.began(at.peer.name);
    return true;
  }

  /** The call is over, or this attempt of it. Once for each `callBegan` that said true. */
  callEnded(at: PeerUri): void {
    const uri = this.#uris.get(at.key);
    if (uri !== undefined && uri.calls > 0) uri.calls--;
    this.#peers.get(at.peer.name)?.gate.end();
  }

  /** An answer to a probe, after so long. */
  probeAnswered(at: PeerUri, status: number, latency_ms: number): void {
    const state = this.#uris.get(at.key);
    if (state === undefined) return;
    state.sampled(latency_ms);
    state.answered_ms = this.#options.clock.wall();
    const found = status !== 503 || !state.at.peer.rules.probe_503_is_down;
    if (found) state.heard();
    this.#probed(state, found, `answered ${status}`);
  }

  /** No answer to a probe. */
  probeMissed(at: PeerUri): void {
    const state = this.#uris.get(at.key);
    if (state !== undefined) this.#probed(state, false, "no answer");
  }

  /** Whether its next probe should not wait: it was missed, and is not yet known to be down. */
  isDoubtful(at: PeerUri): boolean {
    const state = this.#uris.get(at.key);
    return state?.up === true && state.streak > 0;
  }

  /** For the status API; at most `max` peers. */
  snapshot(max: number): readonly PeerSnapshot[] {
    const { clock } = this.#options;
    return snapshotOf(this.states(), max, clock.now(), clock.wall());
  }

  #probed(state: UriState, found: boolean, why: string): void {
    this.#metrics.probed(state.at.peer.name, found);
    if (!state.probed(found)) return;
    const fields = { peer: state.at.peer.name, uri: state.at.uri.text, why };
    if (found) this.#options.log.info("peer_up", fields);
    else this.#options.log.warn("peer_down", fields);
  }

  #putAside(state: UriState, why: AsideWhy, seconds: number): void {
    if (!state.putAside(why, seconds * 1000, this.#options.clock.now())) return;
    const { peer, uri } = state.at;
    this.#metrics.aside(peer.name, why);
    this.#options.log.warn("peer_aside", { peer: peer.name, uri: uri.text, why, seconds });
  }

  #none(peer: string, why: NoPeerWhy, retry_after_s: number | null): NoPeer {
    if (why !== "unknown") this.#metrics.skipped(peer, why);
    return { peer, why, retry_after_s };
  }
}

/** A Retry-After within the peer's bounds; without one its default. Whole and half-read numbers are none. */
function secondsAside({ at }: UriState, retryAfter_s: number | null): number {
  const { retry_after_min_s, retry_after_max_s, retry_after_default_s } = at.peer.rules;
  const isSaid = retryAfter_s !== null && retryAfter_s >= 0; // NaN is none
  const wanted = isSaid ? Math.max(retryAfter_s, retry_after_min_s) : retry_after_default_s;
  return Math.min(wanted, retry_after_max_s);
}

function retryAfterOf(gate: CallGate, now: number): number {
  return gate.closedBy(now) === "calls_max" ? RETRY_FULL_S : Math.max(1, Math.ceil(gate.waitMs(now) / 1000));
}
