/** Serial and combined forking, time limits, late forking (RFC 3261 §16.6, §16.7; RFC 3841; RFC 5626 §5.3). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import type { World } from "./kit.ts";
import { lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";

/** Bob's phones, each registered with its q; alice calls. */
function rig(qs: readonly (number | null)[], toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const phones = qs.map((q, i) => registered(world, 30 + i, q));
  return { world, alice, phones };
}

function registered(world: World, host: number, q: number | null, more = ""): Phone {
  const phone = new Phone(world, "bob", `198.51.100.${host}`);
  const params = `${q === null ? "" : `;q=${q}`}${more}`;
  phone.request("REGISTER", "sip:example.test", {
    to: "<sip:bob@example.test>",
    callId: `reg-${host}`,
    headers: [`Contact: <${phone.contact}>${params}`],
  });
  expect(phone.statuses("REGISTER")).toEqual([200]);
  return phone;
}

const ring = (phones: readonly Phone[]) => phones.map((phone) => phone.count("INVITE"));
const cancels = (phones: readonly Phone[]) => phones.map((phone) => phone.count("CANCEL"));
const unique = (phone: Phone): SipMessage => phone.incoming("INVITE");

/** Rings, and obeys a CANCEL. */
function rings(phone: Phone): void {
  phone.answer(unique(phone), 180);
}
function obeys(phone: Phone): void {
  phone.answer(phone.incoming("CANCEL"), 200);
  phone.answer(unique(phone), 487);
}

function settles(world: World): void {
  world.run(SETTLE_MS + 64_000);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
}

describe("TM-10, TM-11 combined forking by q", () => {
  test("equal q rings together, falling q one group after the other, each for calls.hunt_s", () => {
    const { world, alice, phones } = rig([0.9, 0.5, 0.9, 0.1], "[calls]\nhunt_s = 10\n");
    alice.request("INVITE", "sip:bob@example.test");
    expect(ring(phones)).toEqual([1, 0, 1, 0]);
    for (const i of [0, 2]) rings(phones[i]!);
    world.run(9_800);
    expect(ring(phones)).toEqual([1, 0, 1, 0]);
    world.run(400);
    expect(ring(phones)).toEqual([1, 1, 1, 0]);
    expect(cancels(phones)).toEqual([1, 0, 1, 0]);
    for (const i of [0, 2]) obeys(phones[i]!);
    rings(phones[1]!);
    world.run(10_100);
    expect(ring(phones)).toEqual([1, 1, 1, 1]);
    obeys(phones[1]!);
    phones[3]!.answer(unique(phones[3]!), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 180, 200]);
    settles(world);
  });

  test("a contact without q counts as q = 1", () => {
    const { alice, phones } = rig([0.9, null, 1]);
    alice.request("INVITE", "sip:bob@example.test");
    expect(ring(phones)).toEqual([0, 1, 1]);
  });

  test("a group that refuses makes the next ring at once", () => {
    const { alice, phones } = rig([0.9, 0.5]);
    alice.request("INVITE", "sip:bob@example.test");
    phones[0]!.answer(unique(phones[0]!), 486);
    expect(ring(phones)).toEqual([1, 1]);
    expect(alice.statuses("INVITE")).toEqual([]);
  });

  test("the last group rings until Timer C, not for hunt_s", () => {
    const { world, alice, phones } = rig([0.9], "[calls]\nhunt_s = 5\n");
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    world.run(100_000);
    expect(cancels(phones)).toEqual([0]);
  });
});

