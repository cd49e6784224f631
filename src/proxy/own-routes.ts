/**
 * Our Record-Route: one entry, or two when the request leaves by another of our endpoints than it came in (RFC 3261
 * §16.6 step 4, RFC 5658). An endpoint that is known inside by its address and outside by an advertised name is one
 * entry: it leaves with the name that the next hop reaches, and answers carry it back with the other one, so that
 * neither side hears of an address that means nothing to it.
 */
import type { Flow, LocalEndpoint, Transports } from "../base/flow.ts";
import { hostPort, isNameOf, sentByFor } from "../base/flow.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";
import type { RouteTokens } from "../nat/route-token.ts";
import { isEnd } from "../nat/route-token.ts";
import type { Answerer } from "./callee-identity.ts";

/** A listener of ours as a route, by the name under which whoever is at `address` reaches it. */
function routeUri(token: string, local: LocalEndpoint, address: string, isSips: boolean): string {
  const where = `${token}@${sentByFor(local, address)}`;
  if (isSips) return `sips:${where}${local.transport === "wss" ? ";transport=ws" : ""};lr`; // RFC 5630 §3.1.3
  const transport = local.transport === "wss" ? "ws" : local.transport; // RFC 7118 §5.3: one word for both
  return `sip:${where}${transport === "udp" ? "" : `;transport=${transport}`};lr`;
}

/** The same for the peer at the other end of the flow. */
export const routeUriFor = (token: string, { local, remoteAddress }: Flow): string =>
  routeUri(token, local, remoteAddress, false);

/**
 * The header lines for a request that came on one flow and leaves on the other: names as the next hop knows them.
 * `isSips`: the request is for a sips: URI, and so is its dialog (RFC 3261 §16.6 step 4).
 */
export function recordRouteLines(
  token: string,
  came: Flow,
  { local, remoteAddress }: Flow,
  isSips: boolean,
): string {
  const outgoing = `Record-Route: <${routeUri(token, local, remoteAddress, isSips)}>\r\n`;
  if (isSameEndpoint(came.local, local)) return outgoing;
  return `${outgoing}Record-Route: <${routeUri(token, came.local, remoteAddress, isSips)}>\r\n`;
}

function isSameEndpoint(a: LocalEndpoint, b: LocalEndpoint): boolean {
  return a === b || (a.transport === b.transport && a.address === b.address && a.port === b.port);
}

/** What else changes in a response on its way back, beside its Via. */
export interface ResponseEditor {
  /**
   * `source`: the flow its request came on, to which it returns; `from`: who answers. Returns the bytes of the body
   * as it leaves.
   */
  editResponse(edits: Edits, response: SipMessage, source: Flow, from: Answerer): number;
}

function transportOf(uri: SipUri): string {
  const named = uriParam(uri, "transport");
  return uri.scheme === "sips" ? (named === "ws" ? "wss" : "tls") : (named ?? "udp");
}

const isBy = (transport: string, named: string): boolean =>
  transport === named || (named === "ws" && transport === "wss");

export class OwnRoutes {
  readonly #tokens: RouteTokens;
  readonly #transports: Transports;
  #endpoints: readonly LocalEndpoint[] = [];
  /** Whether any of them has another name outside than inside. */
  #hasTwoNames = false;

  constructor(tokens: RouteTokens, transports: Transports) {
    this.#tokens = tokens;
    this.#transports = transports;
  }

  /** Our entries of this passage get the names that the sender of the request knows. */
  rename(edits: Edits, response: SipMessage, source: Flow): void {
    if (!this.#mayHaveTwoNames()) return;
    for (let line = response.find(H.RecordRoute); line >= 0; line = response.find(H.RecordRoute, line + 1)) {
      const value = response.bytes.latin1Slice(response.valueStart(line), response.valueEnd(line));
      const entries = parseNameAddrs(value);
      if (entries instanceof ParseError) continue;
      let renamed = value;
      for (const { uri } of entries) {
        const local = this.#endpointOf(uri, response.callId ?? "", source);
        if (local === undefined) continue;
        renamed = renamed.replace(
          uri.text,
          routeUri(uri.user ?? "", local, source.remoteAddress, uri.scheme === "sips"),
        );
      }
      if (renamed !== value) edits.replace(response.valueStart(line), response.valueEnd(line), renamed);
    }
  }

  #mayHaveTwoNames(): boolean {
    const endpoints = this.#transports.endpoints();
    if (endpoints !== this.#endpoints) {
      this.#endpoints = endpoints;
      this.#hasTwoNames = endpoints.some(
        ({ inside, sentBy }) => inside !== undefined && inside.sentBy !== sentBy,
      );
    }
    return this.#hasTwoNames;
  }

  /** The endpoint that an entry names which we wrote when this request passed. */
  #endpointOf(uri: SipUri, callId: string, source: Flow): LocalEndpoint | undefined {
    const { user, host, port } = uri;
    const ends = user === null ? null : this.#tokens.verify(user, callId);
    if (ends === null || !isEnd(ends.caller, source.remoteAddress, source.remotePort)) return undefined;
    const name = port === null ? host : hostPort(host, port);
    const transport = transportOf(uri);
    return this.#endpoints.find((local) => isNameOf(local, name) && isBy(local.transport, transport));
  }
}
