/** Calls that end wrongly: races of refusals and late phones, redirects, forwards, and the boundary of trust. */
import { describe, expect, test } from "bun:test";
import type { ForwardRules } from "../../src/location/forwards.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { H } from "../../src/message/header-names.ts";
import { entries, lab, lines, Phone } from "./kit.ts";

const HOSTS = { alice: 7, bob: 8, carol: 9, dave: 10, voicemail: 11 } as const;
type Name = keyof typeof HOSTS;

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
  const call = (to = "sip:bob@example.test") => phones.alice.request("INVITE", to);
  return { world, ...phones, call };
}

/** One more phone of bob's. */
function another(world: ReturnType<typeof rig>["world"], host: number, params = "", cseq = 1): Phone {
  const phone = new Phone(world, "bob", `198.51.100.${host}`);
  return bind(phone, host, params, cseq);
}

function bind(phone: Phone, host: number, params = "", cseq = 1): Phone {
  phone.request("REGISTER", "sip:example.test", {
    to: "<sip:bob@example.test>",
    callId: `reg-${host}`,
    cseq,
    headers: [`Contact: <${phone.contact}>${params}`],
  });
  expect(phone.statuses("REGISTER").at(-1)).toBe(200);
  return phone;
}

const outcome = (phone: Phone) => phone.statuses("INVITE");
const FOLLOW = "[calls]\nfollow_redirects = true\n";

