/** No open relay through a domain that a peer keeps ([[peer]] serves): whatever a stranger writes, a third party hears nothing. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { behindNat, proving, sentTo } from "../support/natted-phones.ts";
import { EDGE, World } from "../support/world.ts";
import { entries, inside, Phone, setUp, text } from "./kit.ts";
import { DOMAIN, EDGES, PBX, pathOf, rig, SERVES } from "./served-kit.ts";

describe("NH-32 no open relay through a served domain", () => {
  const THIRD = "198.51.100.77";

  function strangers(toml = "") {
    const parts = rig(toml);
    const { world } = parts;
    world.account("alice", "secret");
    const evil = new Phone(world, "evil", "198.51.100.66");
    const third = new Phone(world, "third", THIRD);
    const thirdTcp = new Phone(world, "third", THIRD, 5060, "tcp");
    return { ...parts, evil, third, thirdTcp };
  }

  for (const method of ["INVITE", "MESSAGE", "BYE", "ACK", "REGISTER", "OPTIONS", "SUBSCRIBE", "FOO"])
    for (const toTag of [undefined, "faked"])
      for (const [name, uri] of [
        ["a maddr", `sip:x@${DOMAIN};maddr=${THIRD}`],
        ["a maddr and a transport", `sip:x@${DOMAIN};maddr=${THIRD};transport=tcp`],
        ["a Route", `sip:x@${DOMAIN}`],
        ["a Route behind one of ours", `sip:x@${DOMAIN}`],
        ["a stranger's address", `sip:third@${THIRD}`],
      ] as const)
        test(`${method} of a stranger ${toTag === undefined ? "outside dialogs" : "with a To tag"}, ${name}: a third party hears nothing`, () => {
          const { evil, third, thirdTcp } = strangers();
          const ours = name.includes("ours") ? [`Route: <sip:${EDGE};lr>`] : [];
          const route = name.includes("Route") ? [...ours, `Route: <sip:${THIRD};lr>`] : [];
          evil.request(method, uri, {
            from: `<sip:evil@${DOMAIN}>`,
            ...(toTag === undefined ? {} : { toTag }),
            headers: [...route, `Contact: <${evil.contact}>`],
          });
          expect([...third.got, ...thirdTcp.got].map((message) => message.method)).toEqual([]);
        });

  test("a port in the R-URI does not lead past the peer", () => {
    const { world, pbx, evil } = strangers();
    const other = new Phone(world, "other", PBX, 5099);
    for (const toTag of [undefined, "faked"])
      evil.request("MESSAGE", `sip:x@${DOMAIN};maddr=${PBX}:5099`, {
        from: `<sip:evil@${DOMAIN}>`,
        callId: `port-${toTag}`,
        ...(toTag === undefined ? {} : { toTag }),
      });
    expect(other.got).toHaveLength(0);
    expect(pbx.got.length).toBeLessThanOrEqual(2);
  });

  test("a stranger reaches the served domain, which asks for the password, and gets its challenge", () => {
    const { pbx, evil } = strangers();
    evil.request("INVITE", `sip:eve@${DOMAIN}`, { from: `<sip:evil@${DOMAIN}>` });
    pbx.answer(pbx.incoming("INVITE"), 407, {
      headers: ['Proxy-Authenticate: Digest realm="pbx", nonce="1"'],
    });
    expect(evil.last().status).toBe(407);
  });

  test("a stranger cannot be one of our users towards it: that has to be proved", () => {
    const { pbx, evil } = strangers();
    evil.request("INVITE", `sip:eve@${DOMAIN}`, { from: "<sip:alice@example.test>" });
    expect(evil.last().status).toBe(407);
    expect(pbx.count("INVITE")).toBe(0);
  });

  test("a stranger's P-Asserted-Identity does not reach the PBX, which believes us (RFC 3325 §5)", () => {
    const { pbx, evil } = strangers();
    evil.request("INVITE", `sip:eve@${DOMAIN}`, {
      from: `<sip:evil@${DOMAIN}>`,
      headers: [`Contact: <${evil.contact}>`, `P-Asserted-Identity: <sip:boss@${DOMAIN}>`],
    });
    expect(text(pbx.incoming("INVITE"))).not.toContain("boss@");
  });

  test("a redirection by the PBX is not followed for a stranger", () => {
    const { pbx, evil, third } = strangers("[calls]\nfollow_redirects = true\n");
    evil.request("INVITE", `sip:eve@${DOMAIN}`, { from: `<sip:evil@${DOMAIN}>` });
    pbx.answer(pbx.incoming("INVITE"), 302, { headers: [`Contact: <sip:third@${THIRD}>`] });
    expect(third.got).toHaveLength(0);
  });

  test("our own users reach it after they proved themselves, and it reaches them", () => {
    const { world, pbx } = strangers();
    const alice = new Phone(world, "alice", "198.51.100.7");
    alice.request("INVITE", `sip:eve@${DOMAIN}`);
    expect(alice.last().status).toBe(407);
    pbx.request("INVITE", "sip:alice@example.test", { from: `<sip:eve@${DOMAIN}>` });
    expect(pbx.last().status).toBe(480);
  });

  test("a trusted phone registers at it with a Path as well", () => {
    const world = new World({ toml: `${SERVES}[auth]\ntrusted_networks = ["198.51.100.0/24"]\n` });
    const pbx = new Phone(world, "pbx", PBX);
    pbx.on = (message) => {
      if (message.method === "REGISTER") pbx.reply(message, 200);
    };
    const dave = behindNat(world, "198.51.100.20", "dave");
    expect(pathOf(pbx, dave)).toHaveLength(1);
  });

  test("a served domain with a port, in capitals, as sips: only the peer hears of it", () => {
    for (const [i, uri] of [
      `sip:x@${DOMAIN}:5099`,
      `sip:x@${DOMAIN.toUpperCase()}`,
      `sips:x@${DOMAIN}`,
      `sip:${DOMAIN}`,
      `sip:x@${DOMAIN};transport=tcp`,
      `sip:x@${DOMAIN};lr;maddr=${THIRD}`,
    ].entries()) {
      const { world, evil, third, thirdTcp } = strangers();
      const before = world.network.log.length;
      evil.request("MESSAGE", uri, { from: `<sip:evil@${DOMAIN}>`, callId: `served-${i}` });
      const others = sentTo(world, before, EDGES).filter(
        (to) => to !== `${PBX}:5060` && to !== "198.51.100.66:5060",
      );
      expect([uri, others, third.got.length + thirdTcp.got.length]).toEqual([uri, [], 0]);
    }
  });

  test("a second token of another dialog with the same Call-ID leads to nobody new", () => {
    const { world, evil, third } = strangers("[calls]\naccept_foreign_callers = true\n");
    const bob = behindNat(world, "198.51.100.31", "bob").phone;
    world.account("bob", "secret");
    expect(
      proving(bob, "REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        from: "<sip:bob@example.test>",
      }).status,
    ).toBe(200);
    evil.request("INVITE", "sip:bob@example.test", { from: "<sip:evil@evil.test>", callId: "same" });
    bob.answer(bob.incoming("INVITE"), 200);
    const answer = evil.last();
    const [token] = entries(answer, H.RecordRoute);
    for (const route of [`<sip:${EDGE};lr>`, `<sip:third@${EDGE};lr>`, `<sip:${"A".repeat(40)}@${EDGE};lr>`])
      evil.request("BYE", `sip:third@${THIRD}`, {
        from: "<sip:evil@evil.test>",
        to: "<sip:bob@example.test>",
        callId: "same",
        toTag: answer.toTag!,
        headers: [`Route: ${token}`, `Route: ${route}`],
      });
    expect(third.got).toHaveLength(0);
  });

  test("a dialog with the served domain: both ends may, a third party may not", () => {
    const { pbx, dave, evil, third } = strangers();
    dave.phone.request("INVITE", `sip:pbx@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    pbx.answer(pbx.incoming("INVITE"), 200);
    const answer = dave.phone.last();
    const route = entries(answer, H.RecordRoute).toReversed();
    const dialog = {
      callId: answer.callId!,
      route,
      target: pbx.contact,
      from: `<sip:dave@${DOMAIN}>`,
      fromTag: answer.fromTag!,
      to: `<sip:pbx@${DOMAIN}>`,
      toTag: answer.toTag!,
    };
    evil.request("BYE", `sip:third@${THIRD}`, inside(dialog));
    expect(third.got).toHaveLength(0);
    dave.phone.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    expect(pbx.count("BYE")).toBe(1);
  });
});

test("setUp is told apart: a call between our own users needs no served domain", () => {
  const world = new World({ toml: `${SERVES}[auth]\ntrusted_networks = ["198.51.100.0/24"]\n` });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  expect(setUp(alice, bob).caller.route).toHaveLength(1);
});
