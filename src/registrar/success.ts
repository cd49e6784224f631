/**
 * What a 200 to a REGISTER says (RFC 3261 §10.3 step 8; RFC 3327 §5.3; RFC 5626 §6; RFC 5627 §5.1; RFC 3608 §5).
 */
import type { Flow } from "../base/flow.ts";
import { sentByFor } from "../base/flow.ts";
import type { Binding } from "../location/binding.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { hasOption } from "../message/option-tags.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { escapeParam } from "../message/uri.ts";

/** Every current binding with the seconds it has left, and the Path that was stored. */
export function successLines(bindings: readonly Binding[], request: SipMessage, now: number): string[] {
  const headers: string[] = [];
  const gruuOf = hasOption(request, H.Supported, "gruu") ? aorText(request) : null;
  for (const binding of bindings) headers.push(contactLine(binding, gruuOf, now));
  for (const value of request.texts(H.Path)) headers.push(`Path: ${value}`);
  return headers;
}

function contactLine(binding: Binding, gruuOf: string | null, now: number): string {
  const left = Math.max(0, Math.ceil((binding.expires_at_ms - now) / 1000));
  const q = binding.q === 1000 ? "" : `;q=${binding.q / 1000}`;
  const gruu =
    gruuOf === null || binding.instance === null
      ? ""
      : `;pub-gruu="${gruuOf};gr=${escapeParam(binding.instance)}"`;
  return `Contact: <${binding.contact}>${q};expires=${left}${binding.params}${gruu}`;
}

/** The address-of-record as the phone knows it: a public GRUU is that with a "gr" (RFC 5627 §3.1.1). */
function aorText(request: SipMessage): string | null {
  const to = parseNameAddr(request.text(H.To) ?? "");
  if (to instanceof ParseError || to.uri.user === null) return null;
  const { scheme, user, host, port } = to.uri;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${scheme}:${user}@${name}${port === null ? "" : `:${port}`}`;
}

/** How our listener is named to whoever stands at the other end of the flow. */
export function ownUri(flow: Flow): string {
  const transport = flow.transport === "udp" ? "" : `;transport=${flow.transport}`;
  return `sip:${sentByFor(flow.local, flow.remoteAddress)}${transport};lr`;
}

/** NATs forget a UDP flow after 30 s and more (RFC 4787 REQ-5 wants 2 minutes, few give it). */
const UDP_FLOW_TIMER_S = 30;
const STREAM_FLOW_TIMER_S = 120;

/** Seconds after which a flow without keep-alive may be taken for dead (RFC 5626 §6, §10). */
export function flowTimer_s({ reliable }: Flow, tcp_idle_s: number): number {
  return reliable ? Math.min(STREAM_FLOW_TIMER_S, tcp_idle_s) : UDP_FLOW_TIMER_S;
}
