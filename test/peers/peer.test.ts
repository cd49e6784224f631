/** What is sent to a peer, by which address it is known, and the rules between the keys. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Networks } from "../../src/base/networks.ts";
import { PEER_RULES } from "../../src/config/rules-peers.ts";
import { identityLines } from "../../src/peers/identity.ts";
import { hopTo } from "../../src/peers/peer.ts";
import { SourceNetworks } from "../../src/peers/source-networks.ts";
import { BookLab, peerKeys, peersOf, routeKeys, uriOf } from "./kit.ts";

describe("B-25 the hop to a peer", () => {
  const hop = (peerUri: string, rules: object, user: string | null, asked = "sip:030@example.test") => {
    const [peer] = peersOf({ name: "p", uris: [peerUri], ...rules });
    const found = hopTo(peer!.uris[0]!, user, uriOf(asked));
    return found === null ? null : [found.uri.text, found.route];
  };

  test("the number at the peer's host, port and transport", () => {
    expect(hop("sip:gw.test:5080;transport=tcp", {}, "+4930")).toEqual([
      "sip:+4930@gw.test:5080;transport=tcp",
      null,
    ]);
    expect(hop("sips:[2001:db8::1]", {}, "1%23")).toEqual(["sips:1%23@[2001:db8::1]", null]);
  });

  test("in place of a user part of the peer's URI", () => {
    expect(hop("sip:trunk@gw.test", {}, "1")).toEqual(["sip:1@gw.test", null]);
    expect(hop("sip:trunk@gw.test", {}, null)).toEqual(["sip:trunk@gw.test", null]);
  });

  test("SIP-43 outbound_proxy: the domain stays, the peer is a Route (RFC 3261 §8.1.2)", () => {
    const out = { outbound_proxy: true };
    expect(hop("sip:gw.test", out, "bob", "sip:bob@other.test;user=phone")).toEqual([
      "sip:bob@other.test;user=phone",
      "<sip:gw.test;lr>",
    ]);
    expect(hop("sip:gw.test;lr", out, "+4930")).toEqual(["sip:+4930@example.test", "<sip:gw.test;lr>"]);
    expect(hop("sip:gw.test;lrx=1", out, "1")).toEqual(["sip:1@example.test", "<sip:gw.test;lrx=1;lr>"]);
  });

  test("no user part makes another host of it", () => {
    for (const user of ["a@b", "a b", "a\r\nX: y", "<x>", ""])
      expect(hop("sip:gw.test", {}, user)).toBeNull();
  });

  test("a URI named twice is one", () => {
    expect(peersOf({ name: "p", uris: ["sip:a.test", "sip:a.test weight=3"] })[0]!.uris.length).toBe(1);
  });
});

describe("B-25 what a peer is told of the caller", () => {
  const lines = (rules: object, user: string | null, identity = user) =>
    identityLines(
      peersOf({ name: "p", uris: ["sip:gw.test"], ...rules })[0]!,
      { user, identity },
      "example.test",
    );

  test("an account that calls under a name of its own: that one, where identity_uri does not say otherwise", () => {
    const asserted = { identity: "asserted" };
    expect(lines(asserted, "12", "+493012")).toEqual(["P-Asserted-Identity: <sip:+493012@example.test>"]);
    const identity_uri = "sip:{identity}@c.test;ext={user}";
    expect(lines({ ...asserted, identity_uri }, "12", "+493012")).toEqual([
      "P-Asserted-Identity: <sip:+493012@c.test;ext=12>",
    ]);
  });

  test.each([
    ["nothing by default", {}, "alice", []],
    [
      "asserted (RFC 3325 §9.1)",
      { identity: "asserted" },
      "alice",
      ["P-Asserted-Identity: <sip:alice@example.test>"],
    ],
    [
      "remote party",
      { identity: "remote_party" },
      "alice",
      ["Remote-Party-ID: <sip:alice@example.test>;party=calling;screen=yes"],
    ],
    ["nobody was proved", { identity: "asserted" }, null, []],
    [
      "a number for each",
      { identity: "asserted", identity_uri: "sip:+4930{user}@c.test" },
      "12",
      ["P-Asserted-Identity: <sip:+493012@c.test>"],
    ],
    [
      "one number for all",
      { identity: "asserted", identity_uri: "sip:+4930@c.test" },
      null,
      ["P-Asserted-Identity: <sip:+4930@c.test>"],
    ],
    ["a name that would break the header", { identity: "asserted" }, "a>\r\nX: y", []],
    ["a name with a $", { identity: "asserted" }, "$&", ["P-Asserted-Identity: <sip:$&@example.test>"]],
  ])("%s", (_, rules, user, expected) => {
    expect(lines(rules, user)).toEqual(expected);
  });
});

describe("SIP-40, RFC 5922 §7 the peer by its certificate", () => {
  const lab = new BookLab([
    { name: "carrier", uris: ["sip:a.test"], certificate_name: "Trunk.Example.net" },
    { name: "site", uris: ["sip:b.test"], networks: ["10.0.0.0/8"] },
  ]);
  const from = (remoteAddress: string, names?: readonly string[] | null) =>
    lab.book.peerOf({ remoteAddress, ...(names !== undefined && { names }) })?.name ?? null;

  test("the name counts, wherever it comes from, also before the network it comes from", () => {
    expect(from("192.0.2.1", ["other.net", "trunk.example.net"])).toBe("carrier");
    expect(from("10.0.0.1", ["trunk.example.net"])).toBe("carrier");
    expect(from("192.0.2.1", ["*.example.net"])).toBe("carrier");
  });

  test("without it, the network alone", () => {
    for (const names of [undefined, null, [], ["example.net"], ["a.trunk.example.net"]]) {
      expect(from("192.0.2.1", names)).toBeNull();
      expect(from("10.0.0.1", names)).toBe("site");
    }
  });
});

describe("B-25 the peer by source network", () => {
  test("the smallest network counts", () => {
    const lab = new BookLab([
      { name: "wide", uris: ["sip:a.test"], networks: ["10.0.0.0/8", "2001:db8::/32"] },
      { name: "narrow", uris: ["sip:b.test"], networks: ["10.1.0.0/16", "2001:db8:1::/48"] },
      { name: "single", uris: ["sip:c.test"], networks: ["10.1.2.3"] },
    ]);
    const at = (address: string) => lab.book.peerAt(address)?.name ?? null;
    expect(["10.2.0.1", "10.1.0.1", "10.1.2.3", "11.0.0.1"].map(at)).toEqual([
      "wide",
      "narrow",
      "single",
      null,
    ]);
    expect(["2001:db8:2::1", "2001:db8:1::1", "2001:db9::1"].map(at)).toEqual(["wide", "narrow", null]);
    expect(["", "gw.test", "10.1.2", "::g", "10.1.2.3"].map(at)).toEqual([null, null, null, null, "single"]);
  });

  test("agrees with the network list of the rest of the house", () => {
    const byte = fc.constantFrom(0, 1, 10, 127, 128, 255);
    const v4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join("."));
    const v6 = fc
      .array(fc.constantFrom(0, 1, 0x80, 0x8000, 0xffff), { minLength: 8, maxLength: 8 })
      .map((groups) => groups.map((group) => group.toString(16)).join(":"));
    for (const [addresses, bits] of [
      [v4, 32],
      [v6, 128],
    ] as const) {
      const networks = fc.array(
        fc.tuple(addresses, fc.nat(bits)).map(([address, prefix]) => `${address}/${prefix}`),
        { maxLength: 5 },
      );
      fc.assert(
        fc.property(networks, addresses, (list, address) => {
          const mine = new SourceNetworks(list.map((network) => [network, "p"] as const));
          expect(mine.ownerOf(address) === "p").toBe(new Networks(list).has(address));
        }),
        { numRuns: 1000 },
      );
    }
  });
});

describe("rules between the keys", () => {
  const told = (draft: { peer?: object[]; route?: object[]; asks?: string }) => {
    const paths: string[] = [];
    const checked = {
      peer: peerKeys(...((draft.peer ?? []) as never[])),
      route: routeKeys(...((draft.route ?? []) as never[])),
      listen: [{ transport: "tls" }],
      tls: { client_certificate: draft.asks ?? "none" },
    };
    for (const rule of PEER_RULES) rule(checked, (path) => paths.push(path.join(".")));
    return paths;
  };
  const peer = (name: string, more = {}) => ({ name, uris: ["sip:gw.test"], ...more });

  test.each([
    ["all is well", { peer: [peer("a")], route: [{ name: "r", to: ["peer:a"], callers: ["peer:a"] }] }, []],
    ["a name twice", { peer: [peer("a"), peer("a")] }, ["peer.1.name"]],
    [
      "a route's name twice",
      {
        route: [
          { name: "r", to: ["x"] },
          { name: "r", to: ["x"] },
        ],
      },
      ["route.1.name"],
    ],
    [
      "a network of two",
      {
        peer: [
          peer("a", { networks: ["10.0.0.1", "2001:db8::1"] }),
          peer("b", { networks: ["2001:db8:0::1", "10.0.0.1/32"] }),
        ],
      },
      ["peer.1.networks.0", "peer.1.networks.1"],
    ],
    [
      "SIP-40 a certificate's name of two",
      {
        asks: "request",
        peer: [peer("a", { certificate_name: "Gw.test" }), peer("b", { certificate_name: "gw.test" })],
      },
      ["peer.1.certificate_name"],
    ],
    [
      "SIP-40 a certificate that nobody is asked for",
      { peer: [peer("a", { certificate_name: "gw.test" })] },
      ["peer.0.certificate_name"],
    ],
    [
      "a route to nobody",
      { peer: [peer("a")], route: [{ name: "r", to: ["x", "peer:b"], callers: ["peer:c"] }] },
      ["route.0.to.1", "route.0.callers.0"],
    ],
  ] as const)("%s", (_, draft, paths) => {
    expect(told(draft as never)).toEqual([...paths]);
  });
});

describe("the keys", () => {
  test("defaults: probed each 30 s, no limits, Retry-After up to an hour, no password-free source", () => {
    expect(peerKeys({ name: "p", uris: ["sip:gw.test"] })).toMatchObject([
      {
        networks: [],
        identity: "none",
        calls_max: 0,
        calls_per_s: 0,
        probe_s: 30,
        probe_down: 2,
        probe_up: 1,
        retry_after_default_s: 0,
        retry_after_min_s: 0,
        retry_after_max_s: 3600,
        unreachable_s: 60,
      },
    ]);
  });

  test("a route is for users here and numbers of our domains unless it says otherwise", () => {
    expect(routeKeys({ name: "r", to: ["peer:p"] })).toMatchObject([
      {
        domains: ["ours"],
        callers: ["users"],
        numbers: [],
        times: [],
        strip: 0,
        number_format: "keep",
        last: false,
      },
    ]);
  });

  test.each([
    ["no URI", { uris: [] }],
    ["too many URIs", { uris: Array.from({ length: 17 }, (_, i) => `sip:gw${i}.test`) }],
    ["a URI with headers", { uris: ["sip:gw.test?X=y"] }],
    ["a bad name", { name: "a b" }],
    ["a bad network", { networks: ["10.0.0.0/33"] }],
    ["an identity that is no URI", { identity_uri: "{user}" }],
    ["a limit below nothing", { calls_max: -1 }],
    ["an unknown key", { uri: "sip:gw.test" }],
  ])("a peer with %s is refused", (_, table) => {
    expect(() => peerKeys({ name: "p", uris: ["sip:gw.test"], ...table })).toThrow();
  });

  test.each([
    ["no destination", { to: [] }],
    ["a regular expression", { numbers: ["^00.*"] }],
    ["a bad time zone", { time_zone: "Mars/Olympus" }],
    ["a country code with zeros", { country_code: "0049" }],
    ["a prefix with a letter", { prefix: "a" }],
  ])("a route with %s is refused", (_, table) => {
    expect(() => routeKeys({ name: "r", to: ["peer:p"], ...table })).toThrow();
  });
});