describe("TM-09 serial forking", () => {
  const SERIAL = '[calls]\nfork = "serial"\nhunt_s = 10\n';

  test("one after another, on a refusal and on silence", () => {
    const { world, alice, phones } = rig([null, null, null], SERIAL);
    alice.request("INVITE", "sip:bob@example.test");
    expect(ring(phones).filter((n) => n > 0)).toEqual([1]);
    const [first] = phones.filter((phone) => phone.count("INVITE") > 0);
    first!.answer(unique(first!), 486);
    expect(ring(phones).filter((n) => n > 0).length).toBe(2);
    world.run(10_200);
    expect(ring(phones).every((n) => n > 0)).toBe(true);
  });

  test("the caller's CANCEL stops all: nobody else rings", () => {
    const { world, alice, phones } = rig([0.9, 0.5], SERIAL);
    const sent = alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    alice.cancel(sent);
    obeys(phones[0]!);
    expect(alice.statuses("INVITE")).toEqual([180, 487]);
    expect(ring(phones)).toEqual([1, 0]);
    settles(world);
  });

  test("per user: fork = serial for bob alone", () => {
    const toml = '[[user]]\nname = "bob"\npassword = "x"\nfork = "serial"\n';
    const { alice, phones } = rig([null, null], toml);
    alice.request("INVITE", "sip:bob@example.test");
    expect(ring(phones).toSorted()).toEqual([0, 1]);
  });

  test("per domain: fork of the name that was called", () => {
    const toml = '[[called_domain]]\nname = "192.0.2.1"\nfork = "serial"\n';
    for (const [host, together] of [
      ["example.test", 2],
      ["192.0.2.1", 1],
    ] as const) {
      const { alice, phones } = rig([null, null], toml);
      alice.request("INVITE", `sip:bob@${host}`);
      expect(ring(phones).filter((n) => n > 0).length).toBe(together);
    }
  });

  test("TM-51 the answers of the last group count: 486 of the first, silence of the second", () => {
    const { world, alice, phones } = rig([0.9, 0.5], "[timers]\ntimer_c_s = 30\n");
    alice.request("INVITE", "sip:bob@example.test");
    phones[0]!.answer(unique(phones[0]!), 486);
    rings(phones[1]!);
    world.run(30_200);
    expect(alice.statuses("INVITE").slice(0, 2)).toEqual([180, 408]);
  });

  test("TM-12 all busy: one answer goes back, once", () => {
    const { world, alice, phones } = rig([0.9, 0.5, 0.1]);
    const sent = alice.request("INVITE", "sip:bob@example.test");
    for (const phone of phones) phone.answer(unique(phone), 486);
    expect(alice.statuses("INVITE")).toEqual([486]);
    alice.ackRefusal(sent, alice.last());
    settles(world);
    expect(alice.statuses("INVITE")).toEqual([486]);
  });

  test("TM-52 a real answer wins over our own finding of silence", () => {
    const { world, alice, phones } = rig([null, null], "[timers]\ntimer_c_s = 30\n");
    alice.request("INVITE", "sip:bob@example.test");
    phones[0]!.answer(unique(phones[0]!), 486);
    rings(phones[1]!);
    world.run(30_200);
    expect(alice.statuses("INVITE").slice(0, 2)).toEqual([180, 486]);
  });

  test("a 200 that crosses the end of its ring time wins; the next phone is cancelled", () => {
    const { world, alice, phones } = rig([0.9, 0.5], "[calls]\nhunt_s = 10\n");
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    world.run(10_200);
    expect(cancels(phones)).toEqual([1, 0]);
    rings(phones[1]!);
    phones[0]!.answer(unique(phones[0]!), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 200]);
    expect(cancels(phones)).toEqual([1, 1]);
    expect(phones[1]!.incoming("CANCEL").text(H.Reason)).toContain("cause=200");
    obeys(phones[1]!);
    phones[0]!.answer(phones[0]!.incoming("CANCEL"), 200);
    settles(world);
  });

  test("a phone that is silent when its time is over gets its CANCEL with its first provisional answer", () => {
    const { world, alice, phones } = rig([0.9, 0.5], "[calls]\nhunt_s = 3\n");
    alice.request("INVITE", "sip:bob@example.test");
    world.run(3_100);
    expect(ring(phones)[1]).toBe(1);
    expect(cancels(phones)).toEqual([0, 0]);
    rings(phones[0]!);
    expect(cancels(phones)).toEqual([1, 0]);
    expect(alice.statuses("INVITE")).toEqual([]); // what a given-up phone says is not heard
  });
});

