/**
 * Where the answer to a request goes.
 */
import { ipFamily } from "../base/address.ts";
import type { Flow } from "../base/flow.ts";
import type { Via } from "../message/via.ts";

/**
 * Where answers go (§18.2.2, RFC 3581 §4): back on the connection; on UDP to the source address, and
 * to its port when rport was asked for, else to the sent-by port.
 * Departs from §18.2.2: where the sent-by is another address, a NAT stands between, and only the source port is open.
 * Departs from §18.2.2: maddr is not followed, because it would let anyone aim our answers at others.
 */
export function replyFlow(via: Via, flow: Flow): Flow {
  if (asksForSource(via, flow)) return flow;
  const port = via.port ?? 5060;
  return port === flow.remotePort ? flow : (flow.toPort(port) ?? flow);
}

/** Whether the answer belongs where the request came from, port included. */
export function asksForSource(via: Via, { reliable, remoteAddress }: Flow): boolean {
  return reliable || via.rport !== null || (via.host !== remoteAddress && ipFamily(via.host) !== 0);
}
