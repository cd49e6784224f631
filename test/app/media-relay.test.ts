/** NAT-12, NAT-20, SIP-45: which calls are relayed, and what their session descriptions say then. */
import { describe, expect, test } from "bun:test";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { calleeDialog, callerDialog, EDGE, inside, lab, Phone } from "../proxy/kit.ts";
import { FakeRelay } from "../support/fake-relay.ts";

const SDP = ["Content-Type: application/sdp"];

const sdp = (address: string, port: number, more: readonly string[] = []): string =>
  [
    "v=0",
    `o=- 1 1 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP 0 101`,
    "a=rtpmap:101 telephone-event/8000",
    ...more,
    "",
  ].join("\r\n");

const bodyOf = (message: SipMessage): string => message.bytes.latin1Slice(message.bodyStart, message.bodyEnd);

/** Alice stands behind a NAT (her messages say 10.0.0.7), Bob does not. */
function site(toml = "") {
  const relay = new FakeRelay();
  const world = lab(toml, { media: relay });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  alice.register();
  bob.register();
  return { world, alice, bob, relay };
}

const NATTED = ["Contact: <sip:alice@10.0.0.7:5060>", ...SDP];
const plain = (phone: Phone): string[] => [`Contact: <${phone.contact}>`, ...SDP];

function upCall(from: ReturnType<typeof site>) {
  const { alice, bob } = from;
  alice.request("INVITE", "sip:bob@example.test", {
    callId: "m1",
    headers: NATTED,
    body: sdp("10.0.0.7", 4000),
  });
  const invite = bob.incoming("INVITE");
  bob.answer(invite, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
  const answer = alice.last();
  const caller = callerDialog(answer);
  alice.request("ACK", caller.target, inside(caller, {}));
  return { invite, answer, caller, callee: calleeDialog(invite, "bob-tag") };
}

describe("NAT-12 a phone behind a NAT: its call is relayed", () => {
  test("offer and answer leave with our address and ports, and nothing else in them changes", () => {
    const from = site();
    const { invite, answer } = upCall(from);
    const [session] = from.relay.sessions;
    const [key] = [...session!.remotes.keys()].filter((name) => name !== "0 caller");
    const callee = session!.ports.get(key!)!;
    const caller = session!.ports.get("0 caller")!;
    const told = sdp("10.0.0.7", 4000)
      .replace("c=IN IP4 10.0.0.7", `c=IN IP4 ${EDGE}`)
      .replace("audio 4000", `audio ${callee.rtp_port}`);
    expect(bodyOf(invite)).toBe(told);
    expect(bodyOf(answer)).toBe(
      sdp("198.51.100.8", 5000)
        .replace("c=IN IP4 198.51.100.8", `c=IN IP4 ${EDGE}`)
        .replace("audio 5000", `audio ${caller.rtp_port}`),
    );
    expect(session!.chosen).toBe(key!.slice(2));
    expect(session!.remotes.get("0 caller")).toMatchObject({
      address: "10.0.0.7",
      rtp_port: 4000,
      rtcp_port: 4001,
      is_nat: true,
      signalling_address: "198.51.100.7",
    });
    expect(session!.remotes.get(key!)).toMatchObject({
      address: "198.51.100.8",
      rtp_port: 5000,
      is_nat: false,
    });
  });

  test("SVC-01, NAT-20: a re-INVITE of the callee and its answer, on the same ports", () => {
    const from = site();
    const { callee } = upCall(from);
    const { alice, bob, relay } = from;
    const before = relay.next;
    bob.request("INVITE", callee.target, {
      ...inside(callee, { cseq: 5, headers: plain(bob) }),
      body: sdp("198.51.100.8", 5000, ["a=sendonly"]),
    });
    const hold = alice.incoming("INVITE");
    expect(bodyOf(hold)).toContain(`c=IN IP4 ${EDGE}\r\n`);
    expect(bodyOf(hold)).toContain("a=sendonly\r\n");
    alice.answer(hold, 200, { headers: NATTED, body: sdp("10.0.0.7", 4000, ["a=recvonly"]) });
    expect(bodyOf(bob.last())).toContain(`c=IN IP4 ${EDGE}\r\n`);
    expect(relay.next).toBe(before);
    const [session] = relay.sessions;
    expect([...session!.remotes.values()].map(({ direction }) => direction).toSorted()).toEqual([
      "recvonly",
      "sendonly",
    ]);
  });

  test("NAT-20 RFC 3665 §3.6: an offer that comes with the 200, its answer with the ACK", () => {
    const { alice, bob, relay } = site();
    alice.request("INVITE", "sip:bob@example.test", { callId: "m2", headers: [NATTED[0]!] });
    bob.answer(bob.incoming("INVITE"), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    const caller = callerDialog(alice.last());
    expect(bodyOf(alice.last())).toContain(`c=IN IP4 ${EDGE}\r\n`);
    alice.request("ACK", caller.target, {
      ...inside(caller, { headers: NATTED }),
      body: sdp("10.0.0.7", 4000),
    });
    expect(bodyOf(bob.incoming("ACK"))).toContain(`c=IN IP4 ${EDGE}\r\n`);
    expect(relay.sessions).toHaveLength(1);
  });

  test("early media: a 183 has our address, and the 200 the same ports", () => {
    const { alice, bob } = site();
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: sdp("10.0.0.7", 4000) });
    const invite = bob.incoming("INVITE");
    bob.answer(invite, 183, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    const early = bodyOf(alice.last());
    expect(early).toContain(`c=IN IP4 ${EDGE}\r\n`);
    bob.answer(invite, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    expect(bodyOf(alice.last())).toBe(early);
  });

  test("its end closes the ports", () => {
    const from = site();
    const { caller } = upCall(from);
    from.alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    from.bob.answer(from.bob.incoming("BYE"), 200);
    expect(from.relay.sessions[0]!.isClosed).toBe(true);
  });

  test("a call that is refused closes them too", () => {
    const { alice, bob, relay } = site();
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: sdp("10.0.0.7", 4000) });
    bob.answer(bob.incoming("INVITE"), 486);
    expect(relay.sessions[0]!.isClosed).toBe(true);
  });

  test("B-55: no ports: 503, and no phone rings", () => {
    const { alice, bob, relay } = site();
    relay.left = 1;
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: sdp("10.0.0.7", 4000) });
    expect(bob.count("INVITE")).toBe(0);
    expect(alice.statuses("INVITE").at(-1)).toBeGreaterThanOrEqual(500);
    expect(relay.sessions[0]!.isClosed).toBe(true);
  });

  test("each phone of a fork has ports of its own; whoever answers keeps them", () => {
    const { world, alice, relay } = site();
    const desk = new Phone(world, "bob", "198.51.100.9");
    desk.register(3600, [], "reg-desk");
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: sdp("10.0.0.7", 4000) });
    const [session] = relay.sessions;
    expect(session!.ports.size).toBe(3);
    desk.answer(desk.incoming("INVITE"), 200, { headers: plain(desk), body: sdp("198.51.100.9", 5000) });
    expect(session!.dropped).toHaveLength(1);
    expect(session!.dropped).not.toContain(session!.chosen!);
  });
});

