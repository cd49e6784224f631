/**
 * Route information preprocessing (RFC 3261 §16.4): takes our own entries off the Route, undoes what a
 * strict router did, and says what comes next.
 */
import type { Domains } from "../location/domains.ts";
import { COMMA, GT, LT, QUOTE } from "../message/chars.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { isLooseRouter, uriParam } from "../message/uri.ts";
import { TOKEN_CHARS_MIN } from "../nat/route-token.ts";

/** One Route value and where it stands. */
interface RouteEntry {
  readonly uri: SipUri;
  readonly line: number;
  /** Byte range of the value without the commas around it. */
  readonly start: number;
  readonly end: number;
}

export interface Routing {
  /** The Request-URI to work with: as received, or what a strict router hid in the Route. */
  readonly uri: SipUri;
  /** The first Route entry that is not ours; null when there is none: the Request-URI decides. */
  readonly next: SipUri | null;
  /** The user part of the first entry of ours that was taken off (a dialog token); null when none was. */
  readonly token: string | null;
  /** The last entry of ours that was taken off: it names the side the request leaves on. */
  readonly leaving: SipUri | null;
  readonly entries: readonly RouteEntry[];
  /** Entries [first, last) stay. */
  readonly first: number;
  readonly last: number;
}

const NO_ENTRIES: readonly RouteEntry[] = [];

/** `isToken` says whether a Request-URI's user part is a token of ours: then a strict router put it there. */
export function preprocessRoute(
  request: SipMessage,
  domains: Domains,
  isToken: (user: string) => boolean,
): Routing | Refusal {
  const received = request.uri;
  if (received instanceof ParseError) return malformed("Request-URI");
  const entries = request.find(H.Route) < 0 ? NO_ENTRIES : readEntries(request);
  if (!Array.isArray(entries) && "status" in entries) return entries as Refusal;
  const list = entries as readonly RouteEntry[];
  let uri = withoutMaddr(received, domains);
  let last = list.length;
  let token: string | null = null;
  if (
    mayBeToken(received.user) &&
    domains.isOurEndpoint(received.host, received.port) &&
    isToken(received.user)
  ) {
    token = received.user;
    // A strict router before us put our own Record-Route into the Request-URI: the real one is last in the Route.
    if (last > 0) {
      last--;
      uri = list[last]!.uri;
    }
  }
  let first = 0;
  let leaving: SipUri | null = null;
  while (first < last && isOurRoute(list[first]!.uri, domains)) {
    leaving = list[first]!.uri;
    token ??= leaving.user;
    first++;
  }
  return { uri, next: first < last ? list[first]!.uri : null, token, leaving, entries: list, first, last };
}

function mayBeToken(user: string | null): user is string {
  return user !== null && user.length >= TOKEN_CHARS_MIN;
}

function isOurRoute(uri: SipUri, domains: Domains): boolean {
  return (uri.scheme === "sip" || uri.scheme === "sips") && domains.isOurEndpoint(uri.host, uri.port);
}

function malformed(what: string): Refusal {
  return { status: 400, reason: `Malformed: ${what}`, section: "RFC 3261 §16.4" };
}

/** §16.4: a maddr that names us has done its work; it goes, with the port and transport it came with. */
function withoutMaddr(uri: SipUri, domains: Domains): SipUri {
  const maddr = uriParam(uri, "maddr");
  if (maddr === null || !domains.isOurEndpoint(maddr.toLowerCase(), uri.port)) return uri;
  const params = uri.params.replace(/;(maddr|transport)=[^;]*/gi, "");
  const host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
  const user = uri.user === null ? "" : `${uri.user}@`;
  const headers = uri.headers === "" ? "" : `?${uri.headers}`;
  return { ...uri, port: null, params, text: `${uri.scheme}:${user}${host}${params}${headers}` };
}

