/**
 * Digest credentials and challenges: `Digest name=value, name="value"` (RFC 3261 §25.1, RFC 7616 §3.4).
 */
import { BACKSLASH, COMMA, EQUALS, isLws, QUOTE, TOKEN } from "./chars.ts";
import { ParseError } from "./parse-error.ts";

export interface AuthParams {
  /** Lower case, e.g. `digest`. */
  readonly scheme: string;
  /** Names lower case, quotes and backslashes resolved. */
  readonly params: ReadonlyMap<string, string>;
}

/** Parameters of one header; more are malformed. */
const PARAMS_MAX = 32;

/** credentials = auth-scheme 1*SP auth-param *( COMMA auth-param ); a name that comes twice is an error. */
export function parseAuthParams(text: string): AuthParams | ParseError {
  const space = text.search(/[ \t\r\n]/);
  if (space < 1) return new ParseError("auth_scheme", 0);
  const params = new Map<string, string>();
  let at = space;
  while (at < text.length) {
    at = skipLws(text, at);
    const from = at;
    while (at < text.length && TOKEN[text.charCodeAt(at)] === 1) at++;
    const name = text.slice(from, at).toLowerCase();
    at = skipLws(text, at);
    if (name === "" || text.charCodeAt(at) !== EQUALS) return new ParseError("auth_param", from);
    at = skipLws(text, at + 1);
    const value = readValue(text, at);
    if (value === null || params.has(name) || params.size === PARAMS_MAX)
      return new ParseError("auth_param", from);
    params.set(name, value.text);
    at = skipLws(text, value.end);
    if (at < text.length && text.charCodeAt(at) !== COMMA) return new ParseError("auth_param", at);
    at++;
  }
  return { scheme: text.slice(0, space).toLowerCase(), params };
}

function skipLws(text: string, from: number): number {
  let at = from;
  while (at < text.length && isLws(text.charCodeAt(at))) at++;
  return at;
}

/** A quoted string, or everything up to the next comma or white space. */
function readValue(text: string, from: number): { text: string; end: number } | null {
  if (text.charCodeAt(from) !== QUOTE) {
    let at = from;
    while (at < text.length && text.charCodeAt(at) !== COMMA && !isLws(text.charCodeAt(at))) at++;
    return at === from ? null : { text: text.slice(from, at), end: at };
  }
  let escaped = false;
  for (let at = from + 1; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === BACKSLASH) {
      escaped = true;
      at++;
    } else if (c === QUOTE) {
      const raw = text.slice(from + 1, at);
      return { text: escaped ? raw.replace(/\\([\s\S])/g, "$1") : raw, end: at + 1 };
    }
  }
  return null;
}
