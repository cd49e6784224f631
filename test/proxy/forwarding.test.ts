/** Calls that nobody took go on (RFC 5359 §2.7–2.9, §2.12): forwards, ring groups, redirects, loops. */
import { describe, expect, test } from "bun:test";
import type { ForwardRules } from "../../src/location/forwards.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { H } from "../../src/message/header-names.ts";
import { EDGE, entries, lab, leftovers, lines, NOTHING_LEFT, Phone, SETTLE_MS, setUp } from "./kit.ts";

const HOSTS = { alice: 7, bob: 8, carol: 9, dave: 10, voicemail: 11 } as const;
type Name = keyof typeof HOSTS;

/** Phones of that name; those in `registered` are. */
function rig(
  registered: readonly Name[],
  toml = "",
  forwards: Partial<Record<Name, Partial<ForwardRules>>> = {},
) {
  const world = lab(toml);
  const phones = Object.fromEntries(
    Object.entries(HOSTS).map(([name, host]) => [name, new Phone(world, name, `198.51.100.${host}`)]),
  ) as Record<Name, Phone>;
  for (const name of Object.keys(HOSTS)) world.account(name, "secret");
  for (const name of registered) phones[name].register();
  for (const [user, rules] of Object.entries(forwards))
    world.forwards.set(user, { ...NO_FORWARDS, ...rules });
  const call = (to = "bob") => phones.alice.request("INVITE", `sip:${to}@example.test`);
  return { world, ...phones, call };
}

const outcome = (phone: Phone) => phone.statuses("INVITE");

