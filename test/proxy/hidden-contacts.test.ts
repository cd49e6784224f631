/** `nat.contact = "rewrite"` through the whole appliance: nobody but the phone sees its private Contact, and it alone does. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { behindNat, INNER, proving, registerFlow, URN, urisOf } from "../support/natted-phones.ts";
import { configOf, EDGE, REALM } from "../support/world.ts";
import {
  calleeDialog,
  callerDialog,
  entries,
  inside,
  lab,
  leftovers,
  NOTHING_LEFT,
  Phone,
  SETTLE_MS,
  setUp,
  text,
} from "./kit.ts";

const REWRITE = '[nat]\ncontact = "rewrite"\n';
const OUTER = "198.51.100.20";
const plain = { instance: null, reg_id: null, supported: "" } as const;
const rewriting = (toml = "") => lab(`${REWRITE}${toml}`);

/** The Contact URI of a message, with T for its token. */
const shown = (message: Parameters<typeof urisOf>[0]) =>
  urisOf(message, H.Contact)[0]?.replace(/(;sipedge=)[\w-]{40,}/, "$1T") ?? null;

describe("NT-19, NH-19 a strict phone gets its original Request-URI back", () => {
  for (const transport of ["udp", "tcp"] as const)
    for (const contact of [
      `sip:alice@${INNER}:5060`,
      `sip:alice@${INNER}`,
      `sip:${INNER}:5060`,
      `sip:alice;day=tuesday@${INNER}:5060;transport=udp;line=%41b`,
    ])
      test(`${transport} ${contact}: called, and each request of the other side`, () => {
        const world = rewriting();
        const { phone: alice } = behindNat(world, OUTER, "alice", { transport });
        const carol = new Phone(world, "carol", "198.51.100.9");
        const answer = registerFlow(alice, { ...plain, contact });
        expect(urisOf(answer, H.Contact)).toEqual([contact]); // its own registration names it as it did
        carol.request("INVITE", "sip:alice@example.test");
        const invite = alice.incoming("INVITE");
        expect(invite.uriText).toBe(contact);
        expect(shown(invite)).toBe(carol.contact); // she stands behind no NAT
        const headers = [`Contact: <${contact}>`];
        alice.answer(invite, 180, { headers });
        alice.answer(invite, 200, { headers });
        const seen = carol.answers("INVITE");
        expect(seen.map(({ status }) => status)).toEqual([180, 200]);
        for (const message of seen) {
          expect(urisOf(message, H.Contact)[0]).toMatch(/@?198\.51\.100\.20:\d+[^@]*;sipedge=[\w-]{40,}$/);
          expect(text(message)).not.toContain(`${INNER}:`);
        }
        const dialog = callerDialog(seen[1]!);
        for (const [i, method] of ["ACK", "UPDATE", "INVITE", "INFO", "BYE"].entries()) {
          carol.request(method, dialog.target, inside(dialog, { cseq: method === "ACK" ? 1 : i + 2 }));
          const got = alice.incoming(method);
          expect([method, got.uriText]).toEqual([method, contact]);
          if (method === "ACK") continue;
          alice.answer(got, 200, { headers });
          expect(text(carol.last())).not.toContain(INNER);
          if (method === "INVITE") carol.request("ACK", dialog.target, inside(dialog, { cseq: i + 2 }));
        }
        expect(alice.count("ACK")).toBe(2);
        world.run(SETTLE_MS);
        expect(leftovers(world)).toEqual(NOTHING_LEFT);
      });

  test("calls, and what comes back to it", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob", { transport: "tcp" });
    registerFlow(bob, plain);
    const { arrived, caller, callee } = setUp(alice, bob);
    for (const target of [caller.target, callee.target]) expect(target).not.toContain(INNER);
    expect(shown(arrived)).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    expect(bob.incoming("ACK").uriText).toBe(bob.contact);
    bob.request("INVITE", callee.target, inside(callee, { cseq: 7, headers: [`Contact: <${bob.contact}>`] }));
    expect(alice.incoming("INVITE").uriText).toBe(alice.contact);
    expect(shown(alice.incoming("INVITE"))).toMatch(/^sip:bob@198\.51\.100\.21:\d+;transport=tcp;sipedge=T$/);
    alice.answer(alice.incoming("INVITE"), 200);
    expect(shown(bob.last())).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    bob.request("ACK", callee.target, inside(callee, { cseq: 7 }));
    alice.request(
      "REFER",
      caller.target,
      inside(caller, { cseq: 8, headers: [`Contact: <${alice.contact}>`] }),
    );
    expect(bob.incoming("REFER").uriText).toBe(bob.contact);
    expect(shown(bob.incoming("REFER"))).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    bob.request("BYE", callee.target, inside(callee, { cseq: 9 }));
    expect(alice.incoming("BYE").uriText).toBe(alice.contact);
  });

  test("a 2xx that comes again when its transaction is gone", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    setUp(carol, alice);
    world.run(SETTLE_MS);
    const before = carol.got.length;
    alice.answer(alice.incoming("INVITE"), 200);
    expect(carol.got.length).toBe(before + 1);
    expect(shown(carol.last())).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
  });

  test("SUBSCRIBE and NOTIFY the same", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    alice.request("SUBSCRIBE", "sip:far@198.51.100.9", {
      headers: [`Contact: <${alice.contact}>`, "Event: dialog"],
    });
    const arrived = carol.incoming("SUBSCRIBE");
    expect(shown(arrived)).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    carol.answer(arrived, 200);
    const dialog = calleeDialog(arrived, "carol-tag");
    carol.request("NOTIFY", dialog.target, inside(dialog, { headers: [`Contact: <${carol.contact}>`] }));
    expect(alice.incoming("NOTIFY").uriText).toBe(alice.contact);
    alice.answer(alice.incoming("NOTIFY"), 200);
    expect(shown(carol.last())).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
  });

  test("OPTIONS and MESSAGE, which begin no dialog", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    for (const method of ["OPTIONS", "MESSAGE"]) {
      alice.request(method, "sip:carol@example.test", { callId: method });
      expect(shown(carol.incoming(method))).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    }
  });

  test("the phone's NAT gave it another port within the call: it is told on, and found", () => {
    const world = rewriting();
    const { box, phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    const { caller } = setUp(alice, carol);
    box.flush();
    alice.request(
      "INVITE",
      caller.target,
      inside(caller, { cseq: 2, headers: [`Contact: <${alice.contact}>`] }),
    );
    expect(shown(carol.incoming("INVITE"))).toBe(`sip:alice@${OUTER}:30001;sipedge=T`);
    carol.answer(carol.incoming("INVITE"), 200);
    expect(alice.last().status).toBe(200);
  });
});

