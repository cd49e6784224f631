/** Calls to tel: URIs (RFC 3966, RFC 3261 §19.1.6): the number at our domain. */
import { describe, expect, test } from "bun:test";
import { lab, Phone } from "./kit.ts";

const GW = "198.51.100.81";
const TOML = `
[emergency]
numbers = ["112"]
to = "sip:112@${GW}"
networks = ["203.0.113.7"]
[[peer]]
name = "carrier"
uris = ["sip:${GW}"]
probe_s = 0
[[route]]
name = "out"
numbers = ["+49."]
to = ["peer:carrier"]
`;

function rig() {
  const world = lab(TOML);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const gateway = new Phone(world, "gw", GW);
  return { world, alice, gateway };
}

describe("DNS-13 RFC 3261 §19.1.6 tel: as Request-URI", () => {
  test("a user of that number rings, visual separators or not", () => {
    const { world, alice } = rig();
    const bob = new Phone(world, "+49301", "198.51.100.8");
    bob.register();
    alice.request("INVITE", "tel:+49-30-1");
    expect([bob.count("INVITE"), bob.incoming("INVITE").uriText]).toEqual([1, bob.contact]);
  });

  test("routes see the number; To stays as it was written", () => {
    const { alice, gateway } = rig();
    alice.request("INVITE", "tel:+49-89-(1234)");
    expect(gateway.incoming("INVITE").uriText).toBe(`sip:+49891234@${GW}`);
    expect(gateway.host.last().bytes.toString()).toContain("To: <tel:+49-89-(1234)>");
  });

  test("a call for help, also from where nobody is asked for a password", () => {
    const { world, alice, gateway } = rig();
    alice.request("INVITE", "tel:112");
    const lobby = new Phone(world, "lobby", "203.0.113.7");
    lobby.request("INVITE", "tel:112;phone-context=+49", { callId: "help" });
    expect(gateway.count("INVITE")).toBe(2);
    expect(gateway.incoming("INVITE").uriText).toBe(`sip:112@${GW}`);
  });

  test("a stranger is one by tel:, too: no way out, no password spared", () => {
    const { world, gateway } = rig();
    const stranger = new Phone(world, "s", "203.0.113.99");
    stranger.request("INVITE", "tel:+49301", { from: "<sip:s@elsewhere.test>" });
    stranger.request("INVITE", "tel:+49301", { from: "<sip:alice@example.test>", callId: "2" });
    expect([stranger.statuses("INVITE"), gateway.count("INVITE")]).toEqual([[403, 407], 0]);
  });

  test("what names no number here: 404; what a Route leads elsewhere: untouched", () => {
    const { world, alice } = rig();
    alice.request("INVITE", "tel:7042;phone-context=elsewhere.test");
    expect(alice.statuses("INVITE")).toEqual([404]);
    const other = new Phone(world, "other", "198.51.100.9");
    alice.request("INVITE", "tel:+49-30-1", { headers: ["Route: <sip:198.51.100.9;lr>"], callId: "r" });
    expect(other.incoming("INVITE").uriText).toBe("tel:+49-30-1");
  });
});
