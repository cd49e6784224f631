/**
 * Request-URIs that mean another one: a Contact that was hidden from the sender, urn:service:sos, tel:.
 */

import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import type { NamedFlow } from "../nat/flow-token.ts";
import { telAsSip } from "../peers/tel.ts";
import type { Routing } from "../proxy/route.ts";
import { isSosUrn } from "../proxy/validate.ts";
import type { ChainRooms } from "./request-chain.ts";

export interface Meaning {
  readonly uri: SipUri;
  /** The flow that leads there, if it was hidden behind it; null: it was not. */
  readonly flow: NamedFlow | null;
}

/** Null: it means itself. */
export function meaningOf(rooms: ChainRooms, routing: Routing): Meaning | Refusal | null {
  const { uri, next } = routing;
  // Where a Route leads on, the token may be that of another edge.
  const contact = next === null ? rooms.contacts.reveal(uri) : null;
  if (contact === "forged") return FORGED_CONTACT;
  if (contact !== null) return contact;
  const number = numberMeant(rooms, routing);
  return number === null || "status" in number ? number : { uri: number, flow: null };
}

/** What urn:service:sos, or a tel: URI that no Route leads elsewhere, means here; null: it is neither. */
function numberMeant(rooms: ChainRooms, { uri, next }: Routing): SipUri | Refusal | null {
  if (uri.scheme === "tel" && next === null)
    return telAsSip(uri, rooms.domains, rooms.isEmergency) ?? NO_NUMBER;
  return isSosUrn(uri) ? (rooms.sosUri() ?? NO_EMERGENCY) : null;
}

const FORGED_CONTACT: Refusal = {
  status: 403,
  reason: "The token in the Request-URI is not ours",
  section: "RFC 5626 §5.3",
};

const NO_NUMBER: Refusal = {
  status: 404,
  reason: "The tel: URI names no number here",
  section: "RFC 3966 §5.1.5",
};

const NO_EMERGENCY: Refusal = {
  status: 416,
  reason: "Calls for help are not set up here ([emergency])",
  section: "RFC 3261 §16.3 step 2",
};
