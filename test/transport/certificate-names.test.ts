import { describe, expect, test } from "bun:test";
import { provesName, sipNames } from "../../src/transport/certificate-names.ts";

describe("RFC 5922 §7.1 the names of a certificate", () => {
  for (const [what, alt, common, names] of [
    ["sip URIs before DNS names", "DNS:www.a.test, URI:sip:a.test, DNS:b.test", null, ["a.test"]],
    ["a URI with a user part is no domain", "URI:sip:bob@a.test, DNS:b.test", null, ["b.test"]],
    [
      "DNS names, lower case, and addresses",
      "DNS:A.Test, IP Address:192.0.2.1",
      null,
      ["a.test", "192.0.2.1"],
    ],
    ["addresses stay beside sip URIs", "URI:sip:a.test, IP Address:192.0.2.1", null, ["a.test", "192.0.2.1"]],
    ["the common name only without any other", null, "Old.Test", ["old.test"]],
    ["not beside them", "DNS:a.test", "old.test", ["a.test"]],
    ["nothing", null, null, []],
  ] as const)
    test(what, () => expect(sipNames(alt, common)).toEqual([...names]));

  test("of a stranger's endless list only so many are looked at", () => {
    const list = Array.from({ length: 5000 }, (_, i) => `DNS:n${i}.test`).join(", ");
    expect(sipNames(list, null)).toHaveLength(200);
  });
});

describe("RFC 5922 §7.2 whether a domain is among them", () => {
  for (const [names, domain, proves] of [
    [["a.test"], "A.TEST", true],
    [["a.test"], "sub.a.test", false],
    [["*.a.test"], "sub.a.test", true],
    [["*.a.test"], "deep.sub.a.test", false],
    [["*.a.test"], "a.test", false],
    [["*.test"], ".test", false],
    [["*.0.2.1"], "192.0.2.1", false],
    [["192.0.2.1"], "192.0.2.1", true],
    [["2001:db8:0:0:0:0:0:1"], "2001:db8::1", true],
    [["2001:db8:0:0:0:0:0:1"], "2001:db8::2", false],
    [[], "a.test", false],
  ] as const)
    test(`${names.join(" ") || "none"}: ${domain} ${proves ? "yes" : "no"}`, () =>
      expect(provesName(names, domain)).toBe(proves));
});
