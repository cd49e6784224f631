/**
 * What a request shows of the way it came: whether its sender stands behind a NAT, and whether a SIP ALG had its
 * hands in it. Only the first hop can be judged so: what came through another proxy is that proxy's affair.
 */
import type { Flow } from "../base/flow.ts";
import { COMMA } from "../message/chars.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";
import { algSigns } from "./alg.ts";
import type { NatReason } from "./reasons.ts";
import { natReasons, sdpAddress } from "./reasons.ts";

export class NatJudge {
  /** The reasons that count. */
  counted: ReadonlySet<NatReason>;

  constructor(counted: Iterable<NatReason>) {
    this.counted = new Set(counted);
  }

  /** Names of the reasons why its sender counts as behind a NAT, with commas; empty: it does not. */
  reasons(request: SipMessage, source: Flow, contact: SipUri | null): string {
    const { via } = request;
    if (this.counted.size === 0 || via === null || via instanceof ParseError || !cameDirectly(request))
      return "";
    const seen = {
      transport: source.transport,
      source_address: source.remoteAddress,
      source_port: source.remotePort,
      via_host: via.host,
      via_port: via.port,
      contact_host: contact?.host ?? null,
      contact_port: contact?.port ?? null,
      sdp_address: this.#sdpOf(request),
    };
    const { inside } = source.local;
    return natReasons(seen, this.counted, (address) => inside?.networks.has(address) ?? false).join(",");
  }

  /** The same by the Contact that the request has. */
  reasonsOf(request: SipMessage, source: Flow): string {
    return this.reasons(request, source, contactOf(request));
  }

  /** Names of the signs that an ALG rewrote it, with commas; empty: none. */
  algSigns(request: SipMessage, source: Flow): string {
    return cameDirectly(request) ? algSigns(request, source).join(",") : "";
  }

  #sdpOf(request: SipMessage): string | null {
    if (!this.counted.has("private_sdp") && !this.counted.has("sdp_mismatch")) return null;
    return sdpAddress(request.bytes, request.bodyStart, request.bodyEnd);
  }
}

/**
 * Whether messages for its sender are to go back over the flow it came on, whatever its Contact says: it stands
 * behind a NAT (`reasons`), or asks for it with "ob" (RFC 5626 §4.3).
 */
export function isBoundBy(reasons: string, request: SipMessage): boolean {
  if (reasons !== "") return true;
  const contact = contactOf(request);
  return (
    contact !== null && contact.params !== "" && uriParam(contact, "ob") !== null && cameDirectly(request)
  );
}

function contactOf({ contact }: SipMessage): SipUri | null {
  return contact === null || contact instanceof ParseError ? null : contact.uri;
}

/** Whether no other proxy stands between the sender and us: there is one Via. */
export function cameDirectly(request: SipMessage): boolean {
  const first = request.find(H.Via);
  if (first < 0 || request.find(H.Via, first + 1) >= 0) return false;
  const comma = request.bytes.indexOf(COMMA, request.valueStart(first));
  return comma < 0 || comma >= request.valueEnd(first);
}
