/** No open relay (RFC 3261 §16.3 step 6, §22.3, §26.3.2.1): who may have what forwarded, and dialog tokens. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { credentials } from "../auth/credentials.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { callerDialog, inside, Phone, World } from "../proxy/kit.ts";

const FOREIGN_IN = "[calls]\naccept_foreign_callers = true\n";

/** alice and bob are users with passwords; mallory and victim are strangers. Nobody is trusted. */
function rig(toml = "") {
  const world = new World({ toml });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  const mallory = new Phone(world, "mallory", "203.0.113.66");
  const victim = new Phone(world, "victim", "203.0.113.99");
  world.account("alice", "wonderland");
  world.account("bob", "builder");
  login(alice, "REGISTER", "sip:example.test", "wonderland", { to: "<sip:alice@example.test>" });
  login(bob, "REGISTER", "sip:example.test", "builder", { to: "<sip:bob@example.test>" });
  expect([alice.last().status, bob.last().status]).toEqual([200, 200]);
  return { world, alice, bob, mallory, victim };
}

/** Sends, is challenged, acknowledges, sends again with the password. Returns the second request. */
function login(
  phone: Phone,
  method: string,
  uri: string,
  password: string,
  options: RequestOptions = {},
): string {
  const headers = options.headers ?? [`Contact: <${phone.contact}>`];
  const first = phone.request(method, uri, { ...options, headers });
  const answer = phone.last();
  const [header, status, id] =
    method === "REGISTER"
      ? (["Authorization", 401, H.WwwAuthenticate] as const)
      : (["Proxy-Authorization", 407, H.ProxyAuthenticate] as const);
  expect(answer.status).toBe(status);
  if (method === "INVITE") phone.ackRefusal(first, answer);
  const value = credentials(answer.texts(id)[0]!, { username: phone.name, password, method, uri });
  const cseq = (options.cseq ?? 1) + 1;
  return phone.request(method, uri, { ...options, cseq, headers: [...headers, `${header}: ${value}`] });
}

const FOREIGN = "<sip:mallory@elsewhere.test>";

describe("strangers", () => {
  for (const toml of ["", FOREIGN_IN])
    test(`stranger to stranger: 403 (${toml === "" ? "foreign callers off" : "foreign callers on"})`, () => {
      const { mallory, victim } = rig(toml);
      for (const method of ["INVITE", "MESSAGE", "OPTIONS", "BYE", "REGISTER", "NOTIFY"]) {
        mallory.request(method, "sip:victim@203.0.113.99", { from: FOREIGN });
        expect([method, mallory.last().status]).toEqual([method, 403]);
      }
      expect(victim.got).toEqual([]);
    });

  for (const toml of ["", FOREIGN_IN])
    test(`by a Route past us, with a user of ours as Request-URI: 403 (${toml === "" ? "off" : "on"})`, () => {
      const { mallory, victim } = rig(toml);
      for (const route of [
        "<sip:203.0.113.99;lr>",
        "<sip:192.0.2.1;lr>, <sip:203.0.113.99;lr>",
        "<sip:203.0.113.99>",
      ])
        mallory.request("INVITE", "sip:bob@example.test", { from: FOREIGN, headers: [`Route: ${route}`] });
      expect(mallory.statuses("INVITE")).toEqual([403, 403, 403]);
      expect(victim.got).toEqual([]);
    });

  test("by maddr, in a Request-URI of our domain: nothing reaches the third party", () => {
    const { mallory, victim } = rig(FOREIGN_IN);
    mallory.request("INVITE", "sip:bob@example.test;maddr=203.0.113.99", { from: FOREIGN });
    expect(victim.got).toEqual([]);
  });

  test("an ACK of a stranger to a stranger goes nowhere and is not answered", () => {
    const { mallory, victim } = rig(FOREIGN_IN);
    mallory.request("ACK", "sip:victim@203.0.113.99", { from: FOREIGN, toTag: "x" });
    expect([mallory.got, victim.got]).toEqual([[], []]);
  });

  test("calls.accept_foreign_callers off (the default): to our users 403", () => {
    const { mallory, bob } = rig();
    mallory.request("INVITE", "sip:bob@example.test", { from: FOREIGN });
    expect([mallory.last().status, bob.count("INVITE")]).toEqual([403, 0]);
  });

  test("calls.accept_foreign_callers on: to our users it passes, without a challenge", () => {
    const { mallory, bob } = rig(FOREIGN_IN);
    mallory.request("INVITE", "sip:bob@example.test", { from: FOREIGN });
    expect(bob.count("INVITE")).toBe(1);
  });
});