describe("what stays as it is", () => {
  test('by default: nothing is rewritten (contact = "keep")', () => {
    const world = lab();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    expect(shown(setUp(alice, carol).arrived)).toBe(alice.contact);
  });

  test("a phone whose Contact is where its packets come from", () => {
    const world = rewriting();
    const [alice, carol] = [new Phone(world, "alice", OUTER), new Phone(world, "carol", "198.51.100.9")];
    carol.register();
    expect(shown(setUp(alice, carol).arrived)).toBe(alice.contact);
  });

  test("a GRUU", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    const gruu = `sip:alice@example.test;gr=${URN}`;
    expect(shown(setUp(alice, carol, { headers: [`Contact: <${gruu}>`] }).arrived)).toBe(gruu);
  });

  test("whom a redirection names, and a request from behind another proxy", () => {
    const world = rewriting("[calls]\nfollow_redirects = false\n");
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    carol.request("INVITE", "sip:alice@example.test", {
      headers: ["Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKfar", "Contact: <sip:carol@10.0.0.7>"],
    });
    expect(shown(alice.incoming("INVITE"))).toBe("sip:carol@10.0.0.7");
    alice.answer(alice.incoming("INVITE"), 302, { headers: ["Contact: <sip:other@10.0.0.8>"] });
    expect(shown(carol.last())).toBe("sip:other@10.0.0.8");
  });

  test("a list of Contacts, which no dialog may have, and none at all", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.register();
    for (const [i, contacts] of [["<sip:a@10.0.0.1>, <sip:b@10.0.0.2>"], []].entries()) {
      const headers = contacts.map((contact) => `Contact: ${contact}`);
      alice.request("MESSAGE", "sip:carol@example.test", { callId: `m${i}`, headers });
      expect(carol.incoming("MESSAGE").texts(H.Contact)).toEqual(contacts);
    }
  });

  test("what was hidden is found after it was switched off again", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(alice, plain);
    const { caller } = setUp(carol, alice);
    world.core.configure(
      configOf(
        `config_version = 1\ndomains = ["${REALM}"]\n[auth]\ntrusted_networks = ["198.51.100.0/24"]\n`,
      ),
    );
    carol.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    expect(alice.incoming("BYE").uriText).toBe(alice.contact);
    carol.request("INVITE", "sip:alice@example.test", { callId: "second" });
    alice.answer(alice.incoming("INVITE"), 200);
    expect(shown(carol.last())).toBe(alice.contact);
  });
});

