/** Three-way calls (RFC 5359 §2.10, §2.11): what a conference server and its callers say passes untouched. */
import { describe, expect, test } from "bun:test";
import { inside, lab, lines, Phone, setUp } from "../../proxy/kit.ts";

const FOCUS = 'Contact: <sip:conf-7@198.51.100.9;transport=udp>;isfocus;+sip.app-subtype="conf"';

function rig() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  const server = new Phone(world, "conference", "198.51.100.9");
  for (const phone of [alice, bob, server]) phone.register();
  return { alice, bob, server };
}

describe("SVC-10 RFC 5359 §2.10 a third party is added", () => {
  test("the focus takes a call: its Contact with isfocus, and the dialog with the conference URI", () => {
    const { alice, server } = rig();
    alice.request("INVITE", "sip:conference@example.test");
    server.answer(server.incoming("INVITE"), 200, { headers: [FOCUS] });
    const answer = alice.answers("INVITE").at(-1)!;
    expect(lines(answer)).toContain(FOCUS);
    const route = lines(answer).flatMap((line) => /^Record-Route: (.*)/.exec(line)?.[1] ?? []);
    alice.request("ACK", "sip:conf-7@198.51.100.9;transport=udp", {
      toTag: answer.toTag!,
      headers: route.map((each) => `Route: ${each}`),
    });
    expect(server.incoming("ACK").uriText).toBe("sip:conf-7@198.51.100.9;transport=udp");
  });

  test("a call turns into a conference: re-INVITE with isfocus, then REFER to the conference URI", () => {
    const { alice, bob } = rig();
    const call = setUp(alice, bob, { callId: "first" });
    const focus = `Contact: <${alice.contact}>;isfocus`;
    alice.request("INVITE", call.caller.target, inside(call.caller, { cseq: 2, headers: [focus] }));
    expect(lines(bob.incoming("INVITE"))).toContain(focus);
    bob.answer(bob.incoming("INVITE"), 200);
    const refer = [`Contact: <${alice.contact}>;isfocus`, "Refer-To: <sip:conf-7@198.51.100.9>;isfocus"];
    alice.request("REFER", call.caller.target, inside(call.caller, { cseq: 3, headers: refer }));
    expect(lines(bob.incoming("REFER"))).toEqual(expect.arrayContaining(refer));
  });
});

describe("SVC-11, B-66 RFC 5359 §2.11 a third party joins", () => {
  test("RFC 3911 Join names the dialog as its end knows it, and Require: join is the phone's business", () => {
    const { alice, bob, server } = rig();
    const call = setUp(alice, bob, { callId: "join/1@alice.invalid" });
    const { callId, fromTag, toTag } = call.callee;
    const join = `Join: ${callId};to-tag=${fromTag};from-tag=${toTag}`;
    server.request("INVITE", "sip:bob@example.test", {
      callId: "joining",
      headers: [`Contact: <${server.contact}>`, join, "Require: join"],
    });
    expect(lines(bob.incoming("INVITE"))).toEqual(expect.arrayContaining([join, "Require: join"]));
    expect(join).toBe(
      `Join: ${call.arrived.callId};to-tag=${call.caller.toTag};from-tag=${call.arrived.fromTag}`,
    );
    bob.answer(bob.incoming("INVITE"), 200);
    expect(server.statuses("INVITE")).toEqual([200]);
  });
});
