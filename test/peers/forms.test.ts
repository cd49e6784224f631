/** The short forms of [[peer]] and [[route]], and the cost of reading and matching hostile ones. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  fitsPattern,
  isTimeZone,
  readCaller,
  readDestination,
  readHours,
  readPattern,
  readPeerAddress,
} from "../../src/config/route-forms.ts";
import { NUMBER_CHARS_MAX, numberOf, rewritten } from "../../src/peers/number.ts";

const fits = (pattern: string, number: string) => {
  const read = readPattern(pattern);
  if (read === null) throw new Error(`${pattern} is no pattern`);
  return fitsPattern(read, number);
};

describe("B-25 number patterns", () => {
  test.each([
    ["112", "112", true],
    ["112", "1123", false],
    ["112", "11", false],
    ["xxx", "407", true],
    ["XXX", "40*", false],
    ["0[2-9]x", "029", true],
    ["0[2-9]x", "019", false],
    ["0[1359]", "03", true],
    ["0[135-7]", "06", true],
    ["0[135-7]", "04", false],
    ["00.", "00", false],
    ["00.", "001", true],
    ["00.", "00*#+", true],
    [".", "", false],
    [".", "+", true],
    ["*21*x.", "*21*12#", true],
    ["+49x", "+491", true],
    ["+49x", "0491", false],
  ])("%s with %s: %p", (pattern, number, expected) => {
    expect(fits(pattern, number)).toBe(expected);
  });

  test.each([
    "",
    "..",
    "0.0",
    "[",
    "[]",
    "0[2-",
    "[9-2]",
    "[a]",
    "[[1]]",
    "]",
    "abc",
    "x y",
    "^00",
    "(0+)+",
    "x".repeat(33),
  ])("%p is none", (text) => {
    expect(readPattern(text)).toBeNull();
  });

  /** What a pattern means, written as a regular expression. */
  const asRegex = (pattern: string) =>
    new RegExp(`^${pattern.replace(/[+*]/g, "\\$&").replace(/x/gi, "[0-9]").replace(/\.$/, "[0-9+*#]+")}$`);

  test("means what the same regular expression means", () => {
    const place = fc.constantFrom("0", "1", "2", "+", "*", "#", "x", "[2-9]", "[13]", "[0-15]");
    const patterns = fc.tuple(fc.array(place, { minLength: 1, maxLength: 8 }), fc.boolean());
    const numbers = fc.string({ unit: fc.constantFrom(..."0123+*#"), maxLength: 10 });
    fc.assert(
      fc.property(patterns, numbers, ([places, open], number) => {
        const pattern = places.join("") + (open ? "." : "");
        expect(fits(pattern, number)).toBe(asRegex(pattern).test(number));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("the cost is linear", () => {
  /** A number that counts how often one of its characters is looked at. */
  const counted = (text: string) => {
    const looks = { count: 0 };
    const places: ProxyHandler<object> = {
      get(target, key) {
        if (typeof key === "string" && /^\d+$/.test(key)) looks.count++;
        return Reflect.get(target, key, target);
      },
    };
    const number = new Proxy(Object(text), places) as string;
    return { number, looks };
  };

  test("matching looks at each place of the pattern once at most, whatever both hold", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123456789+*#xX[]-."), maxLength: 40 });
    const numbers = fc.string({ unit: "binary", maxLength: 2000 });
    fc.assert(
      fc.property(text, numbers, (pattern, hostile) => {
        const read = readPattern(pattern);
        if (read === null) return;
        const { number, looks } = counted(hostile);
        fitsPattern(read, number);
        expect(looks.count).toBeLessThanOrEqual(read.masks.length);
      }),
      { numRuns: 2000 },
    );
  });

  test("a pattern that would ruin a backtracking matcher costs 32 looks", () => {
    const { number, looks } = counted(`${"1".repeat(5000)}a`);
    const read = readPattern(`${"x".repeat(32)}.`);
    expect(read).not.toBeNull();
    fitsPattern(read!, number);
    expect(looks.count).toBe(32);
  });

  test("no user part, however odd, is an exception or a number beyond the bound", () => {
    const rules = {
      strip: 1,
      number_format: "e164",
      country_code: "49",
      international_prefix: "00",
      national_prefix: "0",
      prefix: "+",
    } as const;
    const users = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.string({ unit: fc.constantFrom(..."0123+*%23B-().;"), maxLength: 300 }),
    );
    fc.assert(
      fc.property(users, (user) => {
        const number = numberOf(user);
        if (number === null) return;
        expect(number).toMatch(/^[0-9+*#]{1,64}$/);
        const changed = rewritten(number, rules);
        if (changed !== null) expect(changed.length).toBeLessThanOrEqual(NUMBER_CHARS_MAX);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("hours", () => {
  test.each([
    ["Mon", { days: 1, from: 0, to: 1440 }],
    ["Sat,Sun", { days: 96, from: 0, to: 1440 }],
    ["Fri-Mon 08:00-12:30", { days: 113, from: 480, to: 750 }],
    ["22:00-06:00", { days: 127, from: 1320, to: 360 }],
    ["Mon-Wed,Fri 00:00-24:00", { days: 23, from: 0, to: 1440 }],
  ])("%s", (text, hours) => {
    expect(readHours(text)).toEqual(hours);
  });

  test.each([
    "",
    "Mon ",
    "mon",
    "Mon-",
    "Mon-Tue-Wed",
    "8:00-9:00",
    "08:00-08:00",
    "08:00-25:00",
    "24:00-08:00",
    "Mon 08:00",
    "Mon Tue",
    "Mon  08:00-09:00",
  ])("%p is none", (text) => {
    expect(readHours(text)).toBeNull();
  });

  test("time zones are those of the platform", () => {
    expect(["Europe/Berlin", "UTC", "America/New_York"].map(isTimeZone)).toEqual([true, true, true]);
    expect(["", "Europe/Nowhere", "🕰"].map(isTimeZone)).toEqual([false, false, false]);
  });
});

describe("destinations, callers, addresses", () => {
  test.each([
    ["peer:carrier", { kind: "peer", peer: "carrier" }],
    ["{number}", { kind: "local", name: null }],
    ["sales", { kind: "local", name: "sales" }],
    ["refuse 403", { kind: "refuse", status: 403, reason: "Not allowed by the routes" }],
    ["refuse 603 No, thanks", { kind: "refuse", status: 603, reason: "No, thanks" }],
  ] as const)("destination %s", (text, destination) => {
    expect(readDestination(text)).toEqual(destination);
  });

  test.each([
    "",
    "peer:",
    "peer:a b",
    "refuse",
    "refuse 200",
    "refuse 503",
    "refuse 401",
    "refuse 407",
    "refuse 699",
    'refuse 403 "x"',
    "refuse 403 a\r\nX: y",
    "sip:a@b",
  ])("%p is no destination", (text) => {
    expect(readDestination(text)).toBeNull();
  });

  test("callers", () => {
    expect(["users", "anyone", "peer:a", "alice", "peer:", "a b"].map(readCaller)).toEqual([
      { kind: "users" },
      { kind: "anyone" },
      { kind: "peer", name: "a" },
      { kind: "user", name: "alice" },
      null,
      null,
    ]);
  });

  test("addresses of peers", () => {
    expect(readPeerAddress("sip:gw.test")).toEqual({ uri: "sip:gw.test", priority: 0, weight: 1 });
    expect(readPeerAddress("sips:gw.test:5061 weight=0 priority=65535")).toEqual({
      uri: "sips:gw.test:5061",
      priority: 65_535,
      weight: 0,
    });
    for (const wrong of [
      "",
      "gw.test",
      "tel:123",
      "sip:a b",
      "sip:a weight=1 weight=2",
      "sip:a weight=65536",
      "sip:a weight",
      "sip:a  weight=1",
    ])
      expect(readPeerAddress(wrong)).toBeNull();
  });
});
