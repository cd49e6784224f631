/** What a redirection says: the contacts of a 3xx (RFC 3261 §8.1.3.4, §21.3). */
import { H } from "../message/header-names.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";

/** Contacts of one answer that are looked at. */
const CONTACTS_MAX = 10;

/** The preferred first. Null: there are none, too many, or some cannot be read. */
export function redirectContacts(response: SipMessage): readonly SipUri[] | null {
  const contacts: { readonly uri: SipUri; readonly q: number }[] = [];
  for (const value of response.texts(H.Contact)) {
    const list = parseNameAddrs(value);
    if (list instanceof ParseError) return null;
    for (const { uri, paramsText } of list) contacts.push({ uri, q: qOf(paramsText) });
  }
  if (contacts.length === 0 || contacts.length > CONTACTS_MAX) return null;
  return contacts.sort((a, b) => b.q - a.q).map(({ uri }) => uri);
}

function qOf(params: string): number {
  const q = /;\s*q\s*=\s*([0-9.]{1,5})/i.exec(params)?.[1];
  return q === undefined ? 1 : Number(q) || 0;
}
