/** Keep-alive on the whole appliance: who is pinged, for what, how often, and what becomes of those that are silent. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { calleeDialog, callerDialog, inside, lab, Phone, type World } from "../proxy/kit.ts";
import { behindNat, type NattedOptions, registerFlow } from "../support/natted-phones.ts";

const HOUR_MS = 3_600_000;
const PLAIN = { instance: null, reg_id: null, supported: "" };
const LONG = "[timers]\ninvite_lifetime_s = 600\ntimer_c_s = 600\n";
const every = (interval_s: number, more = ""): string => `[keepalive]\ninterval_s = ${interval_s}\n${more}`;

/** A phone behind a NAT of its own that answers every ping. */
function natted(world: World, name: string, outer: string, options: NattedOptions = {}): Phone {
  const { phone } = behindNat(world, outer, name, options);
  answering(phone);
  registerFlow(phone, PLAIN);
  return phone;
}

function answering(phone: Phone, status = 200): void {
  phone.on = (message) => {
    if (isPing(message)) phone.reply(message, status);
  };
}

const isPing = (message: SipMessage): boolean =>
  message.isRequest && (message.text(H.From) ?? "").includes("sip:keepalive@");
const pings = (phone: Phone): SipMessage[] => phone.got.filter(isPing);
const gauge = (world: World, name: string): number => world.counter(`sipedge_${name}_endpoints`);

describe("who is pinged", () => {
  test("NT-03 NT-08 NH-03 NH-12 NAT-29 a phone behind a NAT: one OPTIONS a round, and any answer is one", () => {
    for (const status of [200, 404, 481, 501]) {
      const world = lab(every(30));
      const phone = natted(world, "alice", "198.51.100.20");
      answering(phone, status);
      world.run(300_000);
      expect(pings(phone)).toHaveLength(10);
      expect(pings(phone)[0]?.method).toBe("OPTIONS");
      expect(world.core.keepalive.snapshot(1)).toMatchObject([{ answered: 10, missed: 0, lost: false }]);
      expect(world.core.keepalive.snapshot(1)[0]!.latency_ms).toBeGreaterThan(0);
    }
  });

  test("NH-04 NH-09 NT-20 from the socket it registered at, to where its packets come from", () => {
    const world = lab(every(30));
    const phone = natted(world, "alice", "198.51.100.20");
    world.run(60_000);
    const [binding] = world.store.bindings("alice");
    expect(world.core.keepalive.snapshot(1)[0]?.flow_id).toBe(binding!.flow.id);
    expect(pings(phone).length).toBeGreaterThan(0);
    expect(pings(phone)[0]!.uriText).toBe(phone.contact);
  });

  test("NH-06 a phone that needs it not gets none; keepalive.to = all pings it too", () => {
    for (const [to, count] of [
      ["nat", 0],
      ["all", 4],
    ] as const) {
      const world = lab(every(30, `to = "${to}"\n`));
      const phone = new Phone(world, "alice", "198.51.100.7");
      answering(phone);
      phone.register();
      world.run(120_000);
      expect(pings(phone)).toHaveLength(count);
    }
  });

  test("NH-13 not a device that wants none", () => {
    const world = lab(`${every(30)}[[device]]\nuser_agent = "*battery*"\nkeepalive = false\n`);
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    registerFlow(phone, { ...PLAIN, headers: ["User-Agent: Low BATTERY 1.0"] });
    world.run(120_000);
    expect(pings(phone)).toHaveLength(0);
  });

  test("NT-09 a refused REGISTER starts none; what was granted ends with its time", () => {
    const world = lab(every(10));
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    answering(phone);
    registerFlow(phone, { ...PLAIN, headers: ["Require: frob"] });
    expect(phone.last().status).toBe(420);
    expect(gauge(world, "keepalive")).toBe(0);
    registerFlow(phone, { ...PLAIN, callId: "x", contact: `${phone.contact}>;expires=60;x=<sip:y` });
    world.run(1);
    phone.request("REGISTER", "sip:example.test", {
      to: "<sip:alice@example.test>",
      callId: "y",
      headers: [`Contact: <${phone.contact}>;expires=60`],
    });
    world.run(70_000);
    const count = pings(phone).length;
    world.run(120_000);
    expect(pings(phone)).toHaveLength(count);
    expect(gauge(world, "registered")).toBe(0);
  });

  test("NT-07 B-19 over IPv6, and NH-01 B-50 down the connection of a TCP phone", () => {
    const world = lab(every(30));
    const tcp = natted(world, "carol", "198.51.100.21", { transport: "tcp" });
    world.run(120_000);
    expect(pings(tcp)).toHaveLength(4);
    expect(pings(tcp)[0]!.text(H.Via)).toStartWith("SIP/2.0/TCP ");
    expect(world.core.keepalive.snapshot(1)[0]?.answered).toBe(4);
  });

  test("NT-13 NT-14 NT-05 the served domain's phones, from the registrar's 200 on", () => {
    const world = lab(
      `${every(30)}[[peer]]\nname = "pbx"\nuris = ["sip:198.51.100.50"]\nserves = ["pbx.test"]\nprobe_s = 0\n`,
    );
    const pbx = new Phone(world, "pbx", "198.51.100.50");
    const { phone } = behindNat(world, "198.51.100.20", "dave");
    answering(phone);
    for (const status of [401, 200]) {
      phone.request("REGISTER", "sip:pbx.test", {
        from: "<sip:dave@pbx.test>",
        to: "<sip:dave@pbx.test>",
        headers: [`Contact: <${phone.contact}>;expires=120`],
        callId: `r${status}`,
      });
      pbx.answer(pbx.incoming("REGISTER"), status, { headers: [`Contact: <${phone.contact}>;expires=120`] });
      expect(gauge(world, "registered")).toBe(status === 200 ? 1 : 0);
    }
    world.run(300_000);
    expect(pings(phone).length).toBeGreaterThanOrEqual(3); // as many rounds as were granted
    expect(pings(phone).length).toBeLessThanOrEqual(4);
    expect(gauge(world, "registered")).toBe(0);
  });
});

