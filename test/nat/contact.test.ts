/** Contacts that are hidden behind the address of their flow, and come back as they were written. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Flow } from "../../src/base/flow.ts";
import { hostPort } from "../../src/base/flow.ts";
import { parseNameAddr } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { parseUri } from "../../src/message/uri.ts";
import { hideContact, revealContact } from "../../src/nat/contact.ts";
import { FlowTokens, NOTE_CHARS_MAX } from "../../src/nat/flow-token.ts";
import { SeededDice } from "../support/seeded-dice.ts";

const KEY = new SeededDice(1).bytes(32);
const TOKENS = new FlowTokens(KEY, "contact");

const flowFrom = (address: string, remoteAddress: string, remotePort: number): Flow => ({
  transport: "udp",
  local: { transport: "udp", address, port: 5060, sentBy: hostPort(address, 5060) },
  remoteAddress,
  remotePort,
  reliable: false,
  open: true,
  id: "udp",
  send: () => true,
  watch() {},
  unwatch() {},
  toPort: () => null,
});
const V4 = flowFrom("192.0.2.1", "203.0.113.9", 30_000);
const V6 = flowFrom("2001:db8::1", "2001:db8::9", 30_000);

function hidden(value: string, flow = V4, tokens = TOKENS): string | null {
  const contact = parseNameAddr(value);
  if (contact instanceof ParseError) throw new Error(contact.code);
  return hideContact(value, contact, flow, tokens);
}

const uriOf = (value: string) => {
  const contact = parseNameAddr(value);
  if (contact instanceof ParseError) throw new Error(contact.code);
  return contact.uri;
};

function revealed(value: string): string {
  const found = revealContact(uriOf(value), TOKENS);
  if (found === null || found === "forged") throw new Error(String(found));
  return found.uri.text;
}

/** Contact as it came; as it leaves, with T for the token; the URI that comes back. */
const FORMS: readonly (readonly [string, string, string])[] = [
  ["<sip:alice@192.168.1.10:5060>", "<sip:alice@203.0.113.9:30000;sipedge=T>", "sip:alice@192.168.1.10:5060"],
  ["<sip:alice@192.168.1.10>", "<sip:alice@203.0.113.9:30000;sipedge=T>", "sip:alice@192.168.1.10"],
  ["<sip:192.168.1.10:5060>", "<sip:203.0.113.9:30000;sipedge=T>", "sip:192.168.1.10:5060"],
  ["sip:alice@10.0.0.1", "<sip:alice@203.0.113.9:30000;sipedge=T>", "sip:alice@10.0.0.1"],
  [
    "sip:alice@10.0.0.1;expires=60",
    "<sip:alice@203.0.113.9:30000;sipedge=T>;expires=60",
    "sip:alice@10.0.0.1",
  ],
  [
    '"A <B>, C" <sip:a:secret@[fd00::10]:5062;ob>;+sip.instance="<urn:uuid:1>"',
    '"A <B>, C" <sip:a:secret@203.0.113.9:30000;ob;sipedge=T>;+sip.instance="<urn:uuid:1>"',
    "sip:a:secret@[fd00::10]:5062;ob",
  ],
  [
    "Alice <sips:alice;day=tuesday@Phone.Local;transport=TCP;line=%41b?Subject=x>",
    "Alice <sips:alice;day=tuesday@203.0.113.9:30000;transport=TCP;line=%41b;sipedge=T?Subject=x>",
    "sips:alice;day=tuesday@Phone.Local;transport=TCP;line=%41b?Subject=x",
  ],
  [
    "<sip:u@df7jal23ls0d.invalid;transport=ws>",
    "<sip:u@203.0.113.9:30000;transport=ws;sipedge=T>",
    "sip:u@df7jal23ls0d.invalid;transport=ws",
  ],
];

describe("NT-19, NH-19 rewriting", () => {
  test.each(FORMS)("%s", (contact, outside, inside) => {
    const value = hidden(contact)!;
    expect(value.replace(/(;sipedge=)[A-Za-z0-9_-]{40,}/, "$1T")).toBe(outside);
    expect(revealed(value)).toBe(inside);
  });

  test("an IPv6 source stands in brackets", () =>
    expect(hidden("<sip:a@[fd00::10]>", V6)).toStartWith("<sip:a@[2001:db8::9]:30000;sipedge="));

  test("what comes back names the flow", () => {
    const found = revealContact(uriOf(hidden("<sip:a@10.0.0.1>", V6)!), TOKENS);
    expect(found).toMatchObject({
      flow: {
        transport: "udp",
        local_address: "2001:db8::1",
        remote_address: "2001:db8::9",
        remote_port: 30_000,
      },
    });
  });

  test.each([
    "<sip:alice@203.0.113.9:30000>",
    "<sip:alice@203.0.113.9:30000;ob>",
    "<tel:+4930>",
    "<urn:x:y>",
    `<sip:a@${"h".repeat(NOTE_CHARS_MAX + 1)}>`,
  ])("left alone: %s", (contact) => expect(hidden(contact)).toBeNull());

  test("what the other side adds to the URI comes back with it", () => {
    const value = hidden("<sip:alice@10.0.0.1;ob>")!;
    expect(revealed(value.replace(";ob", ";ob;method=INVITE"))).toBe("sip:alice@10.0.0.1;ob;method=INVITE");
    expect(revealed(value.replace("203.0.113.9:30000", "PUBLIC.example.test"))).toBe("sip:alice@10.0.0.1;ob");
    expect(revealed(value.replace(";sipedge", ";SipEdge"))).toBe("sip:alice@10.0.0.1;ob");
  });
});

