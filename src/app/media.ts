/** The relay of this appliance, and what it needs of the machine. */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import { bunSockets } from "../media/bun-sockets.ts";
import { LocalRelay } from "../media/local-relay.ts";
import { PortStock } from "../media/port-stock.ts";
import { loadSocketOptions } from "../transport/socket-options.ts";
import { filesMax } from "./open-files.ts";

export interface MediaParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Of a call with one stream: two sides, RTP and RTCP. */
const PORTS_OF_A_CALL = 4;
/** Files that everything else takes: listeners, connections, the store. */
const OTHER_FILES = 500;

/** `silent`: a call in which nobody was heard for so long. */
export function makeMedia(
  parts: MediaParts,
  rules: Config["media"],
  silent: (call: string, silent_ms: number) => void,
): LocalRelay {
  const { clock, log, metrics } = parts;
  const options = loadSocketOptions(log);
  const open = bunSockets((fd, family) => {
    options.ignoreIcmpErrors(fd, family);
    if (rules.dscp > 0) options.setDscp(fd, family, rules.dscp);
  });
  const stock = new PortStock({ ...parts, open }, rules);
  const observer = {
    silent,
    moved: (call: string, key: string, from: string, to: string) =>
      log.info("media-moved", { call, side: key === "caller" ? "caller" : "callee", from, to }),
  };
  const relay = new LocalRelay({ clock, metrics, stock, observer });
  relay.silence_ms = rules.silence_s * 1000;
  if (rules.relay !== "never" && rules.engine === "built-in") tellLimits(log, rules);
  return relay;
}

function tellLimits(log: Log, { port_min, port_max }: Config["media"]): void {
  const calls = Math.floor((port_max + 1 - port_min) / PORTS_OF_A_CALL);
  log.info("media-ports", { calls_max: calls, firewall_must_pass: `UDP ${port_min}-${port_max}` });
  const files = filesMax();
  const needed = calls * PORTS_OF_A_CALL + OTHER_FILES;
  if (files !== null && files < needed)
    log.warn("media-file-limit", {
      files,
      calls_max: Math.max(0, Math.floor((files - OTHER_FILES) / PORTS_OF_A_CALL)),
      cure: `LimitNOFILE=${needed}`,
    });
}