describe("what a ping is", () => {
  test("NT-15b NT-15c NT-15d NH-10 NH-11 NOTIFY, From and header lines as configured", () => {
    const world = lab(
      every(30, 'method = "notify"\nfrom = "sip:keepalive@site.test"\nextra_headers = ["Subject: ping"]\n'),
    );
    const phone = natted(world, "alice", "198.51.100.20");
    world.run(30_000);
    const [ping] = pings(phone);
    expect(ping!.method).toBe("NOTIFY");
    expect(ping!.text(H.Event)).toBe("keep-alive");
    expect(ping!.text(H.From)).toStartWith("<sip:keepalive@site.test>;tag=");
    expect(ping!.text(H.Subject)).toBe("ping");
    expect(ping!.numberOf(H.MaxForwards)).toBe(70);
  });

  test("NH-02 four zero bytes over UDP, which nobody answers and nobody misses", () => {
    const world = lab(every(30, 'method = "zero_bytes"\n'));
    behindNat(world, "198.51.100.20", "alice");
    const phone = natted(world, "bob", "198.51.100.21");
    const from = world.network.log.length;
    world.run(120_000);
    const sent = world.network.log.slice(from).map(({ text }) => text);
    expect(sent).toEqual(Array.from({ length: 4 }, () => "\0\0\0\0"));
    expect(pings(phone)).toHaveLength(0);
    expect(world.core.keepalive.snapshot(1)).toMatchObject([{ sent: 4, missed: 0, lost: false }]);
  });

  test("NAT-26 a CRLF ping over TCP where SIP is not wanted", () => {
    const world = lab(every(30, 'method = "zero_bytes"\n'));
    natted(world, "bob", "198.51.100.21", { transport: "tcp" });
    const from = world.network.log.length;
    world.run(60_000);
    expect(world.network.log.slice(from).map(({ text }) => text)).toEqual(["\r\n\r\n", "\r\n\r\n"]);
  });
});