describe("RFC 3261 §22.3 a From of our domain", () => {
  for (const [name, uri] of [
    ["to another user", "sip:bob@example.test"],
    ["to the world", "sip:victim@203.0.113.99"],
  ] as const)
    test(`${name}, without a password: 407, also where foreign callers are accepted`, () => {
      for (const toml of ["", FOREIGN_IN]) {
        const { alice, bob, victim } = rig(toml);
        alice.request("INVITE", uri);
        expect(alice.last().status).toBe(407);
        expect(alice.last().texts(H.ProxyAuthenticate)[0]).toContain('realm="example.test"');
        expect([bob.count("INVITE"), victim.got.length]).toEqual([0, 0]);
      }
    });

  test("every name of ours in From counts: our address, capitals, a name nobody has, no user at all", () => {
    const { mallory } = rig(FOREIGN_IN);
    for (const from of [
      "<sip:alice@192.0.2.1>",
      "<sip:alice@EXAMPLE.TEST>",
      "<sip:nobody@example.test>",
      "<sip:example.test>",
      "<sips:alice@example.test>",
    ]) {
      mallory.request("INVITE", "sip:bob@example.test", { from });
      expect([from, mallory.last().status]).toEqual([from, 407]);
    }
  });

  test("with the right password: passes, to our users and to the world", () => {
    const { alice, bob, victim } = rig();
    login(alice, "INVITE", "sip:bob@example.test", "wonderland");
    login(alice, "INVITE", "sip:victim@203.0.113.99", "wonderland", { callId: "second" });
    expect([bob.count("INVITE"), victim.count("INVITE")]).toEqual([1, 1]);
  });

  test("with a wrong password: 407 again", () => {
    const { alice, bob } = rig();
    login(alice, "INVITE", "sip:bob@example.test", "looking-glass");
    expect([alice.last().status, bob.count("INVITE")]).toEqual([407, 0]);
  });

  test("our Proxy-Authorization is not passed on, that of a foreign realm is", () => {
    const { alice, victim } = rig();
    const foreign =
      'Proxy-Authorization: Digest username="a", realm="elsewhere.test", nonce="n", uri="sip:x", response="0"';
    login(alice, "INVITE", "sip:victim@203.0.113.99", "wonderland", {
      headers: [`Contact: <${alice.contact}>`, foreign],
    });
    expect(victim.incoming("INVITE").texts(H.ProxyAuthorization)).toEqual([foreign.slice(21)]);
  });

  test("the From of another user: 403", () => {
    const { alice, bob } = rig();
    login(alice, "INVITE", "sip:bob@example.test", "wonderland", { from: "<sip:bob@example.test>" });
    expect([alice.last().status, bob.count("INVITE")]).toEqual([403, 0]);
  });

  test("captured credentials sent again from elsewhere are refused", () => {
    const { world, alice, bob, mallory } = rig();
    const sent = login(alice, "INVITE", "sip:bob@example.test", "wonderland");
    mallory.send(sent.replaceAll("198.51.100.7:5060;branch=z9hG4bK", "203.0.113.66:5060;branch=z9hG4bKm"));
    world.run(20);
    expect([mallory.statuses("INVITE"), bob.count("INVITE")]).toEqual([[407], 1]);
  });

  test("a request that claims to be inside a dialog (To tag) is challenged all the same", () => {
    const { alice, bob } = rig();
    for (const method of ["INVITE", "BYE", "MESSAGE"]) {
      alice.request(method, "sip:bob@example.test", { toTag: "pretended" });
      expect(alice.last().status).toBe(407);
    }
    expect(bob.got.filter((each) => each.isRequest)).toEqual([]);
  });

  test("a CANCEL of what was challenged: 200, and nothing else happens", () => {
    const { world, alice, bob } = rig();
    const sent = alice.request("INVITE", "sip:bob@example.test");
    alice.cancel(sent);
    world.run(1000);
    expect([alice.statuses("CANCEL"), new Set(alice.statuses("INVITE"))]).toEqual([[200], new Set([407])]);
    expect(bob.got.filter((each) => each.isRequest)).toEqual([]);
  });

  test("an ACK is never challenged: it goes nowhere", () => {
    const { alice, bob } = rig();
    const before = alice.got.length;
    alice.request("ACK", "sip:bob@example.test", { toTag: "x" });
    expect([alice.got.length, bob.count("ACK")]).toEqual([before, 0]);
  });
});

