/** ARC-18, NAT-23, CNV-09: calls whose media an rtpengine relays, over its ng protocol. */
import { describe, expect, test } from "bun:test";
import type { SipMessage } from "../../src/message/sip-message.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { calleeDialog, callerDialog, EDGE, inside, lab, Phone } from "../proxy/kit.ts";
import { FakeEngine, fakePool } from "../support/fake-engines.ts";
import type { World } from "../support/world.ts";

const SDP = ["Content-Type: application/sdp"];
const WS_PORT = 5080;
const ONE = "203.0.113.1";
const TWO = "203.0.113.2";
const engineToml = (media: string): string => `[media]
relay = "always"
engine = "rtpengine"
${media}[[rtpengine]]
address = "${ONE}"
`;

const sdp = (address: string, port: number, more: readonly string[] = []): string =>
  ["v=0", `o=- 1 1 IN IP4 ${address}`, "s=-", `c=IN IP4 ${address}`, "t=0 0", `m=audio ${port} RTP/AVP 0`]
    .concat(more, "")
    .join("\r\n");

const bodyOf = (message: SipMessage): string => message.bytes.latin1Slice(message.bodyStart, message.bodyEnd);

/** Alice calls Bob; every call is relayed by one of the engines. */
async function site(
  toml = "",
  addresses: readonly string[] = [ONE],
  weights: readonly number[] = [],
  media = "",
) {
  const engines = addresses.map((address) => new FakeEngine(address));
  const pools: ReturnType<typeof fakePool>[] = [];
  const engine = (world: World) => {
    const pool = fakePool(
      world,
      engines,
      weights.map((weight) => ({ weight })),
    );
    pools.push(pool);
    return pool;
  };
  const world = lab(engineToml(media) + toml, { engine });
  await pools[0]!.start();
  world.run(20);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  alice.register();
  bob.register();
  return { world, alice, bob, engines, first: engines[0]!, pool: pools[0]! };
}

const plain = (phone: Phone): string[] => [`Contact: <${phone.contact}>`, ...SDP];
const calls = (phone: Phone, callId = "e1") =>
  phone.request("INVITE", "sip:bob@example.test", {
    callId,
    headers: plain(phone),
    body: sdp("198.51.100.7", 4000),
  });

