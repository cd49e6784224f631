/** Request validation (RFC 3261 §16.3), seen from outside. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { RequestOptions } from "./kit.ts";
import { lab, lines, Phone, text } from "./kit.ts";

function rig(toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  return { world, alice, bob };
}

/** The status alice gets for this request to bob; "forwarded" when bob got it. */
function outcome(method: string, options: RequestOptions = {}, uri = "sip:bob@example.test") {
  const { alice, bob } = rig();
  alice.request(method, uri, options);
  return bob.count(method) > 0 ? "forwarded" : alice.last().status;
}

describe("RFC 3261 §16.3 step 1 reasonable syntax", () => {
  const twice: readonly [string, string][] = [
    ["From", "From: <sip:mallory@example.test>;tag=2"],
    ["To", "To: <sip:carol@example.test>"],
    ["Call-ID", "Call-ID: other"],
    ["CSeq", "CSeq: 2 INVITE"],
    ["Max-Forwards", "Max-Forwards: 5"],
    ["compact From", "f: <sip:mallory@example.test>;tag=2"],
  ];
  test("Session-Expires and Remote-Party-ID beside the mandatory ones: passed on", () => {
    for (const header of ["Session-Expires: 1800", "x: 90", "Remote-Party-ID: <sip:a@b.test>"])
      expect(outcome("INVITE", { headers: [header] })).not.toBe(400);
  });
  for (const [name, header] of twice)
    test(`${name} twice: 400`, () => expect(outcome("INVITE", { headers: [header] })).toBe(400));

  test("an unknown method with unknown headers passes unread", () => {
    expect(outcome("FROBNICATE", { headers: ["X-Odd: \u00ff;;,,<", "Date: nonsense"] })).toBe("forwarded");
  });

  test("a malformed header that only the other side needs passes", () => {
    expect(outcome("INVITE", { headers: ["Contact: <<<", "Expires: never"] })).toBe("forwarded");
  });

  const malformed: readonly [string, RequestOptions][] = [
    ["From with an open quote", { from: '"Alice <sip:alice@example.test>' }],
    ["From with an open bracket", { from: "<sip:alice@example.test" }],
    ["Max-Forwards that is no number", { maxForwards: "seventy" }],
    ["Max-Forwards below zero", { maxForwards: "-1" }],
    ["a Route that is no URI", { headers: ["Route: <nonsense>"] }],
  ];
  for (const [name, options] of malformed)
    test(`${name}: 400`, () => expect(outcome("INVITE", options)).toBe(400));

  test("the answer mirrors Via, From, To, Call-ID and CSeq and says why in a Warning", () => {
    const { alice } = rig();
    alice.request("INVITE", "sip:bob@example.test", { maxForwards: "x", branch: "z9hG4bKv" });
    const warning = alice
      .last()
      .bytes.toString()
      .match(/\r\nWarning: 399 \S+ "([^"\r]+)"\r\n/);
    expect(warning?.[1]).toContain("Max-Forwards");
    expect(lines(alice.last()).slice(0, 5)).toEqual([
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKv;rport=5060;received=198.51.100.7",
      "From: <sip:alice@example.test>;tag=alice-tag",
      expect.stringMatching(/^To: <sip:bob@example\.test>;tag=\S+$/),
      "Call-ID: call-alice",
      "CSeq: 1 INVITE",
    ]);
  });
});

describe("RFC 3261 §16.3 step 2 URI scheme", () => {
  for (const uri of ["mailto:bob@example.test", "nobodyKnowsThisScheme:totallyopaquecontent"])
    test(`${uri}: 416`, () => expect(outcome("INVITE", {}, uri)).toBe(416));
  test("SIP: in capitals passes", () =>
    expect(outcome("INVITE", {}, "SIP:bob@example.test")).toBe("forwarded"));
});

describe("SIP-06 RFC 3261 §16.3 step 3 Max-Forwards", () => {
  test("absent: passes and adds 70", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test", { maxForwards: null });
    expect(bob.incoming("INVITE").texts(H.MaxForwards)).toEqual(["70"]);
  });
  for (const [given, left] of [
    [1, "0"],
    [70, "69"],
    [255, "254"],
    [300, "254"],
  ] as const)
    test(`${given}: passes on as ${left}`, () => {
      const { alice, bob } = rig();
      alice.request("INVITE", "sip:bob@example.test", { maxForwards: given });
      expect(bob.incoming("INVITE").texts(H.MaxForwards)).toEqual([left]);
    });
  for (const method of ["INVITE", "MESSAGE", "BYE"])
    test(`0: ${method} gets 483`, () => expect(outcome(method, { maxForwards: 0 })).toBe(483));
  test("0: OPTIONS gets 483 or our own 200, and goes no further (§11)", () => {
    expect([200, 483]).toContain(outcome("OPTIONS", { maxForwards: 0 }) as number);
  });
  test("0: a request for ourselves is served", () => {
    const { alice } = rig();
    alice.request("OPTIONS", "sip:example.test", { maxForwards: 0 });
    expect(alice.last().status).toBe(200);
    alice.request("REGISTER", "sip:example.test", { maxForwards: 0, to: "<sip:alice@example.test>" });
    expect(alice.last().status).toBe(200);
  });
});

describe("RFC 3261 §16.3 step 5 Proxy-Require", () => {
  test("420 with Unsupported naming every tag", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test", {
      headers: ["Proxy-Require: foo, sec-agree", "Proxy-Require: bar"],
    });
    expect(bob.count("INVITE")).toBe(0);
    expect(alice.last().status).toBe(420);
    expect(text(alice.last())).toContain("\r\nUnsupported: foo, sec-agree, bar\r\n");
  });
  test("Require is the other side's business", () =>
    expect(outcome("INVITE", { headers: ["Require: 100rel"] })).toBe("forwarded"));
});

describe("RFC 3261 §8.2 requests for ourselves", () => {
  test("SRV-03 OPTIONS: 200 with Allow, Accept and Supported (§11.2)", () => {
    const { alice } = rig();
    alice.request("OPTIONS", "sip:example.test");
    const answer = text(alice.last());
    expect(alice.last().status).toBe(200);
    for (const header of ["Allow: ", "Accept: ", "Supported: "]) expect(answer).toContain(`\r\n${header}`);
  });
  for (const [method, status] of [
    ["INVITE", 405],
    ["MESSAGE", 405],
    ["BYE", 405],
    ["FROBNICATE", 501],
  ] as const)
    test(`${method}: ${status}`, () => {
      const { alice } = rig();
      alice.request(method, "sip:example.test");
      expect(alice.last().status).toBe(status);
      expect(text(alice.last()).includes("\r\nAllow: ")).toBe(status === 405);
    });
  test("Require of something we do not have: 420 with Unsupported (§8.2.2.3)", () => {
    const { alice } = rig();
    alice.request("OPTIONS", "sip:example.test", { headers: ["Require: nothing-we-know"] });
    expect(text(alice.last())).toContain("\r\nUnsupported: nothing-we-know\r\n");
  });
});