describe("RFC 3261 §16.7 step 5 after a 6xx no branch is created", () => {
  test("late forking: a phone that registers after bob has declined stays silent", () => {
    const { world, bob, call } = rig(["bob"]);
    another(world, 60);
    call();
    bob.answer(bob.incoming("INVITE"), 603);
    expect(another(world, 61).count("INVITE")).toBe(0);
  });

  test("a redirection that crosses the CANCEL is not followed", () => {
    const { world, bob, carol, call } = rig(["bob", "carol"], FOLLOW);
    const second = another(world, 60);
    call();
    second.answer(second.incoming("INVITE"), 180);
    bob.answer(bob.incoming("INVITE"), 603);
    second.answer(second.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    expect(carol.count("INVITE")).toBe(0);
  });

  test("the other flow of a phone whose 430 crosses the CANCEL is not tried", () => {
    const { world, bob, call } = rig(["bob"]);
    const old = another(world, 60, ';+sip.instance="<urn:uuid:1>";reg-id=1');
    world.run(1000);
    const fresh = another(world, 61, ';+sip.instance="<urn:uuid:1>";reg-id=2');
    call();
    fresh.answer(fresh.incoming("INVITE"), 180);
    bob.answer(bob.incoming("INVITE"), 603);
    fresh.answer(fresh.incoming("INVITE"), 430);
    expect(old.count("INVITE")).toBe(0);
  });
});

describe("RFC 3261 §16.7 steps 4 and 6 what was followed does not go back", () => {
  test("a followed redirection: the answer of its target counts, not the 302", () => {
    const { alice, bob, carol, call } = rig(["bob", "carol"], FOLLOW);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    carol.answer(carol.incoming("INVITE"), 486);
    expect(outcome(alice)).toEqual([486]);
  });

  test("two phones redirect to the same user, who is busy: 486", () => {
    const { world, alice, bob, carol, call } = rig(["bob", "carol"], FOLLOW);
    const second = another(world, 60);
    call();
    const moved = { headers: ["Contact: <sip:carol@example.test>"] };
    bob.answer(bob.incoming("INVITE"), 302, moved);
    second.answer(second.incoming("INVITE"), 302, moved);
    carol.answer(carol.incoming("INVITE"), 486);
    expect(outcome(alice)).toEqual([486]);
  });

  test("a dead flow (430) whose spare was tried: the spare's answer goes back (RFC 5626 §5.3)", () => {
    const { world, alice, call } = rig([]);
    const old = another(world, 60, ';+sip.instance="<urn:uuid:1>";reg-id=1');
    world.run(1000);
    const fresh = another(world, 61, ';+sip.instance="<urn:uuid:1>";reg-id=2');
    call();
    fresh.answer(fresh.incoming("INVITE"), 430);
    old.answer(old.incoming("INVITE"), 486);
    expect(outcome(alice)).toEqual([486]);
  });

  test("the answer of a spare flow decides over the forward: 488 is no unreachable", () => {
    const { world, alice, voicemail, call } = rig(["voicemail"], "", { bob: { unreachable: "voicemail" } });
    const old = another(world, 60, ';+sip.instance="<urn:uuid:1>";reg-id=1');
    world.run(1000);
    const fresh = another(world, 61, ';+sip.instance="<urn:uuid:1>";reg-id=2');
    call();
    fresh.answer(fresh.incoming("INVITE"), 430);
    old.answer(old.incoming("INVITE"), 488);
    expect([outcome(alice), voicemail.count("INVITE")]).toEqual([[488], 0]);
  });

  test("redirections count as forwards: not more than calls.forwards_max", () => {
    const { bob, carol, dave, call } = rig(["bob", "carol", "dave"], `${FOLLOW}forwards_max = 1\n`);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    carol.answer(carol.incoming("INVITE"), 302, { headers: ["Contact: <sip:dave@example.test>"] });
    expect(dave.count("INVITE")).toBe(0);
  });

  test("a redirection of a redirection names who redirected (RFC 7044 §10)", () => {
    const { bob, carol, dave, call } = rig(["bob", "carol", "dave"], FOLLOW);
    call();
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    carol.answer(carol.incoming("INVITE"), 302, { headers: ["Contact: <sip:dave@example.test>"] });
    expect(dave.incoming("INVITE").texts(H.Diversion)).toEqual([
      "<sip:carol@example.test>;reason=deflection;counter=1",
      "<sip:bob@example.test>;reason=deflection;counter=1",
    ]);
  });
});

describe("RFC 3261 §16.5 nobody is in the target set twice", () => {
  test("late forking: a phone that refused and registers over a new flow does not ring again", () => {
    const { world, bob, call } = rig(["bob"]);
    const second = another(world, 60);
    call();
    second.answer(second.incoming("INVITE"), 486);
    bind(second, 60, ";expires=0", 2);
    bind(second, 60, "", 3);
    expect([bob.count("INVITE"), second.count("INVITE")]).toEqual([1, 1]);
  });

  test("a redirection to a phone that rings already", () => {
    const group = '[[group]]\nname = "sales"\nring = ["bob carol"]\n';
    const { bob, carol, call } = rig(["bob", "carol"], `${group}${FOLLOW}`);
    call("sip:sales@example.test");
    bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
    expect(carol.count("INVITE")).toBe(1);
  });

  test("a user named twice in one step of a group", () => {
    const { bob, call } = rig(["bob"], '[[group]]\nname = "sales"\nring = ["bob bob"]\n');
    call("sip:sales@example.test");
    expect(bob.count("INVITE")).toBe(1);
  });

  test.each([
    "sip:bob@192.0.2.1",
    "sip:bob@EXAMPLE.test",
    "sip:%62ob@example.test",
    "sip:bob@example.test:5060",
  ])("a forward back to the one who is called, spelled %s", (spelling) => {
    const { alice, bob, call } = rig(["bob"], "", { bob: { busy: spelling } });
    call();
    bob.answer(bob.incoming("INVITE"), 486);
    expect([bob.count("INVITE"), outcome(alice)]).toEqual([1, [486]]);
  });

  test("a late phone that comes back over a new flow rings while the old one is silent (B-22)", () => {
    const { world, call } = rig([]);
    const params = ';+sip.instance="<urn:uuid:1>";reg-id=1';
    const asleep = another(world, 60, params);
    call();
    expect(asleep.count("INVITE")).toBe(1);
    world.run(1000);
    const awake = another(world, 61, params);
    expect(awake.count("INVITE")).toBe(1);
  });
});

describe("RFC 3261 §9.1 only INVITEs are cancelled", () => {
  test.each(["MESSAGE", "OPTIONS"])(
    "a %s whose first flow was silent for failover_s, and then says 100",
    (method) => {
      const { world, alice } = rig([]);
      const old = another(world, 60, ';+sip.instance="<urn:uuid:1>";reg-id=1');
      world.run(1000);
      const fresh = another(world, 61, ';+sip.instance="<urn:uuid:1>";reg-id=2');
      alice.request(method, "sip:bob@example.test");
      world.run(5_000);
      expect(old.count(method)).toBeGreaterThan(0);
      fresh.answer(fresh.incoming(method), 100);
      expect(fresh.count("CANCEL")).toBe(0);
    },
  );
});

describe("forwards that lead to somebody who cannot take it", () => {
  test("always, to a user who is not registered: 480, as nothing goes round", () => {
    const { alice, call } = rig([], "", { bob: { always: "carol" } });
    call();
    expect(outcome(alice)).toEqual([480]);
  });

  test("to a user of whom callers are told the contacts: the 302 goes back", () => {
    const toml = '[[user]]\nname = "carol"\npassword = "x"\nredirect = true\n';
    const { alice, call } = rig(["carol"], toml, { bob: { always: "carol" } });
    call();
    expect(outcome(alice)).toEqual([302]);
  });

  test("RFC 5393 §5.3.3 Max-Breadth: 1: voicemail gets its copy once the phone has ended", () => {
    const { world, alice, bob, voicemail } = rig(["bob", "voicemail"], "[calls]\nno_answer_s = 5\n", {
      bob: { no_answer: "voicemail" },
    });
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [`Contact: <${alice.contact}>`, "Max-Breadth: 1"],
    });
    bob.answer(bob.incoming("INVITE"), 180);
    world.run(5_100);
    bob.answer(bob.incoming("CANCEL"), 200);
    bob.answer(bob.incoming("INVITE"), 487);
    expect(voicemail.count("INVITE")).toBe(1);
  });
});

