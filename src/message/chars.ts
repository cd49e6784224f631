/**
 * Character classes of RFC 3261 §25.1 as look-up tables over bytes, which are also the characters of
 * our latin1 strings.
 */
const ALPHANUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARK = "-_.!~*'()";

function table(chars: string): Uint8Array {
  const flags = new Uint8Array(256);
  for (let i = 0; i < chars.length; i++) flags[chars.charCodeAt(i)] = 1;
  return flags;
}

/** token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~") */
export const TOKEN = table(`${ALPHANUM}-.!%*_+\`'~`);
/** The characters of a user part: unreserved, user-unreserved, ":" before the password, "%" of an escape. */
export const USERINFO = table(`${ALPHANUM}${MARK}&=+$,;?/%:`);
/** paramchar = param-unreserved / unreserved / escaped, with "=" and ";" between them. */
export const URI_PARAMS = table(`${ALPHANUM}${MARK}[]/:&+$%=;`);
/** hnv-unreserved / unreserved / escaped, with "=" and "&" between them. */
export const URI_HEADERS = table(`${ALPHANUM}${MARK}[]/?:+$%=&`);
/** The characters of a host name or IPv4address. "_" is in no RFC but in many networks. */
export const HOSTNAME = table(`${ALPHANUM}-._`);
/** The characters between the brackets of an IPv6reference. */
export const IPV6 = table("0123456789abcdefABCDEF:.");
/** What an absoluteURI of another scheme may hold. */
export const ABSOLUTE_URI = table(`${ALPHANUM}${MARK};/?:@&=+$,%#[]`);
/** The characters of a Call-ID: word ["@" word]. */
export const CALL_ID = table(`${ALPHANUM}-.!%*_+\`'~()<>:\\"/[]?{}@`);

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;
export const COLON = 58;
export const SEMICOLON = 59;
export const COMMA = 44;
export const EQUALS = 61;
export const QUOTE = 34;
export const BACKSLASH = 92;
export const LT = 60;
export const GT = 62;

export const isDigit = (c: number): boolean => c >= 48 && c <= 57;
/** White space inside a header value once lines are joined: CR and LF appear there only as folding. */
export const isLws = (c: number): boolean => c === SP || c === HTAB || c === CR || c === LF;
export const lower = (c: number): number => (c >= 65 && c <= 90 ? c | 32 : c);

/** Whether every character of `text` from `start` to `end` is in the class. */
export function allOf(text: string, start: number, end: number, flags: Uint8Array): boolean {
  for (let i = start; i < end; i++) if (flags[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/** Whether each "%" in `text` begins an escape of two hex digits (RFC 3261 §25.1 escaped). */
export function escapesAreWhole(text: string): boolean {
  for (let at = text.indexOf("%"); at >= 0; at = text.indexOf("%", at + 1)) {
    if (!/^[0-9a-fA-F]{2}$/.test(text.slice(at + 1, at + 3))) return false;
  }
  return true;
}
