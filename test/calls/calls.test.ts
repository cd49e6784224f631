/** Calls followed from their INVITE to their record: ARC-30, B-26, B-27, on the whole appliance. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { calleeDialog, callerDialog, entries, inside, lab, Phone, type World } from "../proxy/kit.ts";

function site(toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  alice.register();
  bob.register();
  return { world, alice, bob, table: world.core.calls.table };
}

/** A call that is up, and the dialogs of both. */
function upCall(from: ReturnType<typeof site>, headers: readonly string[] = []) {
  const { alice, bob } = from;
  alice.request("INVITE", "sip:bob@example.test", { callId: "c1", cseq: 7 });
  const invite = bob.incoming("INVITE");
  bob.answer(invite, 180);
  from.world.run(3000);
  bob.answer(invite, 200, { headers: [`Contact: <${bob.contact}>`, ...headers] });
  const caller = callerDialog(alice.last());
  alice.request("ACK", caller.target, inside(caller, { cseq: 7 }));
  return { caller, callee: calleeDialog(invite, "bob-tag") };
}

const only = ({ records }: World) => {
  expect(records).toHaveLength(1);
  return records[0]!;
};

describe("ARC-30 one record per call attempt", () => {
  test("answered: its times, who, where, and who ended it", () => {
    const from = site();
    const { world, alice, bob, table } = from;
    const started = world.clock.wall();
    const { callee } = upCall(from);
    expect(table.size).toBe(1);
    world.run(60_000);
    bob.request("BYE", callee.target, inside(callee, { cseq: 3, headers: ["Reason: Q.850;cause=16"] }));
    alice.answer(alice.incoming("BYE"), 200);
    expect(table.size).toBe(0);
    const record = only(world);
    expect(record).toMatchObject({
      call_id: "c1",
      from: "<sip:alice@example.test>",
      to: "<sip:bob@example.test>",
      asked: "sip:bob@example.test",
      target: bob.contact,
      peer: null,
      legs: 1,
      status: 200,
      ended_by: "callee",
      reason: "Q.850;cause=16",
    });
    expect(record.started_ms - started).toBeLessThan(100);
    expect(record.answered_ms! - record.rang_ms!).toBeGreaterThanOrEqual(3000);
    expect(record.ended_ms - record.answered_ms!).toBeGreaterThanOrEqual(60_000);
  });

  for (const [name, status, by] of [
    ["busy", 486, "callee"],
    ["declined", 603, "callee"],
  ] as const)
    test(`${name}: not answered, ended by the callee`, () => {
      const { world, alice, bob } = site();
      alice.request("INVITE", "sip:bob@example.test");
      bob.answer(bob.incoming("INVITE"), status);
      expect(only(world)).toMatchObject({ status, ended_by: by, answered_ms: null, rang_ms: null });
    });

  test("cancelled: 487, ended by the caller", () => {
    const { world, alice, bob } = site();
    const sent = alice.request("INVITE", "sip:bob@example.test");
    bob.answer(bob.incoming("INVITE"), 180);
    alice.cancel(sent);
    bob.answer(bob.incoming("CANCEL"), 200);
    bob.answer(bob.incoming("INVITE"), 487);
    expect(only(world)).toMatchObject({ status: 487, ended_by: "caller", answered_ms: null });
  });

  test("nobody there: ended by us, with the words of the answer", () => {
    const { world, alice } = site();
    alice.request("INVITE", "sip:nobody@example.test");
    expect(only(world)).toMatchObject({ status: 404, ended_by: "us", target: "", legs: 0 });
  });

  test("a caller without a From tag (RFC 2543): its call ends like any other", () => {
    const { world, alice, bob, table } = site();
    const untagged = (user: string) => {
      const text = alice.write("INVITE", `sip:${user}@example.test`, { callId: user });
      alice.send(text.replace(/^(From: .*);tag=.*/m, "$1"));
      world.run();
    };
    untagged("nobody");
    expect(table.size).toBe(0);
    untagged("bob");
    expect(table.size).toBe(1);
    bob.answer(bob.incoming("INVITE"), 486);
    expect(table.size).toBe(0);
    expect(world.records.map(({ status }) => status)).toEqual([404, 486]);
  });

  test("forked: one record, with every leg counted and the phone that took it", () => {
    const from = site();
    const { world, alice, bob } = from;
    const desk = new Phone(world, "bob", "198.51.100.40");
    desk.register(3600, [], "desk");
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1" });
    bob.answer(bob.incoming("INVITE"), 180);
    desk.answer(desk.incoming("INVITE"), 200);
    bob.answer(bob.incoming("CANCEL"), 200);
    bob.answer(bob.incoming("INVITE"), 487);
    const caller = callerDialog(alice.last());
    alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
    desk.answer(desk.incoming("BYE"), 200);
    expect(only(world)).toMatchObject({ legs: 2, target: desk.contact, ended_by: "caller", status: 200 });
  });

  test("a BYE that nobody answers ends it all the same", () => {
    const from = site();
    const { world, alice, table } = from;
    const { caller } = upCall(from);
    alice.request("BYE", caller.target, inside(caller, { cseq: 8 }));
    world.run(40_000);
    expect(table.size).toBe(0);
    expect(only(world).ended_by).toBe("caller");
  });

  test("a refused re-INVITE and other requests in the dialog end nothing", () => {
    const from = site();
    const { alice, bob, table } = from;
    const { caller } = upCall(from);
    for (const method of ["INVITE", "INFO", "UPDATE"]) {
      alice.request(method, caller.target, inside(caller, { cseq: 9 }));
      bob.answer(bob.incoming(method), 488);
    }
    expect(table.size).toBe(1);
  });

  test("a BYE of a stranger with a guessed Call-ID and no token ends nothing", () => {
    const from = site();
    upCall(from);
    const mallory = new Phone(from.world, "mallory", "203.0.113.66");
    mallory.request("BYE", "sip:bob@example.test", {
      callId: "c1",
      fromTag: "alice-tag",
      toTag: "bob-tag",
      cseq: 99,
    });
    expect(from.table.size).toBe(1);
    expect(from.world.records).toHaveLength(0);
  });
});

