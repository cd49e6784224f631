/** RFC 3608: the registrar tells phones the way for what they send. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { entries, lab, Phone, text } from "../../proxy/kit.ts";
import { behindNat, registerFlow } from "../../support/natted-phones.ts";

const ON = "[registrar]\nservice_route = true\n";
/** No known header: its lines as text. */
const serviceRoutes = (phone: Phone) =>
  [...text(phone.last()).matchAll(/\r\nService-Route: ([^\r]*)/g)].map(([, value]) => value);

describe("RFC 3608 §6.1, B-04", () => {
  test("none unless configured", () => {
    const world = lab();
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    registerFlow(phone);
    expect(serviceRoutes(phone)).toEqual([]);
  });

  for (const [name, address, edge, transport, expected] of [
    ["UDP", "198.51.100.7", "192.0.2.1", "udp", "<sip:192.0.2.1:5060;lr>"],
    ["TCP", "198.51.100.7", "192.0.2.1", "tcp", "<sip:192.0.2.1:5060;transport=tcp;lr>"],
    ["IPv6", "2001:db8:7::7", "2001:db8::1", "udp", "<sip:[2001:db8::1]:5060;lr>"],
  ] as const)
    test(`${name}: the listener the phone registered at`, () => {
      const world = lab(ON);
      const alice = new Phone(world, "alice", address, 5060, transport);
      alice.send(alice.write("REGISTER", "sip:example.test", { to: "<sip:alice@example.test>" }), edge);
      world.run(20);
      expect(alice.last().status).toBe(200);
      expect(serviceRoutes(alice)).toEqual([expected]);
    });

  test("a call that begins with it as Route goes through, and the Route is taken off", () => {
    const world = lab(ON);
    const { phone: alice } = behindNat(world, "198.51.100.20", "alice");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    registerFlow(alice);
    const [route] = serviceRoutes(alice);
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [`Route: ${route}`, `Contact: <${alice.contact}>`],
    });
    expect(entries(bob.incoming("INVITE"), H.Route)).toEqual([]);
  });

  test("it is no pass: a stranger with it gets no further than without", () => {
    const world = lab(ON);
    const evil = new Phone(world, "evil", "203.0.113.66");
    const third = new Phone(world, "third", "203.0.113.77");
    evil.request("INVITE", "sip:third@203.0.113.77", {
      from: "<sip:evil@evil.test>",
      headers: ["Route: <sip:192.0.2.1:5060;lr>", `Contact: <${evil.contact}>`],
    });
    expect(evil.last().status).toBe(403);
    expect(third.got).toHaveLength(0);
  });

  test("not in an answer that refuses", () => {
    const world = lab(ON);
    const alice = new Phone(world, "alice", "198.51.100.7");
    alice.request("REGISTER", "sip:example.test", {
      to: "<sip:alice@example.test>",
      headers: [`Contact: <${alice.contact}>;expires=1`],
    });
    expect(alice.last().status).toBe(423);
    expect(serviceRoutes(alice)).toEqual([]);
  });
});
