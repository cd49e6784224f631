/**
 * What a request shows of the way it came: whether its sender stands behind a NAT, and whether a SIP ALG had its
 * hands in it. Only the first hop can be judged so: what came through another proxy is that proxy's affair.
 */
import type { Flow } from "../base/flow.ts";
import { COMMA } from "../message/chars.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
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

  /** The same for a request whose Contact has not been read. */
  reasonsOf(request: SipMessage, source: Flow): string {
    const line = request.find(H.Contact);
    const contact = line < 0 ? null : parseNameAddr(request.text(H.Contact) ?? "");
    return this.reasons(request, source, contact instanceof ParseError ? null : (contact?.uri ?? null));
  }

  /** Whether messages for its sender are to go back over the flow it came on, whatever its Contact says. */
  isBound(request: SipMessage, source: Flow): boolean {
    return this.reasonsOf(request, source) !== "" || asksForItsFlow(request);
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

/** RFC 5626 §4.3: "ob" in the Contact of a request that came straight from a phone. */
function asksForItsFlow(request: SipMessage): boolean {
  const line = request.find(H.Contact);
  if (line < 0) return false;
  const text = request.text(H.Contact) ?? "";
  if (!/;ob\b/i.test(text)) return false;
  const contact = parseNameAddr(text);
  return !(contact instanceof ParseError) && uriParam(contact.uri, "ob") !== null && cameDirectly(request);
}

/** Whether no other proxy stands between the sender and us: there is one Via. */
export function cameDirectly(request: SipMessage): boolean {
  const first = request.find(H.Via);
  if (first < 0 || request.find(H.Via, first + 1) >= 0) return false;
  const { bytes } = request;
  for (let at = request.valueStart(first); at < request.valueEnd(first); at++)
    if (bytes[at] === COMMA) return false;
  return true;
}