describe("a call is ended from here", () => {
  const byeOf = (phone: Phone): SipMessage => phone.incoming("BYE");

  test("both sides get a BYE that fits their dialog (RFC 3261 §12.2.1.1)", () => {
    const from = site();
    const { world, alice, bob, table } = from;
    upCall(from);
    const [call] = table.some(1);
    expect(from.world.core.calls.hangUp(call!, "by hand")).toBe(true);
    world.run(20);
    const toBob = byeOf(bob);
    expect(toBob.uriText).toBe(bob.contact);
    expect([toBob.callId, toBob.fromTag, toBob.toTag]).toEqual(["c1", "alice-tag", "bob-tag"]);
    expect(toBob.text(H.CSeq)).toBe("8 BYE"); // alice's INVITE was 7
    const toAlice = byeOf(alice);
    expect(toAlice.uriText).toBe(alice.contact);
    expect([toAlice.fromTag, toAlice.toTag]).toEqual(["bob-tag", "alice-tag"]);
    for (const bye of [toBob, toAlice]) {
      expect(entries(bye, H.Route)).toEqual([]);
      expect(bye.text(H.Reason)).toContain('text="by hand"');
    }
    bob.answer(toBob, 200);
    alice.answer(toAlice, 200);
    expect(table.size).toBe(0);
    expect(only(world)).toMatchObject({ ended_by: "us", reason: "by hand", status: 200 });
  });

  test("routes beyond us are kept, each side's own", () => {
    const from = site();
    const { world, alice, bob, table } = from;
    const hops = ["<sip:near.example.test;lr>", "<sip:far.example.test;lr>"];
    const headers = [`Contact: <${alice.contact}>`, ...hops.map((hop) => `Record-Route: ${hop}`)];
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1", headers });
    const invite = bob.incoming("INVITE");
    const text = bob.reply(invite, 200);
    expect(text).toContain("near.example.test");
    world.run(20);
    world.core.calls.hangUp(table.some(1)[0]!, "x");
    world.run(20);
    expect(entries(byeOf(alice), H.Route)).toEqual(hops);
    expect(entries(byeOf(bob), H.Route)).toEqual([]);
  });

  test("one that rings, or is being ended, cannot be", () => {
    const from = site();
    const { world, alice, bob, table } = from;
    alice.request("INVITE", "sip:bob@example.test");
    bob.answer(bob.incoming("INVITE"), 180);
    const [call] = table.some(1);
    expect(world.core.calls.hangUp(call!, "x")).toBe(false);
    bob.answer(bob.incoming("INVITE"), 200);
    expect(world.core.calls.hangUp(call!, "x")).toBe(true);
    expect(world.core.calls.hangUp(call!, "x")).toBe(false);
  });

  test("phones that do not answer the BYE: it is over all the same", () => {
    const from = site();
    upCall(from);
    from.world.core.calls.hangUp(from.table.some(1)[0]!, "x");
    from.world.run(40_000);
    expect(from.table.size).toBe(0);
    expect(only(from.world).ended_by).toBe("us");
  });

  test("B-26 calls.max_duration_s: then both sides get a BYE", () => {
    const from = site("[calls]\nmax_duration_s = 600\n");
    const { world, alice, bob } = from;
    upCall(from);
    world.run(590_000);
    expect(bob.count("BYE")).toBe(0);
    world.run(20_000);
    expect([alice.count("BYE"), bob.count("BYE")].every((count) => count >= 1)).toBe(true);
  });
});