describe("NAT-12 a call that needs no relay", () => {
  const body = sdp("198.51.100.7", 4000);

  test("passes byte for byte", () => {
    const { alice, bob, relay } = site();
    alice.request("INVITE", "sip:bob@example.test", { headers: plain(alice), body });
    expect(bodyOf(bob.incoming("INVITE"))).toBe(body);
    expect(relay.sessions).toHaveLength(0);
  });

  test('media.relay = "always": is relayed', () => {
    const { alice, bob } = site('[media]\nrelay = "always"\n');
    alice.request("INVITE", "sip:bob@example.test", { headers: plain(alice), body });
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${EDGE}\r\n`);
  });

  test('media.relay = "never": even that of a phone behind a NAT is not', () => {
    const { alice, bob, relay } = site('[media]\nrelay = "never"\n');
    const natted = sdp("10.0.0.7", 4000);
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: natted });
    expect(bodyOf(bob.incoming("INVITE"))).toBe(natted);
    expect(relay.sessions).toHaveLength(0);
  });

  test('a [[user]] with relay = "always", called', () => {
    const { alice, bob } = site('[[user]]\nname = "bob"\npassword = "secret-of-bob"\nrelay = "always"\n');
    alice.request("INVITE", "sip:bob@example.test", { headers: plain(alice), body });
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${EDGE}\r\n`);
  });
});

