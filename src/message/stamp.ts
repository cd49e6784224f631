/**
 * What the transport layer adds to the topmost Via of a request on arrival (RFC 3261 §18.2.1,
 * RFC 3581 §4), kept as edits beside the untouched bytes.
 */
import { sameAddress } from "../base/address.ts";
import type { Edits } from "./edits.ts";
import type { Via } from "./via.ts";

/**
 * `received` when the sent-by host is not the source address, and always when rport was asked for;
 * `rport` with the source port when asked for. A value the client wrote there itself is replaced.
 */
export function stampVia(edits: Edits, via: Via, address: string, port: number): void {
  const asked = via.rport !== null;
  if (asked) edits.replace(via.rportStart, via.rportEnd, `rport=${port}`);
  if (via.receivedStart > 0) edits.remove(via.receivedStart, via.receivedEnd);
  if (asked || !sameAddress(via.host, address)) edits.insert(via.end, `;received=${address}`);
}
