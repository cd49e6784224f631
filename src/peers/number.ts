/**
 * Telephone numbers in the user part of a SIP URI (RFC 3261 §19.1.6, RFC 3966 §5), and how a route
 * rewrites them.
 */

/** Longest number that is taken for one: E.164 has 15 digits, access codes come before them. */
export const NUMBER_CHARS_MAX = 64;

export interface NumberPlan {
  /** "" when unknown. */
  readonly country_code: string;
  /** "" when there is none. */
  readonly international_prefix: string;
  readonly national_prefix: string;
}

export interface Rewrite extends NumberPlan {
  readonly strip: number;
  readonly number_format: "keep" | "e164" | "digits";
  readonly prefix: string;
}

/**
 * The number that a user part (escapes in it, as parseUri gives it) stands for: parameters behind ";" and
 * visual separators (RFC 3966 §5.1.1) left out. Null: it is a name, or too long.
 */
export function numberOf(user: string): string | null {
  const semicolon = user.indexOf(";");
  const written = semicolon < 0 ? user : user.slice(0, semicolon);
  if (written.length > 3 * NUMBER_CHARS_MAX) return null;
  const number = written
    .replace(/%(2[0-9A-Fa-f]|3[0-9])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/[-.()]/g, "");
  return number.length <= NUMBER_CHARS_MAX && /^[0-9+*#]+$/.test(number) ? number : null;
}

/**
 * The digits that a gateway may make of a user part which is no number to us: "0900 12 34", "090012/34", "0900123a".
 * Null: it begins as a name.
 */
export function digitsIn(user: string): string | null {
  if (user.length > 3 * NUMBER_CHARS_MAX) return null;
  const plain = user.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  if (!/^[^A-Za-z0-9]*[0-9]/.test(plain)) return null;
  return plain.replace(/[^0-9+*#]/g, "").slice(0, NUMBER_CHARS_MAX);
}

/** A number as a user part: "#" must be escaped there (RFC 3261 §25.1 user-unreserved). */
export function userPartOf(number: string): string {
  return number.replaceAll("#", "%23");
}

/**
 * `+` and country code in front of an international or national number. A number with neither prefix (an
 * extension, 112, *21) is left as it is, and so is a national one without a known country code.
 */
export function toE164(number: string, plan: NumberPlan): string {
  const { country_code: country, international_prefix: abroad, national_prefix: national } = plan;
  if (number.startsWith("+")) return number;
  if (abroad !== "" && number.length > abroad.length && number.startsWith(abroad))
    return `+${number.slice(abroad.length)}`;
  if (country === "" || national === "" || number.length <= national.length) return number;
  return number.startsWith(national) ? `+${country}${number.slice(national.length)}` : number;
}

/** Strip, format, prefix, in this order. Null: nothing is left of the number, or it has grown too long. */
export function rewritten(number: string, rewrite: Rewrite): string | null {
  const { strip, number_format: format, prefix } = rewrite;
  const rest = number.slice(strip);
  if (rest === "") return null;
  const formed = format === "keep" ? rest : toE164(rest, rewrite);
  const bare = format === "digits" && formed.startsWith("+") ? formed.slice(1) : formed;
  const whole = prefix + bare;
  return bare === "" || whole.length > NUMBER_CHARS_MAX ? null : whole;
}
