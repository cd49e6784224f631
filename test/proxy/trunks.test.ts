/** Calls to nobody here: routes lead them to peers, names or a refusal; peers that fail are passed over. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { World } from "./kit.ts";
import { callerDialog, inside, lab, leftovers, lines, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";

const GW1 = "198.51.100.81";
const GW2 = "198.51.100.82";
/** A carrier with two gateways, the second for when the first cannot be had, and a route for all numbers with 0. */
const CARRIER = `
[[peer]]
name = "carrier"
uris = ["sip:${GW1}", "sip:${GW2} priority=1"]
networks = ["${GW1}", "${GW2}"]
probe_s = 0
MORE
[[route]]
name = "out"
numbers = ["0."]
strip = 1
prefix = "+49"
to = ["peer:carrier"]
`;

function rig(more = "", toml = "") {
  const world = lab(`${toml}${CARRIER.replace("MORE", more)}`);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const [gw1, gw2] = [new Phone(world, "gw1", GW1), new Phone(world, "gw2", GW2)];
  const dial = (number: string, callId = `c-${number}`) =>
    alice.request("INVITE", `sip:${number}@example.test`, { callId });
  return { world, alice, gw1, gw2, dial };
}

const calls = (...phones: Phone[]) => phones.map((phone) => phone.count("INVITE"));
const invite = (phone: Phone) => phone.incoming("INVITE");

function settles(world: World): void {
  world.run(2 * SETTLE_MS);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
}

