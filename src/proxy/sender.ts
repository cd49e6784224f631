/**
 * The way out: which flow a copy leaves on, and the copy itself (RFC 3261 §16.6 steps 6 and 7).
 */
import type { Flow, LocalEndpoint, Transports } from "../base/flow.ts";
import { isNameOf } from "../base/flow.ts";
import type { Locator, LookupEnd } from "../dns/locator.ts";
import type { Place } from "../dns/place.ts";
import type { Edits } from "../message/edits.ts";
import type { SipUri } from "../message/uri.ts";
import type { NamedFlow } from "../nat/flow-token.ts";
import { flowNamed } from "../nat/flow-token.ts";
import type { End, RouteTokens } from "../nat/route-token.ts";
import type { Caller } from "./directory.ts";
import type { Copy, Forwarding, RequestEditor } from "./forward.ts";
import { buildCopy } from "./forward.ts";
import { concernsIdentity } from "./identity.ts";
import type { FoundFlow, KnownFlow, Permit } from "./next-flow.ts";
import { flowOfBinding, flowOfPeer, flowToPlace, flowToPlaces, isBound } from "./next-flow.ts";
import type { NextHop } from "./route.ts";
import { nextHop } from "./route.ts";
import type { Target } from "./targets.ts";

const NO_PLACES: readonly Place[] = [];

export interface SenderOptions {
  readonly transports: Transports;
  readonly locator: Locator;
  readonly tokens: RouteTokens;
  readonly edits: Edits;
  readonly requestEditor: RequestEditor;
  /** Whether a peer at this address is one of ours without any account (auth.trusted_networks). */
  readonly isTrusted: (address: string) => boolean;
  /** Whether the phone at the end of this flow has not answered for long. */
  readonly isLost: (flowId: string) => boolean;
}

/** Why no place was found for a next hop (RFC 3263 §4). */
export interface NoPlace {
  readonly end: LookupEnd;
  /** In words. */
  readonly why: string;
}

/** Takes the flow for a copy. `rest`: the places behind it; `none`: why there is no flow, where a name was looked up. */
export type UseFlow = (hop: NextHop, flow: FoundFlow, rest: readonly Place[], none: NoPlace | null) => void;

/** A request that may be forwarded, and what was found out about it on the way here. */
export interface Admitted extends Forwarding {
  /** Who sent it. */
  readonly caller: Caller;
  /** Names of the reasons why they count as behind a NAT, with commas, "": none; null: nobody asked. */
  readonly callerNat: string | null;
  /** Where it may go; null: anywhere. */
  readonly permit: Permit | null;
  /** The flow it must go out on, as a token of ours in its Route names it; null: none does. */
  readonly flow: NamedFlow | null;
  /** The other end of the dialog it belongs to, as our token names it; null outside dialogs. */
  readonly peer: End | null;
}

export class Sender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** What the copy of a request for a target, to leave on `flow`, has of its own. */
  plan(
    admitted: Admitted,
    target: Target,
    { requestUri }: NextHop,
    flow: Flow,
    branch: string,
    breadth: number,
  ): Copy {
    const { uri, path, binding, retarget, hop } = target;
    const identity = hop === null ? null : hop.identity;
    const calleeIsOurs = binding !== null || this.#options.isTrusted(flow.remoteAddress);
    return {
      target: uri,
      requestUri,
      path,
      flow,
      branch,
      breadth,
      calleeIsOurs,
      calleeIsBound:
        admitted.flow !== null ||
        (binding === null ? admitted.peer?.bound === true : path.length === 0 && isBound(binding)),
      retarget,
      mayKnowCaller: concernsIdentity(admitted) && this.#options.isTrusted(flow.remoteAddress),
      calleeUser: binding === null ? null : binding.user,
      peer: hop === null ? null : hop.peer,
      identity,
    };
  }

  /** The copy itself; null: there are no ports for its media. */
  copy(admitted: Admitted, copy: Copy): Buffer | null {
    const { edits, tokens, requestEditor } = this.#options;
    return buildCopy(edits, tokens, requestEditor, admitted, copy);
  }

  /**
   * Finds the flow for a target; at once, in this very call, unless a name has to be looked up. `rest`
   * are the places to try when the flow leads nowhere (RFC 3263 §4.3).
   */
  withFlow(target: Target, admitted: Admitted, use: UseFlow): void {
    const { transports, locator } = this.#options;
    const hop = nextHop(admitted.routing, target.uri, target.path);
    if (target.ways === null) {
      const known = this.#knownFlow(target, admitted, hop);
      if (known !== null) return use(hop, known, NO_PLACES, null);
    }
    const from = this.#leavingBy(admitted, target.binding?.flow ?? null);
    const place = target.ways === null ? locator.literal(hop.uri) : "name";
    if (place === null) return use(hop, null, NO_PLACES, null);
    if (place !== "name")
      return use(hop, flowToPlace(transports, place, from, admitted.permit), NO_PLACES, null);
    const among = (places: readonly Place[], none: NoPlace | null): void => {
      const { flow, rest } = flowToPlaces(transports, places, from, admitted.permit);
      use(hop, flow, rest, none);
    };
    if (target.ways !== null) among(target.ways, null);
    else
      locator.lookUp(hop.uri, (places, end, why) => among(places, places.length > 0 ? null : { end, why }));
  }

  /** The flow that a registration or the dialog itself names; null: the next hop's URI decides. */
  #knownFlow({ binding, path }: Target, admitted: Admitted, hop: NextHop): KnownFlow {
    const { transports } = this.#options;
    if (binding !== null)
      return path.length === 0
        ? flowOfBinding(transports, binding, this.#leavingBy(admitted, binding.flow), this.#options.isLost)
        : null;
    const { flow, peer, routing } = admitted;
    if (flow !== null) return flowNamed(transports, flow);
    if (peer === null || (routing.next !== null && !peer.bound)) return null;
    return flowOfPeer(transports, peer, hop.uri, this.#leavingBy(admitted, null));
  }

  /** The endpoint to send from: where the binding was registered, or the side the dialog left by before. */
  #leavingBy(
    admitted: Admitted,
    registered: { local_address: string; local_port: number } | null,
  ): LocalEndpoint | undefined {
    if (registered !== null) {
      const { local } = admitted.source;
      if (isAt(local, registered)) return local;
      return this.#endpoint((e) => isAt(e, registered));
    }
    const { leaving } = admitted.routing;
    const { local } = admitted.source;
    if (leaving === null || isNameOf(local, sentByOf(leaving))) return local;
    const name = sentByOf(leaving);
    return this.#endpoint((e) => isNameOf(e, name));
  }

  #endpoint(matches: (endpoint: LocalEndpoint) => boolean): LocalEndpoint | undefined {
    return this.#options.transports.endpoints().find(matches);
  }
}

function sentByOf(uri: SipUri): string {
  const host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
  return uri.port === null ? host : `${host}:${uri.port}`;
}

function isAt({ address, port }: LocalEndpoint, at: { local_address: string; local_port: number }): boolean {
  return port === at.local_port && address === at.local_address;
}
