import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipUri } from "../../src/message/uri.ts";
import {
  isLooseRouter,
  isToken,
  parseHostPort,
  parseUri,
  sameUri,
  URI_CHARS_MAX,
  unescapeUser,
  uriParam,
} from "../../src/message/uri.ts";

function uri(text: string): SipUri {
  const parsed = parseUri(text);
  if (parsed instanceof ParseError) throw new Error(`${text}: ${parsed.code} at ${parsed.offset}`);
  return parsed;
}

const codeOf = (text: string) => {
  const parsed = parseUri(text);
  return parsed instanceof ParseError ? parsed.code : "no error";
};

describe("RFC 3261 §19.1.1 SIP and SIPS URI components", () => {
  const wellFormed: readonly [string, Partial<SipUri>][] = [
    [
      "sip:alice@atlanta.com",
      { scheme: "sip", user: "alice", host: "atlanta.com", port: null, params: "", headers: "" },
    ],
    [
      "sip:alice:secretword@atlanta.com;transport=tcp",
      { user: "alice", host: "atlanta.com", params: ";transport=tcp" },
    ],
    ["sips:1212@gateway.com", { scheme: "sips", user: "1212" }],
    ["SIPS:1212@gateway.com", { scheme: "sips", user: "1212" }],
    [
      "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
      { headers: "subject=project%20x&priority=urgent" },
    ],
    ["sip:+1-212-555-1212:1234@gateway.com;user=phone", { user: "+1-212-555-1212", params: ";user=phone" }],
    ["sip:alice@192.0.2.4", { host: "192.0.2.4" }],
    [
      "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
      { user: null, host: "atlanta.com", params: ";method=REGISTER", headers: "to=alice%40atlanta.com" },
    ],
    ["sip:alice;day=tuesday@atlanta.com", { user: "alice;day=tuesday", host: "atlanta.com" }],
    ["sip:a?b@c.example?d=e", { user: "a?b", host: "c.example", headers: "d=e" }],
    ["sip:host:5062", { user: null, host: "host", port: 5062 }],
    ["sip:bob@[2001:DB8::10]:5070;lr", { host: "2001:db8::10", port: 5070, params: ";lr" }],
    ["sip:bob@[::ffff:192.0.2.10]", { host: "::ffff:192.0.2.10", port: null }],
    ["sip:_sip.host_name@Under_Score.Example", { host: "under_score.example" }],
    ["sip:x@example.com:65535", { port: 65535 }],
    ["sip:x@example.com:005060", { port: 5060 }],
  ];
  for (const [text, fields] of wellFormed)
    test(text, () => {
      const parsed = uri(text);
      expect(parsed).toMatchObject(fields);
      expect(parsed.text).toBe(text);
    });

  const malformed: readonly [string, string, string][] = [
    ["nothing", "", "uri_scheme"],
    ["no colon", "sip", "uri_scheme"],
    ["a scheme that begins with a digit", "5ip:alice@atlanta.com", "uri_scheme"],
    ["white space before the scheme", " sip:alice@atlanta.com", "uri_scheme"],
    ["angle brackets", "<sip:alice@atlanta.com>", "uri_scheme"],
    ["no host", "sip:", "uri_host"],
    ["no host behind the user", "sip:alice@", "uri_host"],
    ["no user before the @", "sip:@atlanta.com", "uri_user"],
    ["two @", "sip:alice@atlanta.com@evil.example", "uri_port"],
    ["white space in the user", "sip:al ice@atlanta.com", "uri_user"],
    ["a quote in the user", 'sip:"alice"@atlanta.com', "uri_user"],
    ["letters beyond ASCII in the user", "sip:al\xefce@atlanta.com", "uri_user"],
    ["a NUL in the host", "sip:alice@atlanta\0.com", "uri_port"],
    ["white space behind the host", "sip:alice@atlanta.com ", "uri_port"],
    ["a port without digits", "sip:alice@atlanta.com:", "uri_port"],
    ["a port of letters", "sip:alice@atlanta.com:sip", "uri_port"],
    ["a port over 65535", "sip:alice@atlanta.com:65536", "uri_port"],
    ["a port that overflows", "sip:alice@atlanta.com:18446744073709551617", "uri_port"],
    ["a port of more digits than any port has", "sip:alice@atlanta.com:0005060", "uri_port"],
    ["a negative port", "sip:alice@atlanta.com:-1", "uri_port"],
    ["an open bracket", "sip:alice@[2001:db8::1", "uri_host"],
    ["empty brackets", "sip:alice@[]", "uri_host"],
    ["a name in brackets", "sip:alice@[atlanta.com]", "uri_host"],
    ["text behind the bracket", "sip:alice@[::1]x", "uri_port"],
    ["a parameter sign with nothing behind it", "sip:alice@atlanta.com;", "uri_params"],
    ["an empty parameter", "sip:alice@atlanta.com;;lr", "uri_params"],
    ["a parameter without a name", "sip:alice@atlanta.com;=5", "uri_params"],
    ["a space in a parameter", "sip:alice@atlanta.com; lr", "uri_params"],
    ["a quote in a parameter", 'sip:alice@atlanta.com;a="b"', "uri_params"],
    ["a question mark with nothing behind it", "sip:alice@atlanta.com?", "uri_headers"],
    ["a space in a header", "sip:alice@atlanta.com?a=b c", "uri_headers"],
    ["a semicolon in a header", "sip:alice@atlanta.com?a=b;c", "uri_headers"],
    ["half an escape", "sip:alice%4@atlanta.com", "uri_escape"],
    ["half an escape in the password", "sip:alice:%4@atlanta.com", "uri_escape"],
    ["an escape that is none", "sip:alice%zz@atlanta.com", "uri_escape"],
    ["an escape cut off at the end", "sip:alice@atlanta.com;a=%4", "uri_escape"],
    ["an opaque URI of nothing", "tel:", "uri_opaque"],
    ["an opaque URI with a space", "tel:+1 212", "uri_opaque"],
  ];
  for (const [what, text, code] of malformed) test(`${what}: ${code}`, () => expect(codeOf(text)).toBe(code));

  test("longer than the bound: uri_long, whatever it holds", () => {
    const fitting = `sip:${"a".repeat(URI_CHARS_MAX - 8)}@b.c`;
    expect(uri(fitting).host).toBe("b.c");
    expect(codeOf(`${fitting}d`)).toBe("uri_long");
  });

  test("other schemes are opaque: kept as they are", () => {
    expect(uri("tel:+1-201-555-0123;phone-context=example.com")).toMatchObject({
      scheme: "tel",
      user: null,
      host: "",
    });
    expect(uri("URN:service:sos")).toMatchObject({ scheme: "urn", text: "URN:service:sos" });
  });

  test("any text either parses or is refused with an offset inside it", () => {
    const alphabet = fc.constantFrom(...'sip:@;?=&%[].-_4afAZ :<>"\\\0\r\n\xe9,');
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 40 }), (tail) => {
        const parsed = parseUri(`sip:${tail}`);
        if (parsed instanceof ParseError) expect(parsed.offset).toBeLessThanOrEqual(tail.length + 4);
        else expect(parsed.text).toBe(`sip:${tail}`);
      }),
    );
  });
});

