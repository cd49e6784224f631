/** A changed config takes effect on the next message; what runs goes on. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { Phone, setUp, World } from "../proxy/kit.ts";
import { INNER, registerFlow, URN } from "../support/natted-phones.ts";
import { configOf } from "../support/world.ts";

const BASE = 'config_version = 1\ndomains = ["example.test"]\n';
const TRUST = '[auth]\ntrusted_networks = ["198.51.100.0/24"]\n';

function rig() {
  const world = new World({ toml: TRUST });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  return { world, alice, bob };
}

describe("a changed config", () => {
  test("auth.trusted_networks: challenged from now on, bindings stay", () => {
    const { world, alice, bob } = rig();
    world.core.configure(configOf(BASE));
    alice.request("INVITE", "sip:bob@example.test");
    expect([alice.last().status, bob.count("INVITE")]).toEqual([407, 0]);
    expect(world.store.bindings("bob")).toHaveLength(1);
  });

  test("auth.realm: challenges name the new one, and old hashes prove nothing", () => {
    const { world, alice } = rig();
    world.account("alice", "wonderland");
    world.core.configure(configOf(`${BASE}[auth]\nrealm = "other"\nalgorithms = ["MD5"]\n`));
    alice.request("INVITE", "sip:bob@example.test");
    const challenges = alice.last().texts(H.ProxyAuthenticate);
    expect(challenges).toHaveLength(1);
    expect(challenges[0]).toMatch(/^Digest realm="other", nonce="[^"]+", algorithm=MD5, /);
  });

  test("domains: the new name is ours, a name taken off is not", () => {
    const { world, alice } = rig();
    world.core.configure(configOf(`config_version = 1\ndomains = ["new.test"]\n${TRUST}`));
    alice.request("OPTIONS", "sip:new.test");
    expect(alice.last().status).toBe(200);
    expect(world.core.domains.canonical).toBe("new.test");
    alice.request("REGISTER", "sip:new.test", { to: "<sip:alice@example.test>" });
    expect(alice.last().status).toBe(404);
  });

  test("another main name: who registered under the old one is called under both, without a new REGISTER", () => {
    const { world, alice, bob } = rig();
    const domains = 'domains = ["new.test", "example.test"]';
    world.core.configure(configOf(`config_version = 1\n${domains}\n${TRUST}`));
    alice.request("INVITE", "sip:bob@new.test", { callId: "one" });
    alice.request("INVITE", "sip:bob@example.test", { callId: "two" });
    expect(bob.count("INVITE")).toBe(2);
    expect(world.store.bindings("bob")).toHaveLength(1);
  });

  test("another main name: a phone that gets the port of another one at their NAT displaces it as before", () => {
    const world = new World({ toml: TRUST });
    const onePort = new Phone(world, "alice", "198.51.100.20");
    registerFlow(onePort, { contact: `sip:alice@${INNER}` });
    world.core.configure(configOf(`config_version = 1\ndomains = ["new.test", "example.test"]\n${TRUST}`));
    expect(world.core.keepalive.counts()).toMatchObject({ all: 1, registration: 1 });
    registerFlow(onePort, {
      ...{ user: "carol", contact: "sip:carol@192.168.1.99", callId: "another", domain: "new.test" },
      instance: URN.replace("AABBCC", "112233"),
    });
    world.run(1);
    expect([world.store.bindings("alice"), world.store.bindings("carol").length]).toEqual([[], 1]);
  });

  test("registrar limits", () => {
    const { world, bob } = rig();
    world.core.configure(configOf(`${BASE}${TRUST}[registrar]\nmin_expires_s = 600\n`));
    expect(() => bob.register(300)).toThrow("423");
  });

  test("a call in progress goes on: its token is still good", () => {
    const { world, alice, bob } = rig();
    const call = setUp(alice, bob);
    world.core.configure(configOf(BASE)); // nobody is trusted any more
    const headers = call.caller.route.map((entry) => `Route: ${entry}`);
    const { callId, from, fromTag, to, toTag } = call.caller;
    alice.request("BYE", call.caller.target, { callId, from, fromTag, to, toTag, cseq: 2, headers });
    expect(bob.count("BYE")).toBe(1);
  });

  test("limits.transactions_max", () => {
    const { world, alice, bob } = rig();
    world.run(60_000);
    world.core.configure(configOf(`${BASE}${TRUST}[limits]\ntransactions_max = 100\n`));
    for (let i = 0; i < 80; i++)
      alice.request("MESSAGE", "sip:bob@example.test", { callId: `m${i}`, headers: [] });
    expect(alice.statuses("MESSAGE")).toContain(503);
    expect(world.core.layer.size).toBeLessThanOrEqual(101);
    expect(bob.count("MESSAGE")).toBeGreaterThan(40);
  });
});
