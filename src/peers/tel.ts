/**
 * tel: URIs (RFC 3966) as a Request-URI: the number is one of our domain (RFC 3261 §19.1.6).
 */
import type { Domains } from "../location/domains.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri } from "../message/uri.ts";
import { NUMBER_CHARS_MAX, userPartOf } from "./number.ts";

/** What a tel: URI names. */
export interface Subscriber {
  /** A global number, `+49301`, or a local one; visual separators (RFC 3966 §5.1.1) are left out. */
  readonly number: string;
  /** Where a local number means something: a domain in lower case, or the `+49` it belongs to; null: not said. */
  readonly context: string | null;
}

/**
 * telephone-uri = "tel:" ( "+" 1*DIGIT / 1*( HEXDIG / "*" / "#" ) ) *( ";" parameter ), with separators in the
 * number (RFC 3966 §3). Departs from §5.1.5: a local number without phone-context is read, as phones write it.
 */
export function readTel(text: string): Subscriber | null {
  if (!/^tel:/i.test(text)) return null;
  const [written = "", ...params] = text.slice("tel:".length).split(";");
  const number = written.replace(/%23/g, "#").replace(/[-.()]/g, "");
  if (number.length > NUMBER_CHARS_MAX || !/^(?:\+[0-9]+|[0-9A-Fa-f*#]+)$/.test(number)) return null;
  const said = params.find((param) => /^phone-context=/i.test(param));
  return { number, context: said === undefined ? null : said.slice("phone-context=".length).toLowerCase() };
}

/**
 * The tel: URI as a sip: URI of ours, parameters left out; null: it cannot be read, or its context is not
 * here. RFC 3966 §5.1.5: what a local number means in another context is not for us to guess; only a call
 * for help (`isForHelp`) means the same everywhere.
 */
export function telAsSip(
  { text }: SipUri,
  domains: Domains,
  isForHelp: (user: string) => boolean,
): SipUri | null {
  const subscriber = readTel(text);
  if (subscriber === null) return null;
  const { number, context } = subscriber;
  const user = userPartOf(number);
  const elsewhere = context !== null && !number.startsWith("+") && !isHere(context, domains);
  if (elsewhere && !isForHelp(user)) return null;
  const [domain = domains.canonical] = domains.names;
  const uri = parseUri(`sip:${user}@${domain.includes(":") ? `[${domain}]` : domain};user=phone`);
  return uri instanceof ParseError ? null : uri;
}

function isHere(context: string, domains: Domains): boolean {
  const uri = parseUri(`sip:${context}`);
  return !(uri instanceof ParseError) && uri.user === null && domains.isOurs(uri);
}