describe("auth.trusted_networks", () => {
  const TRUST = '[auth]\ntrusted_networks = ["203.0.113.66/32"]\n';
  test("are not challenged, whatever From says, wherever it goes", () => {
    const { mallory, bob, victim } = rig(TRUST);
    mallory.request("INVITE", "sip:bob@example.test", { from: "<sip:alice@example.test>" });
    mallory.request("INVITE", "sip:victim@203.0.113.99", { from: FOREIGN, callId: "2" });
    expect([bob.count("INVITE"), victim.count("INVITE")]).toEqual([1, 1]);
  });
  test("the neighbour address is", () => {
    const { world, bob } = rig(TRUST);
    const near = new Phone(world, "near", "203.0.113.67");
    near.request("INVITE", "sip:bob@example.test", { from: "<sip:alice@example.test>" });
    expect([near.last().status, bob.count("INVITE")]).toEqual([407, 0]);
  });
});

/** A call that alice made to the stranger victim, with her password. */
function outgoing(toml = "") {
  const made = rig(toml);
  const { alice, victim } = made;
  login(alice, "INVITE", "sip:victim@203.0.113.99", "wonderland");
  const arrived = victim.incoming("INVITE");
  victim.answer(arrived, 200);
  const caller = callerDialog(alice.answers("INVITE").at(-1)!);
  alice.request("ACK", caller.target, inside(caller, { cseq: 2 }));
  expect(victim.count("ACK")).toBe(1);
  const callee = {
    ...caller,
    target: alice.contact,
    from: caller.to,
    fromTag: caller.toTag,
    to: caller.from,
    toTag: caller.fromTag,
  };
  return { ...made, caller, callee };
}

