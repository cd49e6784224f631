/** Which routes fit a call and where they lead. */
import { describe, expect, test } from "bun:test";
import type { RouteQuestion, RouteTrace, Way } from "../../src/peers/routes.ts";
import { Routes, WAYS_MAX } from "../../src/peers/routes.ts";
import { routeKeys } from "./kit.ts";

const OURS = { user: "alice", ours: true, peer: null };
const STRANGER = { user: null, ours: false, peer: null };
const CARRIER = { user: null, ours: false, peer: "carrier" };
/** A Monday. */
const MONDAY = Date.UTC(2026, 10, 23);

const call = (user: string | null, more: Partial<RouteQuestion> = {}): RouteQuestion => ({
  user,
  host: "example.test",
  ours: true,
  caller: OURS,
  wall_ms: MONDAY,
  ...more,
});

type Table = Record<string, unknown>;

/** Routes r0, r1 …, each to a peer of its own name unless it says otherwise. */
const routes = (...tables: Table[]) =>
  new Routes(routeKeys(...tables.map((table, i) => ({ name: `r${i}`, to: [`peer:p${i}`], ...table }))));

/** `peer:p0=+49301` or `local:alice=…` of each way. */
const ways = (table: Routes, question: RouteQuestion) =>
  table.decide(question).ways.map(({ to, user }) => `${wayTo(to)}=${user}`);

const wayTo = (to: Way["to"]) => (to.kind === "peer" ? to.peer : to.kind === "local" ? to.name : to.number);

describe("B-25 routes: conditions", () => {
  const hour = (h: number, m = 0, day = 0) => ({ wall_ms: MONDAY + ((day * 24 + h) * 60 + m) * 60_000 });
  const berlin = { time_zone: "UTC" };

  test.each<[string, Table, RouteQuestion, boolean]>([
    ["a number", { numbers: ["0049x."] }, call("004930"), true],
    ["another number", { numbers: ["0049x."] }, call("004830"), false],
    ["one of several numbers", { numbers: ["1", "2[2-9]"] }, call("25"), true],
    ["a name, where numbers are asked for", { numbers: ["."] }, call("alice"), false],
    ["a name, where nothing is asked for", {}, call("alice"), true],
    ["nobody named, where numbers are asked for", { numbers: ["."] }, call(null), false],
    [
      "separators and parameters of a number (RFC 3966 §5.1.1)",
      { numbers: ["+4930x."] },
      call("+49(30)12-3;isub=1"),
      true,
    ],
    ["an escaped plus", { numbers: ["+4930"] }, call("%2B4930"), true],
    ["escaped digits get past no rule", { numbers: ["0900."] }, call("%309%3001"), true],
    ["somebody else's domain", {}, call("alice", { ours: false, host: "other.test" }), false],
    ["foreign", { domains: ["foreign"] }, call("a", { ours: false, host: "other.test" }), true],
    ["foreign, and it is ours", { domains: ["foreign"] }, call("a"), false],
    ["a domain by name", { domains: ["Other.test"] }, call("a", { ours: false, host: "other.test" }), true],
    [
      "an IPv6 address as domain",
      { domains: ["[2001:db8::1]"] },
      call("a", { ours: false, host: "2001:db8::1" }),
      true,
    ],
    ["a stranger", {}, call("1", { caller: STRANGER }), false],
    ["a peer, where users are asked for", {}, call("1", { caller: CARRIER }), false],
    ["a trusted network", {}, call("1", { caller: { ...STRANGER, ours: true } }), true],
    ["anyone", { callers: ["anyone"] }, call("1", { caller: STRANGER }), true],
    ["peers", { callers: ["peers"] }, call("1", { caller: CARRIER }), true],
    ["peers, and it is a user", { callers: ["peers"] }, call("1"), false],
    ["this peer", { callers: ["peer:carrier"] }, call("1", { caller: CARRIER }), true],
    ["another peer", { callers: ["peer:pbx"] }, call("1", { caller: CARRIER }), false],
    ["this user", { callers: ["bob", "alice"] }, call("1"), true],
    ["another user", { callers: ["bob"] }, call("1"), false],
    [
      "a stranger who says he is that user",
      { callers: ["alice"] },
      call("1", { caller: { ...STRANGER, user: "alice" } }),
      false,
    ],
    ["within the time", { times: ["Mon-Fri 08:00-18:00"], ...berlin }, call("1", hour(8)), true],
    ["at its end", { times: ["Mon-Fri 08:00-18:00"], ...berlin }, call("1", hour(18)), false],
    ["on another day", { times: ["Mon-Fri 08:00-18:00"], ...berlin }, call("1", hour(9, 0, 5)), false],
    ["one of two times", { times: ["Mon", "Sat"], ...berlin }, call("1", hour(23, 59, 5)), true],
    [
      "past midnight, of the day before",
      { times: ["Sun 22:00-06:00"], ...berlin },
      call("1", hour(5, 59)),
      true,
    ],
    [
      "past midnight, of the same day",
      { times: ["Mon 22:00-06:00"], ...berlin },
      call("1", hour(5, 59)),
      false,
    ],
    ["a week's end goes round", { times: ["Sat-Mon"], ...berlin }, call("1", hour(1)), true],
    [
      "in another time zone",
      { times: ["Mon 09:00-10:00"], time_zone: "Europe/Berlin" },
      call("1", hour(8, 30)),
      true,
    ],
    [
      "with its summer time",
      { times: ["10:00-11:00"], time_zone: "Europe/Berlin" },
      call("1", { wall_ms: Date.UTC(2026, 6, 6, 8, 30) }),
      true,
    ],
    ["all conditions but one", { numbers: ["1"], times: ["Tue"], ...berlin }, call("1"), false],
    ["a number of which nothing is left", { strip: 3 }, call("123"), false],
  ])("%s", (_, table, question, fits) => {
    const trace: RouteTrace[] = [];
    const { ways } = routes(table).decide(question, trace);
    expect(ways.length).toBe(fits ? 1 : 0);
    expect(trace.map((each) => each.fits)).toEqual([fits]);
    expect(trace[0]!.why.join()).not.toBe("");
  });
});

