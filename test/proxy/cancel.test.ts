/** CANCEL in every race (RFC 3261 §9, §16.10) and Timer C (§16.6 step 11, §16.7 step 2, §16.8). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";

function called(n = 1, toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const phones = Array.from({ length: n }, (_, i) => {
    const phone = new Phone(world, "bob", `198.51.100.${30 + i}`);
    phone.register(3600, [], `reg-${i}`);
    return phone;
  });
  const sent = alice.request("INVITE", "sip:bob@example.test");
  return { world, alice, phones, sent, arrived: phones.map((phone) => phone.incoming("INVITE")) };
}

/** The phone's part of being cancelled. */
function obey(phone: Phone, invite = phone.incoming("INVITE")): void {
  phone.answer(phone.incoming("CANCEL"), 200);
  phone.answer(invite, 487);
}

describe("RFC 3261 §9.2 and §16.10 CANCEL", () => {
  test("SIP-14, FLOW-13 while it rings: 200 to the CANCEL at once, CANCEL to the phone, its 487 to the caller", () => {
    const { alice, phones, sent, arrived } = called();
    const bob = phones[0]!;
    bob.answer(arrived[0]!, 180);
    alice.cancel(sent);
    expect(alice.statuses("CANCEL")).toEqual([200]);
    expect(alice.answers("CANCEL")[0]!.toTag).not.toBeNull();
    const cancel = bob.incoming("CANCEL");
    expect([cancel.uriText, ...cancel.texts(H.Via)]).toEqual([
      arrived[0]!.uriText,
      arrived[0]!.texts(H.Via)[0]!,
    ]);
    obey(bob);
    expect(alice.statuses("INVITE")).toEqual([180, 487]);
    expect(bob.count("ACK")).toBe(1);
  });

  test("goes to every phone that rings", () => {
    const { alice, phones, sent, arrived } = called(3);
    for (const [i, phone] of phones.entries()) phone.answer(arrived[i]!, 180);
    alice.cancel(sent);
    expect(phones.map((phone) => phone.count("CANCEL"))).toEqual([1, 1, 1]);
    for (const phone of phones) obey(phone);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 180, 487]);
  });

  test("TM-54, B-28 the caller's Reason goes along (RFC 3326)", () => {
    const { alice, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 180);
    alice.cancel(sent, ['Reason: SIP;cause=600;text="Busy, really"', "X-Private: x"]);
    const cancel = phones[0]!.incoming("CANCEL");
    expect(cancel.texts(H.Reason)).toEqual(['SIP;cause=600;text="Busy, really"']);
    expect(cancel.bytes.toString()).not.toContain("X-Private");
  });

  test("TM-41 before any provisional answer: held back until one comes (§9.1)", () => {
    const { world, alice, phones, sent, arrived } = called();
    const bob = phones[0]!;
    alice.cancel(sent);
    world.run(3000);
    expect([alice.statuses("CANCEL"), bob.count("CANCEL")]).toEqual([[200], 0]);
    bob.answer(arrived[0]!, 100);
    expect(bob.count("CANCEL")).toBe(1);
    obey(bob);
    expect(alice.statuses("INVITE")).toEqual([487]);
  });

  test("to a phone that never answers: 487 to the caller when Timer B fires, and no CANCEL was sent", () => {
    const { world, alice, phones, sent } = called();
    alice.cancel(sent);
    world.run(33_000);
    expect(phones[0]!.count("CANCEL")).toBe(0);
    expect(alice.statuses("INVITE")[0]).toBe(487);
  });

  test("crossing a 200 on the inner leg: the caller gets the 200", () => {
    const { world, alice, phones, sent, arrived } = called();
    const bob = phones[0]!;
    bob.answer(arrived[0]!, 180);
    alice.cancel(sent);
    bob.answer(bob.incoming("CANCEL"), 481);
    bob.answer(arrived[0]!, 200);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
    world.run(100_000);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
  });

  test("crossing a 200 on the outer leg: 200 to the CANCEL, nothing to the phone", () => {
    const { alice, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 200);
    alice.cancel(sent);
    expect([alice.statuses("INVITE"), alice.statuses("CANCEL"), phones[0]!.count("CANCEL")]).toEqual([
      [200],
      [200],
      0,
    ]);
  });

  test("crossing a 486 on the inner leg: the caller gets the 486", () => {
    const { alice, phones, sent, arrived } = called();
    const bob = phones[0]!;
    bob.answer(arrived[0]!, 180);
    alice.cancel(sent);
    bob.answer(arrived[0]!, 486);
    bob.answer(bob.incoming("CANCEL"), 481);
    expect([alice.statuses("INVITE"), bob.count("ACK")]).toEqual([[180, 486], 1]);
  });

  test("crossing a 486 on the outer leg: 200 to the CANCEL, and no second final answer", () => {
    const { alice, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 486);
    alice.cancel(sent);
    expect([alice.statuses("CANCEL"), phones[0]!.count("CANCEL")]).toEqual([[200], 0]);
    expect(new Set(alice.statuses("INVITE"))).toEqual(new Set([486]));
  });

  test("twice, with another branch of the same Via the second time unknown: one CANCEL below, the 200 repeated", () => {
    const { alice, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 180);
    alice.cancel(sent);
    alice.cancel(sent);
    expect([alice.statuses("CANCEL"), phones[0]!.count("CANCEL")]).toEqual([[200, 200], 1]);
  });

  test("of nothing we know: 481", () => {
    const { alice, phones } = called();
    alice.cancel(alice.write("INVITE", "sip:bob@example.test"));
    expect([alice.statuses("CANCEL"), phones[0]!.count("CANCEL")]).toEqual([[481], 0]);
  });

  test("by somebody else who guessed the branch: 481, the call rings on", () => {
    const { world, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 180);
    const mallory = new Phone(world, "mallory", "203.0.113.66");
    mallory.cancel(sent.replace("198.51.100.7:5060;", "203.0.113.66:5060;"));
    expect([mallory.statuses("CANCEL"), phones[0]!.count("CANCEL")]).toEqual([[481], 0]);
  });

  test("of a MESSAGE: answered, and the MESSAGE is not disturbed", () => {
    const { alice, phones } = called();
    const sent = alice.request("MESSAGE", "sip:bob@example.test", { callId: "m" });
    alice.cancel(sent);
    expect(phones[0]!.count("CANCEL")).toBe(0);
    phones[0]!.answer(phones[0]!.incoming("MESSAGE"), 200);
    expect(alice.statuses("MESSAGE")).toEqual([200]);
  });

  test("a phone that ignores the CANCEL: 487 to the caller 64*T1 after it (§9.1)", () => {
    const { world, alice, phones, sent, arrived } = called();
    phones[0]!.answer(arrived[0]!, 180);
    alice.cancel(sent);
    phones[0]!.answer(phones[0]!.incoming("CANCEL"), 200);
    world.run(31_000);
    expect(alice.statuses("INVITE")).toEqual([180]);
    world.run(2000);
    expect(alice.statuses("INVITE").slice(0, 2)).toEqual([180, 487]);
  });

  test("while the next hop's name is still being looked up: 487, and nothing is sent when the answer comes", async () => {
    let give: (addresses: readonly string[]) => void = () => {};
    const found = new Promise<readonly string[]>((resolve) => {
      give = resolve;
    });
    const world = lab("", { resolver: { addresses: () => found, services: async () => [] } });
    const alice = new Phone(world, "alice", "198.51.100.7");
    const far = new Phone(world, "far", "198.51.100.90");
    const sent = alice.request("INVITE", "sip:x@far.test:5060");
    alice.cancel(sent);
    expect([alice.statuses("CANCEL"), alice.statuses("INVITE")]).toEqual([[200], [487]]);
    give(["198.51.100.90"]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    world.run(100);
    expect(far.got).toEqual([]);
  });

  test("one phone said 486, one never answered: 486 or 487 goes back, once", () => {
    const { world, alice, phones, sent, arrived } = called(2);
    phones[0]!.answer(arrived[0]!, 486);
    alice.cancel(sent);
    world.run(33_000);
    const finals = new Set(alice.statuses("INVITE"));
    expect(finals.size).toBe(1);
    expect([486, 487]).toContain([...finals][0]!);
  });

  test("nothing is left after every race", () => {
    for (const [first, second] of [
      [180, 487],
      [180, 200],
      [180, 486],
      [0, 0],
      [100, 0],
      [180, 0],
      [486, 0],
      [200, 0],
    ]) {
      const { world, alice, phones, sent, arrived } = called();
      if (first! > 0) phones[0]!.answer(arrived[0]!, first!);
      alice.cancel(sent);
      if (second! > 0) phones[0]!.answer(arrived[0]!, second!);
      const refusal = alice.answers("INVITE").findLast((each) => each.status >= 300);
      if (refusal !== undefined) alice.ackRefusal(sent, refusal);
      world.run(SETTLE_MS + 64_000);
      expect([first, second, leftovers(world)]).toEqual([first, second, NOTHING_LEFT]);
    }
  });
});