describe("time limits of a call", () => {
  test("TM-13 timers.no_reply_s: a phone without any answer is given up, and its retransmissions go on to Timer B", () => {
    const { world, alice, phones } = rig([null], "[timers]\nno_reply_s = 5\n");
    alice.request("INVITE", "sip:bob@example.test");
    world.run(4_900);
    expect(alice.statuses("INVITE")).toEqual([]);
    world.run(200);
    expect(alice.statuses("INVITE")).toEqual([408]);
    rings(phones[0]!);
    expect(cancels(phones)).toEqual([1]);
  });

  test("TM-13 a phone that rang is not measured by it", () => {
    const { world, alice, phones } = rig([null], "[timers]\nno_reply_s = 5\n");
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    world.run(60_000);
    expect(alice.statuses("INVITE")).toEqual([180]);
  });

  test("TM-13 it counts from the start: a name that is never looked up holds no call", () => {
    const never = () => new Promise<never>(() => {});
    const world = lab("[timers]\nno_reply_s = 5\n[dns]\nlookup_ms = 30000\n", {
      resolver: { addresses: never, services: never },
    });
    const alice = new Phone(world, "alice", "198.51.100.7");
    const sent = alice.request("INVITE", "sip:bob@no-such-host.test");
    world.run(5_100);
    expect(alice.statuses("INVITE")).toEqual([408]);
    alice.ackRefusal(sent, alice.last());
    settles(world);
  });

  /** A phone that repeats 180 every 5 seconds. */
  function repeating(toml: string, seconds: number) {
    const { world, alice, phones } = rig([null], toml);
    alice.request("INVITE", "sip:bob@example.test");
    for (let s = 0; s < seconds; s += 5) {
      phones[0]!.reply(unique(phones[0]!), 180);
      world.run(5_000);
    }
    return { world, alice, phones };
  }

  test("TM-15 restart_timer_c = higher: the 180s of a phone that repeats them do not count", () => {
    const toml = '[timers]\ntimer_c_s = 30\nrestart_timer_c = "higher"\n';
    const { alice, phones } = repeating(toml, 40);
    expect([alice.statuses("INVITE").at(-1), cancels(phones)[0]! > 0]).toEqual([408, true]);
  });

  test("TM-15 restart_timer_c = each: they count, as §16.7 step 2 says", () => {
    const { alice, phones } = repeating("[timers]\ntimer_c_s = 30\n", 100);
    expect([alice.statuses("INVITE").at(-1), cancels(phones)]).toEqual([180, [0]]);
  });

  test("TM-16 timers.invite_lifetime_s ends even that, and a search of many rounds", () => {
    const { alice, phones } = repeating("[timers]\ntimer_c_s = 30\ninvite_lifetime_s = 60\n", 70);
    expect([alice.statuses("INVITE").at(-1), cancels(phones)[0]! > 0]).toEqual([408, true]);
    const serial = rig([0.9, 0.7, 0.5, 0.3], "[calls]\nhunt_s = 30\n[timers]\ninvite_lifetime_s = 80\n");
    for (const phone of serial.phones)
      phone.on = (message) => {
        if (message.method === "INVITE") phone.reply(message, 180);
      };
    serial.alice.request("INVITE", "sip:bob@example.test");
    serial.world.run(80_200);
    expect(serial.alice.statuses("INVITE").filter((status) => status !== 180)[0]).toBe(408);
    expect(ring(serial.phones).map((n) => n > 0)).toEqual([true, true, true, false]);
  });
});

describe("TM-49 calls.decline_ends_search", () => {
  test("true: a 603 ends the call for all, with its cause in the CANCEL's Reason", () => {
    const { alice, phones } = rig([null, null]);
    alice.request("INVITE", "sip:bob@example.test");
    for (const phone of phones) rings(phone);
    phones[0]!.answer(unique(phones[0]!), 603);
    expect(cancels(phones)).toEqual([0, 1]);
    expect(phones[1]!.incoming("CANCEL").text(H.Reason)).toBe("SIP;cause=603");
    obeys(phones[1]!);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 603]);
  });

  test("true: no lower q rings after a 603", () => {
    const { alice, phones } = rig([0.9, 0.5]);
    alice.request("INVITE", "sip:bob@example.test");
    phones[0]!.answer(unique(phones[0]!), 603);
    expect([alice.statuses("INVITE"), ring(phones)]).toEqual([[603], [1, 0]]);
  });

  test("false: the others go on ringing, and can answer", () => {
    const { alice, phones } = rig([null, null], "[calls]\ndecline_ends_search = false\n");
    alice.request("INVITE", "sip:bob@example.test");
    for (const phone of phones) rings(phone);
    phones[0]!.answer(unique(phones[0]!), 603);
    expect(cancels(phones)).toEqual([0, 0]);
    phones[1]!.answer(unique(phones[1]!), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 200]);
  });
});

