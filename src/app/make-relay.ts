/** Who sees to the media of calls: the relay in this process, or the rtpengines of the config. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import type { MediaRelay } from "../media/media-session.ts";
import type { NgPool } from "../media/ng-pool.ts";
import type { CallObserver } from "../proxy/call-observer.ts";
import type { MediaGate } from "../proxy/media-gate.ts";
import type { CallWatch } from "./call-watch.ts";
import { EngineRelay } from "./engine-relay.ts";
import { Relay } from "./relay.ts";

export interface MakeRelayParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Relays here; null: nobody does. */
  readonly media: MediaRelay | null;
  /** Relays in place of `media`; null: no rtpengine does. */
  readonly engine: NgPool | null;
  readonly config: Config;
}

export type AnyRelay = Relay | EngineRelay;

export interface MadeRelay {
  readonly relay: AnyRelay;
  /** Null: nobody has to be asked before a message leaves. */
  readonly gate: MediaGate | null;
  /** Who is to hear of calls for it. */
  readonly observers: readonly CallObserver[];
}

export function makeRelay(
  { clock, log, metrics, media, engine: pool, config }: MakeRelayParts,
  calls: CallWatch,
): MadeRelay {
  const { table } = calls;
  if (pool === null) {
    const relay = new Relay({ metrics, table, media }, config);
    return { relay, gate: null, observers: [relay] };
  }
  const relay = new EngineRelay(
    { clock, log, metrics, table, pool, hangUp: (call, why) => void calls.hangUp(call, why) },
    config,
  );
  return { relay, gate: relay, observers: [] };
}
