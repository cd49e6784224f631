/**
 * Text from messages holds one byte per character. People and JSON want the UTF-8 it nearly always is
 * (RFC 3261 §7.3.1), and no single value may make an answer huge.
 */

/** Longest text from the network that is shown; the rest becomes "…". */
export const SHOWN_CHARS_MAX = 1000;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text as a person would write it; bytes that are no UTF-8 are shown one by one, as latin1. */
export function shownText(latin1: string): string {
  const text = decoded(latin1);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

/** The way back, for looking something up: one character per UTF-8 byte. */
export function asLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function decoded(latin1: string): string {
  if (/^[\0-\x7f]*$/.test(latin1)) return latin1;
  try {
    return utf8.decode(Buffer.from(latin1, "latin1"));
  } catch {
    return latin1;
  }
}