describe("B-22 late forking", () => {
  test("a phone that registers while the call rings joins it, and can take it", () => {
    const { world, alice, phones } = rig([null]);
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    const late = registered(world, 40, null);
    expect(late.count("INVITE")).toBe(1);
    late.answer(unique(late), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
    expect(cancels(phones)).toEqual([1]);
    obeys(phones[0]!);
    settles(world);
  });

  test("a refresh of a phone that rings already brings no second copy", () => {
    const { world, alice, phones } = rig([null]);
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    phones[0]!.request("REGISTER", "sip:example.test", {
      to: "<sip:bob@example.test>",
      callId: "reg-30",
      cseq: 2,
      headers: [`Contact: <${phones[0]!.contact}>`],
    });
    world.run(1000);
    expect(ring(phones)).toEqual([1]);
  });

  test("after the call was taken, cancelled or refused nobody joins", () => {
    for (const end of ["taken", "cancelled", "refused"] as const) {
      const { world, alice, phones } = rig([null]);
      const sent = alice.request("INVITE", "sip:bob@example.test");
      rings(phones[0]!);
      if (end === "taken") phones[0]!.answer(unique(phones[0]!), 200);
      else if (end === "refused") phones[0]!.answer(unique(phones[0]!), 486);
      else alice.cancel(sent);
      expect([end, registered(world, 40, null).count("INVITE")]).toEqual([end, 0]);
    }
  });

  test("calls.late_forking = false: it does not ring", () => {
    const { world, alice, phones } = rig([null], "[calls]\nlate_forking = false\n");
    alice.request("INVITE", "sip:bob@example.test");
    rings(phones[0]!);
    expect(registered(world, 40, null).count("INVITE")).toBe(0);
  });
});

describe("TM-38 two flows of one phone (RFC 5626 §5.3)", () => {
  const INSTANCE = ';+sip.instance="<urn:uuid:1>"';

  test("one rings; when its flow is dead (430), the other", () => {
    const { world, alice } = rig([]);
    const old = registered(world, 40, null, `${INSTANCE};reg-id=1`);
    world.run(1000);
    const fresh = registered(world, 41, null, `${INSTANCE};reg-id=2`);
    alice.request("INVITE", "sip:bob@example.test");
    expect(ring([old, fresh])).toEqual([0, 1]);
    fresh.answer(unique(fresh), 430);
    expect(ring([old, fresh])).toEqual([1, 1]);
    old.answer(unique(old), 200);
    expect(alice.statuses("INVITE")).toEqual([200]);
  });
});

describe("B-67 early media of several phones", () => {
  const SDP = { headers: ["Content-Type: application/sdp"] };
  const early = (phone: Phone): void => {
    const text = phone.reply(unique(phone), 100);
    const body = "v=0\r\n";
    const answer = text
      .replace("SIP/2.0 100", "SIP/2.0 183")
      .replace(/To: ([^\r;]*)\r/, `To: $1;tag=${phone.host.endpoint.address}\r`)
      .replace(
        "Content-Length: 0\r\n\r\n",
        `${SDP.headers[0]}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    phone.flowOf(unique(phone)).send(Buffer.from(answer, "latin1"));
    phone.world.run(20);
  };

  test("all: every 183 with media reaches the caller", () => {
    const { alice, phones } = rig([null, null]);
    alice.request("INVITE", "sip:bob@example.test");
    for (const phone of phones) early(phone);
    expect(alice.statuses("INVITE")).toEqual([183, 183]);
  });

  test("first: only the first phone's, until that phone is out; 180 of others passes", () => {
    const { alice, phones } = rig([null, null, null], '[calls]\nearly_media = "first"\n');
    alice.request("INVITE", "sip:bob@example.test");
    early(phones[0]!);
    early(phones[1]!);
    rings(phones[2]!);
    expect(alice.statuses("INVITE")).toEqual([183, 180]);
    phones[0]!.answer(unique(phones[0]!), 486);
    early(phones[1]!);
    expect(alice.statuses("INVITE")).toEqual([183, 180, 183]);
  });
});

describe("B-10 Max-Breadth (RFC 5393 §5.3.3)", () => {
  const breadth = (phone: Phone) => Number(unique(phone).text(H.MaxBreadth));

  test("what is out together never has more than what came; targets without a share get no copy, and are counted", () => {
    const { world, alice, phones } = rig([null, null, null]);
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [`Contact: <${alice.contact}>`, "Max-Breadth: 2"],
    });
    expect(ring(phones).reduce((a, b) => a + b)).toBe(2);
    expect(world.counter("sipedge_targets_left_out_total")).toBe(1);
  });

  test("serial: a later phone has a share even when the one before never answers", () => {
    const { world, alice, phones } = rig([0.9, 0.5, 0.1], "[calls]\nhunt_s = 2\n");
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [`Contact: <${alice.contact}>`, "Max-Breadth: 8"],
    });
    world.run(4_200);
    expect(ring(phones).every((n) => n > 0)).toBe(true);
    expect(phones.reduce((sum, phone) => sum + breadth(phone), 0)).toBeLessThanOrEqual(8);
  });

  test("0: refused with 440", () => {
    const { alice } = rig([null]);
    alice.request("INVITE", "sip:bob@example.test", {
      headers: [`Contact: <${alice.contact}>`, "Max-Breadth: 0"],
    });
    expect(alice.statuses("INVITE")).toEqual([440]);
  });
});
