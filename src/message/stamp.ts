/**
 * What the transport layer adds to the topmost Via of a request on arrival (RFC 3261 §18.2.1,
 * RFC 3581 §4), kept as edits beside the untouched bytes.
 */
import { sameAddress } from "../base/address.ts";
import type { Edits } from "./edits.ts";
import type { Via } from "./via.ts";

/** How often a client should send its keep-alive: CRLF on a stream, STUN over UDP (RFC 6223 §4.4, RFC 5626 §4.4). */
export const KEEP_S = 90;
export const KEEP_UDP_S = 25;
const STREAMS: ReadonlySet<string> = new Set(["TCP", "TLS", "WS", "WSS"]);

/**
 * `received` when the sent-by host is not the source address, and always when rport was asked for;
 * `rport` with the source port when asked for. A value the client wrote there itself is replaced.
 * `keep` gets its interval: we answer both kinds of keep-alive.
 */
export function stampVia(edits: Edits, via: Via, address: string, port: number): void {
  const asked = via.rport !== null;
  if (asked) edits.replace(via.rportStart, via.rportEnd, `rport=${port}`);
  if (via.receivedStart > 0) edits.remove(via.receivedStart, via.receivedEnd);
  if (via.keepEnd > 0) edits.insert(via.keepEnd, `=${STREAMS.has(via.transport) ? KEEP_S : KEEP_UDP_S}`);
  if (asked || !sameAddress(via.host, address)) edits.insert(via.end, `;received=${address}`);
}
