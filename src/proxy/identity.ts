/**
 * Who is named as caller in the copy of a request (RFC 3325 §5 to §7): what a sender without our trust
 * says of itself does not go on, and what is known of a caller who asks for privacy goes to those we trust only.
 */
import type { Edits } from "../message/edits.ts";
import type { HeaderId } from "../message/header-names.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { parseUri } from "../message/uri.ts";
import type { Copy, Forwarding } from "./forward.ts";

const IDENTITY = [H.PAssertedIdentity, H.PPreferredIdentity, H.RemotePartyId] as const;

/** The URI that names an account; null: its name cannot stand in a URI as it is. */
export function accountUri(user: string, domain: string): string | null {
  const uri = parseUri(`sip:${user}@${domain}`);
  return uri instanceof ParseError || uri.user !== user || user.includes(">") ? null : uri.text;
}

/** Whether there is a caller's identity to add, or one that may have to be hidden. */
export function concernsIdentity({ request, assertedUri }: Forwarding): boolean {
  return assertedUri !== null || request.find(H.Privacy) >= 0;
}

/** Edits the headers that name the caller; a copy for a peer gets the peer's lines in their place. */
export function editIdentity(edits: Edits, forwarding: Forwarding, copy: Copy): void {
  const { request, senderIsTrusted, assertedUri } = forwarding;
  if (copy.identity !== null) {
    removeIdentity(edits, request);
    for (const line of copy.identity) appendLine(edits, request, line);
    return;
  }
  // §5: an assertion is worth as much as whoever makes it. §7: none for the untrusted against the caller's wish.
  if (!senderIsTrusted || (!copy.mayKnowCaller && wantsPrivacy(request))) removeIdentity(edits, request);
  if (assertedUri !== null && copy.mayKnowCaller)
    appendLine(edits, request, `P-Asserted-Identity: <${assertedUri}>`);
}

const HIDING: ReadonlySet<string> = new Set(["id", "user", "header"]);

/** Privacy-hdr = priv-value *(";" priv-value) (RFC 3323 §4.2, RFC 3325 §9.3). "none" asks for nothing. */
export function wantsPrivacy(request: SipMessage): boolean {
  return request
    .texts(H.Privacy)
    .some((value) => value.split(/[;,]/).some((word) => HIDING.has(word.trim().toLowerCase())));
}

/** Whether any of the headers is there by which people are named. */
export function namesSomebody(message: SipMessage): boolean {
  for (let line = 0; line < message.count; line++) {
    const id = message.idOf(line);
    if (id === H.PAssertedIdentity || id === H.PPreferredIdentity || id === H.RemotePartyId) return true;
  }
  return false;
}

export function removeIdentity(edits: Edits, request: SipMessage): void {
  for (const id of IDENTITY) removeAll(edits, request, id);
}

/** Every line of that header. */
export function removeAll(edits: Edits, request: SipMessage, id: HeaderId): void {
  for (let line = request.find(id); line >= 0; line = request.find(id, line + 1))
    edits.remove(request.lineStart(line), request.lineEnd(line));
}

export function appendLine(edits: Edits, request: SipMessage, line: string): void {
  edits.insert(request.lineEnd(request.count - 1), `${line}\r\n`);
}
