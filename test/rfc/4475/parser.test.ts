/** RFC 4475: what the parser reads in each message. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { HeaderId } from "../../../src/message/header-names.ts";
import { H } from "../../../src/message/header-names.ts";
import { parseNameAddr, parseNameAddrs } from "../../../src/message/name-addr.ts";
import { ParseError } from "../../../src/message/parse-error.ts";
import { Scanner } from "../../../src/message/scan.ts";
import type { SipMessage } from "../../../src/message/sip-message.ts";
import { parseUri, unescapeUser, uriParam } from "../../../src/message/uri.ts";
import { parseVia } from "../../../src/message/via.ts";
import { messageOf } from "./corpus.ts";
import type { Address, Reads } from "./verdicts.ts";
import { VERDICTS } from "./verdicts.ts";

const scanner = new Scanner();

function scanned(name: string): SipMessage {
  const message = scanner.scan(messageOf(name));
  if (message === null) throw new Error(`${name} is no SIP message`);
  return message;
}

/** The same facts as a row of the table, read by our parser. */
function readsOf(message: SipMessage, wanted: Reads): Reads {
  const { via, cseq } = message;
  return {
    start: message.isRequest ? message.method : message.status,
    ...(wanted.uri !== undefined && { uri: uriOf(message) }),
    ...(wanted.cseq !== undefined && {
      cseq: cseq instanceof ParseError ? cseq.code : [cseq.number, cseq.method],
    }),
    ...(wanted.via !== undefined && {
      via:
        via === null || via instanceof ParseError
          ? (via?.code ?? "absent")
          : [via.transport, via.host, via.port, via.branch],
    }),
    ...(wanted.from !== undefined && { from: addressOf(message, H.From, message.fromTag) }),
    ...(wanted.to !== undefined && { to: addressOf(message, H.To, message.toTag) }),
    ...(wanted.body !== undefined && { body: message.body.length }),
    ...(message.fault !== null && { fault: message.fault.code }),
  };
}

function uriOf(message: SipMessage): readonly [string | null, string] | string {
  const uri = message.uri;
  return uri instanceof ParseError ? uri.code : [uri.user, uri.host];
}

function addressOf(message: SipMessage, id: HeaderId, tag: string | null): Address | string | null {
  const text = message.text(id);
  if (text === null) return null;
  const address = parseNameAddr(text);
  if (address instanceof ParseError) return address.code;
  const { uri } = address;
  return [address.display, uri.user, uri.host === "" ? `${uri.scheme}:` : uri.host, tag];
}

test("the table has a row for each of the 49 messages, and the folder nothing else", () => {
  const files = readdirSync(join(import.meta.dir, "messages")).filter((name) => name.endsWith(".dat"));
  expect(files.map((name) => name.slice(0, -4)).sort()).toEqual(Object.keys(VERDICTS).sort());
  expect(files).toHaveLength(49);
});

for (const [name, { section, title, reads }] of Object.entries(VERDICTS)) {
  describe(`RFC 4475 §${section} ${title}`, () => {
    test(`${name}: start line, Via, From, To, CSeq and body are read as they stand`, () => {
      expect(readsOf(scanned(name), reads)).toEqual(reads);
    });
  });
}

const names = (message: SipMessage) =>
  Array.from({ length: message.count }, (_, line) => message.nameText(line));

describe("RFC 4475 §3.1.1.1 A Short Tortuous INVITE: beyond the table", () => {
  const message = scanned("wsinv");

  test("header names in any case, short and long, with white space before the colon", () => {
    expect(names(message)).toEqual([
      "TO",
      "from",
      "MaX-fOrWaRdS",
      "Call-ID",
      "Content-Length",
      "cseq",
      "Via",
      "s",
      "NewFangledHeader",
      "UnknownHeaderWithUnusualValue",
      "Content-Type",
      "Route",
      "v",
      "m",
    ]);
    expect(message.text(H.MaxForwards)).toBe("0068");
    expect(message.text(H.Subject)).toBe("");
  });

  test("the second and third Via share a folded line", () => {
    const line = message.find(H.Via, message.find(H.Via) + 1);
    const second = parseVia(message.bytes, message.valueStart(line), message.valueEnd(line));
    if (second instanceof ParseError) throw new Error(second.code);
    expect([second.transport, second.host, second.branch]).toEqual([
      "TCP",
      "spindle.example.com",
      "z9hG4bK9ikj8",
    ]);
    const comma = message.bytes.indexOf(",", second.end);
    const third = parseVia(message.bytes, message.bytes.indexOf("SIP", comma), message.valueEnd(line));
    if (third instanceof ParseError) throw new Error(third.code);
    expect([third.transport, third.host, third.branch]).toEqual(["UDP", "192.168.255.111", "z9hG4bK30239"]);
  });

  test("the Contact's display name, and parameters behind the brackets with white space around them", () => {
    const contact = parseNameAddr(message.text(H.Contact) ?? "");
    if (contact instanceof ParseError) throw new Error(contact.code);
    expect(contact.display).toBe('"Quoted string \\"\\""');
    expect([...contact.params]).toEqual([
      ["newparam", "newvalue"],
      ["secondparam", ""],
      ["q", "0.33"],
    ]);
  });

  test("the Route is loose, its unknown parameters are there with and without value", () => {
    const route = parseNameAddr(message.text(H.Route) ?? "");
    if (route instanceof ParseError) throw new Error(route.code);
    expect(["lr", "unknownwith", "unknown-no-value"].map((name) => uriParam(route.uri, name))).toEqual([
      "",
      "value",
      "",
    ]);
  });
});

