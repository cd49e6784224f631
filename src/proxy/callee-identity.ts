/**
 * Who is named as callee in an answer on its way back (RFC 3325 §5, §7): the rules of identity.ts the other way round.
 */
import type { Flow } from "../base/flow.ts";
import type { Edits } from "../message/edits.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { accountUri, appendLine, namesSomebody, removeIdentity, wantsPrivacy } from "./identity.ts";
import type { Target } from "./targets.ts";

/** Who answers. */
export interface Answerer {
  /** The flow its request left on; null: it never left. */
  readonly flow: Flow | null;
  /** Null: not known any more. */
  readonly target: Target | null;
  /** Whether it is reached over that flow only, whatever its Contact says. */
  readonly bound: boolean;
}

export interface Trust {
  /** Whether whoever is at this address is told, and believed, who people are (auth.trusted_networks). */
  readonly isTrusted: (address: string) => boolean;
  /** Whether the flow leads to a peer of the config. */
  readonly isPeer: (flow: Flow) => boolean;
  /** The header lines, without CRLF, that name an account as callee to the peer on this flow. */
  readonly peerLines: (flow: Flow, account: string) => readonly string[];
  /** Our main name. */
  readonly domain: () => string;
}

/** Edits the headers that name the callee, in an answer to a request that came on `source`. */
export function editCallee(
  edits: Edits,
  response: SipMessage,
  source: Flow,
  from: Answerer,
  trust: Trust,
): void {
  const named = namesSomebody(response);
  const mayKnow = trust.isTrusted(source.remoteAddress);
  const callerIsPeer = !mayKnow && trust.isPeer(source);
  if (!named && !mayKnow && !callerIsPeer) return; // from phone to phone
  // To a peer goes what its identity says, and nothing of what came.
  const isBelieved = answererIsTrusted(from, trust);
  if (named && (callerIsPeer || !isBelieved || (!mayKnow && wantsPrivacy(response))))
    removeIdentity(edits, response);
  const account = isBelieved ? null : accountOf(from, response);
  if (account === null) return;
  if (callerIsPeer) for (const line of trust.peerLines(source, account)) appendLine(edits, response, line);
  const uri = mayKnow ? accountUri(account, trust.domain()) : null;
  if (uri !== null) appendLine(edits, response, `P-Asserted-Identity: <${uri}>`);
}

/** The account whose phone rings or accepts; null: it is nobody's phone, or it refuses. */
function accountOf({ target }: Answerer, { status }: SipMessage): string | null {
  if (status >= 300 || target === null || target.binding === null) return null;
  return target.binding.user;
}

function answererIsTrusted({ flow, target }: Answerer, { isTrusted, isPeer }: Trust): boolean {
  if (target !== null && target.hop !== null) return true;
  return flow !== null && (isTrusted(flow.remoteAddress) || isPeer(flow));
}