/** SIP-URI as the ABNF of §25.1 has it, written down a second time as one regular expression. */
const UNRESERVED = "[\\w.!~*'()-]|%[0-9a-fA-F]{2}";
const GRAMMAR = new RegExp(
  `^(sips?):(?:((?:${UNRESERVED}|[&=+$,;?/])+)(?::(?:${UNRESERVED}|[&=+$,])*)?@)?` +
    `([A-Za-z0-9._-]+|\\[[0-9a-fA-F:.]+\\])(?::(\\d{1,5}))?` +
    `((?:;(?:${UNRESERVED}|[[\\]/:&+$])+(?:=(?:${UNRESERVED}|[[\\]/:&+$])+)?)*)` +
    `(?:\\?((?:${UNRESERVED}|[[\\]/?:+$])+=(?:${UNRESERVED}|[[\\]/?:+$])*(?:&(?:${UNRESERVED}|[[\\]/?:+$])+=(?:${UNRESERVED}|[[\\]/?:+$])*)*))?$`,
);

describe("RFC 3261 §25.1 SIP-URI", () => {
  const part = (chars: string) =>
    fc
      .array(fc.constantFrom(...chars, "%41", "%00", "%3b"), { minLength: 1, maxLength: 5 })
      .map((all) => all.join(""));
  const name = part("ab0-_.!~*'()");
  const sipUri = fc
    .record({
      scheme: fc.constantFrom("sip", "sips"),
      user: fc.option(part("ab0-_.!~*'()&=+$,;?/"), { nil: "" }),
      password: fc.option(part("ab0&=+$,"), { nil: "" }),
      host: fc.constantFrom("example.com", "a", "192.0.2.1", "[2001:db8::1]"),
      port: fc.constantFrom("", ":5060", ":1"),
      params: fc.array(fc.tuple(name, fc.option(part("ab0[]/:&+$"), { nil: "" })), { maxLength: 3 }),
      headers: fc.array(fc.tuple(name, fc.option(part("ab0[]/?:+$"), { nil: "" })), { maxLength: 3 }),
    })
    .map(({ scheme, user, password, host, port, params, headers }) => {
      const userinfo = user === "" ? "" : `${user}${password === "" ? "" : `:${password}`}@`;
      const tail = params.map(([key, value]) => `;${key}${value === "" ? "" : `=${value}`}`).join("");
      const query = headers.map(([key, value]) => `${key}=${value}`).join("&");
      return `${scheme}:${userinfo}${host}${port}${tail}${query === "" ? "" : `?${query}`}`;
    });

  test("everything the grammar makes is read, each part as the grammar has it", () => {
    fc.assert(
      fc.property(sipUri, (text) => {
        const [, scheme, user, host, port, params, headers] = GRAMMAR.exec(text) ?? [];
        const wanted = {
          scheme: scheme!,
          user: user ?? null,
          host: host!.replace(/[[\]]/g, ""),
          port: port === undefined ? null : Number(port),
          params: params ?? "",
          headers: headers ?? "",
          text,
        };
        expect(uri(text)).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test("one character put in, taken out or changed: refused, or read without a character outside the grammar", () => {
    const spoiler = fc.constantFrom(...'@:;?=&%[]<>" \\,{}|^`\0\xe9');
    fc.assert(
      fc.property(sipUri, fc.nat(), fc.constantFrom(0, 1), spoiler, (text, at, remove, char) => {
        const from = 5 + (at % (text.length - 4));
        const parsed = parseUri(text.slice(0, from) + char + text.slice(from + remove));
        if (parsed instanceof ParseError) return;
        expect(parsed.text).not.toMatch(/[<>" \\{}|^`\0\xe9]|%(?![0-9a-fA-F]{2})/);
        expect(parsed.host).toMatch(/^[a-z0-9._:-]+$/);
        expect(parsed.user ?? "x").not.toMatch(/[@:]|^$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe("RFC 3261 §25.1 hostport", () => {
  test("reads exactly the range it is given", () => {
    expect(parseHostPort("xx[::1]:5060yy", 2, 12)).toEqual({ host: "::1", port: 5060 });
    expect(parseHostPort("a.b:1", 0, 3)).toEqual({ host: "a.b", port: null });
    expect(parseHostPort("a.b", 3, 3)).toBeInstanceOf(ParseError);
  });
});

describe("RFC 3261 §19.1.1 uri-parameters", () => {
  const parsed = uri("sip:a@b;Transport=TCP;lr;maddr=192.0.2.1;foo=");
  test("names in any case, values as written", () => {
    expect(uriParam(parsed, "transport")).toBe("TCP");
    expect(uriParam(parsed, "maddr")).toBe("192.0.2.1");
  });
  test("without value: the empty text; absent: null", () => {
    expect(uriParam(parsed, "lr")).toBe("");
    expect(uriParam(parsed, "foo")).toBe("");
    expect(uriParam(parsed, "ttl")).toBeNull();
    expect(uriParam(uri("sip:a@b"), "lr")).toBeNull();
  });
  test("a name that another one begins or ends with is not it", () => {
    expect(uriParam(uri("sip:a@b;lrx;xlr"), "lr")).toBeNull();
  });
  test("lr marks a loose router, with a value too", () => {
    expect(
      ["sip:a;lr", "sip:a;LR", "sip:a;lr=on", "sip:a;x;lr;y"].map((text) => isLooseRouter(uri(text))),
    ).toEqual([true, true, true, true]);
    expect(isLooseRouter(uri("sip:lr@a;x=lr"))).toBe(false);
  });
});

/** The examples of the section, all of them, and one case for each of its rules. */
describe("RFC 3261 §19.1.4 URI comparison", () => {
  const equal: readonly [string, string][] = [
    ["sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"],
    ["sip:carol@chicago.com", "sip:carol@chicago.com;security=on"],
    ["sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"],
    [
      "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
      "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ],
    [
      "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
      "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ],
    ["sip:alice%3b1@atlanta.com", "sip:alice%3B1@atlanta.com"],
    ["sip:a@[2001:DB8::1]", "sip:a@[2001:db8::1]"],
    ["sip:a:secret@b", "sip:a:secret@b"],
    ["sip:a@b;lr", "sip:a@b"],
  ];
  for (const [a, b] of equal)
    test(`${a} is ${b}`, () => {
      expect(sameUri(uri(a), uri(b))).toBe(true);
      expect(sameUri(uri(b), uri(a))).toBe(true);
    });

  const different: readonly [string, string, string][] = [
    [
      "usernames are case-sensitive",
      "SIP:ALICE@AtLanTa.CoM;Transport=udp",
      "sip:alice@AtLanTa.CoM;Transport=UDP",
    ],
    ["an omitted port is not 5060", "sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"],
    ["an omitted transport is not udp", "sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"],
    ["port and transport", "sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"],
    [
      "header components are never ignored",
      "sip:carol@chicago.com",
      "sip:carol@chicago.com?Subject=next%20meeting",
    ],
    ["a name is not its address", "sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"],
    ["a parameter that both have", "sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"],
    ["the scheme", "sip:carol@chicago.com", "sips:carol@chicago.com"],
    ["the password", "sip:carol:one@chicago.com", "sip:carol:two@chicago.com"],
    ["a password on one side", "sip:carol:one@chicago.com", "sip:carol@chicago.com"],
    ["a user on one side", "sip:carol@chicago.com", "sip:chicago.com"],
    ["an escaped reserved character", "sip:a%3Bb@chicago.com", "sip:a;b@chicago.com"],
    ["user= on one side", "sip:1@chicago.com", "sip:1@chicago.com;user=phone"],
    ["ttl= on one side", "sip:1@chicago.com", "sip:1@chicago.com;ttl=5"],
    ["method= on one side", "sip:1@chicago.com", "sip:1@chicago.com;method=INVITE"],
    ["maddr= on one side", "sip:1@chicago.com", "sip:1@chicago.com;maddr=192.0.2.1"],
    ["a header's value", "sip:1@chicago.com?a=b", "sip:1@chicago.com?a=c"],
    ["one header more", "sip:1@chicago.com?a=b", "sip:1@chicago.com?a=b&c=d"],
    ["opaque URIs of other text", "tel:+1212", "tel:+1213"],
  ];
  for (const [what, a, b] of different)
    test(`${what}: ${a} is not ${b}`, () => {
      expect(sameUri(uri(a), uri(b))).toBe(false);
      expect(sameUri(uri(b), uri(a))).toBe(false);
    });

  test("equality is not transitive: the example of the section", () => {
    const [plain, on, off] = ["", ";security=on", ";security=off"].map((tail) =>
      uri(`sip:carol@chicago.com${tail}`),
    );
    expect([sameUri(plain!, on!), sameUri(plain!, off!), sameUri(on!, off!)]).toEqual([true, true, false]);
  });
});

describe("RFC 3261 §19.1.4 escapes", () => {
  test("what needs no escape is resolved, what does stays, in upper case", () => {
    expect(unescapeUser("%61l%69ce%2d%40%3b%00")).toBe("alice-%40%3B%00");
  });
  test("once and only once (RFC 3986 §2.4)", () => {
    expect(unescapeUser("%2561")).toBe("%2561");
  });
});

describe("RFC 3261 §25.1 token", () => {
  test("the characters of the rule and no others", () => {
    expect(isToken("aZ09-.!%*_+`'~")).toBe(true);
    for (const char of ' "(),/:;<=>?@[\\]{}\0\t\xe9') expect(isToken(`a${char}`)).toBe(false);
    expect(isToken("")).toBe(false);
  });
});
