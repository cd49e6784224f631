/** Who is named as callee in answers, and to whom (RFC 3325, RFC 3323): phones, a trusted PBX, a peer. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { callerDialog, EDGE, inside, lab, Phone } from "../proxy/kit.ts";

const GATEWAY = "203.0.113.81";

/** bob is a phone of ours, 300 a trusted PBX, the gateway a peer; alice, a stranger, may call them. */
function rig(identity = "asserted") {
  const toml = `
[calls]
accept_foreign_callers = true
[[peer]]
name = "carrier"
uris = ["sip:${GATEWAY}"]
networks = ["${GATEWAY}"]
identity = "${identity}"
probe_s = 0
[[route]]
name = "out"
numbers = ["0."]
to = ["peer:carrier"]
`;
  const world = lab(toml);
  const pbx = new Phone(world, "300", "198.51.100.30");
  const bob = new Phone(world, "bob", "203.0.113.8");
  const alice = new Phone(world, "alice", "203.0.113.7");
  const gateway = new Phone(world, "gateway", GATEWAY);
  pbx.register();
  // Nobody but the trusted network may register for bob here, so the PBX does.
  pbx.request("REGISTER", "sip:example.test", {
    to: "<sip:bob@example.test>",
    callId: "for-bob",
    headers: [`Contact: <${bob.contact}>`],
  });
  return { world, pbx, bob, alice, gateway };
}

const KING = "<sip:king@elsewhere.test>";
const BOB = "<sip:bob@example.test>";
const CLAIMS = [
  `P-Asserted-Identity: ${KING}`,
  "P-Asserted-Identity: <tel:+1>",
  `P-Preferred-Identity: ${KING}`,
  `Remote-Party-ID: ${KING};party=called`,
];

function named(answer: SipMessage): string[] {
  return [H.PAssertedIdentity, H.PPreferredIdentity, H.RemotePartyId].flatMap((id) => [...answer.texts(id)]);
}

/** Calls, lets the callee answer 180 and 200 with these lines, and returns who the caller was told it is. */
function told(caller: Phone, callee: Phone, headers: readonly string[], from = KING): string[][] {
  caller.request("INVITE", `sip:${callee.name === "gateway" ? "0301" : callee.name}@example.test`, { from });
  const invite = callee.incoming("INVITE");
  const lines = [`Contact: <${callee.contact}>`, ...headers];
  for (const status of [180, 200]) callee.answer(invite, status, { headers: lines });
  return caller.answers("INVITE").map(named);
}

const twice = (...names: string[]): string[][] => [names, names];

describe("B-64 RFC 3325 §5 what a phone says of itself in its answers", () => {
  test("does not reach another phone", () => {
    const { alice, bob } = rig();
    expect(told(alice, bob, CLAIMS)).toEqual(twice());
  });

  test("towards a trusted host stands the account whose phone it is in its place", () => {
    const { pbx, bob } = rig();
    expect(told(pbx, bob, CLAIMS)).toEqual(twice(BOB));
  });

  test("which is also said where the phone says nothing, and where it wants privacy", () => {
    const { pbx, bob } = rig();
    expect(told(pbx, bob, ["Privacy: id"])).toEqual(twice(BOB));
    expect(pbx.answers("INVITE")[0]!.texts(H.Privacy)).toEqual(["id"]);
  });

  test("a refusal names nobody", () => {
    const { pbx, bob } = rig();
    pbx.request("INVITE", "sip:bob@example.test");
    bob.answer(bob.incoming("INVITE"), 486, { headers: CLAIMS });
    expect(pbx.answers("INVITE").map(named)).toEqual([[]]);
  });

  test("nor does what it says inside a dialog, or of a MESSAGE", () => {
    const { alice, bob } = rig();
    told(alice, bob, []);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    alice.request("ACK", dialog.target, inside(dialog));
    alice.request("INFO", dialog.target, inside(dialog, { cseq: 2 }));
    bob.answer(bob.incoming("INFO"), 200, { headers: CLAIMS });
    alice.request("MESSAGE", "sip:bob@example.test", { from: KING, callId: "m" });
    bob.answer(bob.incoming("MESSAGE"), 200, { headers: CLAIMS });
    expect([...alice.answers("INFO"), ...alice.answers("MESSAGE")].map(named)).toEqual([[], []]);
  });

  test("nor in a 2xx that comes when its transaction is over", () => {
    const { world, alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test", { from: KING });
    const invite = bob.incoming("INVITE");
    bob.answer(invite, 200);
    world.run(40_000);
    alice.got.length = 0;
    bob.answer(invite, 200, { headers: [`Contact: <${bob.contact}>`, ...CLAIMS] });
    expect(alice.answers("INVITE").map(named)).toEqual([[]]);
  });

  const TO_PEERS: readonly [string, string[]][] = [
    ["asserted", [BOB]],
    ["remote_party", [`${BOB};party=called;screen=yes`]],
    ["none", []],
  ];
  for (const [identity, lines] of TO_PEERS)
    test(`a peer with identity = "${identity}" is told ${lines[0] ?? "nothing"}`, () => {
      const { gateway, bob } = rig(identity);
      expect(told(gateway, bob, CLAIMS)).toEqual(twice(...lines));
    });
});

describe("B-64 RFC 3325 §7 what a trusted host or a peer says of the callee", () => {
  const claim = `P-Asserted-Identity: ${KING}`;
  const cases: readonly [string | null, boolean][] = [
    [null, true],
    ["none", true],
    ["id", false],
    ["critical;user", false],
  ];
  for (const [privacy, passes] of cases)
    test(`towards a phone, Privacy: ${privacy ?? "(absent)"}: ${passes ? "passes" : "is hidden"}`, () => {
      const headers = privacy === null ? [claim] : [claim, `Privacy: ${privacy}`];
      const { alice, pbx } = rig();
      expect(told(alice, pbx, headers)).toEqual(passes ? twice(KING) : twice());
    });

  test("from a peer it reaches a trusted host, whatever the wish", () => {
    const { pbx, gateway } = rig();
    expect(told(pbx, gateway, [claim, "Privacy: id"])).toEqual(twice(KING));
  });

  test("from a trusted host no peer is told it", () => {
    const { gateway, pbx } = rig();
    expect(told(gateway, pbx, CLAIMS)).toEqual(twice());
  });
});

test("an answer without names of anybody goes back as it came, but for its Via", () => {
  const { alice, bob } = rig();
  alice.request("INVITE", "sip:bob@example.test", { from: KING });
  const sent = bob.answer(bob.incoming("INVITE"), 180, { headers: ["X-Kept: yes"] });
  const back = alice.answers("INVITE")[0]!;
  const text = back.bytes.latin1Slice(back.start, back.bodyEnd);
  expect(text).toBe(sent.replace(new RegExp(`Via: [^\\r]*${EDGE}[^\\r]*\\r\\n`), ""));
});