describe("RFC 5359 §2.9 what several phones' results mean together", () => {
  test("one is busy, the other rings out, and only forward_no_answer is set: voicemail", () => {
    const { world, bob, voicemail, call } = rig(["bob", "voicemail"], "[calls]\nno_answer_s = 5\n", {
      bob: { no_answer: "voicemail" },
    });
    const second = another(world, 60);
    call();
    bob.answer(bob.incoming("INVITE"), 180);
    second.answer(second.incoming("INVITE"), 486);
    world.run(5_100);
    expect([bob.count("CANCEL"), voicemail.count("INVITE")]).toEqual([1, 1]);
  });

  test("a phone that registers at the end of no_answer_s does not begin the time anew", () => {
    const { world, bob, voicemail, call } = rig(["bob", "voicemail"], "[calls]\nno_answer_s = 5\n", {
      bob: { no_answer: "voicemail" },
    });
    call();
    bob.answer(bob.incoming("INVITE"), 180);
    world.run(4_500);
    const late = another(world, 60);
    late.answer(late.incoming("INVITE"), 180);
    world.run(600);
    expect([bob.count("CANCEL"), voicemail.count("INVITE")]).toEqual([1, 1]);
  });
});

describe("RFC 5630 §5.3 a sips: call is never taken down", () => {
  test("a forward to a sip: URI elsewhere", () => {
    const { world, call } = rig([], "", { bob: { always: "sip:desk@203.0.113.77" } });
    const desk = new Phone(world, "desk", "203.0.113.77");
    call("sips:bob@example.test");
    expect(desk.count("INVITE")).toBe(0);
  });

  test("a phone without TLS that registers while it rings", () => {
    const { world, alice } = rig([]);
    world.transports.listen("tls", "192.0.2.1", 5061);
    const safe = new Phone(world, "bob", "198.51.100.70", 5061, "tls");
    safe.host.send(
      safe.write("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        callId: "reg-safe",
        headers: [`Contact: <${safe.contact}>`],
      }),
      "192.0.2.1",
      5061,
    );
    world.run(50);
    expect(safe.last().status).toBe(200);
    alice.request("INVITE", "sips:bob@example.test");
    expect(safe.count("INVITE")).toBe(1);
    // RFC 3261 §16.6 step 4: its dialog stays with sips.
    const routes = entries(safe.incoming("INVITE"), H.RecordRoute);
    expect(routes.map((route) => /^<(sips?):.*;lr>$/.exec(route)?.[1])).toEqual(["sips", "sips"]);
    expect(another(world, 61).count("INVITE")).toBe(0);
  });
});

describe("RFC 3261 §19.1.1 a Request-URI has neither headers nor a method", () => {
  test("a followed redirection that names some", () => {
    const { world, bob, call } = rig(["bob"], FOLLOW);
    const abroad = new Phone(world, "abroad", "203.0.113.50");
    call();
    const contact = "sip:abroad@203.0.113.50;method=BYE?Subject=x&Route=%3Csip:evil.test%3E";
    bob.answer(bob.incoming("INVITE"), 302, { headers: [`Contact: <${contact}>`] });
    expect(abroad.incoming("INVITE").uriText).toBe("sip:abroad@203.0.113.50");
  });
});

