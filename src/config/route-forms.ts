/**
 * The short forms in which `[[peer]]` and `[[route]]` say things: number patterns, hours of the week,
 * destinations, a peer's URIs. Null always means: it is not written so.
 */
import { isSipUri } from "./hosts.ts";
import { USER_NAME } from "./keys-calls.ts";

export const PEER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;

/** What a dialled number can be made of; the place in this text is its bit in a mask. */
const NUMBER_CHARS = "0123456789+*#";
const DIGITS_MASK = 0b11_1111_1111;
const PATTERN_PLACES_MAX = 32;

/** A set of characters for each place of the number, and whether more may follow. */
export interface NumberPattern {
  readonly masks: readonly number[];
  readonly open: boolean;
}

/**
 * pattern = *( DIGIT / "+" / "*" / "#" / "x" / "[" 1*( DIGIT [ "-" DIGIT ] ) "]" ) [ "." ], not empty.
 * `x` is any digit, a final "." one or more of anything.
 */
export function readPattern(text: string): NumberPattern | null {
  const open = text.endsWith(".");
  const end = open ? text.length - 1 : text.length;
  const masks: number[] = [];
  for (let at = 0; at < end; ) {
    const close = text[at] === "[" ? text.indexOf("]", at) : at;
    if (close < 0 || masks.length === PATTERN_PLACES_MAX) return null;
    const mask = close > at ? digitsMask(text.slice(at + 1, close)) : charMask(text[at]!);
    if (mask === 0) return null;
    masks.push(mask);
    at = close + 1;
  }
  return masks.length > 0 || open ? { masks, open } : null;
}

/** 0: no character of a number. */
function charMask(char: string): number {
  if (char === "x" || char === "X") return DIGITS_MASK;
  const bit = NUMBER_CHARS.indexOf(char);
  return bit < 0 ? 0 : 1 << bit;
}

/** The inside of the brackets; 0: it is none. */
function digitsMask(text: string): number {
  if (!/^(?:[0-9](?:-[0-9])?){1,10}$/.test(text)) return 0;
  let mask = 0;
  for (const [, from, to] of text.matchAll(/([0-9])(?:-([0-9]))?/g)) {
    if (to !== undefined && to < from!) return 0;
    for (let digit = Number(from); digit <= Number(to ?? from); digit++) mask |= 1 << digit;
  }
  return mask;
}

/** Whether the whole number fits. One pass: its cost is at most one step for each place of the pattern. */
export function fitsPattern({ masks, open }: NumberPattern, number: string): boolean {
  if (open ? number.length <= masks.length : number.length !== masks.length) return false;
  for (let i = 0; i < masks.length; i++) {
    const bit = NUMBER_CHARS.indexOf(number[i]!);
    if (bit < 0 || (masks[i]! & (1 << bit)) === 0) return false;
  }
  return true;
}

export const WEEKDAYS: readonly string[] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const ALL_DAYS = 0b111_1111;
export const DAY_MINUTES = 24 * 60;

/** Days as bits (Monday is bit 0), and minutes since midnight; `to` below `from` is on the next day. */
export interface Hours {
  readonly days: number;
  readonly from: number;
  readonly to: number;
}

/** hours = days / span / ( days SP span ); days = 1#( day [ "-" day ] ); span = HH:MM "-" HH:MM, the end not in it. */
export function readHours(text: string): Hours | null {
  const words = text.split(" ");
  const span = readSpan(words.at(-1)!);
  if (span !== null) words.pop();
  if (words.length > 1) return null;
  const days = words.length === 0 ? ALL_DAYS : readDays(words[0]!);
  return days === 0 ? null : { days, ...(span ?? { from: 0, to: DAY_MINUTES }) };
}