describe("SVC-07 call forwarding unconditional", () => {
  test("the call goes to the other user; bob's phone stays silent", () => {
    const { bob, carol, call, alice } = rig(["bob", "carol"], "", { bob: { always: "carol" } });
    call();
    expect([bob.count("INVITE"), carol.count("INVITE")]).toEqual([0, 1]);
    expect(carol.incoming("INVITE").uriText).toBe(carol.contact);
    expect(carol.incoming("INVITE").text(H.To)).toBe("<sip:bob@example.test>");
    carol.answer(carol.incoming("INVITE"), 200);
    expect(outcome(alice)).toEqual([200]);
  });

  test("TM-04, B-65 History-Info (RFC 7044) and Diversion (RFC 5806) say so, and nothing else changes", () => {
    const { carol, call } = rig(["carol"], "", { bob: { always: "carol" } });
    call();
    const invite = carol.incoming("INVITE");
    expect(entries(invite, H.HistoryInfo)).toEqual([
      "<sip:bob@example.test>;index=1",
      "<sip:carol@example.test;cause=302>;index=1.1;mp=1",
    ]);
    expect(lines(invite).filter((line) => line.startsWith("Diversion"))).toEqual([
      "Diversion: <sip:bob@example.test>;reason=unconditional;counter=1",
    ]);
  });

  test("to a SIP URI elsewhere, for a caller who could not have called it", () => {
    const toml = "[calls]\naccept_foreign_callers = true\n";
    const { world, bob } = rig(["bob"], toml, { bob: { always: "sip:desk@203.0.113.77" } });
    const desk = new Phone(world, "desk", "203.0.113.77");
    const stranger = new Phone(world, "stranger", "203.0.113.9");
    stranger.request("INVITE", "sip:desk@203.0.113.77", { from: "<sip:stranger@elsewhere.test>" });
    expect([outcome(stranger), desk.count("INVITE")]).toEqual([[403], 0]);
    stranger.request("INVITE", "sip:bob@example.test", { from: "<sip:s@elsewhere.test>", callId: "second" });
    expect([desk.count("INVITE"), bob.count("INVITE")]).toEqual([1, 0]);
    expect(desk.incoming("INVITE").uriText).toBe("sip:desk@203.0.113.77");
  });

  test("a call inside the forwarded dialog goes on as usual: BYE from both sides", () => {
    const { world, alice, carol } = rig(["carol"], "", { bob: { always: "carol" } });
    const invite = alice.request("INVITE", "sip:bob@example.test");
    carol.answer(carol.incoming("INVITE"), 200);
    expect(invite).toContain("INVITE sip:bob@");
    const route = carol.incoming("INVITE").texts(H.RecordRoute);
    carol.request("BYE", alice.contact, {
      callId: "call-alice",
      from: "<sip:bob@example.test>",
      fromTag: "carol-tag",
      to: "<sip:alice@example.test>",
      toTag: "alice-tag",
      headers: route.map((each) => `Route: ${each}`),
    });
    expect(alice.count("BYE")).toBe(1);
    world.run(10);
  });

  test("only calls are forwarded: a MESSAGE goes to bob's own phone", () => {
    const { alice, bob, carol } = rig(["bob", "carol"], "", { bob: { always: "carol" } });
    alice.request("MESSAGE", "sip:bob@example.test");
    expect([bob.count("MESSAGE"), carol.count("MESSAGE")]).toEqual([1, 0]);
  });

  test("loop A → B → A: 482, at once", () => {
    const { alice, call } = rig(["bob"], "", { bob: { always: "carol" }, carol: { always: "bob" } });
    call();
    expect(outcome(alice)).toEqual([482]);
  });

  test("a chain longer than calls.forwards_max: 482; as long as it: it rings", () => {
    const chain = { bob: { always: "carol" }, carol: { always: "dave" } };
    const two = rig(["dave"], "[calls]\nforwards_max = 2\n", chain);
    two.call();
    expect(two.dave.count("INVITE")).toBe(1);
    expect(
      entries(two.dave.incoming("INVITE"), H.HistoryInfo).map((each) => each.replace(/^.*;index/, ";index")),
    ).toEqual([";index=1", ";index=1.1;mp=1", ";index=1.1.1;mp=1.1"]);
    expect(two.dave.incoming("INVITE").texts(H.Diversion)).toEqual([
      "<sip:carol@example.test>;reason=unconditional;counter=1",
      "<sip:bob@example.test>;reason=unconditional;counter=1",
    ]);
    const one = rig(["dave"], "[calls]\nforwards_max = 1\n", chain);
    one.call();
    expect(outcome(one.alice)).toEqual([482]);
  });

  test("a loop through another appliance ends by the Diversions it brings", () => {
    const { alice, carol } = rig(["carol"], "[calls]\nforwards_max = 2\n", { bob: { always: "carol" } });
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [
        `Contact: <${alice.contact}>`,
        "Diversion: <sip:a@x>;reason=unknown, <sip:b@x>;reason=unknown",
      ],
    });
    expect([outcome(alice), carol.count("INVITE")]).toEqual([[482], 0]);
  });

  test("History-Info and Diversion that came along stay, in their order", () => {
    const { alice, carol } = rig(["carol"], "", { bob: { always: "carol" } });
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [
        `Contact: <${alice.contact}>`,
        "Diversion: <sip:zoe@example.test>;reason=user-busy",
        "History-Info: <sip:zoe@example.test>;index=1, <sip:bob@example.test>;index=1.1",
      ],
    });
    const invite = carol.incoming("INVITE");
    expect(invite.texts(H.Diversion).at(-1)).toBe("<sip:zoe@example.test>;reason=user-busy");
    expect(entries(invite, H.HistoryInfo).map((each) => each.replace(/^.*;index=/, ""))).toEqual([
      "1",
      "1.1",
      "1.1.1",
      "1.1.1.1;mp=1.1.1",
    ]);
  });

  test("history_info and diversion = false: neither is written", () => {
    const { carol, call } = rig(["carol"], "[calls]\nhistory_info = false\ndiversion = false\n", {
      bob: { always: "carol" },
    });
    call();
    const names = lines(carol.incoming("INVITE")).map((line) => line.replace(/:.*/, ""));
    expect(names.filter((name) => name === "History-Info" || name === "Diversion")).toEqual([]);
  });
});

