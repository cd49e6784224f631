/**
 * OPTIONS of our own to the peers, and to places that failed (RFC 3261 §11): sent through the transaction
 * layer like any request.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow, Transports } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import type { Locator } from "../dns/locator.ts";
import type { Place } from "../dns/place.ts";
import type { Domains } from "../location/domains.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { PeerUri } from "../peers/peer.ts";
import type { PeerBook } from "../peers/peer-book.ts";
import { Prober } from "../peers/prober.ts";
import { viaText } from "../proxy/forward.ts";
import { flowToPlaces } from "../proxy/next-flow.ts";
import type { ClientUser } from "../transaction/client-transaction.ts";
import type { TransactionLayer } from "../transaction/layer.ts";

export interface ProbeRooms {
  readonly dice: Dice;
  readonly transports: Transports;
  readonly locator: Locator;
  readonly layer: TransactionLayer;
  readonly domains: Domains;
}

/** Asks the peers of the config, each in its time. */
export function makeProber(rooms: ProbeRooms, clock: Clock, book: PeerBook): Prober {
  return new Prober({ clock, dice: rooms.dice, book, sendProbe: (at, done) => sendProbe(rooms, at, done) });
}

/** Sends one; `done` hears the final status, or null when there was none to be had. */
function sendProbe(rooms: ProbeRooms, { uri }: PeerUri, done: (status: number | null) => void): void {
  const { locator, transports } = rooms;
  const place = locator.literal(uri);
  if (place === null) return done(null);
  const send = (places: Parameters<typeof flowToPlaces>[1]): void => {
    const { flow } = flowToPlaces(transports, places, undefined, null);
    if (flow === null || flow === "forbidden") done(null);
    else sendOn(rooms, flow, uri.text, done);
  };
  if (place === "name") locator.lookUp(uri, send);
  else send([place]);
}

/** The same to a place that failed, whoever lives there. */
export function probePlace(rooms: ProbeRooms, place: Place, done: (status: number | null) => void): void {
  const { transport, address, port, name } = place;
  const flow = rooms.transports.flowTo(transport, address, port, undefined, name);
  const param = transport === "udp" ? "" : `;transport=${transport}`;
  if (flow === null) done(null);
  else sendOn(rooms, flow, `sip:${hostPort(address, port)}${param}`, done);
}

function sendOn(
  { dice, domains, layer }: ProbeRooms,
  flow: Flow,
  uri: string,
  done: (status: number | null) => void,
): void {
  const branch = `z9hG4bKp${dice.token()}`;
  const us = `sip:${domains.canonical}`;
  const callId = `${dice.token()}${dice.token()}`;
  const lines = [
    `OPTIONS ${uri} SIP/2.0`,
    viaText(flow, branch).trimEnd(),
    "Max-Forwards: 70",
    `From: <${us}>;tag=${dice.token()}`,
    `To: <${uri}>`,
    `Call-ID: ${callId}`,
    "CSeq: 1 OPTIONS",
    "Accept: application/sdp",
    "Content-Length: 0",
  ];
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  layer.send(bytes, "OPTIONS", branch, callId, flow, listener(done));
}

function listener(done: (status: number | null) => void): ClientUser {
  return {
    answered(_transaction, response: SipMessage) {
      if (response.status >= 200) done(response.status);
    },
    timedOut: () => done(null),
    transportFailed: () => done(null),
  };
}