function readSpan(text: string): { from: number; to: number } | null {
  const found = /^([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)$/.exec(text);
  if (found === null) return null;
  const [, fromHour, fromMinute, toHour = "24", toMinute = "0"] = found;
  const from = Number(fromHour) * 60 + Number(fromMinute);
  const to = Number(toHour) * 60 + Number(toMinute);
  return from === to ? null : { from, to };
}

/** 0: no days. */
function readDays(text: string): number {
  let days = 0;
  for (const part of text.split(",")) {
    const [first = "", last = first, ...more] = part.split("-");
    const from = WEEKDAYS.indexOf(first);
    const to = WEEKDAYS.indexOf(last);
    if (from < 0 || to < 0 || more.length > 0) return 0;
    for (let day = from; ; day = (day + 1) % WEEKDAYS.length) {
      days |= 1 << day;
      if (day === to) break;
    }
  }
  return days;
}

/** Where a route leads. */
export type Destination =
  | { readonly kind: "peer"; readonly peer: string }
  /** A user or group here; null: the one whose name is the number as it was rewritten. */
  | { readonly kind: "local"; readonly name: string | null }
  /** Where ENUM leads the number as it was rewritten. */
  | { readonly kind: "enum" }
  | { readonly kind: "refuse"; readonly status: number; readonly reason: string };

/** The destination that stands for the rewritten number itself. */
export const NUMBER_HERE = "{number}";
/** The destination that stands for what ENUM knows of it. */
export const BY_ENUM = "{enum}";
const REASON_CHARS_MAX = 64;

/** destination = "peer:" name / "{number}" / "{enum}" / name of a user or group / "refuse" SP 4xx-or-6xx [ SP reason ] */
export function readDestination(text: string): Destination | null {
  if (text === NUMBER_HERE) return { kind: "local", name: null };
  if (text === BY_ENUM) return { kind: "enum" };
  if (text.startsWith("peer:")) {
    const peer = text.slice("peer:".length);
    return PEER_NAME.test(peer) ? { kind: "peer", peer } : null;
  }
  if (text.startsWith("refuse ")) return readRefusal(text);
  return text !== "refuse" && USER_NAME.test(text) ? { kind: "local", name: text } : null;
}

/** 401 and 407 need a challenge, 408 and 487 belong to the machines; a 503 would say that all of us is down. */
function readRefusal(text: string): Destination | null {
  const found = /^refuse ([46][0-9]{2})(?: ([A-Za-z0-9 .,'-]+))?$/.exec(text);
  const [, code = "", reason = "Not allowed by the routes"] = found ?? [];
  if (found === null || reason.length > REASON_CHARS_MAX) return null;
  if (["401", "407", "408", "487"].includes(code) || Number(code) > 606) return null;
  return { kind: "refuse", status: Number(code), reason };
}

/** Who calls, as a route asks for it. */
export type CallerTest =
  | { readonly kind: "users" | "peers" | "anyone" }
  | { readonly kind: "peer" | "user"; readonly name: string };

/** caller = "users" / "peers" / "anyone" / "peer:" name / name of a user */
export function readCaller(text: string): CallerTest | null {
  if (text === "users" || text === "peers" || text === "anyone") return { kind: text };
  if (!text.startsWith("peer:")) return USER_NAME.test(text) ? { kind: "user", name: text } : null;
  const name = text.slice("peer:".length);
  return PEER_NAME.test(name) ? { kind: "peer", name } : null;
}

/** One address of a peer. */
export interface PeerAddress {
  readonly uri: string;
  /** Lower ones are tried first. */
  readonly priority: number;
  /** The share of calls among those of one priority; 0: only when the others of it cannot be had. */
  readonly weight: number;
}

/** address = URI *( SP ( "priority=" 0..65535 / "weight=" 0..65535 ) ); priority 0 and weight 1 when left out. */
export function readPeerAddress(text: string): PeerAddress | null {
  const [uri = "", ...words] = text.split(" ");
  if (!isSipUri(uri) || words.length > 2) return null;
  const said = new Map<string, number>();
  for (const word of words) {
    const [, key, digits] = /^(priority|weight)=([0-9]{1,5})$/.exec(word) ?? [];
    if (key === undefined || said.has(key) || Number(digits) > 65535) return null;
    said.set(key, Number(digits));
  }
  return { uri, priority: said.get("priority") ?? 0, weight: said.get("weight") ?? 1 };
}

/** Whether the platform knows this time zone. */
export function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