describe("SVC-08 forwarding on busy", () => {
  test.each([486, 600])("%d of the phone ⇒ the next target; the caller hears nothing of it", (status) => {
    const { alice, bob, voicemail, call } = rig(["bob", "voicemail"], "", { bob: { busy: "voicemail" } });
    call();
    bob.answer(bob.incoming("INVITE"), status);
    expect([outcome(alice), voicemail.count("INVITE")]).toEqual([[], 1]);
    const invite = voicemail.incoming("INVITE");
    expect(entries(invite, H.HistoryInfo)[0]).toBe("<sip:bob@example.test?Reason=SIP%3Bcause%3D486>;index=1");
    expect(invite.text(H.Diversion)).toContain("reason=user-busy");
    voicemail.answer(invite, 200);
    expect(outcome(alice)).toEqual([200]);
  });

  test("one of two phones busy, the other out of reach: busy counts", () => {
    const { world, bob, voicemail, call } = rig(["bob", "voicemail"], "[timers]\ntimer_c_s = 20\n", {
      bob: { busy: "voicemail" },
    });
    const second = new Phone(world, "bob", "198.51.100.60");
    second.register(3600, [], "reg-second");
    call();
    bob.answer(bob.incoming("INVITE"), 486);
    expect(voicemail.count("INVITE")).toBe(0);
    second.answer(second.incoming("INVITE"), 503);
    expect(voicemail.count("INVITE")).toBe(1);
  });

  test.each([403, 404, 488, 603])("%d is no busy: it goes back", (status) => {
    const { alice, bob, voicemail, call } = rig(["bob", "voicemail"], "", {
      bob: { busy: "voicemail", no_answer: "voicemail", unreachable: "voicemail" },
    });
    call();
    bob.answer(bob.incoming("INVITE"), status);
    expect([outcome(alice), voicemail.count("INVITE")]).toEqual([[status], 0]);
  });

  test("voicemail refuses too: its answer goes back (TM-51)", () => {
    const { world, alice, bob, voicemail, call } = rig(["bob", "voicemail"], "", {
      bob: { busy: "voicemail" },
    });
    const sent = call();
    bob.answer(bob.incoming("INVITE"), 486);
    voicemail.answer(voicemail.incoming("INVITE"), 403);
    expect(outcome(alice)).toEqual([403]);
    alice.ackRefusal(sent, alice.last());
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });
});

describe("SVC-09 forwarding on no answer", () => {
  test("after its time: CANCEL for the phone, and the next target rings", () => {
    const { world, alice, bob, voicemail, call } = rig(["bob", "voicemail"], "", {
      bob: { no_answer: "voicemail", no_answer_after_s: 15 },
    });
    call();
    bob.answer(bob.incoming("INVITE"), 180);
    world.run(14_800);
    expect(voicemail.count("INVITE")).toBe(0);
    world.run(400);
    expect([bob.count("CANCEL"), voicemail.count("INVITE")]).toEqual([1, 1]);
    bob.answer(bob.incoming("CANCEL"), 200);
    bob.answer(bob.incoming("INVITE"), 487);
    voicemail.answer(voicemail.incoming("INVITE"), 200);
    expect(outcome(alice)).toEqual([180, 200]);
    expect(voicemail.incoming("INVITE").text(H.Diversion)).toContain("reason=no-answer");
  });

  test("TM-40 without a time of its own: calls.no_answer_s", () => {
    const { world, bob, voicemail, call } = rig(["bob", "voicemail"], "[calls]\nno_answer_s = 5\n", {
      bob: { no_answer: "voicemail" },
    });
    call();
    bob.answer(bob.incoming("INVITE"), 180);
    world.run(5_100);
    expect(voicemail.count("INVITE")).toBe(1);
  });

  test("480 of the phone counts as no answer", () => {
    const { bob, voicemail, call } = rig(["bob", "voicemail"], "", { bob: { no_answer: "voicemail" } });
    call();
    bob.answer(bob.incoming("INVITE"), 480);
    expect(voicemail.count("INVITE")).toBe(1);
  });

  test("the caller hangs up while voicemail rings: it is cancelled, 487 goes back", () => {
    const { alice, bob, voicemail, call } = rig(["bob", "voicemail"], "", { bob: { busy: "voicemail" } });
    const sent = call();
    bob.answer(bob.incoming("INVITE"), 486);
    voicemail.answer(voicemail.incoming("INVITE"), 180);
    alice.cancel(sent);
    voicemail.answer(voicemail.incoming("CANCEL"), 200);
    voicemail.answer(voicemail.incoming("INVITE"), 487);
    expect(outcome(alice)).toEqual([180, 487]);
  });
});