describe("requests inside a dialog that was let through", () => {
  test("our user's need no password again", () => {
    const { alice, victim, caller } = outgoing();
    for (const [i, method] of ["INVITE", "INFO", "BYE"].entries()) {
      alice.request(method, caller.target, inside(caller, { cseq: 3 + i }));
      victim.answer(victim.incoming(method), 200);
      expect(alice.statuses(method).at(-1)).toBe(200);
    }
  });

  test("our user may follow a new Contact of the other side anywhere", () => {
    const { world, alice, caller } = outgoing();
    const moved = new Phone(world, "victim", "203.0.113.150");
    alice.request("BYE", moved.contact, inside(caller, { cseq: 3 }));
    expect(moved.count("BYE")).toBe(1);
  });

  test("the foreign callee's BYE passes to our caller", () => {
    const { alice, victim, callee } = outgoing();
    victim.request("BYE", callee.target, inside(callee, { cseq: 9 }));
    alice.answer(alice.incoming("BYE"), 200);
    expect(victim.statuses("BYE")).toEqual([200]);
  });

  test("from another port of its address too: NATs change ports", () => {
    const { world, alice, callee } = outgoing();
    const other = new Phone(world, "victim", "203.0.113.99", 6789);
    other.request("BYE", callee.target, inside(callee, { cseq: 9 }));
    expect(alice.count("BYE")).toBe(1);
  });

  for (const method of ["INVITE", "MESSAGE", "BYE"])
    test(`the foreign callee's ${method} to a third party does not`, () => {
      const { world, victim, callee } = outgoing();
      const third = new Phone(world, "third", "203.0.113.200");
      victim.request(method, third.contact, inside(callee, { cseq: 9 }));
      expect([third.got.length, victim.statuses(method)]).toEqual([0, [403]]);
    });

  test("nor by a second Route entry", () => {
    const { world, victim, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    const options = inside({ ...callee, route: [...callee.route, "<sip:203.0.113.200;lr>"] }, { cseq: 9 });
    victim.request("INVITE", callee.target, options);
    expect([third.got.length, victim.statuses("INVITE")]).toEqual([0, [403]]);
  });

  test("nor its ACK", () => {
    const { world, victim, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    victim.request("ACK", third.contact, inside(callee, { cseq: 9 }));
    expect(third.got).toEqual([]);
  });
});

describe("dialog tokens in wrong hands", () => {
  const attempts: readonly [string, (token: string) => string][] = [
    ["cut short", (token) => token.slice(0, -1)],
    [
      "one character changed",
      (token) => `${token.slice(0, 10)}${token[10] === "A" ? "B" : "A"}${token.slice(11)}`,
    ],
    ["invented", (token) => "A".repeat(token.length)],
    ["a single letter", () => "A"],
  ];
  for (const [name, forge] of attempts)
    test(`${name}: a stranger's BYE to a stranger is refused`, () => {
      const { world, mallory, callee } = outgoing();
      const third = new Phone(world, "third", "203.0.113.200");
      const route = callee.route.map((entry) =>
        entry.replace(/sip:([^@]+)@/, (_, token) => `sip:${forge(token)}@`),
      );
      mallory.request("BYE", third.contact, inside({ ...callee, route }, { from: FOREIGN, cseq: 9 }));
      expect([third.got.length, mallory.last().status]).toEqual([0, 403]);
    });

  test("of another Call-ID: refused", () => {
    const { world, mallory, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    mallory.request("BYE", third.contact, { ...inside(callee, { from: FOREIGN }), callId: "another" });
    expect([third.got.length, mallory.last().status]).toEqual([0, 403]);
  });

  test("the right one from a third address, to a third party: refused", () => {
    const { world, mallory, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    for (const from of [FOREIGN, callee.from, callee.to])
      mallory.request("INVITE", third.contact, inside(callee, { from, cseq: 9 }));
    expect(third.got).toEqual([]);
    for (const status of mallory.statuses("INVITE")) expect([403, 407]).toContain(status);
  });

  test("the right one with no To tag: a new request, judged as such", () => {
    const { world, mallory, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    const { toTag: _, ...options } = inside(callee, { from: FOREIGN, cseq: 9 });
    mallory.request("INVITE", third.contact, options);
    expect([third.got.length, mallory.last().status]).toEqual([0, 403]);
  });

  test("our own user's, without a To tag: a new call needs the password again", () => {
    const { world, alice, caller } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    const { toTag: _, ...options } = inside(caller, { cseq: 9 });
    alice.request("INVITE", third.contact, options);
    expect([third.got.length, alice.last().status]).toEqual([0, 407]);
  });

  test("as a strict router would send it, from a third address to a third party: refused", () => {
    const { world, mallory, callee } = outgoing();
    const third = new Phone(world, "third", "203.0.113.200");
    mallory.request("BYE", callee.route[0]!.slice(1, -1), {
      ...inside({ ...callee, route: [] }, { from: FOREIGN, cseq: 9 }),
      headers: [`Route: <${third.contact}>`],
    });
    expect([third.got.length, mallory.last().status]).toEqual([0, 403]);
  });

  test("a token of mallory's own call does not open the way to a third party", () => {
    const { world, bob, mallory } = rig(FOREIGN_IN);
    mallory.request("INVITE", "sip:bob@example.test", { from: FOREIGN });
    bob.answer(bob.incoming("INVITE"), 200);
    const own = callerDialog(mallory.answers("INVITE").at(-1)!);
    const third = new Phone(world, "third", "203.0.113.200");
    for (const method of ["INVITE", "MESSAGE", "ACK"])
      mallory.request(method, third.contact, inside(own, { cseq: 5 }));
    expect(third.got).toEqual([]);
    mallory.request("BYE", own.target, inside(own, { cseq: 6 }));
    expect(bob.count("BYE")).toBe(1);
  });
});

test("a call between our users, from the password to the BYE of the callee", () => {
  const { alice, bob } = rig();
  login(alice, "INVITE", "sip:bob@example.test", "wonderland");
  bob.answer(bob.incoming("INVITE"), 200);
  const caller = callerDialog(alice.answers("INVITE").at(-1)!);
  alice.request("ACK", caller.target, inside(caller, { cseq: 2 }));
  const callee = {
    ...caller,
    target: alice.contact,
    from: caller.to,
    fromTag: caller.toTag,
    to: caller.from,
    toTag: caller.fromTag,
  };
  bob.request("BYE", callee.target, inside(callee, { cseq: 5 }));
  expect([bob.count("ACK"), alice.count("BYE")]).toEqual([1, 1]);
  expect(alice.incoming("BYE").countOf(H.Route)).toBe(0);
});