describe("B-25 routes to peers", () => {
  test("the number is rewritten, the peer's host takes the domain's place, the call goes through", () => {
    const { world, alice, gw1, gw2, dial } = rig();
    dial("0301234");
    expect([calls(gw1, gw2), invite(gw1).uriText]).toEqual([[1, 0], `sip:+49301234@${GW1}`]);
    gw1.answer(invite(gw1), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    alice.request("ACK", dialog.target, inside(dialog, { cseq: 1 }));
    alice.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    expect([gw1.count("ACK"), gw1.count("BYE")]).toEqual([1, 1]);
    gw1.answer(gw1.incoming("BYE"), 200);
    expect(world.records.map(({ peer, rule }) => [peer, rule])).toEqual([["carrier", "out"]]); // ARC-30
    settles(world);
  });

  test("no rule fits: 404, and a user of that name goes before every rule", () => {
    const { world, alice, gw1, dial } = rig();
    dial("1234");
    expect(alice.statuses("INVITE")).toEqual([404]);
    world.account("0301234", "secret");
    dial("0301234");
    expect([alice.statuses("INVITE"), calls(gw1)]).toEqual([[404, 480], [0]]);
  });

  test("B-79 silence for failover_s, a 503, a 500: the second gateway; what the callee decided stands", () => {
    const silent = rig();
    silent.dial("01");
    silent.world.run(4_100);
    expect(calls(silent.gw2)).toEqual([1]);
    for (const [status, second] of [
      [503, 1],
      [500, 1],
      [486, 0],
      [404, 0],
      [603, 0],
    ] as const) {
      const { gw1, gw2, dial, alice } = rig();
      dial("01");
      gw1.answer(invite(gw1), status);
      expect([status, calls(gw2)]).toEqual([status, [second]]);
      if (second === 0) expect(alice.statuses("INVITE")).toEqual([status]);
    }
  });

  test("TM-27 a gateway that said 503 with Retry-After gets no call for that time; TM-30 nor does a silent one", () => {
    const { world, gw1, gw2, dial } = rig();
    dial("01");
    gw1.answer(invite(gw1), 503, { headers: ["Retry-After: 20"] });
    gw2.answer(invite(gw2), 486);
    dial("02");
    expect(calls(gw1, gw2)).toEqual([1, 2]);
    world.run(20_100);
    dial("03");
    expect(calls(gw1)).toEqual([2]);
  });

  test("both gone: 500, never 503 (TM-55); left alone, the next caller hears so at once", () => {
    const { alice, gw1, gw2, dial } = rig();
    dial("01");
    gw1.answer(invite(gw1), 503, { headers: ["Retry-After: 20"] });
    gw2.answer(invite(gw2), 503, { headers: ["Retry-After: 20"] });
    dial("02");
    expect([alice.statuses("INVITE"), calls(gw1, gw2)]).toEqual([
      [500, 500],
      [1, 1],
    ]);
    expect(alice.last().text(H.RetryAfter)).toBe("20");
  });

  test("a route's later destinations: a user here when the carrier is gone; refuse ends it", () => {
    const toml = CARRIER.replace("MORE", "").replace(
      'to = ["peer:carrier"]',
      'to = ["peer:carrier", "desk"]',
    );
    const world = lab(
      `${toml}[[route]]\nname = "never"\nnumbers = ["9."]\nto = ["refuse 403 not from here"]\n`,
    );
    const alice = new Phone(world, "alice", "198.51.100.7");
    const desk = new Phone(world, "desk", "198.51.100.9");
    desk.register();
    alice.request("INVITE", "sip:01@example.test");
    world.run(8_300);
    expect(calls(desk)).toEqual([1]);
    alice.request("INVITE", "sip:91@example.test", { callId: "9" });
    expect(alice.answers("INVITE").find(({ callId }) => callId === "9")?.status).toBe(403);
  });

  test("the caller's CANCEL between two gateways ends the search", () => {
    const { world, alice, gw1, gw2 } = rig();
    const sent = alice.request("INVITE", "sip:01@example.test");
    gw1.answer(invite(gw1), 180);
    alice.cancel(sent);
    gw1.answer(gw1.incoming("CANCEL"), 200);
    gw1.answer(invite(gw1), 487);
    world.run(10_000);
    expect([alice.statuses("INVITE").slice(0, 2), calls(gw2)]).toEqual([[180, 487], [0]]);
  });
});

describe("limits of a peer", () => {
  test("calls_max: the next call hears 480 until one has ended by its BYE", () => {
    const { alice, gw1, dial } = rig("calls_max = 1");
    dial("01");
    gw1.answer(invite(gw1), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    dial("02");
    expect(alice.statuses("INVITE").at(-1)).toBe(480);
    alice.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    gw1.answer(gw1.incoming("BYE"), 200);
    dial("03");
    expect(calls(gw1)).toEqual([2]);
  });

  test("calls_max: a call that was refused, cancelled or never answered frees its line", () => {
    const { world, alice, gw1, gw2, dial } = rig("calls_max = 1\nunreachable_s = 0");
    dial("01");
    gw1.answer(invite(gw1), 486);
    const sent = dial("02");
    gw1.answer(invite(gw1), 180);
    alice.cancel(sent);
    gw1.answer(gw1.incoming("CANCEL"), 200);
    gw1.answer(invite(gw1), 487);
    dial("03");
    world.run(9_000);
    dial("04");
    expect([calls(gw1)[0]! >= 4, calls(gw2)[0]! >= 1]).toEqual([true, true]);
  });

  test("calls_per_s (call gapping): what is too much in one second is refused with Retry-After", () => {
    const { world, alice, gw1, dial } = rig("calls_per_s = 1\ncalls_burst = 1");
    dial("01");
    dial("02");
    expect([calls(gw1), alice.statuses("INVITE"), alice.last().text(H.RetryAfter)]).toEqual([
      [1],
      [480],
      "1",
    ]);
    world.run(1_100);
    dial("03");
    expect(new Set(gw1.got.map(({ callId }) => callId))).toEqual(new Set(["c-01", "c-03"]));
  });
});

describe("TM-28, TM-29 Retry-After of a peer", () => {
  /** The first gateway said 503; how many calls it has after the next one, at once and after `later_s`. */
  function after503(headers: readonly string[], more: string, later_s: number) {
    const { world, gw1, gw2, dial } = rig(more);
    dial("01");
    gw1.answer(invite(gw1), 503, { headers });
    gw2.answer(invite(gw2), 486);
    const asked = () => new Set(gw1.got.map(({ callId }) => callId)).size;
    dial("02");
    gw2.answer(invite(gw2), 486);
    const atOnce = asked();
    world.run(later_s * 1000);
    dial("03");
    return [atOnce, asked()];
  }

  test("none: it is asked again at once, or after retry_after_default_s", () => {
    expect(after503([], "", 1)).toEqual([2, 3]);
    expect(after503([], "retry_after_default_s = 10", 9)).toEqual([1, 1]);
    expect(after503([], "retry_after_default_s = 10", 11)).toEqual([1, 2]);
  });

  test("99999 counts for retry_after_max_s at most; 0 switches it off", () => {
    expect(after503(["Retry-After: 99999"], "retry_after_max_s = 30", 29)).toEqual([1, 1]);
    expect(after503(["Retry-After: 99999"], "retry_after_max_s = 30", 31)).toEqual([1, 2]);
    expect(after503(["Retry-After: 60"], "retry_after_max_s = 0", 1)).toEqual([2, 3]);
  });

  test("TM-31 the BYE of a running call is sent there all the same", () => {
    const { alice, gw1, dial } = rig();
    dial("01");
    gw1.answer(invite(gw1), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    dial("02");
    gw1.answer(invite(gw1), 503, { headers: ["Retry-After: 60"] });
    alice.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    expect(gw1.count("BYE")).toBe(1);
  });
});

describe("who a peer hears of, and what a peer may do", () => {
  test("identity = asserted: the account that proved itself, not what the phone wrote", () => {
    const { world, gw1 } = rig('identity = "asserted"');
    const phone = new Phone(world, "bob", "203.0.113.9");
    phone.request("INVITE", "sip:01@example.test", {
      headers: [`Contact: <${phone.contact}>`, "P-Asserted-Identity: <sip:boss@example.test>"],
    });
    expect([phone.statuses("INVITE"), calls(gw1)]).toEqual([[407], [0]]); // no password, no call out
    const alice = new Phone(world, "alice", "198.51.100.70");
    alice.request("INVITE", "sip:01@example.test", {
      headers: [
        `Contact: <${alice.contact}>`,
        "P-Asserted-Identity: <sip:boss@example.test>",
        "Remote-Party-ID: <sip:x@y>",
      ],
    });
    const named = lines(invite(gw1)).filter((line) => /^(P-Asserted|P-Preferred|Remote-Party)/.test(line));
    expect(named).toEqual([]); // a trusted network proves no account
  });

  test("a peer calls our users without a password, and nobody else through us", () => {
    const world = lab(CARRIER.replace("MORE", "").replaceAll("198.51.100.8", "203.0.113.8"));
    const bob = new Phone(world, "bob", "198.51.100.9");
    bob.register();
    const carrier = new Phone(world, "carrier", "203.0.113.81");
    carrier.request("INVITE", "sip:bob@example.test", { from: "<sip:+4930@example.test>" });
    expect(calls(bob)).toEqual([1]);
    for (const uri of ["sip:01@example.test", "sip:x@203.0.113.200"])
      carrier.request("INVITE", uri, { from: "<sip:+4930@example.test>", callId: uri });
    expect(carrier.statuses("INVITE")).toEqual([404, 403]);
    const stranger = new Phone(world, "stranger", "203.0.113.99");
    stranger.request("INVITE", "sip:bob@example.test", { from: "<sip:+4930@elsewhere.test>" });
    expect(stranger.statuses("INVITE")).toEqual([403]);
  });
});

describe("SRV-02 probes", () => {
  test("OPTIONS to each URI; one without answers is down and gets no call, until it answers again", () => {
    const world = lab(CARRIER.replace("probe_s = 0", "probe_s = 10").replace("MORE", "probe_timeout_s = 2"));
    const alice = new Phone(world, "alice", "198.51.100.7");
    const [gw1, gw2] = [new Phone(world, "gw1", GW1), new Phone(world, "gw2", GW2)];
    let dead = true;
    for (const gateway of [gw1, gw2])
      gateway.on = (message) => {
        if (message.method === "OPTIONS" && !(dead && gateway === gw1)) gateway.reply(message, 200);
      };
    world.core.start();
    world.run(20_000);
    expect(gw2.count("OPTIONS")).toBeGreaterThan(1);
    expect(gw2.incoming("OPTIONS").uriText).toBe(`sip:${GW2}`);
    alice.request("INVITE", "sip:01@example.test");
    expect(calls(gw1, gw2)).toEqual([0, 1]);
    dead = false;
    world.run(25_000);
    alice.request("INVITE", "sip:02@example.test", { callId: "later" });
    expect(calls(gw1)).toEqual([1]);
    const probes = gw1.count("OPTIONS");
    world.core.close();
    world.run(60_000);
    expect(gw1.count("OPTIONS")).toBe(probes);
  });
});