describe("forwarding when nobody is there", () => {
  test("not registered ⇒ its own target; without one, unreachable's", () => {
    for (const rule of ["not_registered", "unreachable"] as const) {
      const { voicemail, call } = rig(["voicemail"], "", { bob: { [rule]: "voicemail" } });
      call();
      expect([rule, voicemail.count("INVITE")]).toEqual([rule, 1]);
    }
  });

  test("TM-56 unreachable: a contact whose connection is dead, or that says nothing at all", () => {
    const { world, bob, voicemail, call } = rig(["bob", "voicemail"], "[timers]\nno_reply_s = 4\n", {
      bob: { unreachable: "voicemail" },
    });
    call();
    world.run(4_100);
    expect([bob.count("CANCEL"), voicemail.count("INVITE")]).toEqual([0, 1]);
    expect(voicemail.incoming("INVITE").text(H.Diversion)).toContain("reason=unavailable");
  });

  test("neither rule: 480 for a known user, 404 for nobody", () => {
    const { alice, call } = rig([]);
    call();
    alice.request("INVITE", "sip:nobody@example.test", { callId: "other" });
    expect(outcome(alice)).toEqual([480, 404]);
  });

  test("forwarded to somebody who is not registered either: 480", () => {
    const { alice, call } = rig([], "", { bob: { not_registered: "carol" } });
    call();
    expect(outcome(alice)).toEqual([480]);
  });
});

describe("forwards in the config ([[user]])", () => {
  const BOB = '[[user]]\nname = "bob"\npassword = "x"\nforward_busy = "carol"\n';

  test("hold; what the store has goes before them", () => {
    const fromConfig = rig(["bob", "carol", "dave"], BOB);
    fromConfig.call();
    fromConfig.bob.answer(fromConfig.bob.incoming("INVITE"), 486);
    expect(fromConfig.carol.count("INVITE")).toBe(1);
    const stored = rig(["bob", "carol", "dave"], BOB, { bob: { busy: "dave" } });
    stored.call();
    stored.bob.answer(stored.bob.incoming("INVITE"), 486);
    expect([stored.carol.count("INVITE"), stored.dave.count("INVITE")]).toEqual([0, 1]);
  });
});

describe("SVC-12 ring groups and find-me ([[group]])", () => {
  const SALES =
    '[[group]]\nname = "sales"\nring = ["bob carol 10s", "dave 5s"]\nforward_no_answer = "voicemail"\n';

  test("the users of a step ring together, the steps one after the other, then the failure route", () => {
    const { world, bob, carol, dave, voicemail, call, alice } = rig(
      ["bob", "carol", "dave", "voicemail"],
      SALES,
    );
    call("sales");
    const count = () => [bob, carol, dave, voicemail].map((phone) => phone.count("INVITE"));
    expect(count()).toEqual([1, 1, 0, 0]);
    for (const phone of [bob, carol]) phone.answer(phone.incoming("INVITE"), 180);
    world.run(10_100);
    expect(count()).toEqual([1, 1, 1, 0]);
    expect([bob.count("CANCEL"), carol.count("CANCEL")]).toEqual([1, 1]);
    dave.answer(dave.incoming("INVITE"), 180);
    world.run(5_100);
    expect(count()).toEqual([1, 1, 1, 1]);
    voicemail.answer(voicemail.incoming("INVITE"), 200);
    expect(outcome(alice).at(-1)).toBe(200);
  });

  test("a step of which nobody is registered is passed over at once", () => {
    const { dave, call } = rig(["dave"], SALES);
    call("sales");
    expect(dave.count("INVITE")).toBe(1);
  });

  test("a member who registers during its step rings too (B-22)", () => {
    const { bob, carol, call } = rig(["bob"], SALES);
    call("sales");
    bob.answer(bob.incoming("INVITE"), 180);
    carol.request("REGISTER", "sip:example.test", { to: "<sip:carol@example.test>", callId: "reg-carol" });
    expect(carol.count("INVITE")).toBe(1);
  });

  test("members' own forwards are not followed", () => {
    const { bob, voicemail, call } = rig(["bob", "voicemail"], SALES, { bob: { always: "voicemail" } });
    call("sales");
    expect([bob.count("INVITE"), voicemail.count("INVITE")]).toEqual([1, 0]);
  });

  test("nobody at all: 480; with forward_not_registered, there", () => {
    const { alice, call } = rig([], SALES);
    call("sales");
    expect(outcome(alice)).toEqual([480]);
    const night = rig(["voicemail"], SALES.replace("forward_no_answer", "forward_not_registered"));
    night.call("sales");
    expect(night.voicemail.count("INVITE")).toBe(1);
  });

  test("a user may be forwarded to a group, and a group to a group", () => {
    const toml = `${SALES}[[group]]\nname = "front"\nring = ["bob"]\nforward_busy = "sales"\n`;
    const { bob, carol, call } = rig(["bob", "carol"], toml);
    call("front");
    bob.answer(bob.incoming("INVITE"), 486);
    expect(carol.count("INVITE")).toBe(1);
  });
});