describe("NH-33 a call that passes here twice keeps one alias", () => {
  test("through a proxy and back: the first passage hides, and only the last one reveals", () => {
    const world = rewriting();
    const { phone: alice } = behindNat(world, OUTER, "alice");
    const { phone: bob } = behindNat(world, "198.51.100.21", "bob");
    const proxy = new Phone(world, "proxy", "198.51.100.60");
    registerFlow(bob, plain);
    alice.request("INVITE", "sip:bob@198.51.100.60");
    const first = proxy.incoming("INVITE");
    const route = "<sip:198.51.100.60;lr>";
    const passed = text(first)
      .replace("sip:bob@198.51.100.60 SIP", "sip:bob@example.test SIP")
      .replace("Via:", "Via: SIP/2.0/UDP 198.51.100.60:5060;branch=z9hG4bKproxy\r\nVia:")
      .replace("Record-Route:", `Record-Route: ${route}\r\nRecord-Route:`);
    proxy.send(passed);
    world.run(20);
    const arrived = bob.incoming("INVITE");
    expect(arrived.text(H.Contact)).toBe(first.text(H.Contact)!);
    expect(shown(arrived)).toBe(`sip:alice@${OUTER}:30000;sipedge=T`);
    const dialog = calleeDialog(arrived, "bob-tag");
    bob.answer(arrived, 200);
    bob.request("BYE", dialog.target, inside(dialog, { cseq: 5 }));
    const between = proxy.incoming("BYE");
    expect(between.uriText).toBe(dialog.target);
    const routes = entries(between, H.Route).slice(1);
    expect(routes).toHaveLength(1);
    proxy.send(
      text(between)
        .replace("Via:", "Via: SIP/2.0/UDP 198.51.100.60:5060;branch=z9hG4bKproxybye\r\nVia:")
        .replace(/Route: [^\r]*\r\n/, ""),
    );
    world.run(20);
    expect(alice.incoming("BYE").uriText).toBe(alice.contact);
  });
});

describe("NH-32 a hidden Contact is no way in", () => {
  const rig = (toml = "") => {
    const world = rewriting(toml);
    const { box, phone: alice } = behindNat(world, OUTER, "alice", { transport: "tcp" });
    const carol = new Phone(world, "carol", "198.51.100.9");
    const guest = new Phone(world, "guest", "203.0.113.5");
    registerFlow(alice, plain);
    return { world, box, alice, carol, guest, hidden: setUp(carol, alice).caller };
  };

  test("forged, within a call and without: 403", () => {
    const { alice, carol, hidden } = rig();
    const forged = hidden.target.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    carol.request("INFO", forged, inside(hidden, { cseq: 2 }));
    expect(carol.statuses("INFO")).toEqual([403]);
    carol.request("MESSAGE", forged, { callId: "other" });
    expect(carol.statuses("MESSAGE")).toEqual([403]);
    expect(alice.count("INFO") + alice.count("MESSAGE")).toBe(0);
  });

  test("a stranger who learned one reaches nobody with it; a user of ours the phone, on its flow", () => {
    const { alice, carol, guest, hidden } = rig("[calls]\naccept_foreign_callers = true\n");
    guest.request("INVITE", hidden.target, { from: "<sip:guest@elsewhere.test>" });
    expect(guest.statuses("INVITE")).toEqual([403]);
    expect(alice.count("INVITE")).toBe(1);
    carol.request("INVITE", hidden.target, { callId: "transfer" });
    expect(alice.incoming("INVITE").callId).toBe("transfer");
    expect(alice.incoming("INVITE").uriText).toBe(alice.contact);
    expect(alice.flowOf(alice.incoming("INVITE")).remoteAddress).toBe(EDGE);
  });

  test("a user with a password the same", () => {
    const { world, alice, hidden } = rig();
    world.account("dave", "secret");
    const dave = new Phone(world, "dave", "203.0.113.6");
    proving(dave, "MESSAGE", hidden.target);
    expect(alice.incoming("MESSAGE").uriText).toBe(alice.contact);
  });

  test("the flow is gone: 430", () => {
    const { world, alice, carol, hidden } = rig();
    for (const flow of [alice.flowOf(alice.incoming("INVITE"))])
      (flow as unknown as { close(): void }).close();
    world.run(20);
    carol.request("MESSAGE", hidden.target, { callId: "late" });
    expect(carol.statuses("MESSAGE")).toEqual([430]);
  });
});
