/** ARC-45, SVC-13, SVC-14, CNV-03: calls that are not let through, by rule and by limit; alone and on the whole appliance. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import type { ScreenedCall } from "../../src/peers/screening.ts";
import { Screening } from "../../src/peers/screening.ts";
import { callerDialog, inside, lab, Phone } from "../proxy/kit.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { configOf } from "../support/world.ts";

const RULES = `
[[screen]]
name = "boss-may"
users = ["boss"]
numbers = ["0900."]
action = "allow"
[[screen]]
name = "no-premium"
numbers = ["0900.", "+1900."]
[[screen]]
name = "no-anonymous"
callers = ["anonymous"]
called = ["alice"]
action = "refuse 603 Declined"
[[screen]]
name = "no-spam"
callers = ["+4930123.", "Spammer"]
action = "refuse 486"
[[screen]]
name = "night"
users = ["lobby"]
numbers = ["0."]
times = ["22:00-06:00"]
time_zone = "Europe/Berlin"
`;

function site(toml = RULES, atOnce = 0) {
  const clock = new VirtualClock();
  const screening = new Screening({ clock, metrics: new Metrics(), callsOf: () => atOnce }, configOf(toml));
  const ask = (call: Partial<ScreenedCall>) =>
    screening.refusal({ account: null, caller: "x", called: "y", ...call });
  return { clock, screening, ask };
}

describe("SVC-13, SVC-14 rules", () => {
  const { ask } = site();
  for (const [what, call, status, rule] of [
    ["a premium number", { account: "bob", called: "09001234" }, 403, "no-premium"],
    ["written with dashes", { account: "bob", called: "0900-12-34" }, 403, "no-premium"],
    ["in another spelling of the world", { account: "bob", called: "+19005551234" }, 403, "no-premium"],
    ["for whom an earlier rule allows it", { account: "boss", called: "09001234" }, null, null],
    ["another number", { account: "bob", called: "030123" }, null, null],
    ["a name that begins so", { account: "bob", called: "0900abc" }, null, null],
    [
      "nobody's number to one who does not want it",
      { caller: "Anonymous", called: "alice" },
      603,
      "no-anonymous",
    ],
    ["no user in From at all", { caller: null, called: "alice" }, 603, "no-anonymous"],
    ["nobody's number to somebody else", { caller: "anonymous", called: "bob" }, null, null],
    ["a caller by number", { caller: "+493012377", called: "bob" }, 486, "no-spam"],
    ["a caller by name, in any case", { caller: "spammer", called: "bob" }, 486, "no-spam"],
  ] as const)
    test(`${what}: ${status ?? "goes through"}`, () => {
      const refusal = ask(call);
      expect([refusal?.status ?? null, refusal?.section ?? null]).toEqual([
        status,
        rule === null ? null : `screen ${rule}`,
      ]);
    });

  test("ARC-45 at night, in the zone that is named", () => {
    const { clock, ask: asked } = site();
    const call = { account: "lobby", called: "030123" };
    const at = (hour: number): number | null => {
      clock.wallOffset = Date.UTC(2026, 10, 23, hour, 30) - clock.now();
      return asked(call)?.status ?? null;
    };
    expect([at(20), at(21), at(4), at(5)]).toEqual([null, 403, 403, null]); // UTC+1
  });
});

describe("ARC-45 limits of an account", () => {
  test("the eleventh call within a minute, and again as many as time has passed", () => {
    const { ask, clock } = site("[calls]\ncalls_per_minute_max = 10\n");
    const begin = (count: number, account: string | null = "bob") =>
      Array.from({ length: count }, () => ask({ account })?.status ?? 0);
    expect(begin(11)).toEqual([...Array<number>(10).fill(0), 403]);
    expect(begin(1, "carol")).toEqual([0]);
    expect(begin(50, null)).not.toContain(403); // who proved nothing is the guard's affair
    clock.advance(12_000);
    expect(begin(3)).toEqual([0, 0, 403]);
  });

  test("so many at once; of one account otherwise", () => {
    const toml =
      '[calls]\ncalls_at_once_max = 2\n[[user]]\nname = "pbx"\npassword = "x"\ncalls_at_once_max = 0\n';
    expect(site(toml, 1).ask({ account: "bob" })).toBeNull();
    expect(site(toml, 2).ask({ account: "bob" })).toMatchObject({
      status: 403,
      section: "screen calls_at_once_max",
    });
    expect(site(toml, 500).ask({ account: "pbx" })).toBeNull();
  });
});

describe("on the whole appliance", () => {
  const TOML = `[emergency]\nnumbers = ["112"]\nto = "sip:112@198.51.100.81"\nnetworks = ["198.51.100.0/24"]
[[peer]]\nname = "carrier"\nuris = ["sip:198.51.100.81"]\nprobe_s = 0
[[screen]]\nname = "nothing-out"\nnumbers = ["x."]\n`;

  test("nobody rings, the answer and the record name the rule, a call for help passes", () => {
    const world = lab(TOML);
    const alice = new Phone(world, "alice", "198.51.100.7");
    const carrier = new Phone(world, "carrier", "198.51.100.81");
    alice.request("INVITE", "sip:030123@example.test", { callId: "out" });
    expect(alice.last().status).toBe(403);
    expect(world.records[0]).toMatchObject({
      status: 403,
      reason: "Refused by the rule nothing-out",
      ended_by: "us",
    });
    expect(world.counter("sipedge_calls_screened_total", { rule: "nothing-out" })).toBe(1);
    alice.request("INVITE", "sip:112@example.test", { callId: "help", branch: "z9hG4bKhelp" });
    expect(carrier.count("INVITE")).toBe(1);
  });

  test("requests inside a call are not screened", () => {
    const world = lab('[[screen]]\nname = "second"\ncalled = ["carol"]\n[calls]\ncalls_per_minute_max = 1\n');
    const alice = new Phone(world, "alice", "198.51.100.7");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    alice.request("INVITE", "sip:bob@example.test", { callId: "c" });
    bob.answer(bob.incoming("INVITE"), 200, { headers: [`Contact: <${bob.contact}>`] });
    const dialog = callerDialog(alice.last());
    for (const cseq of [2, 3, 4]) {
      alice.request("INVITE", dialog.target, inside(dialog, { cseq }));
      bob.answer(bob.incoming("INVITE"), 200);
    }
    expect(alice.statuses("INVITE").filter((status) => status === 403)).toEqual([]);
  });
});