const TIMER_C = "[timers]\ntimer_c_s = 100\n";

describe("RFC 3261 §16.8 Timer C", () => {
  test("TM-14 after a provisional answer: CANCEL, and 408 goes back at once", () => {
    const { world, alice, phones, arrived } = called(1, TIMER_C);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(99_800);
    expect(phones[0]!.count("CANCEL")).toBe(0);
    world.run(400);
    expect(phones[0]!.count("CANCEL")).toBe(1);
    expect(alice.statuses("INVITE")).toEqual([180, 408]);
    obey(phones[0]!);
    expect(alice.statuses("INVITE")).toEqual([180, 408]);
  });

  test("a phone that ignores that CANCEL too: 408", () => {
    const { world, alice, phones, arrived } = called(1, TIMER_C);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(100_200);
    phones[0]!.answer(phones[0]!.incoming("CANCEL"), 200);
    world.run(33_000);
    expect(alice.statuses("INVITE").slice(0, 2)).toEqual([180, 408]);
  });

  test("each 101 to 199 starts it anew, a 100 does not (§16.7 step 2)", () => {
    const { world, phones, arrived } = called(1, TIMER_C);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(90_000);
    phones[0]!.answer(arrived[0]!, 183);
    world.run(90_000);
    phones[0]!.answer(arrived[0]!, 100);
    expect(phones[0]!.count("CANCEL")).toBe(0);
    world.run(10_100);
    expect(phones[0]!.count("CANCEL")).toBe(1);
  });

  test("a phone that only ever said 100", () => {
    const { world, alice, phones, arrived } = called(1, TIMER_C);
    phones[0]!.answer(arrived[0]!, 100);
    world.run(100_200);
    expect(phones[0]!.count("CANCEL")).toBe(1);
    obey(phones[0]!);
    expect(alice.statuses("INVITE")).toEqual([408]);
  });

  test("no answer at all: 408, no CANCEL", () => {
    const { world, alice, phones } = called(1, "[timers]\ntimer_c_s = 10\n");
    world.run(10_100);
    expect([alice.statuses("INVITE")[0], phones[0]!.count("CANCEL")]).toEqual([408, 0]);
  });

  test("counts for each phone by itself", () => {
    const { world, alice, phones, arrived } = called(2, TIMER_C);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(20_000);
    phones[1]!.answer(arrived[1]!, 180);
    world.run(80_100);
    expect(phones.map((phone) => phone.count("CANCEL"))).toEqual([1, 0]);
    obey(phones[0]!);
    phones[1]!.answer(arrived[1]!, 200);
    expect(alice.statuses("INVITE")).toEqual([180, 180, 200]);
  });

  test("a 2xx ends it", () => {
    const { world, phones, arrived } = called(1, TIMER_C);
    phones[0]!.answer(arrived[0]!, 180);
    phones[0]!.answer(arrived[0]!, 200);
    world.run(300_000);
    expect(phones[0]!.count("CANCEL")).toBe(0);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("the default lets a phone ring for three minutes", () => {
    const { world, phones, arrived } = called(1);
    phones[0]!.answer(arrived[0]!, 180);
    world.run(179_000);
    expect(phones[0]!.count("CANCEL")).toBe(0);
  });
});
