/**
 * ENUM (RFC 6116): from a telephone number to a SIP URI by NAPTR records. The regular expressions come
 * from strangers: only a plain subset is understood, so that none can take long.
 */
import type { Answer, NameService, Naptr } from "./records.ts";

/** E.164 has at most 15 digits. */
const DIGITS_MAX = 15;
/** Records without a flag lead to another name (RFC 6116 §3.2.1); more of them in a row are not followed (RFC 6116 §5.2). */
const HOPS_MAX = 5;
const REGEXP_CHARS_MAX = 255;
const RESULT_CHARS_MAX = 512;
/** With one repetition per possible place in 16 characters the worst match takes some ten thousand steps. */
const REPETITIONS_MAX = 3;

/** `+4930123` of `tel:+49-30-123`, `+4930123` or a user part; null when it is no global number (RFC 3966 §5.1.4). */
export function globalNumber(text: string): string | null {
  const bare = text.replace(/^tel:/i, "").split(";", 1)[0] ?? "";
  const number = bare.replace(/[-.()]/g, "");
  return /^\+\d+$/.test(number) && number.length <= DIGITS_MAX + 1 ? number : null;
}

/** RFC 6116 §3.2: the digits in reverse order, a dot between them, under the suffix. */
export function enumDomain(number: string, suffix: string): string {
  return `${[...number.slice(1)].reverse().join(".")}.${suffix}`;
}

/** What a number's records come to: a SIP URI, another name to ask, or nothing of use. */
export type EnumResult = { kind: "uri"; uri: string } | { kind: "name"; name: string } | { kind: "none" };

/**
 * The first record of use, by order and preference (RFC 3403 §4.1): service E2U with enumservice sip
 * (RFC 6116 §3.4.3), flag "u" and a regular expression that makes a SIP URI of the number. One that is
 * broken is passed over.
 */
export function applyEnum(number: string, records: readonly Naptr[]): EnumResult {
  const sorted = [...records].sort((a, b) => a.order - b.order || a.preference - b.preference);
  for (const record of sorted) {
    if (record.flags === "" && record.services === "" && record.regexp === "" && record.replacement !== "")
      return { kind: "name", name: record.replacement };
    if (record.flags.toLowerCase() !== "u" || !isSipService(record.services)) continue;
    const uri = rewrite(number, record.regexp);
    if (uri !== null && /^sips?:[\x21-\x7e]+$/i.test(uri)) return { kind: "uri", uri };
  }
  return { kind: "none" };
}

/** `E2U+sip`, `E2U+voice:tel+sip`: one of the enumservices is sip (RFC 3764). */
function isSipService(services: string): boolean {
  const [protocol, ...kinds] = services.toLowerCase().split("+");
  return protocol === "e2u" && kinds.some((kind) => kind === "sip" || kind.startsWith("sip:"));
}

/** subst-expr = delim ere delim repl delim *flags (RFC 3402 §3.2); null when it is broken or does not match. */
function rewrite(number: string, expression: string): string | null {
  const delimiter = expression[0] ?? "";
  if (expression.length > REGEXP_CHARS_MAX || !/^[^\dis\\]$/i.test(delimiter)) return null;
  const parts = splitAt(expression.slice(1), delimiter);
  const [ere = "", replacement = "", flags = ""] = parts;
  if (parts.length !== 3 || !/^i?$/i.test(flags) || !isPlain(ere)) return null;
  let match: RegExpExecArray | null;
  try {
    match = new RegExp(ere, flags.toLowerCase()).exec(number);
  } catch {
    return null;
  }
  if (match === null) return null;
  let missing = false;
  const groups = match;
  const uri = replacement.replace(/\\(.)/g, (_whole, char: string) => {
    if (!/[1-9]/.test(char)) return char;
    const group = groups[Number(char)];
    if (group === undefined) missing = true;
    return group ?? "";
  });
  return missing || uri.length > RESULT_CHARS_MAX ? null : uri;
}

/** The parts between delimiters; an escaped delimiter is none. */
function splitAt(text: string, delimiter: string): string[] {
  const parts = [""];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char === "\\" && i + 1 < text.length) {
      i++;
      const next = text[i] ?? "";
      parts[parts.length - 1] += next === delimiter ? next : char + next;
    } else if (char === delimiter) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** Digits, ".", "^", "$", "|", escaped characters, sets and groups; few repetitions, and none of a group. */
function isPlain(ere: string): boolean {
  const atoms = /^(?:[0-9.^$|+*?()]|\\[+.*?()|$^[\]{}\\]|\[\^?[0-9+-]+\]|\{\d{1,2}(?:,\d{0,2})?\})*$/;
  if (!atoms.test(ere)) return false;
  const bare = ere.replace(/\\./g, "0").replace(/\[[^\]]*\]/g, "0");
  if (/\)[*+?{]/.test(bare) || bare.includes("(?")) return false;
  return (bare.match(/[*+?]|\{[^}]*\}/g) ?? []).length <= REPETITIONS_MAX;
}

/** The SIP URI of a number; null when there is none; "failed" when name service does not say. */
export type EnumFound = (uri: string | null | "failed") => void;

/** Looks a number up (as `globalNumber` gives it); `found` is called once, synchronously when the cache answers. */
export function lookUpEnum(names: NameService, number: string, suffix: string, found: EnumFound): void {
  const asked = new Set<string>();
  const ask = (name: string) => {
    asked.add(name);
    names.ask(name, "NAPTR", (answer: Answer<Naptr>) => {
      if (answer.kind === "failed") return found("failed");
      if (answer.kind === "none") return found(null);
      const result = applyEnum(number, answer.records);
      if (result.kind !== "name") return found(result.kind === "uri" ? result.uri : null);
      if (asked.size > HOPS_MAX || asked.has(result.name)) return found(null);
      ask(result.name);
    });
  };
  ask(enumDomain(number, suffix));
}
