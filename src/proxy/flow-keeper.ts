/**
 * Who keeps flows open while calls and subscriptions need them. Only flows are named to it to which the other
 * side is bound: a phone behind a NAT, or one that asked for it (RFC 5626).
 */
import type { Flow } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { sameUri } from "../message/uri.ts";
import type { Branch } from "./branch.ts";
import type { CallObserver } from "./call-observer.ts";
import { isBound } from "./next-flow.ts";
import type { Admitted } from "./sender.ts";
import type { Target } from "./targets.ts";

export interface FlowKeeper {
  /** A call was begun on this flow, or rings at its end; `established`: it was taken there. */
  call(flow: Flow, callId: string, established: boolean): void;
  /** It rings there no more. */
  left(flow: Flow, callId: string): void;
  /** The call is over, on every flow. */
  over(callId: string): void;
  /** A phone registered over this flow at another registrar, for so many seconds; 0: no more. */
  registration(flow: Flow, callId: string, expires_s: number): void;
  /** Whether the other side has not answered for so long that nothing is sent there. */
  isLost(flowId: string): boolean;
  /** Who subscribed is at the end of this flow, for so many seconds; 0: no more. */
  subscription(flow: Flow, callId: string, expires_s: number): void;
}

/** What a subscription or registration lasts whose 2xx does not say. */
const EXPIRES_DEFAULT_S = 3600;

/** Tells the keeper what becomes of requests and their branches. */
export class KeptFlows implements CallObserver {
  readonly #keeper: FlowKeeper;

  constructor(keeper: FlowKeeper) {
    this.#keeper = keeper;
  }

  begun({ request, source, callerIsBound, callId }: Admitted, refusal: Refusal | null): void {
    if (callerIsBound && refusal === null && request.method === "INVITE")
      this.#keeper.call(source, callId, false);
  }

  sent(target: Target, flow: Flow, { request, callId }: Admitted): void {
    if (request.method === "INVITE" && !request.hasToTag && isKept(target))
      this.#keeper.call(flow, callId, false);
  }

  rang(): void {} // it was kept open from the beginning

  ended({ flow, target, method, callId }: Branch): void {
    if (flow !== null && method === "INVITE" && isKept(target)) this.#keeper.left(flow, callId);
  }

  accepted({ flow, target }: Branch, response: SipMessage, admitted: Admitted): void {
    const { callId, callerIsBound, request, source } = admitted;
    if (request.method === "SUBSCRIBE" && callerIsBound)
      this.#keeper.subscription(source, callId, response.numberOf(H.Expires) ?? EXPIRES_DEFAULT_S);
    if (request.method === "REGISTER" && callerIsBound)
      this.#keeper.registration(source, callId, grantedExpires_s(request, response));
    if (request.method !== "INVITE" || request.hasToTag) return;
    if (callerIsBound) this.#keeper.call(source, callId, true);
    if (flow !== null && isKept(target)) this.#keeper.call(flow, callId, true);
  }

  finished({ request, callId }: Admitted, status: number): void {
    const { method, hasToTag } = request;
    const isTaken = status >= 200 && status < 300;
    if (method === "BYE" || (method === "INVITE" && !hasToTag && !isTaken)) this.#keeper.over(callId);
  }
}

function isKept({ binding, path }: Target): boolean {
  return binding !== null && path.length === 0 && isBound(binding);
}

/** What a registrar granted to the first Contact of a REGISTER (RFC 3261 §10.2.4); 0: it is not registered. */
function grantedExpires_s(request: SipMessage, response: SipMessage): number {
  const asked = contactsOf(request)[0];
  if (asked === undefined) return 0;
  const granted = contactsOf(response).find(({ uri }) => sameUri(uri, asked.uri));
  if (granted === undefined) return 0;
  const own = Number(granted.params.get("expires") ?? Number.NaN);
  return Number.isInteger(own) ? own : (response.numberOf(H.Expires) ?? EXPIRES_DEFAULT_S);
}

function contactsOf(message: SipMessage): readonly NameAddr[] {
  const contacts: NameAddr[] = [];
  for (const value of message.texts(H.Contact)) {
    const entries = parseNameAddrs(value);
    if (!(entries instanceof ParseError)) contacts.push(...entries);
  }
  return contacts;
}
