/** The rtpengines of this appliance, and what they need of the machine. */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import { canonicalAddress } from "../config/hosts.ts";
import type { Config } from "../config/schema.ts";
import { bunSockets } from "../media/bun-sockets.ts";
import type { NgPoolRules } from "../media/ng-pool.ts";
import { NgPool } from "../media/ng-pool.ts";
import { loadSocketOptions } from "../transport/socket-options.ts";

export interface EngineParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Null: the built-in relay is used. */
export function makeEngine(parts: EngineParts, { media, rtpengine }: Config): NgPool | null {
  if (media.engine !== "rtpengine") return null;
  const options = loadSocketOptions(parts.log);
  const openSocket = bunSockets((fd, family) => options.ignoreIcmpErrors(fd, family));
  return new NgPool(
    {
      ...parts,
      async open(address, receive) {
        const socket = await openSocket(address, 0, receive);
        return typeof socket === "string" ? null : socket;
      },
    },
    engineRules({ media, rtpengine }),
  );
}

export function engineRules({ media, rtpengine }: Pick<Config, "media" | "rtpengine">): NgPoolRules {
  return {
    timeout_ms: media.rtpengine_timeout_ms,
    ping_ms: media.rtpengine_ping_s * 1000,
    // As the socket tells who an answer comes from.
    places: rtpengine.map((place) => ({ ...place, address: canonicalAddress(place.address) })),
  };
}