async function upCall(toml = "") {
  const from = await site(toml);
  const { alice, bob } = from;
  calls(alice);
  const invite = bob.incoming("INVITE");
  bob.answer(invite, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
  const answer = alice.last();
  const caller = callerDialog(answer);
  alice.request("ACK", caller.target, inside(caller, {}));
  return { ...from, invite, answer, caller, callee: calleeDialog(invite, "bob-tag") };
}

describe("ARC-18 a call by rtpengine", () => {
  test("offer and answer go there before they leave, and leave as it made them", async () => {
    const { first, invite, answer, alice, bob } = await upCall();
    expect(first.commands()).toEqual(["offer", "answer"]);
    const offer = first.last("offer");
    expect(offer).toMatchObject({ "call-id": "e1", "from-tag": "alice-tag", sdp: sdp("198.51.100.7", 4000) });
    expect(offer["to-tag"]).toBeUndefined();
    expect(offer).toMatchObject({ ICE: "remove", "received-from": ["IP4", "198.51.100.7"], TOS: 46 << 2 });
    expect(first.last("answer")).toMatchObject({
      "call-id": "e1",
      "from-tag": "alice-tag",
      "to-tag": "bob-tag",
      "via-branch": offer["via-branch"]!,
      sdp: sdp("198.51.100.8", 5000),
    });
    expect(bodyOf(invite)).toContain(`c=IN IP4 ${ONE}\r\n`);
    expect(bodyOf(invite)).toContain("m=audio 30000 ");
    expect(bodyOf(answer)).toContain("m=audio 30002 ");
    expect(Number(/Content-Length: (\d+)/.exec(answer.bytes.latin1Slice())![1])).toBe(bodyOf(answer).length);
    expect(bob.count("ACK")).toBe(1);
    expect(alice.statuses("INVITE")).toEqual([200]);
  });

  test("its end is told, once", async () => {
    const { alice, bob, caller, first, world, pool } = await upCall();
    expect(pool.snapshot()[0]!.calls).toBe(1);
    alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    bob.answer(bob.incoming("BYE"), 200);
    world.run(100);
    expect(first.commands()).toEqual(["offer", "answer", "delete"]);
    expect(first.last("delete")).toMatchObject({
      "call-id": "e1",
      "from-tag": "alice-tag",
      "delete-delay": 0,
    });
    expect(pool.snapshot()[0]!.calls).toBe(0);
  });

  test("a call that is refused is deleted there, too", async () => {
    const { alice, bob, first, world } = await site();
    calls(alice);
    bob.answer(bob.incoming("INVITE"), 486);
    world.run(100);
    expect(first.commands()).toEqual(["offer", "delete"]);
    expect(alice.statuses("INVITE")).toEqual([486]);
  });

  test("NAT-20 RFC 3665 §3.6: an offer in the 200 is an offer of the callee, the ACK has its answer", async () => {
    const { alice, bob, first } = await site();
    alice.request("INVITE", "sip:bob@example.test", { callId: "e2" });
    bob.answer(bob.incoming("INVITE"), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    expect(first.last("offer")).toMatchObject({ "from-tag": "bob-tag", "to-tag": "alice-tag" });
    const caller = callerDialog(alice.last());
    const more = inside(caller, { headers: plain(alice) });
    alice.request("ACK", caller.target, { ...more, body: sdp("198.51.100.7", 4000) });
    expect(first.commands()).toEqual(["offer", "answer"]);
    expect(first.last("answer")).toMatchObject({ "from-tag": "bob-tag", "to-tag": "alice-tag" });
    expect(bodyOf(bob.incoming("ACK"))).toContain(`c=IN IP4 ${ONE}\r\n`);
  });

  test("SVC-01: a re-INVITE of the callee is an offer with its tag", async () => {
    const { alice, bob, callee, first } = await upCall();
    const body = sdp("198.51.100.8", 5000, ["a=sendonly"]);
    bob.request("INVITE", callee.target, { ...inside(callee, { cseq: 5, headers: plain(bob) }), body });
    expect(first.last("offer")).toMatchObject({ "from-tag": "bob-tag", "to-tag": "alice-tag", sdp: body });
    const hold = alice.incoming("INVITE");
    expect(bodyOf(hold)).toContain("a=sendonly\r\n");
    alice.answer(hold, 200, { headers: plain(alice), body: sdp("198.51.100.7", 4000, ["a=recvonly"]) });
    expect(first.last("answer")).toMatchObject({ "from-tag": "bob-tag", "to-tag": "alice-tag" });
    expect(first.last("answer")["via-branch"]).toBeUndefined();
    expect(bodyOf(bob.last())).toContain(`c=IN IP4 ${ONE}\r\n`);
  });

  test("RFC 3262 §5, RFC 3311: PRACK and UPDATE with offers, their answers", async () => {
    const { alice, bob, first } = await site();
    calls(alice);
    const invite = bob.incoming("INVITE");
    bob.answer(invite, 183, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    const dialog = callerDialog(alice.last());
    for (const [index, method] of ["PRACK", "UPDATE"].entries()) {
      const more = inside(dialog, { cseq: 2 + index, headers: plain(alice) });
      alice.request(method, dialog.target, { ...more, body: sdp("198.51.100.7", 4010 + index) });
      expect(bodyOf(bob.incoming(method))).toContain(`c=IN IP4 ${ONE}\r\n`);
      bob.answer(bob.incoming(method), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
      expect(bodyOf(alice.last())).toContain(`c=IN IP4 ${ONE}\r\n`);
    }
    expect(first.commands()).toEqual(["offer", "answer", "offer", "answer", "offer", "answer"]);
  });

  test("a 200 that is repeated is answered from memory, and as before", async () => {
    const { alice, bob, invite, answer, first } = await upCall();
    bob.answer(invite, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    expect(first.commands()).toEqual(["offer", "answer"]);
    expect(bodyOf(alice.last())).toBe(bodyOf(answer));
  });

  test("each phone of a fork is a branch there; one that answers late gets a description of nobody", async () => {
    const { world, alice, bob, first } = await site();
    const desk = new Phone(world, "bob", "198.51.100.9");
    desk.register(3600, [], "reg-desk");
    calls(alice);
    const branches = first.asked.map((each) => each.get("via-branch"));
    expect(new Set(branches).size).toBe(2);
    const [toDesk, toBob] = [desk.incoming("INVITE"), bob.incoming("INVITE")];
    desk.answer(toDesk, 200, { headers: plain(desk), body: sdp("198.51.100.9", 5000), toTag: "desk" });
    bob.answer(toBob, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    expect(first.commands()).toEqual(["offer", "offer", "answer"]);
    const late = alice.answers("INVITE").findLast(({ toTag }) => toTag === "bob-tag")!;
    expect(bodyOf(late)).toContain("c=IN IP4 0.0.0.0\r\n");
  });

  test("a 180 without a description does not overtake the 183 that waits", async () => {
    const { world, alice, bob, first } = await site();
    calls(alice);
    const invite = bob.incoming("INVITE");
    first.loses = 1;
    bob.reply(invite, 183, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    bob.reply(invite, 180);
    world.run(50);
    expect(alice.statuses("INVITE")).toEqual([]);
    world.run(200);
    expect(alice.statuses("INVITE")).toEqual([183, 180]);
  });

  test("a CANCEL while the offer waits: no phone rings", async () => {
    const { world, alice, bob, first } = await site();
    first.loses = 2;
    const invite = alice.write("INVITE", "sip:bob@example.test", {
      callId: "e3",
      headers: plain(alice),
      body: sdp("198.51.100.7", 4000),
    });
    alice.send(invite);
    world.run(20);
    alice.cancel(invite);
    world.run(1000);
    expect(bob.count("INVITE")).toBe(0);
    expect(new Set(alice.statuses("INVITE"))).toEqual(new Set([487]));
    expect(first.commands().at(-1)).toBe("delete");
  });

  test("a call that is not relayed costs no question and waits for nobody", async () => {
    const { alice, bob, first, world } = await site(
      '[[user]]\nname = "bob"\npassword = "secret-of-bob"\nrelay = "never"\n',
    );
    first.isSilent = true;
    calls(alice);
    expect(bodyOf(bob.incoming("INVITE"))).toBe(sdp("198.51.100.7", 4000));
    world.run(100);
    expect(first.commands()).toEqual([]);
  });
});

describe("NAT-23 DTLS-SRTP by rtpengine", () => {
  test("towards a phone over WebSocket: UDP/TLS/RTP/SAVPF with ICE; from it towards others: RTP/AVP without", async () => {
    const { world, alice, first } = await site();
    world.transports.listen("ws", EDGE, WS_PORT);
    const web = new Phone(world, "web", "198.51.100.20", 5060, "ws");
    const asks = (method: string, uri: string, options: RequestOptions): void => {
      web.host.send(web.write(method, uri, options), EDGE, WS_PORT);
      world.run(20);
    };
    const headers = [`Contact: <${web.contact}>`, "Expires: 600"];
    asks("REGISTER", "sip:example.test", { to: "<sip:web@example.test>", headers });
    alice.request("INVITE", "sip:web@example.test", {
      callId: "w1",
      headers: plain(alice),
      body: sdp("198.51.100.7", 4000),
    });
    expect(first.last("offer")).toMatchObject({ "transport-protocol": "UDP/TLS/RTP/SAVPF", ICE: "force" });
    const more = { callId: "w2", headers: plain(web), body: sdp("198.51.100.20", 4000) };
    asks("INVITE", "sip:bob@example.test", more);
    expect(first.last("offer")).toMatchObject({
      "call-id": "w2",
      "transport-protocol": "RTP/AVP",
      ICE: "remove",
      "rtcp-mux": ["demux"],
    });
  });

  test("media_profile of an account and of its caller", async () => {
    const user = '[[user]]\nname = "bob"\npassword = "secret-of-bob"\nmedia_profile = "webrtc"\n';
    const { alice, bob, callee, first } = await upCall(user);
    expect(first.last("offer")).toMatchObject({
      "transport-protocol": "UDP/TLS/RTP/SAVPF",
      ICE: "force",
      "rtcp-mux": ["offer"],
    });
    expect(first.last("answer")).toMatchObject({ ICE: "remove" });
    const body = sdp("198.51.100.8", 5000, ["a=sendonly"]);
    bob.request("INVITE", callee.target, { ...inside(callee, { cseq: 5, headers: plain(bob) }), body });
    expect(first.last("offer")).toMatchObject({
      "transport-protocol": "RTP/AVP",
      ICE: "remove",
      DTLS: "off",
    });
    alice.answer(alice.incoming("INVITE"), 200, { headers: plain(alice), body: sdp("198.51.100.7", 4000) });
    expect(first.last("answer")).toMatchObject({ ICE: "force" });
  });
});

describe("ARC-18 rtpengines that fail", () => {
  test("none answers: 503 before a phone rings", async () => {
    const { world, alice, bob, first } = await site();
    first.isSilent = true;
    calls(alice);
    world.run(1500);
    expect(bob.count("INVITE")).toBe(0);
    expect(new Set(alice.statuses("INVITE"))).toEqual(new Set([503]));
    expect(world.counter("sipedge_media_calls_refused_total")).toBe(1);
    calls(alice, "e9"); // it is known to be dead now: nobody waits
    expect(alice.answers("INVITE").at(-1)).toMatchObject({ callId: "e9", status: 503 });
  });

  test("the next one is asked, and gets the calls until the first is back", async () => {
    const toml = `[[rtpengine]]\naddress = "${TWO}"\n`;
    const { world, alice, bob, engines } = await site(toml, [ONE, TWO], [1, 0]);
    const [one, two] = engines as [FakeEngine, FakeEngine];
    one.isSilent = true;
    calls(alice);
    world.run(1100);
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${TWO}\r\n`);
    bob.answer(bob.incoming("INVITE"), 486);
    one.isSilent = false;
    world.run(6000);
    expect(two.commands()).toEqual(["offer", "delete"]);
    calls(alice, "e2");
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${ONE}\r\n`);
    expect(world.counter("sipedge_rtpengine_changes_total", { to: "down" })).toBe(1);
    expect(world.counter("sipedge_rtpengine_changes_total", { to: "up" })).toBe(1);
  });

  test("one without free ports: the next is asked; one that refuses the description: 503", async () => {
    const toml = `[[rtpengine]]\naddress = "${TWO}"\n`;
    const { world, alice, bob, engines } = await site(toml, [ONE, TWO], [1, 0]);
    engines[0]!.error = "Ran out of ports";
    calls(alice);
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${TWO}\r\n`);
    engines[0]!.error = "Failed to parse SDP";
    calls(alice, "e2");
    world.run(100);
    expect(bob.count("INVITE")).toBe(1);
    expect(alice.statuses("INVITE").at(-1)).toBe(503);
  });

  test("what it makes is no description: 503", async () => {
    const { alice, bob, first } = await site();
    for (const [index, made] of ["", "rubbish\r\n\r\nINVITE sip:x SIP/2.0", "\0".repeat(5000)].entries()) {
      first.made = made;
      calls(alice, `h${index}`);
      expect(alice.answers("INVITE").at(-1)).toMatchObject({ callId: `h${index}`, status: 503 });
    }
    expect(bob.count("INVITE")).toBe(0);
  });

  test("why it refuses stands in the log and in the answer, without what could harm a header", async () => {
    const { alice, first } = await site();
    first.error = "no\r\nEvil: header";
    calls(alice);
    const answer = alice.answers("INVITE").at(-1)!;
    expect(answer.status).toBe(503);
    expect(answer.bytes.latin1Slice()).toContain("noEvil: header");
    expect(answer.bytes.latin1Slice()).not.toContain("\nEvil");
  });

  test("no answer to an answer: the call is ended on both sides, which are told why", async () => {
    const { world, alice, bob, first } = await site();
    calls(alice);
    first.isSilent = true;
    bob.answer(bob.incoming("INVITE"), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    world.run(1500);
    const answer = alice.answers("INVITE").at(-1)!;
    expect(answer.status).toBe(200);
    expect(bodyOf(answer)).toContain("c=IN IP4 0.0.0.0\r\n");
    for (const phone of [alice, bob]) {
      const bye = phone.incoming("BYE");
      expect(bye.bytes.latin1Slice()).toContain('text="No rtpengine answers"');
      phone.answer(bye, 200);
    }
    expect(world.core.calls.table.size).toBe(0);
  });

  test("no answer to a 183: it is dropped, and the 200 is what counts", async () => {
    const { world, alice, bob, first } = await site();
    calls(alice);
    const invite = bob.incoming("INVITE");
    first.error = "Internal error";
    bob.answer(invite, 183, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    first.error = null;
    bob.answer(invite, 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    expect(alice.statuses("INVITE")).toEqual([200]);
    expect(world.counter("sipedge_media_early_dropped_total")).toBe(1);
  });

  test("the instance of a call has died: its re-INVITE takes the call to another", async () => {
    const toml = `[[rtpengine]]\naddress = "${TWO}"\n`;
    const { world, alice, bob, engines } = await site(toml, [ONE, TWO], [1, 0]);
    calls(alice);
    bob.answer(bob.incoming("INVITE"), 200, { headers: plain(bob), body: sdp("198.51.100.8", 5000) });
    const caller = callerDialog(alice.last());
    alice.request("ACK", caller.target, inside(caller, {}));
    engines[0]!.isSilent = true;
    const more = inside(caller, { cseq: 2, headers: plain(alice) });
    alice.request("INVITE", caller.target, { ...more, body: sdp("198.51.100.7", 4000) });
    world.run(1100);
    expect(bodyOf(bob.incoming("INVITE"))).toContain(`c=IN IP4 ${TWO}\r\n`);
  });

  test("as many messages of a call as may wait, and one more", async () => {
    const { world, alice, first, caller } = await upCall();
    first.isSilent = true;
    for (let cseq = 10; cseq < 50; cseq++) {
      const more = inside(caller, { cseq, headers: plain(alice) });
      alice.send(alice.write("UPDATE", caller.target, { ...more, body: sdp("198.51.100.7", cseq + 4000) }));
    }
    world.run(50);
    expect(alice.statuses("UPDATE")).toEqual(new Array(40 - 33).fill(503));
  });
});

describe("CNV-09 codecs by rtpengine", () => {
  test("media.codecs_remove and codecs_prefer hold for what it made, too", async () => {
    const { alice, bob } = await site("", [ONE], [], 'codecs_remove = ["g729"]\ncodecs_prefer = ["pcma"]\n');
    alice.request("INVITE", "sip:bob@example.test", {
      headers: plain(alice),
      body: sdp("198.51.100.7", 4000).replace("AVP 0", "AVP 18 0 8"),
    });
    const body = bodyOf(bob.incoming("INVITE"));
    expect(body).toContain(`c=IN IP4 ${ONE}\r\n`);
    expect(body).toMatch(/^m=audio 30000 RTP\/AVP 8 0\r$/m);
  });
});