describe("RFC 4475 §3.1.1.3 Valid Use of the % Escaping Mechanism: beyond the table", () => {
  test("escapes are resolved once and only once", () => {
    const contact = parseNameAddr(scanned("esc01").text(H.Contact) ?? "");
    if (contact instanceof ParseError) throw new Error(contact.code);
    expect(contact.uri.user).toBe("cal%6Cer");
    expect(unescapeUser(contact.uri.user ?? "")).toBe("caller");
    expect(contact.uri.params).toBe(";%6C%72;n%61me=v%61lue%25%34%31");
  });

  test("the escaped @ of the user part separates nothing", () => {
    const uri = parseUri("sip:sips%3Auser%40example.com@example.net");
    if (uri instanceof ParseError) throw new Error(uri.code);
    expect(unescapeUser(uri.user ?? "")).toBe("sips%3Auser%40example.com");
  });
});

describe("RFC 4475 §3.1.1.5 Use of % When It Is Not an Escape: beyond the table", () => {
  test("two Contact fields, not three: a header name has no escapes", () => {
    const message = scanned("esc02");
    expect(message.texts(H.Contact)).toEqual([
      "<sip:alias1@host1.example.com>",
      "<sip:alias3@host3.example.com>",
    ]);
    expect(names(message)).toContain("C%6Fntact");
  });
});

describe("RFC 4475 §3.1.1.7 Long Values in Header Fields: beyond the table", () => {
  test("34 Via lines in every spelling are 34 Vias", () => {
    expect(scanned("longreq").countOf(H.Via)).toBe(34);
  });
});

describe("RFC 4475 §3.1.1.10 Varied and Unknown Transport Types: beyond the table", () => {
  test("each of the five Vias is read, the unknown transport too", () => {
    const message = scanned("transports");
    const read = message.texts(H.Via).map((value) => {
      const via = parseVia(Buffer.from(value, "latin1"), 0, value.length);
      return via instanceof ParseError ? via.code : via.transport;
    });
    expect(read).toEqual(["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
  });
});

describe("RFC 4475 §3.1.1.11 Multipart MIME Message: beyond the table", () => {
  test("NUL bytes in the body end nothing", () => {
    const { body } = scanned("mpart01");
    expect(body.includes(0)).toBe(true);
    expect(body.subarray(-22).toString("latin1")).toBe("--7a9cbec02ceef655--\r\n");
  });
});

describe("RFC 4475 §3.1.1.12 Unusual Reason Phrase: beyond the table", () => {
  test("the phrase is whole, its UTF-8 untouched", () => {
    const { reason } = scanned("unreason");
    expect(Buffer.from(reason, "latin1").toString("utf8")).toBe(
      "= 2**3 * 5**2 но сто девяносто девять - простое",
    );
  });
});

describe("RFC 4475 §3.1.1.13 Empty Reason Phrase: beyond the table", () => {
  test("the phrase is empty", () => {
    expect(scanned("noreason").reason).toBe("");
  });
});

describe("RFC 4475 §3.1.2.1 Extraneous Header Field Separators: beyond the table", () => {
  test("a Contact with empty parameters is no valid list", () => {
    expect(parseNameAddrs(scanned("badinv01").text(H.Contact) ?? "")).toBeInstanceOf(ParseError);
  });
});

describe("RFC 4475 §3.1.2.13 Failure to Enclose name-addr URI in <>: beyond the table", () => {
  test("a bare URI with headers is refused: it could be read in two ways", () => {
    const contact = parseNameAddr(scanned("regbadct").text(H.Contact) ?? "");
    expect(contact instanceof ParseError ? contact.code : null).toBe("bracket_missing");
  });
});

describe("RFC 4475 §3.3.12, §3.3.13 REGISTER with a parameter: beyond the table", () => {
  test("without brackets it is the header's, within them the URI's", () => {
    const [bare, inside] = ["cparam01", "cparam02"].map((name) => {
      const contact = parseNameAddr(scanned(name).text(H.Contact) ?? "");
      if (contact instanceof ParseError) throw new Error(contact.code);
      return contact;
    });
    expect([bare!.uri.params, [...bare!.params.keys()]]).toEqual(["", ["unknownparam"]]);
    expect([inside!.uri.params, [...inside!.params.keys()]]).toEqual([";unknownparam", []]);
  });
});