/** Every Route value with its place; values may share a line (§7.3.1). */
function readEntries(request: SipMessage): readonly RouteEntry[] | Refusal {
  const entries: RouteEntry[] = [];
  for (let line = request.find(H.Route); line >= 0; line = request.find(H.Route, line + 1)) {
    const end = request.valueEnd(line);
    let at = request.valueStart(line);
    while (at < end) {
      const to = entryEnd(request.bytes, at, end);
      const address = parseNameAddr(request.bytes.latin1Slice(at, to));
      if (address instanceof ParseError) return malformed(`Route (${address.code})`);
      entries.push({ uri: address.uri, line, start: at, end: to });
      at = to + 1;
      while (at < end && request.bytes[at]! <= 32) at++;
    }
  }
  return entries;
}

/** The comma that ends the value at `from`, or `end`. */
function entryEnd(bytes: Buffer, from: number, end: number): number {
  let close = 0;
  for (let at = from; at < end; at++) {
    const c = bytes[at]!;
    if (close !== 0) {
      if (c === close) close = 0;
    } else if (c === LT) close = GT;
    else if (c === QUOTE) close = QUOTE;
    else if (c === COMMA) return at;
  }
  return end;
}

/** What the forwarded copy's Route and Request-URI become. */
export interface NextHop {
  /** Where the request goes (§16.6 step 7): the first Route entry, or the Request-URI. */
  readonly uri: SipUri;
  /** The Request-URI of the copy. */
  readonly requestUri: string;
}

/** Where a copy for this target goes, and its Request-URI (§16.6 steps 6 and 7). `path` is a binding's Path. */
export function nextHop(routing: Routing, target: SipUri, path: readonly string[]): NextHop {
  const front = frontOf(routing, path);
  if (front === null) return { uri: target, requestUri: target.text };
  return { uri: front, requestUri: isLooseRouter(front) ? target.text : front.text };
}

/** The first Route entry of the copy; null when it has none. */
function frontOf(routing: Routing, path: readonly string[]): SipUri | null {
  if (path.length === 0) return routing.next;
  const address = parseNameAddr(path[0]!);
  return address instanceof ParseError ? routing.next : address.uri;
}

/**
 * Writes the Route of the copy (§16.6 step 6): our entries off, the Path on, and for a strict router
 * next, the Request-URI at the end and its own URI, which is in front of the request now, off.
 */
export function editRoute(
  edits: Edits,
  request: SipMessage,
  routing: Routing,
  target: SipUri,
  path: readonly string[],
): void {
  const { entries, last } = routing;
  if (entries.length === 0 && path.length === 0) return;
  const front = frontOf(routing, path);
  const strict = front !== null && !isLooseRouter(front);
  const added = strict && path.length > 0 ? path.slice(1) : path;
  const first = routing.first + (strict && path.length === 0 ? 1 : 0);
  keepEntries(edits, request, entries, first, last);
  const at = entries.length > 0 ? request.lineStart(entries[0]!.line) : afterVia(request);
  if (added.length > 0) edits.insert(at, added.map((value) => `Route: ${value}\r\n`).join(""));
  if (!strict) return;
  const end = entries.length > 0 ? request.lineEnd(entries[entries.length - 1]!.line) : at;
  edits.insert(end, `Route: <${target.text}>\r\n`);
}

function afterVia(request: SipMessage): number {
  return request.lineStart(Math.max(0, request.find(H.Via)));
}

/** Leaves entries [first, last): lines on which none of them stands go whole, of the others the rest goes. */
function keepEntries(
  edits: Edits,
  request: SipMessage,
  entries: readonly RouteEntry[],
  first: number,
  last: number,
): void {
  let from = 0;
  while (from < entries.length) {
    const { line } = entries[from]!;
    let to = from + 1;
    while (to < entries.length && entries[to]!.line === line) to++;
    const start = Math.max(from, first);
    const end = Math.min(to, last);
    if (start >= end) edits.remove(request.lineStart(line), request.lineEnd(line));
    else {
      if (start > from) edits.remove(entries[from]!.start, entries[start]!.start);
      if (end < to) edits.remove(entries[end - 1]!.end, entries[to - 1]!.end);
    }
    from = to;
  }
}
