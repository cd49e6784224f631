/** Redirections: what a 3xx of somebody says (RFC 3261 §8.1.3.4, §21.3), and our own. */
import { H } from "../message/header-names.ts";
import { parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import type { Target } from "./targets.ts";

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

/** A contact as a redirection of ours tells it, its preference with it. */
export function contactOf({ uri, binding }: Target): string {
  const q = binding === null || binding.q === 1000 ? "" : `;q=${binding.q / 1000}`;
  return `<${uri.text}>${q}`;
}

/** Our own 302 (§21.3.3). `contacts` are name-addrs with their parameters. */
export function movedTo(contacts: readonly string[]): Refusal {
  const headers = contacts.map((contact) => `Contact: ${contact}`);
  return { status: 302, reason: "The user asks to be called directly", section: "RFC 3261 §21.3.3", headers };
}
