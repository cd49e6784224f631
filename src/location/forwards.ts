/**
 * Where calls to a user go instead of the phones (RFC 5359 §2.7 to §2.9), and what is no destination.
 */
import { ParseError } from "../message/parse-error.ts";
import { parseUri, uriParam } from "../message/uri.ts";
import type { StoreFailureCode } from "./store.ts";
import { USER_NAME_CHARS_MAX } from "./users.ts";

/** A destination is the name of a user or group here, or a sip:/sips: URI. Null: no such rule. */
export interface ForwardRules {
  readonly always: string | null;
  readonly busy: string | null;
  readonly no_answer: string | null;
  readonly not_registered: string | null;
  readonly unreachable: string | null;
  /** How long the user's phones ring before `no_answer` applies, seconds; null: the default of the config. */
  readonly no_answer_after_s: number | null;
}

/** The rules that are destinations. */
export const FORWARD_KEYS = ["always", "busy", "no_answer", "not_registered", "unreachable"] as const;
export type ForwardKey = (typeof FORWARD_KEYS)[number];

export const NO_FORWARDS: ForwardRules = Object.freeze({
  always: null,
  busy: null,
  no_answer: null,
  not_registered: null,
  unreachable: null,
  no_answer_after_s: null,
});

export interface ForwardEntry {
  readonly user: string;
  readonly rules: ForwardRules;
  readonly source: "store" | "config";
}

/** `bad_forward`: not storable as given; `unknown_user`: no rules of that user are stored. */
export interface ForwardFailure {
  readonly code: StoreFailureCode | "bad_forward" | "unknown_user";
  readonly message: string;
}

export interface ForwardStore {
  /** In memory, synchronous, for every call. Null: no rules at all. What the store holds goes before what the config says. */
  rulesOf(user: string): ForwardRules | null;
  /**
   * Makes `rules` all there is for the user; NO_FORWARDS hides what the config says. Durable when it
   * returns null.
   */
  set(user: string, rules: ForwardRules): ForwardFailure | null;
  /** Forgets what is stored: what the config says holds again. Durable when it returns null. */
  remove(user: string): ForwardFailure | null;
  /** What holds for each user, by name; those stored as NO_FORWARDS too. */
  list(): readonly ForwardEntry[];
  /** The rules of the config, all of them; they replace those given before. */
  setConfigForwards(list: ReadonlyMap<string, ForwardRules>): void;
}

/** Most users whose rules are stored: as many as there are accounts. */
export const FORWARDS_MAX = 100_000;
export const DESTINATION_CHARS_MAX = 256;
export const NO_ANSWER_AFTER_S_MIN = 1;
export const NO_ANSWER_AFTER_S_MAX = 600;

/** user = 1*( unreserved / escaped / user-unreserved ) (RFC 3261 §25.1) */
const NAME = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+$/;

/** Why a destination is no good, in words that follow its key; null when it is fine. */
export function checkDestination(text: string): string | null {
  if (text.length > DESTINATION_CHARS_MAX) return `longer than ${DESTINATION_CHARS_MAX} characters`;
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return checkUri(text);
  if (text.includes("@")) return "an address needs sip: in front of it";
  if (text.length <= USER_NAME_CHARS_MAX && NAME.test(text)) return null;
  return `neither a sip: URI nor a name of 1 to ${USER_NAME_CHARS_MAX} letters, digits and -_.!~*'()&=+$,;?/`;
}

/** It becomes a Request-URI, which has neither headers nor a method (RFC 3261 §19.1.1, Table 1). */
function checkUri(text: string): string | null {
  const uri = parseUri(text);
  if (uri instanceof ParseError) return `not a valid sip: URI (${uri.code})`;
  if (uri.scheme !== "sip" && uri.scheme !== "sips") return "only sip: and sips: URIs can be called";
  if (uri.headers !== "") return "a destination takes no headers (what follows the ?)";
  if (uriParam(uri, "method") !== null) return "a destination takes no method parameter";
  return null;
}

/** Why a time is no good, in words that follow its key; null when it is fine. */
export function checkAfter(seconds: number): string | null {
  const fits =
    Number.isInteger(seconds) && seconds >= NO_ANSWER_AFTER_S_MIN && seconds <= NO_ANSWER_AFTER_S_MAX;
  return fits ? null : `a whole number from ${NO_ANSWER_AFTER_S_MIN} to ${NO_ANSWER_AFTER_S_MAX} is needed`;
}

/** Every mistake as `key: why`, one after the other; null when the rules can be stored. */
export function checkForwards(rules: ForwardRules): string | null {
  const mistakes: string[] = [];
  for (const key of FORWARD_KEYS) {
    const destination = rules[key];
    const why = destination === null ? null : checkDestination(destination);
    if (why !== null) mistakes.push(`${key}: ${why}`);
  }
  const { no_answer_after_s } = rules;
  const why = no_answer_after_s === null ? null : checkAfter(no_answer_after_s);
  if (why !== null) mistakes.push(`no_answer_after_s: ${why}`);
  return mistakes.length === 0 ? null : mistakes.join("; ");
}

/** Why no rules can be kept under that name; null when they can. Names of users are looser than what can be called. */
export function checkForwardUser(user: string): string | null {
  const fits = user.length <= USER_NAME_CHARS_MAX && /^[^\x00-\x20\x7f":]+$/.test(user);
  return fits
    ? null
    : `a user name is 1 to ${USER_NAME_CHARS_MAX} characters without spaces, quotes and colons`;
}