describe("NT-12 one ping for a flow, whatever needs it", () => {
  test("registered, subscribed and in a call: one a round, until the last of them ends", () => {
    const world = lab(every(30));
    const alice = natted(world, "alice", "198.51.100.20");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    alice.request("SUBSCRIBE", "sip:bob@example.test", {
      callId: "s1",
      headers: [`Contact: <${alice.contact}>`, "Event: presence", "Expires: 600"],
    });
    bob.answer(bob.incoming("SUBSCRIBE"), 200, { headers: [`Contact: <${bob.contact}>`, "Expires: 600"] });
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1" });
    bob.answer(bob.incoming("INVITE"), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    expect(["keepalive", "registered", "subscribed", "dialog"].map((name) => gauge(world, name))).toEqual([
      1, 1, 1, 1,
    ]);
    world.run(120_000);
    expect(pings(alice)).toHaveLength(4);
    alice.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    bob.answer(bob.incoming("BYE"), 200);
    expect(gauge(world, "dialog")).toBe(0);
    world.run(600_000);
    expect(["keepalive", "registered", "subscribed"].map((name) => gauge(world, name))).toEqual([1, 1, 0]);
  });

  test("NT-10 SUBSCRIBE with Expires 0 ends it at once", () => {
    const world = lab(every(30));
    const { phone } = behindNat(world, "198.51.100.20", "carol");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    for (const [expires, count] of [
      [600, 1],
      [0, 0],
    ] as const) {
      phone.request("SUBSCRIBE", "sip:bob@example.test", {
        callId: "s1",
        cseq: 1 + count,
        branch: `z9hG4bKs${expires}`,
        headers: [`Contact: <${phone.contact}>`, "Event: presence", `Expires: ${expires}`],
      });
      bob.answer(bob.incoming("SUBSCRIBE"), 200, {
        headers: [`Contact: <${bob.contact}>`, `Expires: ${expires}`],
      });
      expect(gauge(world, "subscribed")).toBe(count);
    }
  });

  test("NT-11 NT-25 all phones of a fork while they ring, then only the one that answered, until the BYE", () => {
    const world = lab(`${LONG}${every(30)}`);
    const caller = new Phone(world, "zoe", "198.51.100.9");
    const phones = ["a", "b", "c"].map((name, i) => {
      const { phone } = behindNat(world, `198.51.100.${30 + i}`, name);
      phone.on = (message) => {
        if (isPing(message)) phone.reply(message, 200);
        if (message.method === "INVITE") phone.reply(message, 180);
        if (message.method === "CANCEL") {
          phone.reply(message, 200);
          phone.reply(phone.incoming("INVITE"), 487);
        }
      };
      registerFlow(phone, { ...PLAIN, user: "team", callId: name, contact: `sip:${name}@192.168.1.10:5060` });
      return phone;
    });
    caller.request("INVITE", "sip:team@example.test", { callId: "c1" });
    expect(gauge(world, "dialog")).toBe(3);
    const taken = phones[1]!;
    taken.answer(taken.incoming("INVITE"), 200);
    world.run(50);
    expect(gauge(world, "dialog")).toBe(1);
    const callee = calleeDialog(taken.incoming("INVITE"), "b-tag");
    taken.request("BYE", callee.target, inside(callee, { cseq: 1 }));
    caller.answer(caller.incoming("BYE"), 200);
    expect(gauge(world, "dialog")).toBe(0);
    expect(gauge(world, "registered")).toBe(3);
  });

  test("NT-06 a caller that is registered nowhere: while its call lasts", () => {
    const world = lab(every(20));
    const { phone } = behindNat(world, "198.51.100.20", "zoe");
    answering(phone);
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    phone.request("INVITE", "sip:bob@example.test", { callId: "c1" });
    bob.answer(bob.incoming("INVITE"), 200);
    world.run(300_000);
    expect(pings(phone)).toHaveLength(15);
    const callee = calleeDialog(bob.incoming("INVITE"), "bob-tag");
    bob.request("BYE", callee.target, inside(callee, { cseq: 1 }));
    phone.answer(phone.incoming("BYE"), 200);
    world.run(100_000);
    expect(pings(phone)).toHaveLength(15);
  });

  test("a re-INVITE that is refused ends nothing", () => {
    const world = lab(every(30));
    const alice = natted(world, "alice", "198.51.100.20");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1" });
    bob.answer(bob.incoming("INVITE"), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    alice.request("INVITE", dialog.target, inside(dialog, { cseq: 2 }));
    bob.answer(bob.incoming("INVITE"), 488);
    expect(gauge(world, "dialog")).toBe(1);
  });
});

describe("NT-15a NH-05 spread evenly over the round", () => {
  for (const [how, step_ms] of [
    ["all at once", 0],
    ["one after the other", 700],
  ] as const)
    test(`a hundred phones in 30 s, registered ${how}: never more than 10 in a second`, () => {
      const world = lab(every(30, 'method = "zero_bytes"\n'));
      for (let i = 0; i < 100; i++) {
        natted(world, `u${i}`, `198.51.100.${20 + i}`);
        if (step_ms > 0) world.run(step_ms);
      }
      const sent: number[] = [];
      for (let second = 0; second < 60; second++) {
        const from = world.network.log.length;
        world.run(1000);
        sent.push(world.network.log.slice(from).filter(({ text }) => text === "\0\0\0\0").length);
      }
      expect(Math.max(...sent)).toBeLessThanOrEqual(10);
      expect(sent.slice(0, 30).reduce((sum, count) => sum + count)).toBe(100);
    });
});

describe("NH-15 B-81 a phone that falls silent", () => {
  function silent(toml = every(10, "lost_after = 3\n")) {
    const world = lab(toml);
    const phone = natted(world, "alice", "198.51.100.20");
    const caller = new Phone(world, "zoe", "198.51.100.9");
    return { world, phone, caller };
  }

  test("after three pings without an answer it is out of use: 480 at once, and the next contact is called", () => {
    const { world, phone, caller } = silent();
    phone.on = () => {};
    world.run(50_000);
    expect(world.core.keepalive.snapshot(1)).toMatchObject([{ lost: true }]);
    const heard = phone.count("INVITE");
    caller.request("INVITE", "sip:alice@example.test", { callId: "1" });
    expect(caller.statuses("INVITE")).toEqual([480]);
    expect(phone.count("INVITE")).toBe(heard);
    const desk = new Phone(world, "alice", "198.51.100.40");
    desk.register(3600, [], "desk");
    caller.request("INVITE", "sip:alice@example.test", { callId: "2" });
    expect(desk.count("INVITE")).toBe(1);
  });

  test("an answer brings it back, and so does a REGISTER", () => {
    for (const back of ["answer", "register"] as const) {
      const { world, phone, caller } = silent();
      phone.on = () => {};
      world.run(50_000);
      if (back === "answer") {
        answering(phone);
        world.run(10_500);
      } else registerFlow(phone, { ...PLAIN, cseq: 2 });
      expect(world.core.keepalive.snapshot(1)).toMatchObject([{ lost: false, missed: 0 }]);
      caller.request("INVITE", "sip:alice@example.test", { callId: "3" });
      expect(phone.count("INVITE")).toBe(1);
    }
  });

  test("lost_after = 0: never", () => {
    const { world, phone } = silent(every(10, "lost_after = 0\n"));
    phone.on = () => {};
    world.run(300_000);
    expect(world.core.keepalive.snapshot(1)).toMatchObject([{ lost: false }]);
  });

  test("answers that were not earned are not believed: a guessed token, another source, an old one again", () => {
    const { world, phone } = silent();
    world.run(10_000);
    const [ping] = pings(phone);
    const old = phone.reply(ping!, 200);
    phone.on = () => {};
    const mallory = new Phone(world, "mallory", "203.0.113.66");
    const guessed = old.replace(/(branch=z9hG4bKka\d+\.)[^.]+/, "$1AAAAAAAA");
    for (let i = 0; i < 6; i++) {
      world.run(10_000);
      mallory.send(old);
      mallory.send(guessed);
      phone.send(guessed);
      phone.send(old);
    }
    world.run(20);
    expect(world.counter("sipedge_pings_forged_total")).toBeGreaterThan(0);
    expect(world.core.keepalive.snapshot(1)).toMatchObject([{ lost: true }]);
  });

  test("B-51 a closed connection takes its flow away at once", () => {
    const world = lab(every(30));
    natted(world, "carol", "198.51.100.21", { transport: "tcp" });
    expect(gauge(world, "keepalive")).toBe(1);
    for (const connection of world.transports.connections) connection.close("reset");
    world.run(20);
    expect(gauge(world, "keepalive")).toBe(0);
  });
});

describe("over the years", () => {
  test("NH-35 switched off and on while it runs", () => {
    const world = lab(every(30));
    const phone = natted(world, "alice", "198.51.100.20");
    world.core.keepalive.setEnabled(false);
    world.run(120_000);
    expect(pings(phone)).toHaveLength(0);
    world.core.keepalive.setEnabled(true);
    world.run(60_000);
    expect(pings(phone).length).toBeGreaterThanOrEqual(1);
  });

  test("keepalive.enabled = false: none; and with nobody to ping no timer runs", () => {
    const off = lab(every(30, "enabled = false\n"));
    const phone = natted(off, "alice", "198.51.100.20");
    off.run(120_000);
    expect(pings(phone)).toHaveLength(0);
  });

  test("a wall clock that jumps neither ends nor prolongs what keeps a flow open", () => {
    for (const jump_ms of [13 * HOUR_MS, -24 * HOUR_MS]) {
      const world = lab(every(30));
      const { phone } = behindNat(world, "198.51.100.20", "zoe");
      answering(phone);
      const bob = new Phone(world, "bob", "198.51.100.8");
      bob.register();
      phone.request("INVITE", "sip:bob@example.test", { callId: "c1" });
      bob.answer(bob.incoming("INVITE"), 200);
      world.clock.wallOffset += jump_ms;
      world.run(120_000);
      expect(pings(phone)).toHaveLength(4);
      world.run(13 * HOUR_MS);
      expect(gauge(world, "dialog")).toBe(0);
    }
  });

  test("after a long stall of the process no burst follows", () => {
    const world = lab(every(30, 'method = "zero_bytes"\n'));
    for (let i = 0; i < 100; i++) natted(world, `u${i}`, `198.51.100.${20 + i}`);
    world.run(30_000);
    const from = world.network.log.length;
    world.run(1000);
    expect(world.network.log.length - from).toBeLessThanOrEqual(10);
  });
});
