import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderId } from "../../src/message/header-names.ts";
import { H, headerId } from "../../src/message/header-names.ts";

const idOf = (name: string) => {
  const bytes = Buffer.from(`:${name}:`, "latin1");
  return headerId(bytes, 1, bytes.length - 1);
};

/** Names as the RFCs write them, with the compact form where there is one. */
const NAMES: readonly [HeaderId, string, string?][] = [
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
  [H.Event, "Event", "o"],
  [H.Subject, "Subject", "s"],
  [H.HistoryInfo, "History-Info"],
  [H.Diversion, "Diversion"],
  [H.PAssertedIdentity, "P-Asserted-Identity"],
  [H.PPreferredIdentity, "P-Preferred-Identity"],
  [H.RemotePartyId, "Remote-Party-ID"],
  [H.SessionExpires, "Session-Expires", "x"],
  [H.MinSe, "Min-SE"],
  [H.Privacy, "Privacy"],
];

/** Compact forms of fields that travel as any other: Refer-To, Referred-By, Content-Encoding and so on. */
const COMPACT_OF_OTHERS = ["a", "b", "d", "e", "j", "n", "r", "u", "y"];

describe("RFC 3261 §7.3.1 field names are case-insensitive", () => {
  for (const [id, name] of NAMES)
    test(name, () => {
      for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) expect(idOf(spelling)).toBe(id);
      fc.assert(
        fc.property(fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }), (upper) => {
          const spelling = [...name].map((c, i) => (upper[i] ? c.toUpperCase() : c.toLowerCase())).join("");
          expect(idOf(spelling)).toBe(id);
        }),
        { numRuns: 20 },
      );
    });

  test("the list holds every name we know but Other", () => {
    expect(NAMES.map(([id]) => id).sort((a, b) => a - b)).toEqual(
      Object.values(H)
        .filter((id) => id !== H.Other)
        .sort((a, b) => a - b),
    );
  });
});

describe("RFC 3261 §7.3.3 compact forms", () => {
  for (const [id, name, compact] of NAMES)
    if (compact !== undefined)
      test(`${compact} is ${name}, in both cases`, () => {
        expect(idOf(compact)).toBe(id);
        expect(idOf(compact.toUpperCase())).toBe(id);
      });

  test("those of fields we do not look at are none of ours", () => {
    for (const compact of COMPACT_OF_OTHERS) expect(idOf(compact)).toBe(H.Other);
  });
});

describe("RFC 3261 §7.3.1 extension-header", () => {
  test("a name that is longer, shorter or differs in one character is another", () => {
    for (const [, name] of NAMES)
      for (const other of [`${name}s`, `x-${name}`, name.slice(0, -1), name.replace(/.$/, "!")])
        if (other.length > 1) expect(idOf(other)).toBe(H.Other);
  });
  test("the empty name and a name of any length", () => {
    expect(idOf("")).toBe(H.Other);
    expect(idOf("a".repeat(10_000))).toBe(H.Other);
  });
});
