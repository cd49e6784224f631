/** Under which names an account may call, and calls of our own phones that name nobody (RFC 3323, RFC 3325). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { credentials } from "../auth/credentials.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { Phone, text, World } from "../proxy/kit.ts";
import { configOf } from "../support/world.ts";

const PASSWORD = "wonderland";
const USERS = `
[[user]]
name = "alice"
password = "${PASSWORD}"
identities = ["+49301234", "+4930555*"]
[[user]]
name = "pbx"
password = "${PASSWORD}"
identities = ["*"]
`;
const TRUSTED = 'trusted_networks = ["10.20.0.5"]\n';
const FOREIGN_IN = "[calls]\naccept_foreign_callers = true\n";
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';

/** alice, bob and a PBX have accounts; a trusted host is registered as 300; mallory has none. */
function rig(auth = "", toml = "") {
  const world = new World({ toml: `[auth]\n${TRUSTED}${auth}${toml}${USERS}` });
  const phone = (name: string, address: string): Phone => new Phone(world, name, address);
  const phones = {
    alice: phone("alice", "198.51.100.7"),
    bob: phone("bob", "198.51.100.8"),
    pbx: phone("pbx", "198.51.100.9"),
    trusted: phone("300", "10.20.0.5"),
    mallory: phone("mallory", "203.0.113.66"),
  };
  for (const { name } of [phones.alice, phones.bob, phones.pbx, phones.trusted])
    world.account(name, PASSWORD);
  for (const each of [phones.bob, phones.trusted])
    login(each, "REGISTER", "sip:example.test", { to: `<sip:${each.name}@example.test>` });
  return { world, ...phones };
}

/** Sends, is challenged where a challenge comes, and sends again with the password. */
function login(phone: Phone, method: string, uri: string, options: RequestOptions = {}): void {
  const headers = options.headers ?? [`Contact: <${phone.contact}>`];
  const first = phone.request(method, uri, { ...options, headers });
  const answer = phone.last();
  if (answer.status !== 401 && answer.status !== 407) return;
  const [name, asked] =
    answer.status === 401
      ? (["Authorization", H.WwwAuthenticate] as const)
      : (["Proxy-Authorization", H.ProxyAuthenticate] as const);
  if (method === "INVITE") phone.ackRefusal(first, answer);
  const value = credentials(answer.texts(asked)[0]!, {
    username: phone.name,
    password: PASSWORD,
    method,
    uri,
  });
  phone.request(method, uri, { ...options, cseq: 2, headers: [...headers, `${name}: ${value}`] });
}

const BOB = "sip:bob@example.test";
const TRUNK = "sip:300@example.test";
const at = (user: string): string => `<sip:${user}@example.test>`;

describe("B-64 auth.check_from: From names the account or one of its identities", () => {
  for (const [user, name] of [
    ["alice", "alice"],
    ["+49301234", "+49301234"],
    ["al%69ce", "alice"],
    ["+4930555", "+4930555"],
    ["+49305557", "+49305557"],
  ] as const)
    test(`${user}: passes, and ${name} is what a trusted host is told`, () => {
      const { alice, trusted } = rig();
      login(alice, "INVITE", TRUNK, { from: at(user) });
      expect(trusted.incoming("INVITE").texts(H.PAssertedIdentity)).toEqual([at(name)]);
    });

  for (const from of [at("bob"), at("+49301235"), at("+4930"), at("ALICE"), "<sip:example.test>"])
    test(`${from}: 403, which says whose account it is, and is counted`, () => {
      const { world, alice, bob } = rig();
      login(alice, "INVITE", BOB, { from });
      expect([alice.last().status, bob.count("INVITE")]).toEqual([403, 0]);
      expect(text(alice.last())).toContain(
        'Warning: 399 sipedge "Account alice may not call under the name in From',
      );
      expect(world.counter("sipedge_refusals_total", { rule: "auth.check_from", status: "403" })).toBe(1);
    });

  test("the trace says which name an account called under, and why it might not", () => {
    const { world, alice } = rig();
    login(alice, "INVITE", BOB, { from: at("+49301234"), callId: "own" });
    login(alice, "INVITE", BOB, { from: at("bob"), callId: "another" });
    const notes = (callId: string): string[] =>
      world.core.traces.find(callId)!.entries.flatMap((entry) => (entry.kind === "note" ? [entry.text] : []));
    expect(notes("own")).toContainEqual(expect.stringMatching(/^caller: account alice as \+49301234/));
    expect(notes("another")).toContain(
      "refused: 403 Account alice may not call under the name in From (auth.check_from)",
    );
  });

  test("a MESSAGE is held to it as well", () => {
    const { alice, bob } = rig();
    login(alice, "MESSAGE", BOB, { from: at("bob") });
    expect([alice.last().status, bob.count("MESSAGE")]).toEqual([403, 0]);
  });

  test('an account with "*" calls under any name', () => {
    const { pbx, bob, trusted } = rig();
    login(pbx, "INVITE", BOB, { from: at("+4989777") });
    login(pbx, "INVITE", TRUNK, { from: at("+4989777"), callId: "2" });
    expect(bob.count("INVITE")).toBe(1);
    expect(trusted.incoming("INVITE").texts(H.PAssertedIdentity)).toEqual([at("+4989777")]);
  });

  test("but under none that would break a URI: 403", () => {
    const { pbx, bob } = rig();
    login(pbx, "INVITE", BOB, { from: at("king%40elsewhere.test%3E") });
    expect([pbx.last().status, bob.count("INVITE")]).toEqual([403, 0]);
  });

  test("off: any name passes, and the account is what a trusted host is told", () => {
    const { alice, trusted } = rig("check_from = false\n");
    login(alice, "INVITE", TRUNK, { from: at("bob") });
    expect(trusted.incoming("INVITE").texts(H.PAssertedIdentity)).toEqual([at("alice")]);
  });

  test("off: a password is asked for all the same", () => {
    const { mallory, bob } = rig("check_from = false\n");
    mallory.request("INVITE", BOB, { from: at("bob") });
    expect([mallory.last().status, bob.count("INVITE")]).toEqual([407, 0]);
  });

  test("a change of the configuration holds for the next call", () => {
    const { world, alice, bob } = rig();
    world.core.configure(
      configOf(`domains = ["example.test"]\n[auth]\n${TRUSTED}${USERS.replace("+49301234", "7")}`),
    );
    login(alice, "INVITE", BOB, { from: at("+49301234") });
    expect(alice.last().status).toBe(403);
    login(alice, "INVITE", BOB, { from: at("7"), callId: "2" });
    expect(bob.count("INVITE")).toBe(1);
  });
});

