/** A realm for each domain (RFC 3261 §22.1): who is asked with which, and whose hash proves what. */
import { describe, expect, test } from "bun:test";
import { accountOf, configUsers, RealmAccounts } from "../../src/app/accounts.ts";
import { H } from "../../src/message/header-names.ts";
import { credentials } from "../auth/credentials.ts";
import { errorsOf } from "../config/support.ts";
import { Phone, World } from "../proxy/kit.ts";
import { configOf } from "../support/world.ts";

const PASSWORD = "wonderland";
const HA1 = accountOf("carol", "asterisk", PASSWORD);
const REALMS = `
[[realm]]
name = "asterisk"
domains = ["192.0.2.1"]
[[user]]
name = "alice"
password = "${PASSWORD}"
[[user]]
name = "carol"
ha1 = "${HA1.ha1_md5}"
realm = "asterisk"
`;

/** alice has a password in the configuration, carol a hash made for "asterisk", bob an account in the store. */
function rig(toml = REALMS) {
  const world = new World({ toml });
  const users = configUsers(configOf(`domains = ["example.test"]\n${toml}`));
  const stored = world.users.find.bind(world.users);
  Object.assign(world.users, {
    find: (name: string) => users.find((user) => user.name === name) ?? stored(name),
  });
  world.account("bob", PASSWORD);
  const phone = (name: string, last: number) => new Phone(world, name, `198.51.100.${last}`);
  return { world, alice: phone("alice", 7), bob: phone("bob", 8), carol: phone("carol", 9) };
}

/** Registers at that host; returns the realm it was asked with and the last status. */
function register(phone: Phone, host: string): [string, number] {
  const uri = `sip:${host}`;
  const options = { to: `<sip:${phone.name}@${host}>`, callId: `${phone.name} ${host}` };
  phone.request("REGISTER", uri, options);
  const challenge = phone.last().texts(H.WwwAuthenticate)[0] ?? "";
  const value = credentials(challenge, {
    username: phone.name,
    password: PASSWORD,
    method: "REGISTER",
    uri,
  });
  const headers = [`Contact: <${phone.contact}>`, `Authorization: ${value}`];
  phone.request("REGISTER", uri, { ...options, cseq: 2, headers });
  return [/realm="([^"]*)"/.exec(challenge)?.[1] ?? "", phone.last().status];
}

describe("RFC 3261 §22.1 the realm of a challenge follows the domain", () => {
  test("of To where a phone registers", () => {
    const { alice } = rig();
    expect(register(alice, "192.0.2.1")).toEqual(["asterisk", 200]);
    expect(register(alice, "example.test")).toEqual(["example.test", 200]);
    expect(register(alice, "EXAMPLE.test:5060")).toEqual(["example.test", 200]);
  });

  const asked = (from: string, uri = "sip:bob@example.test"): string => {
    const { alice } = rig();
    alice.request("INVITE", uri, { from });
    expect(alice.last().status).toBe(407);
    return /realm="([^"]*)"/.exec(alice.last().texts(H.ProxyAuthenticate)[0] ?? "")?.[1] ?? "";
  };

  test("of From where a phone calls, whomever", () => {
    expect(asked("<sip:alice@192.0.2.1>")).toBe("asterisk");
    expect(asked("<sip:alice@192.0.2.1>", "sip:x@elsewhere.test")).toBe("asterisk");
    expect(asked("<sip:alice@example.test>", "sip:bob@192.0.2.1")).toBe("example.test");
  });

  test("of the Request-URI where From names nobody", () => {
    expect(asked("<sip:anonymous@anonymous.invalid>", "sip:bob@192.0.2.1")).toBe("asterisk");
    expect(asked("<tel:+4930>", "sip:bob@192.0.2.1")).toBe("asterisk");
    expect(asked("<sip:anonymous@anonymous.invalid>", "sip:bob@elsewhere.test")).toBe("example.test");
  });

  test("an account is one of all domains: both registrations are bindings of one address-of-record", () => {
    const { world, alice } = rig();
    register(alice, "192.0.2.1");
    register(alice, "example.test");
    expect([...world.store.all()].map(({ user }) => user)).toEqual(["alice"]);
  });
});

describe("RFC 7616 §3.4.2 a hash is of use in its own realm only", () => {
  test("a hash of the configuration names its realm", () => {
    const { carol } = rig();
    expect(register(carol, "192.0.2.1")).toEqual(["asterisk", 200]);
    expect(register(carol, "example.test")).toEqual(["example.test", 401]);
  });

  test("a stored account logs in where its hash was made for", () => {
    const { world, bob } = rig();
    expect(register(bob, "example.test")).toEqual(["example.test", 200]);
    expect(register(bob, "192.0.2.1")).toEqual(["asterisk", 401]);
    expect(world.counter("sipedge_auth_challenges_total", { cause: "unknown_user" })).toBe(1);
  });

  test("what proves one realm proves the account towards every domain, and goes no further", () => {
    const { world, alice, bob } = rig();
    register(bob, "example.test");
    const uri = "sip:bob@example.test";
    const first = alice.request("INVITE", uri, { from: "<sip:alice@192.0.2.1>" });
    alice.ackRefusal(first, alice.last());
    const challenge = alice.last().texts(H.ProxyAuthenticate)[0] ?? "";
    const value = credentials(challenge, { username: "alice", password: PASSWORD, method: "INVITE", uri });
    const headers = [`Contact: <${alice.contact}>`, `Proxy-Authorization: ${value}`];
    alice.request("INVITE", uri, { cseq: 2, headers });
    world.run(20);
    expect(bob.incoming("INVITE").texts(H.ProxyAuthorization)).toEqual([]);
  });

  test("a changed configuration holds at once; without [[realm]] there is one realm", () => {
    const { world, alice } = rig();
    world.core.configure(configOf('domains = ["example.test"]'));
    expect(register(alice, "192.0.2.1")).toEqual(["example.test", 200]);
  });

  test("a disabled account logs in nowhere", () => {
    const { world } = rig();
    const user = { ...accountOf("bob", "example.test", PASSWORD), disabled: true };
    const users = { ...world.users, find: () => user };
    expect(new RealmAccounts(configOf(REALMS)).usable(users, "bob", "example.test")).toBeNull();
  });
});

test.each([
  ["a realm twice", '[[realm]]\nname="a"\ndomains=["192.0.2.1"]\n[[realm]]\nname="a"\ndomains=["192.0.2.2"]'],
  [
    "a domain twice",
    '[[realm]]\nname="a"\ndomains=["192.0.2.1"]\n[[realm]]\nname="b"\ndomains=["192.0.2.1"]',
  ],
  ["a domain that is none of ours", '[[realm]]\nname="a"\ndomains=["elsewhere.test"]'],
  ["no domain", '[[realm]]\nname="a"\ndomains=[]'],
  ["a hash for an unknown realm", `[[user]]\nname="c"\nha1="${HA1.ha1_md5}"\nrealm="x"`],
  ["a realm beside a password", '[[user]]\nname="c"\npassword="p"\nrealm="sipedge"'],
])("a configuration with %s is refused", (_name, toml) => {
  expect(errorsOf(toml).length).toBe(1);
});