describe("SRV-11 redirection", () => {
  const BOB = '[[user]]\nname = "bob"\npassword = "x"\nredirect = true\n';

  test("[[user]] redirect: 302 with the contacts and their q, best first", () => {
    const { world, alice, bob, call } = rig([], BOB);
    const second = new Phone(world, "bob", "198.51.100.60");
    for (const [i, phone] of [bob, second].entries())
      phone.request("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        callId: `reg-${i}`,
        headers: [`Contact: <${phone.contact}>;q=0.${i + 3}`],
      });
    call();
    expect(outcome(alice)).toEqual([302]);
    expect(alice.last().texts(H.Contact)).toEqual([`<${second.contact}>;q=0.4`, `<${bob.contact}>;q=0.3`]);
    expect(bob.count("INVITE")).toBe(0);
  });

  test("[[user]] redirect with forward_always: 302 with the destination", () => {
    const { alice, call } = rig([], `${BOB}forward_always = "carol"\n`);
    call();
    expect(alice.last().texts(H.Contact)).toEqual(["<sip:carol@example.test>"]);
  });

  test("a phone's 302 goes to the caller as it is", () => {
    const { alice, bob, carol, call } = rig(["bob", "carol"]);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    expect([outcome(alice), carol.count("INVITE")]).toEqual([[302], 0]);
  });

  const FOLLOW = "[calls]\nfollow_redirects = true\n";

  test("follow_redirects: the contact is tried in its place; a redirect back ends it", () => {
    const { alice, bob, carol, call } = rig(["bob", "carol"], FOLLOW);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    expect([outcome(alice), carol.count("INVITE")]).toEqual([[], 1]);
    expect(carol.incoming("INVITE").text(H.Diversion)).toContain("reason=deflection");
    carol.answer(carol.incoming("INVITE"), 302, { headers: ["Contact: <sip:bob@example.test>"] });
    expect([bob.count("INVITE"), outcome(alice)]).toEqual([1, [302]]);
  });

  test("follow_redirects never crosses the boundary of trust: a stranger's call is not taken abroad", () => {
    const toml = `${FOLLOW}accept_foreign_callers = true\n`;
    const { world, alice, bob, call } = rig(["bob"], toml);
    const abroad = new Phone(world, "abroad", "203.0.113.50");
    const stranger = new Phone(world, "stranger", "203.0.113.9");
    stranger.request("INVITE", "sip:bob@example.test", { from: "<sip:stranger@elsewhere.test>" });
    bob.answer(bob.incoming("INVITE"), 302, { headers: [`Contact: <${abroad.contact}>`] });
    expect([outcome(stranger), abroad.count("INVITE")]).toEqual([[302], 0]);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: [`Contact: <${abroad.contact}>`] });
    expect([outcome(alice), abroad.count("INVITE")]).toEqual([[], 1]);
  });

  test.each([
    "",
    "Contact: *",
    "Contact: <mailto:bob@example.test>",
    "Contact: <sip:nobody@example.test>",
    "Contact: <<<",
  ])("follow_redirects: a 302 with %j goes to the caller", (header) => {
    const { alice, bob, call } = rig(["bob"], FOLLOW);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: header === "" ? [] : [header] });
    expect(outcome(alice)).toEqual([302]);
  });
});

