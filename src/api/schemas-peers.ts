/** The shape of `/v1/peers`. */
import * as v from "valibot";
import { amount, count, text, time } from "./kinds.ts";

export const PeerUri = v.object({
  uri: text("Where it takes calls"),
  priority: count("Lower ones first"),
  weight: count("Its share among those of one priority"),
  state: v.pipe(
    v.picklist(["up", "down", "aside"]),
    v.description("down: by probes; aside: left alone for a while"),
  ),
  aside_why: v.nullable(
    v.pipe(
      v.picklist(["retry_after", "unreachable"]),
      v.description("It said 503 with Retry-After, or did not answer"),
    ),
  ),
  aside_until: v.nullable(time("Until when it is left alone")),
  latency_ms: v.nullable(amount("From probe to answer, smoothed")),
  answered_at: v.nullable(time("When it last answered a probe")),
  calls: count("Running calls"),
});

export const Peer = v.object({
  name: text("As in [[peer]]"),
  calls: count("Running calls"),
  calls_max: count("0: no limit"),
  calls_per_s: count("0: no limit"),
  uris: v.array(PeerUri),
});

export const Peers = v.object({ peers: v.array(Peer) });
