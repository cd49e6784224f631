/**
 * Values of From, To, Contact, Route, Record-Route and Path: an address with header parameters
 * (RFC 3261 §20.10, §25.1), and the lists they come in.
 */
import { BACKSLASH, COMMA, GT, isLws, LT, QUOTE, TOKEN } from "./chars.ts";
import type { Params } from "./params.ts";
import { parseParams } from "./params.ts";
import { ParseError } from "./parse-error.ts";
import type { SipUri } from "./uri.ts";
import { parseUri } from "./uri.ts";

export interface NameAddr {
  /** Display name as written, quotes included; "" when absent. */
  readonly display: string;
  readonly uri: SipUri;
  /** Header parameters as written, beginning with ";"; "" when there are none. */
  readonly paramsText: string;
  readonly params: Params;
}

/** Entries of one list; one more and the list is malformed. */
export const LIST_ENTRIES_MAX = 256;

/**
 * Cuts a comma-separated list at the commas outside quotes and angle brackets.
 * ParseError when a quote or bracket stays open, an entry is empty, or there are too many.
 */
export function splitList(value: string): string[] | ParseError {
  const entries: string[] = [];
  let from = 0;
  for (let at = 0; at <= value.length; at++) {
    const c = at < value.length ? value.charCodeAt(at) : COMMA;
    if (c === QUOTE) {
      at = endOfQuote(value, at);
      if (at < 0) return new ParseError("quote_open", from);
    } else if (c === LT) {
      at = value.indexOf(">", at);
      if (at < 0) return new ParseError("bracket_open", from);
    } else if (c === COMMA) {
      const entry = value.slice(from, at).trim();
      if (entry === "") return new ParseError("list_entry_empty", from);
      if (entries.length === LIST_ENTRIES_MAX) return new ParseError("list_entries_max", from);
      entries.push(entry);
      from = at + 1;
    }
  }
  return entries;
}

/** Index of the quote that closes the one at `from`; -1 when it stays open. */
function endOfQuote(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === BACKSLASH) at++;
    else if (c === QUOTE) return at;
  }
  return -1;
}

/**
 * One entry: ( name-addr / addr-spec ) *( SEMI generic-param ).
 * Without angle brackets a comma, question mark or semicolon belongs to the header, not to the URI (§20.10).
 */
export function parseNameAddr(entry: string): NameAddr | ParseError {
  let at = 0;
  while (at < entry.length && isLws(entry.charCodeAt(at))) at++;
  const start = at;
  if (entry.charCodeAt(at) === QUOTE) {
    at = endOfQuote(entry, at) + 1;
    if (at === 0) return new ParseError("quote_open", start);
    while (isLws(entry.charCodeAt(at))) at++;
    if (entry.charCodeAt(at) !== LT) return new ParseError("bracket_missing", at);
  } else at = entry.indexOf("<", start);
  return at >= 0 ? bracketed(entry, start, at) : bare(entry, start);
}

function bracketed(entry: string, start: number, open: number): NameAddr | ParseError {
  const display = entry.slice(start, open).trim();
  if (display !== "" && display.charCodeAt(0) !== QUOTE && !isDisplayWords(display))
    return new ParseError("display_name", start);
  const close = entry.indexOf(">", open);
  if (close < 0) return new ParseError("bracket_open", open);
  const uri = parseUri(entry.slice(open + 1, close));
  if (uri instanceof ParseError) return new ParseError(uri.code, open + 1 + uri.offset);
  return withParams(display, uri, entry, close + 1);
}

function bare(entry: string, start: number): NameAddr | ParseError {
  const semicolon = entry.indexOf(";", start);
  const end = semicolon < 0 ? entry.length : semicolon;
  const text = entry.slice(start, end).trimEnd();
  if (text.includes("?") || text.includes(",")) return new ParseError("bracket_missing", start);
  const uri = parseUri(text);
  if (uri instanceof ParseError) return new ParseError(uri.code, start + uri.offset);
  return withParams("", uri, entry, end);
}

const NO_PARAMS: Params = new Map();

function withParams(display: string, uri: SipUri, entry: string, from: number): NameAddr | ParseError {
  if (from === entry.length) return { display, uri, paramsText: "", params: NO_PARAMS };
  const paramsText = entry.slice(from).trim();
  if (paramsText !== "" && !paramsText.startsWith(";")) return new ParseError("params", from);
  const unquoted = paramsText.includes('"')
    ? paramsText.replace(/"(?:\\[\s\S]|[^"\\])*"/g, '""')
    : paramsText;
  if (/;\s*(;|$)|[<>]/.test(unquoted)) return new ParseError("params", from);
  const params = parseParams(paramsText);
  for (const name of params.keys()) if (!isName(name)) return new ParseError("params", from);
  return { display, uri, paramsText, params };
}

function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (TOKEN[name.charCodeAt(i)] !== 1) return false;
  return true;
}

/** display-name = *( token LWS ); letters beyond ASCII are let pass: many phones forget the quotes. */
function isDisplayWords(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 128 && TOKEN[c] !== 1 && !isLws(c)) return false;
  }
  return !text.includes(String.fromCharCode(GT));
}

/** Every entry of a list value, parsed; the first mistake ends it. */
export function parseNameAddrs(value: string): NameAddr[] | ParseError {
  const entries = splitList(value);
  if (entries instanceof ParseError) return entries;
  const parsed: NameAddr[] = [];
  for (const entry of entries) {
    const address = parseNameAddr(entry);
    if (address instanceof ParseError) return address;
    parsed.push(address);
  }
  return parsed;
}