describe("B-27 RFC 4028 session timers are observed", () => {
  test("§10 without a refresh the call is over when its time is", () => {
    const from = site();
    upCall(from, ["Session-Expires: 90;refresher=uac"]);
    from.world.run(89_000);
    expect(from.table.size).toBe(1);
    from.world.run(20_000);
    expect(from.table.size).toBe(0);
    expect(only(from.world)).toMatchObject({ ended_by: "nobody", status: 200 });
  });

  test("§7.2 a refresh by UPDATE, from either side, starts its time anew", () => {
    const from = site();
    const { alice, bob, table, world } = from;
    const { callee } = upCall(from, ["x: 90"]);
    world.run(80_000);
    bob.request("UPDATE", callee.target, inside(callee, { cseq: 2 }));
    alice.answer(alice.incoming("UPDATE"), 200, { headers: ["Session-Expires: 90;refresher=uas"] });
    world.run(80_000);
    expect(table.size).toBe(1);
    world.run(30_000);
    expect(table.size).toBe(0);
  });

  test("an answer without it: any time", () => {
    const from = site();
    upCall(from);
    from.world.run(3600_000);
    expect(from.table.size).toBe(1);
  });
});

describe("RFC 4028 §8 session timers that the proxy asks for", () => {
  const TOML = "[calls]\nsession_s = 600\nsession_min_s = 120\n";
  const KNOWS = "Supported: 100rel, timer";

  const offered = (from: ReturnType<typeof site>, headers: readonly string[]): SipMessage => {
    from.alice.request("INVITE", "sip:bob@example.test", { callId: "c1", cseq: 7, headers });
    return from.bob.incoming("INVITE");
  };

  for (const [name, headers, wanted] of [
    ["none asked for: ours", [], "600"],
    ["a longer one becomes ours, and the refresher stays", ["x: 1800;refresher=uas"], "600;refresher=uas"],
    ["a shorter one stays", [KNOWS, "Session-Expires: 200"], "200"],
    ["never below the Min-SE of the request", ["Min-SE: 900"], "900"],
    ["what is no number leaves as it came, with ours nowhere", ["Session-Expires: soon"], null],
  ] as const)
    test(`§8.1 ${name}`, () => {
      const invite = offered(site(TOML), headers);
      expect(entries(invite, H.SessionExpires)).toEqual(wanted === null ? ["soon"] : [wanted]);
    });

  test("§8.1 too short, from a phone that knows timers: 422 with Min-SE, and nobody rings", () => {
    const from = site(TOML);
    from.alice.request("INVITE", "sip:bob@example.test", { headers: [KNOWS, "Session-Expires: 100"] });
    expect(from.alice.last()).toMatchObject({ status: 422 });
    expect(entries(from.alice.last(), H.MinSe)).toEqual(["120"]);
    expect(from.bob.count("INVITE")).toBe(0);
  });

  test("§8.1 too short, from one that does not: made longer, with a Min-SE that says so", () => {
    const invite = offered(site(TOML), ["Session-Expires: 100", "Min-SE: 90"]);
    expect(entries(invite, H.SessionExpires)).toEqual(["120"]);
    expect(entries(invite, H.MinSe)).toEqual(["120"]);
  });

  test("§8.2 the callee knows no timer, the caller does: the caller is told to refresh", () => {
    const from = site(TOML);
    const { alice, bob, world, table } = from;
    const invite = offered(from, [KNOWS]);
    bob.answer(invite, 200, { headers: [`Contact: <${bob.contact}>`] });
    const answer = alice.last();
    expect(entries(answer, H.SessionExpires)).toEqual(["600;refresher=uac"]);
    expect(entries(answer, H.Require)).toEqual(["timer"]);
    const caller = callerDialog(answer);
    world.run(500_000);
    alice.request("UPDATE", caller.target, inside(caller, { cseq: 8, headers: [KNOWS] }));
    bob.answer(bob.incoming("UPDATE"), 200);
    expect(entries(alice.last(), H.SessionExpires)).toEqual(["600;refresher=uac"]);
    world.run(500_000);
    expect(table.size).toBe(1);
    world.run(120_000);
    expect(only(world)).toMatchObject({ ended_by: "nobody" });
  });

  test("§8.2 neither knows timers: nothing is added to the answer, and the call lasts", () => {
    const from = site(TOML);
    const { alice, bob, world, table } = from;
    bob.answer(offered(from, []), 200, { headers: [`Contact: <${bob.contact}>`] });
    expect(entries(alice.last(), H.SessionExpires)).toEqual([]);
    expect(entries(alice.last(), H.Require)).toEqual([]);
    world.run(3600_000);
    expect(table.size).toBe(1);
  });

  test("without session_s nothing is inserted or made shorter", () => {
    const invite = offered(site(), ["Session-Expires: 7200"]);
    expect(entries(invite, H.SessionExpires)).toEqual(["7200"]);
    expect(entries(offered(site(), []), H.SessionExpires)).toEqual([]);
  });
});

describe("bounds", () => {
  test("records.calls_max: one more call goes through, is not followed, and is counted", () => {
    const { world, alice, bob, table } = site("[records]\ncalls_max = 2\n");
    for (const callId of ["1", "2", "3"])
      alice.request("INVITE", "sip:bob@example.test", { callId, branch: `z9hG4bK${callId}` });
    expect(bob.count("INVITE")).toBe(3);
    expect(table.size).toBe(2);
    expect(world.counter("sipedge_calls_not_followed_total")).toBe(1);
  });

  test("what callers write into From and Call-ID is cut in the record", () => {
    const { world, alice } = site();
    const callId = "c".repeat(5000);
    alice.request("INVITE", "sip:nobody@example.test", {
      callId,
      from: `<sip:${"a".repeat(2000)}@example.test>`,
    });
    const record = only(world);
    expect(record.call_id).toHaveLength(300);
    expect(record.from).toHaveLength(300);
  });
});