describe("B-71 calls for help", () => {
  const HELP =
    '[emergency]\nnumbers = ["112", "911"]\nto = "sip:{number}@203.0.113.112"\nnetworks = ["203.0.113.0/24"]\n';

  test("need no password from the networks named, and go where emergency.to says", () => {
    const { world } = rig([], HELP);
    const psap = new Phone(world, "psap", "203.0.113.112");
    const phone = new Phone(world, "kitchen", "203.0.113.9");
    phone.request("INVITE", "sip:112@example.test", { from: "<sip:kitchen@example.test>" });
    expect(psap.incoming("INVITE").uriText).toBe("sip:112@203.0.113.112");
    setUpAnswers(psap);
    expect(outcome(phone)).toEqual([180, 200]);
  });

  test("urn:service:sos (RFC 5031) means the first number; without [emergency] it is refused", () => {
    const { world } = rig([], HELP);
    const psap = new Phone(world, "psap", "203.0.113.112");
    const phone = new Phone(world, "kitchen", "203.0.113.9");
    phone.request("INVITE", "urn:service:sos.fire", { from: "<sip:kitchen@example.test>" });
    expect(psap.incoming("INVITE").uriText).toBe("sip:112@203.0.113.112");
    const { alice } = rig([]);
    for (const uri of ["urn:service:sos", "urn:service:counseling"])
      alice.request("INVITE", uri, { callId: uri });
    expect(outcome(alice)).toEqual([416, 416]);
  });

  test("from elsewhere they are calls like any other, and other numbers are no calls for help", () => {
    const { world } = rig([], HELP.replace("203.0.113.0/24", "10.0.0.0/8"));
    const phone = new Phone(world, "kitchen", "203.0.113.9");
    phone.request("INVITE", "sip:112@example.test", { from: "<sip:kitchen@example.test>" });
    phone.request("INVITE", "sip:113@example.test", { from: "<sip:kitchen@example.test>", callId: "2" });
    expect(outcome(phone)).toEqual([407, 407]);
  });

  test("are taken when limits.transactions_max is reached", () => {
    const { world, alice } = rig([], `${HELP}[limits]\ntransactions_max = 100\n`);
    const psap = new Phone(world, "psap", "203.0.113.112");
    const phone = new Phone(world, "kitchen", "203.0.113.9");
    for (let i = 0; i < 100; i++) alice.send(alice.write("OPTIONS", "sip:192.0.2.1", { callId: `c${i}` }));
    world.run(20);
    alice.request("OPTIONS", "sip:192.0.2.1", { callId: "one-more" });
    expect(alice.statuses("OPTIONS").at(-1)).toBe(503);
    phone.request("INVITE", "sip:112@example.test", { from: "<sip:kitchen@example.test>" });
    expect(psap.count("INVITE")).toBe(1);
  });

  test("forwards of a user who is named like a number do not take them away", () => {
    const { world, alice, bob } = rig(["bob"], HELP);
    world.forwards.set("112", { ...NO_FORWARDS, always: "bob" });
    const psap = new Phone(world, "psap", "203.0.113.112");
    alice.request("INVITE", "sip:112@example.test");
    expect([psap.count("INVITE"), bob.count("INVITE")]).toEqual([1, 0]);
  });
});

function setUpAnswers(phone: Phone): void {
  phone.answer(phone.incoming("INVITE"), 180);
  phone.answer(phone.incoming("INVITE"), 200);
}

test("a call that is not forwarded carries neither History-Info nor Diversion", () => {
  const { alice, bob } = rig(["bob"], "", { bob: { busy: "carol" } });
  const { arrived } = setUp(alice, bob);
  expect([arrived.find(H.HistoryInfo), arrived.find(H.Diversion)]).toEqual([-1, -1]);
  expect(EDGE).toBe("192.0.2.1");
});
