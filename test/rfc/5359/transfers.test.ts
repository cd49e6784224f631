/** Transfers (RFC 5359 §2.4 to §2.6): what a REFER says, and what it leads to, passes as it was written. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import type { Dialog } from "../../proxy/kit.ts";
import {
  entries,
  inside,
  lab,
  leftovers,
  lines,
  NOTHING_LEFT,
  Phone,
  SETTLE_MS,
  setUp,
} from "../../proxy/kit.ts";

function rig() {
  const world = lab();
  const [alice, bob, carol] = ["alice", "bob", "carol"].map(
    (name, i) => new Phone(world, name, `198.51.100.${7 + i}`),
  ) as [Phone, Phone, Phone];
  for (const phone of [alice, bob, carol]) phone.register();
  return { world, alice, bob, carol };
}

const valuesOf = (message: Parameters<typeof lines>[0], name: string) =>
  lines(message).flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));

/** Sends a request inside a dialog, has the other side answer it, and gives what arrived there. */
function exchange(
  from: Phone,
  to: Phone,
  dialog: Dialog,
  method: string,
  cseq: number,
  status: number,
  headers: readonly string[] = [],
  body = "",
) {
  from.request(method, dialog.target, inside(dialog, { cseq, headers, body }));
  const arrived = to.incoming(method);
  to.answer(arrived, status);
  expect(from.statuses(method).at(-1)).toBe(status);
  return arrived;
}

const sipfrag = (line: string) =>
  [
    ["Event: refer", "Subscription-State: active;expires=60", "Content-Type: message/sipfrag;version=2.0"],
    `${line}\r\n`,
  ] as const;

describe("SVC-04, B-66 RFC 5359 §2.4 transfer, unattended", () => {
  test("REFER, NOTIFY, the new call and both BYEs; Refer-To and Referred-By byte for byte", () => {
    const { world, alice, bob, carol } = rig();
    const call = setUp(alice, bob, { callId: "first" });
    const said = [
      "Refer-To:  Carol <sip:carol@example.test;user=phone>;x=1",
      "Referred-By: <sip:bob@example.test>",
    ];
    const refer = exchange(bob, alice, call.callee, "REFER", 1, 202, [`Contact: <${bob.contact}>`, ...said]);
    expect(lines(refer)).toEqual(expect.arrayContaining(said));
    exchange(alice, bob, call.caller, "NOTIFY", 2, 200, ...sipfrag("SIP/2.0 100 Trying"));
    exchange(bob, alice, call.callee, "BYE", 2, 200);
    setUp(alice, carol, {
      callId: "second",
      fromTag: "second-tag",
      headers: [`Contact: <${alice.contact}>`, said[1]!],
    });
    expect(valuesOf(carol.incoming("INVITE"), "Referred-By")).toEqual(["<sip:bob@example.test>"]);
    // The subscription outlives the call it came in (RFC 3515 §2.4.4).
    exchange(alice, bob, call.caller, "NOTIFY", 3, 200, ...sipfrag("SIP/2.0 200 OK"));
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });
});

describe("SVC-05, B-66 RFC 5359 §2.5 transfer, attended", () => {
  test("Replaces names the dialog as its other end knows it: Call-ID and tags pass unchanged", () => {
    const { alice, bob, carol } = rig();
    const call = setUp(alice, bob, { callId: "first" });
    const consult = setUp(bob, carol, { callId: "consult/1@bob.invalid", fromTag: "consult-tag" });
    const { callId, fromTag, toTag } = consult.caller;
    const replaces = `${encodeURIComponent(callId)}%3Bto-tag%3D${toTag}%3Bfrom-tag%3D${fromTag}`;
    const referTo = `Refer-To: <sip:carol@example.test?Replaces=${replaces}>`;
    const refer = exchange(bob, alice, call.callee, "REFER", 1, 202, [`Contact: <${bob.contact}>`, referTo]);
    expect(lines(refer)).toContain(referTo);

    const [name, value] = ["Replaces", decodeURIComponent(replaces)];
    alice.request("INVITE", "sip:carol@example.test", {
      callId: "third",
      fromTag: "third-tag",
      headers: [`Contact: <${alice.contact}>`, `${name}: ${value}`, "Require: replaces"],
    });
    const invite = carol.incoming("INVITE");
    expect([invite.callId, valuesOf(invite, name), valuesOf(invite, "Require")]).toEqual([
      "third",
      [value],
      ["replaces"],
    ]);
    // What carol holds of the call to be replaced (§3 of RFC 3891: to-tag is her own).
    const hers = `${consult.callee.callId};to-tag=${consult.callee.fromTag};from-tag=${consult.callee.toTag}`;
    expect(value).toBe(hers);
    carol.answer(invite, 200);
    exchange(carol, bob, consult.callee, "BYE", 1, 200);
    exchange(alice, bob, call.caller, "NOTIFY", 2, 200, ...sipfrag("SIP/2.0 200 OK"));
    exchange(bob, alice, call.callee, "BYE", 2, 200);
  });

  test("RFC 3891 §7.1 Replaces of an early dialog reaches the phone that rings", () => {
    const { alice, bob, carol } = rig();
    alice.request("INVITE", "sip:bob@example.test", { callId: "ringing" });
    const ringing = bob.incoming("INVITE");
    bob.answer(ringing, 180);
    const early = alice.answers("INVITE").at(-1)!;
    const replaces = `Replaces: ringing;to-tag=${ringing.fromTag};from-tag=${early.toTag};early-only`;
    carol.request("INVITE", alice.contact, {
      callId: "pickup",
      headers: [`Contact: <${carol.contact}>`, replaces, "Require: replaces"],
    });
    expect(lines(alice.incoming("INVITE"))).toContain(replaces);
    alice.answer(alice.incoming("INVITE"), 200);
    expect(carol.statuses("INVITE")).toEqual([200]);
  });
});

describe("SVC-06 RFC 5359 §2.6 transfer to an instant message", () => {
  test("Refer-To with method=MESSAGE, the MESSAGE it leads to, and its NOTIFY", () => {
    const { alice, bob, carol } = rig();
    const call = setUp(alice, bob, { callId: "first" });
    const referTo = "Refer-To: <sip:carol@example.test;method=MESSAGE>";
    const refer = exchange(bob, alice, call.callee, "REFER", 1, 202, [`Contact: <${bob.contact}>`, referTo]);
    expect(lines(refer)).toContain(referTo);
    alice.request("MESSAGE", "sip:carol@example.test", {
      callId: "message",
      headers: ["Content-Type: text/plain"],
      body: "Watson, come here.",
    });
    const message = carol.incoming("MESSAGE");
    carol.answer(message, 200);
    expect([message.uriText, entries(message, H.RecordRoute)]).toEqual([carol.contact, []]);
    exchange(alice, bob, call.caller, "NOTIFY", 2, 200, ...sipfrag("SIP/2.0 200 OK"));
  });
});