describe("NAT-12 two networks", () => {
  test("IPv4 and IPv6: each is told an address of its own family", () => {
    const { world, alice, relay } = site();
    const six = new Phone(world, "six", "2001:db8:7::8");
    const registration = {
      to: "<sip:six@example.test>",
      headers: [`Contact: <${six.contact}>`, "Expires: 3600"],
    };
    six.send(six.write("REGISTER", "sip:example.test", registration), "2001:db8::1");
    world.run(20);
    alice.request("INVITE", "sip:six@example.test", {
      headers: plain(alice),
      body: sdp("198.51.100.7", 4000),
    });
    const invite = six.incoming("INVITE");
    expect(bodyOf(invite)).toContain("c=IN IP6 2001:db8::1\r\n");
    const answer = sdp("2001:db8:7::8", 5000).replaceAll("IN IP4", "IN IP6");
    six.answer(invite, 200, { headers: plain(six), body: answer });
    expect(bodyOf(alice.last())).toContain(`c=IN IP4 ${EDGE}\r\n`);
    const [session] = relay.sessions;
    expect([...session!.ports.values()].map(({ address }) => address).toSorted()).toEqual([
      EDGE,
      "2001:db8::1",
    ]);
  });

  test("several streams: each has ports of its own, a rejected one keeps port 0 (RFC 3264 §6)", () => {
    const { alice, bob, relay } = site();
    const more = ["m=video 4002 RTP/AVP 96", "m=image 0 udptl t38", "m=application 9 TCP/BFCP *"];
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body: sdp("10.0.0.7", 4000, more) });
    const lines = bodyOf(bob.incoming("INVITE"))
      .match(/^m=.*$/gm)!
      .map((line) => line.trim());
    const ports = [...relay.sessions[0]!.ports].filter(([name]) => !name.endsWith("caller"));
    expect(lines).toEqual([
      `m=audio ${ports[0]![1].rtp_port} RTP/AVP 0 101`,
      `m=video ${ports[1]![1].rtp_port} RTP/AVP 96`,
      ...more.slice(1),
    ]);
  });

  test("PRACK and UPDATE carry descriptions too (RFC 3262 §5, RFC 3311)", () => {
    const { alice, bob } = site();
    alice.request("INVITE", "sip:bob@example.test", {
      callId: "m9",
      headers: NATTED,
      body: sdp("10.0.0.7", 4000),
    });
    const invite = bob.incoming("INVITE");
    bob.answer(invite, 183, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    const dialog = callerDialog(alice.last());
    for (const [index, method] of ["PRACK", "UPDATE"].entries()) {
      const body = sdp("10.0.0.7", 4000 + 10 * index);
      alice.request(method, dialog.target, { ...inside(dialog, { cseq: 2 + index, headers: NATTED }), body });
      expect(bodyOf(bob.incoming(method))).toContain(`c=IN IP4 ${EDGE}\r\n`);
      bob.answer(bob.incoming(method), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
      expect(bodyOf(alice.last())).toContain(`c=IN IP4 ${EDGE}\r\n`);
    }
  });
});

describe("B-57 codecs", () => {
  const body = sdp("198.51.100.7", 4000, ["a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no"]).replace(
    "AVP 0 101",
    "AVP 18 0 8 101",
  );
  const toml = '[media]\ncodecs_remove = ["G729"]\ncodecs_prefer = ["pcma"]\n';

  test("taken out and put in order, their lines with them, in a call that is not relayed", () => {
    const { alice, bob } = site(toml);
    alice.request("INVITE", "sip:bob@example.test", { headers: plain(alice), body });
    expect(bodyOf(bob.incoming("INVITE"))).toBe(
      body.replace("AVP 18 0 8 101", "AVP 8 0 101").replace(/a=rtpmap:18.*\r\na=fmtp:18.*\r\n/, ""),
    );
  });

  test("and in one that is", () => {
    const { alice, bob } = site(toml);
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body });
    expect(bodyOf(bob.incoming("INVITE"))).toMatch(/^m=audio \d+ RTP\/AVP 8 0 101\r$/m);
  });
});

describe("hostile session descriptions", () => {
  test("one that cannot be read passes as it came, and is counted", () => {
    const { world, alice, bob } = site();
    const body = "v=0\r\nm=audio nowhere RTP/AVP 0\r\n";
    alice.request("INVITE", "sip:bob@example.test", { headers: NATTED, body });
    expect(bodyOf(bob.incoming("INVITE"))).toBe(body);
    expect(world.counter("sipedge_media_descriptions_total", { passed: "unreadable" })).toBe(1);
  });

  test("one that names our own ports is left alone: its media is relayed already", () => {
    const from = site();
    const { caller } = upCall(from);
    const { alice, bob, relay } = from;
    const own = sdp(EDGE, relay.sessions[0]!.ports.get("0 caller")!.rtp_port);
    alice.request("INVITE", caller.target, { ...inside(caller, { cseq: 3, headers: NATTED }), body: own });
    expect(bodyOf(bob.incoming("INVITE"))).toBe(own);
  });
});