describe("no open relay", () => {
  const HELP =
    '[emergency]\nnumbers = ["112", "#112"]\nto = "sip:help@198.51.100.112"\nnetworks = ["203.0.113.0/24"]\n';
  const from = "<sip:kitchen@example.test>";

  test("B-71 a stranger from outside emergency.networks does not reach the carrier of calls for help", () => {
    const { world } = rig([], `[calls]\naccept_foreign_callers = true\n${HELP}`);
    const psap = new Phone(world, "psap", "198.51.100.112");
    const stranger = new Phone(world, "stranger", "192.0.2.200");
    stranger.request("INVITE", "sip:112@example.test", { from: "<sip:s@elsewhere.test>" });
    expect(psap.count("INVITE")).toBe(0);
  });

  test("B-71 the dialog of a call for help without a password leads nowhere else", () => {
    const { world } = rig([], HELP);
    const psap = new Phone(world, "psap", "198.51.100.112");
    const victim = new Phone(world, "victim", "192.0.2.200");
    const phone = new Phone(world, "kitchen", "203.0.113.9");
    phone.request("INVITE", "sip:112@example.test", { from });
    psap.answer(psap.incoming("INVITE"), 200);
    const route = phone.last().texts(H.RecordRoute).toReversed();
    phone.request("MESSAGE", "sip:victim@192.0.2.200", {
      callId: "call-kitchen",
      from,
      toTag: "any",
      headers: route.map((each) => `Route: ${each}`),
    });
    expect(victim.count("MESSAGE")).toBe(0);
  });

  test("B-71 emergency.to may be somebody here", () => {
    const { bob, call } = rig(["bob"], HELP.replace("sip:help@198.51.100.112", "sip:bob@example.test"));
    call("sip:112@example.test");
    expect(bob.count("INVITE")).toBe(1);
  });

  test.each(["sip:%3112@example.test", "sip:%23112@example.test"])(
    "B-71 %s is a call for help, too",
    (uri) => {
      const { world } = rig([], HELP);
      const psap = new Phone(world, "psap", "198.51.100.112");
      const phone = new Phone(world, "kitchen", "203.0.113.9");
      phone.request("INVITE", uri, { from });
      expect(psap.count("INVITE")).toBe(1);
    },
  );

  test("a stranger's own Diversion and History-Info do not reach voicemail", () => {
    const { world, voicemail } = rig(["voicemail"], "[calls]\naccept_foreign_callers = true\n", {
      bob: { always: "voicemail" },
    });
    const stranger = new Phone(world, "stranger", "192.0.2.200");
    stranger.request("INVITE", "sip:bob@example.test", {
      from: "<sip:s@elsewhere.test>",
      headers: [
        `Contact: <${stranger.contact}>`,
        "Diversion: <sip:ceo@example.test>;reason=no-answer",
        "History-Info: <sip:ceo@example.test>;index=1",
      ],
    });
    const told = lines(voicemail.incoming("INVITE")).filter((line) =>
      /^(Diversion|History-Info):/.test(line),
    );
    expect(told.join("\n")).not.toContain("ceo@");
  });
});

test("RFC 5393 §5.3.3 a branch whose name is still being looked up keeps its share", async () => {
  const world = lab("", { resolver: { addresses: () => new Promise(() => {}), services: async () => [] } });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const far = new Phone(world, "bob", "198.51.100.60");
  far.request("REGISTER", "sip:example.test", {
    to: "<sip:bob@example.test>",
    callId: "far",
    headers: [`Contact: <${far.contact}>`, "Supported: path", "Path: <sip:edge.far.test:5060;lr>"],
  });
  expect(far.last().status).toBe(200);
  const near = another(world, 61);
  alice.request("INVITE", "sip:bob@example.test", {
    headers: [`Contact: <${alice.contact}>`, "Max-Breadth: 2"],
  });
  const late = another(world, 62);
  expect(near.count("INVITE") + late.count("INVITE")).toBe(1);
});

describe("RFC 5393 §5.3.3 a round that waits for its share", () => {
  const SERIAL = '[calls]\nfork = "serial"\nhunt_s = 5\n[limits]\nbranches_max = 1\n';

  test("nothing is waited for when limits.branches_max is used up: the answer goes back at once", () => {
    const { world, alice, bob, call } = rig(["bob"], SERIAL);
    const second = another(world, 60);
    call();
    const [first] = [bob, second].filter((phone) => phone.count("INVITE") > 0);
    first!.answer(first!.incoming("INVITE"), 180);
    world.run(5_100);
    expect(outcome(alice).slice(0, 2)).toEqual([180, 408]);
  });
});

test("RFC 3261 §16.7 step 6 a followed redirection to somebody out of reach: their result counts, not the 302", () => {
  const { alice, bob, carol, call } = rig(["bob"], FOLLOW);
  carol.request("REGISTER", "sip:example.test", {
    to: "<sip:carol@example.test>",
    headers: [`Contact: <${carol.contact};transport=tls>`],
  });
  call();
  bob.answer(bob.incoming("INVITE"), 302, { headers: ["Contact: <sip:carol@example.test>"] });
  expect(outcome(alice)).toEqual([480]);
});

test("no open mailbox: a stranger who calls voicemail itself with a Diversion of his own", () => {
  const { world, voicemail } = rig(["voicemail"], "[calls]\naccept_foreign_callers = true\n");
  const stranger = new Phone(world, "stranger", "192.0.2.200");
  stranger.request("INVITE", "sip:voicemail@example.test", {
    from: "<sip:s@elsewhere.test>",
    headers: [`Contact: <${stranger.contact}>`, "Diversion: <sip:ceo@example.test>;reason=no-answer"],
  });
  expect(voicemail.incoming("INVITE").find(H.Diversion)).toBe(-1);
});