describe("B-64 RFC 3325 §9.2 P-Preferred-Identity: which of its names a caller asks for", () => {
  const cases: readonly [string, string][] = [
    ["<sip:+49301234@example.test>", "+49301234"],
    ["<tel:+49-30-1234>", "+49301234"],
    ["<sip:king@example.test>", "alice"],
    ["<sip:+49301234@elsewhere.test>", "alice"],
    ["<<broken", "alice"],
  ];
  for (const [preferred, told] of cases)
    test(`${preferred}: a trusted host is told ${told}`, () => {
      const { alice, trusted } = rig();
      login(alice, "INVITE", TRUNK, { headers: [`P-Preferred-Identity: ${preferred}`] });
      const arrived = trusted.incoming("INVITE");
      expect(arrived.texts(H.PAssertedIdentity)).toEqual([at(told)]);
      expect(arrived.texts(H.PPreferredIdentity)).toEqual([]);
    });
});

describe("B-64 RFC 3323 §4.1.1.3 a From that names nobody", () => {
  for (const from of [
    ANONYMOUS,
    "<sip:x@nowhere.invalid>",
    at("anonymous"),
    at("Anonymous"),
    "<tel:+49301234>",
  ])
    test(`${from}: proved by its account it passes, to our users and to the world`, () => {
      const { alice, bob, mallory } = rig();
      login(alice, "INVITE", BOB, { from });
      login(alice, "INVITE", "sip:mallory@203.0.113.66", { from, callId: "2" });
      expect([bob.count("INVITE"), mallory.count("INVITE")]).toEqual([1, 1]);
      expect(bob.incoming("INVITE").text(H.From)).toContain(from);
    });

  test("a trusted host is told the account, or the name preferred, with the wish; a phone is told neither", () => {
    const { alice, bob, trusted } = rig();
    const privacy = "Privacy: id";
    login(alice, "INVITE", TRUNK, { from: ANONYMOUS, headers: [privacy] });
    expect(trusted.incoming("INVITE").texts(H.PAssertedIdentity)).toEqual([at("alice")]);
    expect(trusted.incoming("INVITE").texts(H.Privacy)).toEqual(["id"]);
    const headers = [privacy, `P-Preferred-Identity: ${at("+49301234")}`];
    login(alice, "INVITE", TRUNK, { from: ANONYMOUS, headers, callId: "2" });
    expect(trusted.incoming("INVITE").texts(H.PAssertedIdentity)).toEqual([at("+49301234")]);
    login(alice, "INVITE", BOB, { from: ANONYMOUS, headers, callId: "3" });
    const arrived = bob.incoming("INVITE");
    expect([arrived.texts(H.PAssertedIdentity), arrived.texts(H.PPreferredIdentity)]).toEqual([[], []]);
  });

  test("a number that is another's: 403", () => {
    const { alice, bob } = rig();
    login(alice, "INVITE", BOB, { from: "<tel:+49309999>" });
    expect([alice.last().status, bob.count("INVITE")]).toEqual([403, 0]);
  });

  test("without a password: 407, and nobody rings", () => {
    const { mallory, bob } = rig();
    mallory.request("INVITE", BOB, { from: ANONYMOUS });
    expect([mallory.last().status, bob.count("INVITE")]).toEqual([407, 0]);
  });

  test("where foreign callers are accepted, a stranger's anonymous call is one; further than to us it is asked", () => {
    const { mallory, bob, alice } = rig("", FOREIGN_IN);
    mallory.request("INVITE", BOB, { from: ANONYMOUS });
    expect(bob.count("INVITE")).toBe(1);
    mallory.request("INVITE", "sip:alice@198.51.100.7", { from: ANONYMOUS, callId: "2" });
    expect([mallory.last().status, alice.count("INVITE")]).toEqual([407, 0]);
  });

  test("there a phone that has registered is asked, and so is whoever brings a proof", () => {
    const { bob, trusted, mallory } = rig("", FOREIGN_IN);
    bob.request("INVITE", TRUNK, { from: ANONYMOUS });
    expect([bob.last().status, trusted.count("INVITE")]).toEqual([407, 0]);
    const bad =
      'Proxy-Authorization: Digest username="bob", realm="example.test", nonce="n", uri="sip:x", response="0"';
    mallory.request("INVITE", BOB, { from: ANONYMOUS, headers: [bad] });
    expect([mallory.last().status, bob.count("INVITE")]).toEqual([407, 0]);
  });

  test("an ACK is never challenged", () => {
    const { mallory } = rig();
    mallory.request("ACK", BOB, { from: ANONYMOUS, toTag: "x" });
    expect(mallory.got).toEqual([]);
  });
});
