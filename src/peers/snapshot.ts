/** Peers as the status API shows them. */
import type { PeerState } from "./peer-book.ts";
import type { UriState } from "./uri-state.ts";

export interface PeerUriSnapshot {
  readonly uri: string;
  readonly priority: number;
  readonly weight: number;
  readonly state: "up" | "down" | "aside";
  readonly aside_why: "retry_after" | "unreachable" | null;
  /** Unix milliseconds; null: it is not aside. */
  readonly aside_until_ms: number | null;
  /** Smoothed; null: no probe was answered yet. */
  readonly latency_ms: number | null;
  /** When a probe was answered last, Unix milliseconds; null: never. */
  readonly answered_ms: number | null;
  readonly calls: number;
}

export interface PeerSnapshot {
  readonly name: string;
  readonly calls: number;
  /** 0: no limit. */
  readonly calls_max: number;
  readonly calls_per_s: number;
  readonly uris: readonly PeerUriSnapshot[];
}

/** The first `max` peers; `now` and `wall` are one moment. */
export function snapshotOf(
  states: Iterable<PeerState>,
  max: number,
  now: number,
  wall: number,
): readonly PeerSnapshot[] {
  const shown: PeerSnapshot[] = [];
  for (const { peer, gate, uris } of states) {
    if (shown.length >= max) break;
    const { calls_max, calls_per_s } = peer.rules;
    const of = uris.map((uri) => uriSnapshot(uri, now, wall));
    shown.push({ name: peer.name, calls: gate.calls, calls_max, calls_per_s, uris: of });
  }
  return shown;
}

function uriSnapshot(state: UriState, now: number, wall: number): PeerUriSnapshot {
  const { at, up, calls, answered_ms, latency_ms } = state;
  const aside_ms = state.asideMs(now);
  return {
    uri: at.uri.text,
    priority: at.priority,
    weight: at.weight,
    state: !up ? "down" : aside_ms > 0 ? "aside" : "up",
    aside_why: aside_ms > 0 ? state.asideWhy : null,
    aside_until_ms: aside_ms > 0 ? Math.round(wall + aside_ms) : null,
    latency_ms: latency_ms === null ? null : Math.round(latency_ms * 10) / 10,
    answered_ms,
    calls,
  };
}
