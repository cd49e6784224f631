/**
 * Which flow a copy leaves on: the one a phone registered over, or one to a place that the next hop's
 * URI names (RFC 3261 §16.6 step 7, §18.1.1; RFC 5626 §5.3).
 */
import type { Flow, LocalEndpoint, Transports } from "../base/flow.ts";
import { isReliable } from "../base/flow.ts";
import type { Place } from "../dns/place.ts";
import type { Binding } from "../location/binding.ts";
import type { SipUri } from "../message/uri.ts";
import { isPrivate } from "../nat/private-address.ts";
import type { End } from "../nat/route-token.ts";
import { serialMark } from "../nat/route-token.ts";

/** Whether a request may be sent to this place. */
export type Permit = (address: string, port: number) => boolean;

/** Requests over this size must not go out as datagrams when a stream can be had (§18.1.1). */
export const DATAGRAM_BYTES_MAX = 1300;

/** A flow, or why there is none: it is closed, so that nobody else can be meant by it. */
export type KnownFlow = Flow | null | "gone";

/**
 * The flow to a registered contact: its connection, or where its datagrams come from when its Contact does not
 * lead there. "gone": it could be reached over its flow only, which is closed, or silent. Null: the Contact URI is
 * to be located instead.
 */
export function flowOfBinding(
  transports: Transports,
  binding: Binding,
  from: LocalEndpoint | undefined,
  isLost: (flowId: string) => boolean,
): KnownFlow {
  const { flow } = binding;
  if (flow.transport !== "udp") {
    const live = transports.flowById(flow.id);
    if (live?.open) return live;
    return isBound(binding) ? "gone" : null;
  }
  if (!isBound(binding)) return null;
  return isLost(flow.id) ? "gone" : transports.flowTo("udp", flow.remote_address, flow.remote_port, from);
}

/** Whether a phone is reached over the flow it registered on only: it stands behind a NAT, or asked for it. */
export function isBound(binding: Binding): boolean {
  return binding.outbound || binding.flow.nat !== "";
}

/**
 * The flow to the other end of a dialog, where it is not its Contact that says so: the end is bound to its flow,
 * keeps a connection to us, or told a Contact that means something in a network of its own only. Null: the
 * Contact, which is the request's target, is to be located.
 */
export function flowOfPeer(
  transports: Transports,
  peer: End,
  contact: SipUri,
  from: LocalEndpoint | undefined,
): KnownFlow {
  if (peer.transport !== "udp") {
    const live = transports.connectionTo(peer.transport, peer.address, peer.port);
    if (!peer.bound) return live;
    return live !== null && serialMark(live) === peer.serial ? live : "gone";
  }
  if (!peer.bound && (!isPrivate(contact.host) || isPrivate(peer.address))) return null;
  return transports.flowTo("udp", peer.address, peer.port, from);
}

/** A flow to a place, or why there is none: no way there, or none that the request may take. */
export type PlacedFlow = Flow | null | "forbidden";
export type FoundFlow = PlacedFlow | KnownFlow;

/** A flow to the first place that can be had, and the places behind it. */
export interface Way {
  readonly flow: PlacedFlow;
  readonly rest: readonly Place[];
}

const NOWHERE_ELSE: readonly Place[] = [];

/** The first place of the list that one of our listeners can reach and that is permitted. */
export function flowToPlaces(
  transports: Transports,
  places: readonly Place[],
  from: LocalEndpoint | undefined,
  permit: Permit | null,
): Way {
  let forbidden = false;
  for (let i = 0; i < places.length; i++) {
    const flow = flowToPlace(transports, places[i]!, from, permit);
    if (flow === "forbidden") forbidden = true;
    else if (flow !== null) return { flow, rest: places.slice(i + 1) };
  }
  return { flow: forbidden ? "forbidden" : null, rest: NOWHERE_ELSE };
}

export function flowToPlace(
  transports: Transports,
  { transport, address, port, name }: Place,
  from: LocalEndpoint | undefined,
  permit: Permit | null,
): PlacedFlow {
  if (permit !== null && !permit(address, port)) return "forbidden";
  return transports.flowTo(transport, address, port, from, name);
}

/**
 * A stream in the place of this datagram flow, when the copy is too long for it (§18.1.1) and the peer takes
 * streams: it spoke TCP before, or name service offers a stream among the `rest` of its places.
 */
export function streamInstead(
  transports: Transports,
  flow: Flow,
  bytes: number,
  rest: readonly Place[],
): Flow | null {
  if (flow.transport !== "udp" || bytes <= DATAGRAM_BYTES_MAX) return null;
  if (transports.speaksTcp(flow.remoteAddress, flow.remotePort))
    return transports.flowTo("tcp", flow.remoteAddress, flow.remotePort);
  const offered = rest.find(({ transport }) => isReliable(transport));
  if (offered === undefined) return null;
  return transports.flowTo(offered.transport, offered.address, offered.port, undefined, offered.name);
}
