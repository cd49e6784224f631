/**
 * The Contact of a phone behind a NAT as peers see it under `nat.contact = "rewrite"`: the address its packets come from,
 * and a signed URI parameter with what stood there, by which the phone gets its own Contact back as Request-URI. What
 * fix_nated_contact and set_contact_alias do elsewhere.
 */
import type { Flow } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri, uriParam } from "../message/uri.ts";
import type { FlowTokens, NamedFlow } from "./flow-token.ts";
import { NOTE_CHARS_MAX } from "./flow-token.ts";

/** The name of that parameter. */
const PARAM = "sipedge";
const PARAM_TEXT = /;sipedge(?:=[^;]*)?(?=;|$)/gi;

/** A Contact as its phone wrote it, and the flow that leads there. */
export interface RevealedContact {
  readonly uri: SipUri;
  readonly flow: NamedFlow;
}

/**
 * A Contact value with the address of the flow in the place of its own; null: it is that address already, or cannot be
 * rewritten. A parameter of ours that it brings is taken off, so that there is one.
 */
export function hideContact(value: string, { uri }: NameAddr, flow: Flow, tokens: FlowTokens): string | null {
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return null;
  const [from, to] = placeOf(uri);
  const written = uri.text.slice(from, to);
  const seen = hostPort(flow.remoteAddress, flow.remotePort);
  if (written === seen || written.length > NOTE_CHARS_MAX) return null;
  const at = value.lastIndexOf(`<${uri.text}>`);
  const start = at < 0 ? value.indexOf(uri.text) : at + 1;
  if (start < 0) return null;
  const hidden = rebuilt(uri, seen, `;${PARAM}=${tokens.sign(flow, written)}`);
  // Without brackets the parameter would belong to the header (RFC 3261 §20.10).
  const text = at < 0 ? `<${hidden}>` : hidden;
  return value.slice(0, start) + text + value.slice(start + uri.text.length);
}

/** What a Request-URI was before; null: it has no parameter of that name; "forged": one that was not signed here. */
export function revealContact(uri: SipUri, tokens: FlowTokens): RevealedContact | "forged" | null {
  if (uri.params === "") return null;
  const token = uriParam(uri, PARAM);
  if (token === null) return null;
  const flow = tokens.verify(token);
  if (flow === null) return "forged";
  const revealed = parseUri(rebuilt(uri, flow.note, ""));
  return revealed instanceof ParseError ? "forged" : { uri: revealed, flow };
}

/** The URI with this host and port, without a parameter of ours but for `added`. */
function rebuilt(uri: SipUri, place: string, added: string): string {
  const headers = uri.headers === "" ? "" : `?${uri.headers}`;
  return uri.text.slice(0, placeOf(uri)[0]) + place + uri.params.replace(PARAM_TEXT, "") + added + headers;
}

/** Where host and port stand in the text. */
function placeOf({ text, user, params, headers }: SipUri): readonly [number, number] {
  const from = text.indexOf(user === null ? ":" : "@") + 1;
  return [from, text.length - params.length - (headers === "" ? 0 : headers.length + 1)];
}