describe("B-25 routes: rewriting", () => {
  const DE = { number_format: "e164", country_code: "49" };
  test.each<[string, Table, string, string]>([
    ["strip", { strip: 1 }, "0301", "301"],
    ["prefix", { prefix: "99" }, "301", "99301"],
    ["strip, then prefix", { strip: 2, prefix: "+" }, "004930", "+4930"],
    ["E.164: international", DE, "0044201", "+44201"],
    ["E.164: national", DE, "030123", "+4930123"],
    ["E.164: it is one", DE, "+4930123", "+4930123"],
    ["E.164: an extension stays", DE, "123", "123"],
    ["E.164: a service stays", DE, "*21%23", "*21%23"],
    ["E.164: only the prefix was dialled", DE, "00", "+490"],
    ["E.164: only the national prefix was dialled", DE, "0", "0"],
    ["E.164: national without a country code stays", { number_format: "e164" }, "030123", "030123"],
    [
      "E.164: North America",
      { ...DE, country_code: "1", international_prefix: "011", national_prefix: "1" },
      "12125550100",
      "+12125550100",
    ],
    [
      "E.164: North America, abroad",
      { ...DE, country_code: "1", international_prefix: "011", national_prefix: "1" },
      "01149301",
      "+49301",
    ],
    ["E.164: no prefixes at all", { ...DE, international_prefix: "", national_prefix: "" }, "030", "030"],
    ["digits", { ...DE, number_format: "digits" }, "030123", "4930123"],
    ["digits, then prefix", { ...DE, number_format: "digits", prefix: "00" }, "+44201", "0044201"],
    ["the outside line first", { ...DE, strip: 1 }, "0030123", "+4930123"],
    ["separators go when it is rewritten", DE, "030-123", "+4930123"],
    ["and stay when nothing changes", {}, "030-123", "030-123"],
    ["a name stays", { ...DE, strip: 3, prefix: "9" }, "alice", "alice"],
    ["# is escaped", { prefix: "#31#" }, "123", "%2331%23123"],
  ])("%s", (_, table, dialled, sent) => {
    expect(ways(routes(table), call(dialled))).toEqual([`p0=${sent}`]);
  });
});

describe("B-25 routes: destinations", () => {
  test("several of one rule, then those of later rules that fit", () => {
    const table = routes(
      { to: ["peer:a", "peer:b"], prefix: "1" },
      { to: ["peer:never"], numbers: ["9"] },
      { to: ["voicemail"] },
    );
    expect(ways(table, call("5"))).toEqual(["a=15", "b=15", "voicemail=5"]);
  });

  test("last: no later rule is asked", () => {
    const trace: RouteTrace[] = [];
    const table = routes({ last: true }, {});
    expect(table.decide(call("5"), trace).ways.length).toBe(1);
    expect(trace.length).toBe(1);
  });

  test("refuse: that is the answer, and nothing after it is tried", () => {
    const table = routes({ numbers: ["0900."], to: ["refuse 403 Barred"] }, {});
    const decision = table.decide(call("09001"));
    expect(decision).toEqual({
      ways: [],
      refusal: { status: 403, reason: "Barred", section: "route r0" },
    });
    expect(ways(table, call("0800"))).toEqual(["p1=0800"]);
  });

  test("refuse after a destination ends the list", () => {
    const { ways: found, refusal } = routes({ to: ["peer:a", "refuse 480"] }, {}).decide(call("1"));
    expect([found.length, refusal]).toEqual([1, null]);
  });

  test("{number}: the rewritten number is somebody here", () => {
    const table = routes({ callers: ["peer:carrier"], numbers: ["+493012xx"], strip: 6, to: ["{number}"] });
    expect(ways(table, call("+49301256", { caller: CARRIER }))).toEqual(["256=256"]);
  });

  test("{number} without a user leads nowhere", () => {
    expect(routes({ to: ["{number}"] }).decide(call(null))).toEqual({ ways: [], refusal: null });
  });

  test("no rule fits: neither ways nor a refusal", () => {
    expect(routes().decide(call("1"))).toEqual({ ways: [], refusal: null });
  });

  test("the list of ways is bounded", () => {
    const many = Array.from({ length: 40 }, () => ({ to: ["peer:a", "peer:b", "peer:c"] }));
    expect(routes(...many).decide(call("1")).ways.length).toBe(WAYS_MAX);
  });
});

test("the trace says for each rule why", () => {
  const trace: RouteTrace[] = [];
  const table = routes(
    { numbers: ["1"] },
    { callers: ["peers"] },
    { domains: ["foreign"] },
    { times: ["Tue"], time_zone: "UTC" },
    { numbers: ["0."], strip: 1, to: ["peer:a", "bob", "refuse 403"] },
  );
  table.decide(call("0301"), trace);
  expect(trace.map(({ route, fits, why }) => `${route} ${fits}: ${why.join("; ")}`)).toEqual([
    "r0 false: 0301 fits none of its numbers",
    "r1 false: our user alice is none of its callers",
    "r2 false: example.test (ours) is none of its domains: foreign",
    "r3 false: it is Mon 00:00 UTC, and it asks for Tue",
    "r4 true: 0301 fits 0.; 0301 becomes 301; leads to peer a, then bob, then the refusal 403 Not allowed by the routes",
  ]);
});