describe("NH-33 one alias", () => {
  test("a Contact that was hidden before has one parameter, the new one", () => {
    const once = hidden("<sip:alice@10.0.0.1>")!;
    const twice = hidden(once, V6)!;
    expect(twice.match(/;sipedge=/g)).toHaveLength(1);
    expect(revealed(twice)).toBe("sip:alice@203.0.113.9:30000");
  });

  test.each([";sipedge", ";sipedge=", ";SIPEDGE=x", ";sipedge=a;sipedge=b"])("%s is trimmed", (param) => {
    const value = hidden(`<sip:alice@10.0.0.1;a=1${param === ";sipedge=" ? ";sipedge" : param};z=2>`)!;
    expect(value).toMatch(/^<sip:alice@203\.0\.113\.9:30000;a=1;z=2;sipedge=[\w-]+>$/);
  });

  test("a parameter whose name begins with ours is somebody else's", () =>
    expect(revealed(hidden("<sip:alice@10.0.0.1;sipedges=1>")!)).toBe("sip:alice@10.0.0.1;sipedges=1"));
});

describe("NH-32 forgery", () => {
  const token = /sipedge=([\w-]+)/.exec(hidden("<sip:alice@10.0.0.1>")!)![1]!;
  const verdictOf = (params: string) =>
    revealContact(uriOf(`<sip:alice@203.0.113.9:30000${params}>`), TOKENS);

  test("no parameter, no verdict", () => {
    expect(verdictOf("")).toBeNull();
    expect(verdictOf(";ob;sipedged=1")).toBeNull();
  });

  test.each([";sipedge", ";sipedge=x", `;sipedge=${token}A`, `;sipedge=${token.slice(1)}`])("%s", (params) =>
    expect(verdictOf(params)).toBe("forged"),
  );

  test("every single flipped bit", () => {
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(verdictOf(`;sipedge=${bytes.toString("base64url")}`)).toBe("forged");
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test("a token of our Path is none, nor the other way round, nor one of another key", () => {
    const path = new FlowTokens(KEY);
    expect(verdictOf(`;sipedge=${path.sign(V4)}`)).toBe("forged");
    expect(verdictOf(`;sipedge=${path.sign(V4, "10.0.0.1")}`)).toBe("forged");
    expect(path.verify(token)).toBeNull();
    const other = new FlowTokens(new SeededDice(2).bytes(32), "contact");
    expect(verdictOf(`;sipedge=${other.sign(V4, "10.0.0.1")}`)).toBe("forged");
  });
});

test("whatever a phone may write comes back byte for byte", () => {
  const word = (chars: string, min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...chars), minLength: min, maxLength: max });
  const LETTERS = "abcXYZ019-";
  const host = fc.oneof(
    word("abcxyz019", 1, 40),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const param = fc
    .tuple(word("abcxyz", 1, 7), word(LETTERS, 1, 9))
    .map(([name, value]) => `;${name}=${value}`);
  const contact = fc.record({
    display: fc.constantFrom("", '"<sip:a@b>" ', '"\\"," ', "Alice "),
    user: fc.option(word(`${LETTERS};?&=+$,/%41`, 1, 12).filter((user) => !user.includes("%"))),
    host,
    port: fc.option(fc.integer({ min: 0, max: 65_535 })),
    params: fc.array(param, { maxLength: 3 }),
    headers: fc.constantFrom("", "?a=b", "?a=b&c=%41"),
    after: fc.constantFrom("", ";expires=7", ';x="<sip:a@b>"'),
  });
  fc.assert(
    fc.property(contact, ({ display, user, host, port, params, headers, after }) => {
      const place = `${host}${port === null ? "" : `:${port}`}`;
      const uri = `sip:${user === null ? "" : `${user}@`}${place}${params.join("")}${headers}`;
      fc.pre(!(parseUri(uri) instanceof ParseError));
      const value = hidden(`${display}<${uri}>${after}`)!;
      expect(value.startsWith(display) && value.endsWith(after)).toBe(true);
      expect(revealed(value)).toBe(uri);
    }),
    { numRuns: 300 },
  );
});
