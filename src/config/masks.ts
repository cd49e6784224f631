/** Values with a secret in them, as they may be shown. */

/** What stands in the place of a secret. */
export const STARS = "***";

/** Where it leads, and nothing more: its user, path and query may each be a key (RFC 3986 §3). */
export function maskedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || url.host === "") return STARS;
  const user = url.username === "" && url.password === "" ? "" : `${STARS}@`;
  const rest = url.pathname === "/" && url.search === "" && url.hash === "" ? "" : STARS;
  return `${url.protocol}//${user}${url.host}/${rest}`;
}

/** The name of a header line. */
export function maskedHeader(line: string): string {
  const colon = line.indexOf(":");
  return colon < 0 ? STARS : `${line.slice(0, colon)}: ${STARS}`;
}

/** A SIP URI may have a password (RFC 3261 §19.1.1: not recommended, and seen). */
export function maskedPassword(text: string): string {
  return text.replace(/^(sips?:[^:@;?]*):[^@]*@/i, `$1:${STARS}@`);
}
