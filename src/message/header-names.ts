/**
 * The header fields this appliance looks at, as small numbers, with their compact forms
 * (RFC 3261 §7.3.3, §20; RFC 4028, 3515, 3892, 6665). Every other field travels as H.Other.
 */

export const H = {
  Other: 0,
  Via: 1,
  From: 2,
  To: 3,
  CallId: 4,
  CSeq: 5,
  MaxForwards: 6,
  Route: 7,
  RecordRoute: 8,
  Contact: 9,
  ContentLength: 10,
  ContentType: 11,
  Expires: 12,
  Require: 13,
  ProxyRequire: 14,
  Supported: 15,
  Authorization: 16,
  ProxyAuthorization: 17,
  WwwAuthenticate: 18,
  ProxyAuthenticate: 19,
  Path: 20,
  Timestamp: 21,
  MaxBreadth: 22,
  UserAgent: 23,
  RetryAfter: 24,
  Date: 25,
  Reason: 26,
  Event: 27,
  Subject: 28,
  HistoryInfo: 29,
  Diversion: 30,
  PAssertedIdentity: 31,
  PPreferredIdentity: 32,
  RemotePartyId: 33,
  SessionExpires: 34,
  MinSe: 35,
  Privacy: 36,
} as const;

/** How many there are: ids are below it. */
export const IDS = Object.keys(H).length;

export type HeaderId = (typeof H)[keyof typeof H];

const NAMES: readonly (readonly [HeaderId, ...string[]])[] = [
  [H.Via, "Via", "v"],
  [H.From, "From", "f"],
  [H.To, "To", "t"],
  [H.CallId, "Call-ID", "i"],
  [H.CSeq, "CSeq"],
  [H.MaxForwards, "Max-Forwards"],
  [H.Route, "Route"],
  [H.RecordRoute, "Record-Route"],
  [H.Contact, "Contact", "m"],
  [H.ContentLength, "Content-Length", "l"],
  [H.ContentType, "Content-Type", "c"],
  [H.Expires, "Expires"],
  [H.Require, "Require"],
  [H.ProxyRequire, "Proxy-Require"],
  [H.Supported, "Supported", "k"],
  [H.Authorization, "Authorization"],
  [H.ProxyAuthorization, "Proxy-Authorization"],
  [H.WwwAuthenticate, "WWW-Authenticate"],
  [H.ProxyAuthenticate, "Proxy-Authenticate"],
  [H.Path, "Path"],
  [H.Timestamp, "Timestamp"],
  [H.MaxBreadth, "Max-Breadth"],
  [H.UserAgent, "User-Agent"],
  [H.RetryAfter, "Retry-After"],
  [H.Date, "Date"],
  [H.Reason, "Reason"],
  [H.HistoryInfo, "History-Info"],
  [H.Diversion, "Diversion"],
  [H.PAssertedIdentity, "P-Asserted-Identity"],
  [H.PPreferredIdentity, "P-Preferred-Identity"],
  [H.RemotePartyId, "Remote-Party-ID"],
  [H.SessionExpires, "Session-Expires", "x"],
  [H.MinSe, "Min-SE"],
  [H.Privacy, "Privacy"],
  [H.Event, "Event", "o"],
  [H.Subject, "Subject", "s"],
];

interface Candidate {
  readonly id: HeaderId;
  readonly lower: Uint8Array;
}

const LENGTH_MAX = 20;

/** Candidates by length of the name: at most four names share one length and first letter. */
const BY_LENGTH: readonly (readonly Candidate[])[] = Array.from({ length: LENGTH_MAX + 1 }, (_, length) =>
  NAMES.flatMap(([id, ...names]) =>
    names
      .filter((name) => name.length === length)
      .map((name) => ({ id, lower: Buffer.from(name.toLowerCase(), "latin1") })),
  ),
);

/** Which header field the name in bytes[start, end) is, in any case; H.Other when it is none of ours. */
export function headerId(bytes: Uint8Array, start: number, end: number): HeaderId {
  const length = end - start;
  if (length > LENGTH_MAX) return H.Other;
  const candidates = BY_LENGTH[length]!;
  next: for (let c = 0; c < candidates.length; c++) {
    const candidate = candidates[c]!;
    const name = candidate.lower;
    for (let i = 0; i < length; i++) {
      // "|32" also maps "\r" to "-": harmless, the scanner admits only token characters here.
      if ((bytes[start + i]! | 32) !== name[i]) continue next;
    }
    return candidate.id;
  }
  return H.Other;
}
