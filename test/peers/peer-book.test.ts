/** Which URI of a peer gets a request, and what takes one away (503, silence, refused connections). */
import { describe, expect, test } from "bun:test";
import { drawOrder } from "../../src/peers/draw.ts";
import { refusalOf } from "../../src/peers/no-peer.ts";
import { BookLab, peersOf } from "./kit.ts";

const A = "sip:192.0.2.1";
const B = "sip:192.0.2.2";
const C = "sip:192.0.2.3";

const two = (rules = {}) =>
  new BookLab([{ name: "carrier", uris: [`${A} priority=1`, `${B} priority=2`], ...rules }]);

describe("ARC-12 balancing by priority and weight (RFC 2782)", () => {
  test("weights are kept within 5 % over a thousand draws", () => {
    const lab = new BookLab([{ name: "p", uris: [`${A} weight=6`, `${B} weight=3`, `${C} weight=1`] }], 7);
    const first = new Map<string, number>();
    for (let i = 0; i < 1000; i++) {
      const [uri = ""] = lab.pick("p") as string[];
      first.set(uri, (first.get(uri) ?? 0) + 1);
    }
    for (const [uri, share] of [
      [A, 0.6],
      [B, 0.3],
      [C, 0.1],
    ] as const)
      expect(Math.abs((first.get(uri) ?? 0) / 1000 - share)).toBeLessThan(0.05);
  });

  test("each usable URI is in the list once, lower priorities first", () => {
    const lab = new BookLab([{ name: "p", uris: [`${C} priority=9`, A, B] }]);
    for (let i = 0; i < 50; i++) {
      const order = lab.pick("p") as string[];
      expect(order.slice(0, 2).sort()).toEqual([A, B]);
      expect(order.slice(2)).toEqual([C]);
    }
  });

  test("weight 0 comes after all others of its priority", () => {
    const lab = new BookLab([{ name: "p", uris: [`${A} weight=0`, `${B} weight=1`, `${C} weight=0`] }]);
    for (let i = 0; i < 50; i++) expect((lab.pick("p") as string[])[0]).toBe(B);
  });

  test("weight 0 does not come first even when the dice show 0", () => {
    const entries = [
      { priority: 0, weight: 0 },
      { priority: 0, weight: 1 },
    ];
    const dice = { fraction: () => 0, token: () => "", bytes: (n: number) => new Uint8Array(n) };
    expect(drawOrder(entries, dice).map(({ weight }) => weight)).toEqual([1, 0]);
  });

  test("all of weight 0: every one comes first now and then", () => {
    const lab = new BookLab([{ name: "p", uris: [`${A} weight=0`, `${B} weight=0`] }]);
    const firsts = new Set(Array.from({ length: 50 }, () => (lab.pick("p") as string[])[0]));
    expect(firsts).toEqual(new Set([A, B]));
  });

  test("of three, the one that is dead gets nothing and the others share its calls", () => {
    const lab = new BookLab([{ name: "p", uris: [A, B, C] }], 3);
    lab.book.failed(lab.at("p", 1));
    const firsts = Array.from({ length: 1000 }, () => (lab.pick("p") as string[])[0]);
    expect(firsts).not.toContain(B);
    expect(Math.abs(firsts.filter((uri) => uri === A).length / 1000 - 0.5)).toBeLessThan(0.05);
  });
});

describe("TM-27 503 with Retry-After puts the URI of a peer aside", () => {
  test("for that time, and no longer", () => {
    const lab = two();
    lab.book.answered(lab.at("carrier"), 503, 5);
    expect(lab.pick("carrier")).toEqual([B]);
    lab.clock.advance(4999);
    expect(lab.pick("carrier")).toEqual([B]);
    lab.clock.advance(1);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("only that URI of that peer: the same URI of another peer stays", () => {
    const lab = new BookLab([
      { name: "one", uris: [A] },
      { name: "other", uris: [A] },
    ]);
    lab.book.answered(lab.at("one"), 503, 5);
    expect(lab.pick("one")).toBe("aside");
    expect(lab.pick("other")).toEqual([A]);
  });

  test("a later answer does not cut the time short, a longer Retry-After makes it longer", () => {
    const lab = two();
    lab.book.answered(lab.at("carrier"), 503, 10);
    lab.book.answered(lab.at("carrier"), 200, null);
    lab.book.answered(lab.at("carrier"), 503, 2);
    lab.clock.advance(9_000);
    expect(lab.pick("carrier")).toEqual([B]);
    lab.book.answered(lab.at("carrier"), 503, 20);
    lab.clock.advance(19_000);
    expect(lab.pick("carrier")).toEqual([B]);
  });

  test("it is logged and counted once, with the reason", () => {
    const lab = two();
    lab.book.answered(lab.at("carrier"), 503, 5);
    lab.book.answered(lab.at("carrier"), 503, 5);
    expect(lab.log.lines).toEqual([
      {
        level: "warn",
        event: "peer_aside",
        fields: { peer: "carrier", uri: A, why: "retry_after", seconds: 5 },
      },
    ]);
    expect(lab.count("sipedge_peer_asides_total", { peer: "carrier", why: "retry_after" })).toBe(1);
  });

  test("other answers put nothing aside", () => {
    const lab = two();
    for (const status of [200, 404, 408, 480, 486, 500, 502, 504, 600])
      lab.book.answered(lab.at("carrier"), status, 60);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });
});

describe("TM-28 503 without Retry-After", () => {
  test("puts nothing aside by default", () => {
    const lab = two();
    lab.book.answered(lab.at("carrier"), 503, null);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("counts for retry_after_default_s where it is set", () => {
    const lab = two({ retry_after_default_s: 7 });
    lab.book.answered(lab.at("carrier"), 503, null);
    lab.clock.advance(6999);
    expect(lab.pick("carrier")).toEqual([B]);
    lab.clock.advance(1);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("an unreadable Retry-After is none", () => {
    const lab = two();
    for (const wrong of [Number.NaN, -1, Number.NEGATIVE_INFINITY])
      lab.book.answered(lab.at("carrier"), 503, wrong);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });
});

describe("TM-29 Retry-After is clamped", () => {
  const asideFor = (rules: object, retryAfter_s: number) => {
    const lab = two(rules);
    lab.book.answered(lab.at("carrier"), 503, retryAfter_s);
    const [{ uris } = { uris: [] }] = lab.book.snapshot(1);
    const until = uris[0]?.aside_until_ms ?? null;
    return until === null ? 0 : (until - lab.clock.wall()) / 1000;
  };

  test.each([
    ["99999 to an hour", {}, 99_999, 3600],
    ["infinity to an hour", {}, Number.POSITIVE_INFINITY, 3600],
    ["to retry_after_max_s", { retry_after_max_s: 30 }, 31, 30],
    ["to retry_after_min_s", { retry_after_min_s: 20 }, 3, 20],
    ["0 counts for nothing", {}, 0, 0],
    ["retry_after_max_s = 0 switches it off", { retry_after_max_s: 0, retry_after_default_s: 9 }, 60, 0],
  ])("%s", (_, rules, said, counted) => {
    expect(asideFor(rules, said)).toBe(counted);
  });
});

describe("TM-30 which silence puts a URI aside", () => {
  test("that of an INVITE does, for unreachable_s", () => {
    const lab = two({ unreachable_s: 30 });
    lab.book.silent(lab.at("carrier"), "INVITE");
    expect(lab.pick("carrier")).toEqual([B]);
    lab.clock.advance(30_000);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("that of OPTIONS, MESSAGE or BYE does not", () => {
    const lab = two();
    for (const method of ["OPTIONS", "MESSAGE", "BYE", "CANCEL", "SUBSCRIBE"])
      lab.book.silent(lab.at("carrier"), method);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("a refused connection or ICMP error does, and any answer ends it", () => {
    const lab = two();
    lab.book.failed(lab.at("carrier"));
    expect(lab.pick("carrier", "OPTIONS")).toEqual([B]);
    lab.book.answered(lab.at("carrier"), 200, null);
    expect(lab.pick("carrier")).toEqual([A, B]);
  });

  test("unreachable_s = 0 switches it off", () => {
    const lab = two({ unreachable_s: 0 });
    lab.book.failed(lab.at("carrier"));
    expect(lab.pick("carrier")).toEqual([A, B]);
  });
});

describe("TM-31 BYE and CANCEL are always tried", () => {
  test("even to URIs that are aside, down, or of a peer that is full", () => {
    const lab = two({ calls_max: 1, probe_down: 1 });
    expect(lab.book.callBegan(lab.at("carrier"))).toBe(true);
    lab.book.answered(lab.at("carrier"), 503, 60);
    lab.book.probeMissed(lab.at("carrier", 1));
    expect(lab.pick("carrier")).toBe("calls_max");
    expect(lab.pick("carrier", "MESSAGE")).toBe("aside");
    for (const method of ["BYE", "CANCEL", "ACK"]) {
      expect(lab.pick("carrier", method)).toEqual([A, B]);
      expect(lab.book.isUsable(lab.at("carrier"), method)).toBe(true);
    }
    expect(lab.book.isUsable(lab.at("carrier"), "MESSAGE")).toBe(false);
  });
});

describe("nobody can be had", () => {
  test("all aside: the shortest time is told, and the answer is no 503 (RFC 3261 §16.7 step 6)", () => {
    const lab = two();
    lab.book.answered(lab.at("carrier", 0), 503, 60);
    lab.book.answered(lab.at("carrier", 1), 503, 5);
    lab.clock.advance(500);
    const none = lab.none("carrier");
    expect(none).toEqual({ peer: "carrier", why: "aside", retry_after_s: 5 });
    expect(refusalOf(none, lab.book.peer("carrier"))).toMatchObject({
      status: 500,
      headers: ["Retry-After: 5"],
    });
    expect(lab.count("sipedge_peer_skipped_total", { peer: "carrier", why: "aside" })).toBe(1);
  });

  test("an unknown peer is a value, not an exception, and makes no series", () => {
    const lab = two();
    expect(lab.none("nobody")).toEqual({ peer: "nobody", why: "unknown", retry_after_s: null });
    expect(refusalOf(lab.none("nobody"), null).status).toBe(500);
    expect(lab.metrics.collect().some(({ name }) => name === "sipedge_peer_skipped_total")).toBe(false);
  });
});

describe("the configuration changes", () => {
  test("calls and states stay with the names, limits are the new ones", () => {
    const lab = two({ calls_max: 5 });
    lab.book.callBegan(lab.at("carrier"));
    lab.book.answered(lab.at("carrier"), 503, 60);
    lab.book.configure(peersOf({ name: "carrier", uris: [A, C], calls_max: 1 }));
    expect(lab.pick("carrier")).toBe("calls_max");
    lab.book.callEnded(lab.at("carrier"));
    expect(lab.pick("carrier")).toEqual([C]);
  });

  test("a peer that is gone swallows what is still told of it", () => {
    const lab = two();
    const at = lab.at("carrier");
    lab.book.callBegan(at);
    lab.book.configure([]);
    lab.book.answered(at, 503, 9);
    lab.book.failed(at);
    lab.book.probeAnswered(at, 200, 1);
    lab.book.probeMissed(at);
    lab.book.callEnded(at);
    expect(lab.book.callBegan(at)).toBe(false);
    expect(lab.book.isUsable(at, "INVITE")).toBe(false);
    expect(lab.book.snapshot(10)).toEqual([]);
  });

  test("a URI that was down comes back when it is no longer probed", () => {
    const lab = new BookLab([{ name: "p", uris: [A], probe_down: 1 }]);
    lab.book.probeMissed(lab.at("p"));
    expect(lab.pick("p")).toBe("down");
    lab.book.configure(peersOf({ name: "p", uris: [A], probe_s: 0 }));
    expect(lab.pick("p")).toEqual([A]);
  });
});

test("B-25 the snapshot shows limits, states and calls, and is bounded", () => {
  const lab = new BookLab([
    { name: "one", uris: [`${A} priority=3 weight=4`, B], calls_max: 9, calls_per_s: 2, probe_down: 1 },
    { name: "two", uris: [C] },
  ]);
  lab.book.callBegan(lab.at("one"));
  lab.book.probeAnswered(lab.at("one"), 200, 8);
  lab.book.probeAnswered(lab.at("one"), 200, 16);
  lab.book.probeMissed(lab.at("one", 1));
  expect(lab.book.snapshot(1)).toEqual([
    {
      name: "one",
      calls: 1,
      calls_max: 9,
      calls_per_s: 2,
      uris: [
        {
          uri: A,
          priority: 3,
          weight: 4,
          state: "up",
          aside_why: null,
          aside_until_ms: null,
          latency_ms: 9,
          answered_ms: lab.clock.wall(),
          calls: 1,
        },
        {
          uri: B,
          priority: 0,
          weight: 1,
          state: "down",
          aside_why: null,
          aside_until_ms: null,
          latency_ms: null,
          answered_ms: null,
          calls: 0,
        },
      ],
    },
  ]);
  expect(lab.book.snapshot(9).map(({ name }) => name)).toEqual(["one", "two"]);
  expect(lab.count("sipedge_peer_up", { peer: "one" })).toBe(1);
  expect(lab.count("sipedge_peer_latency_seconds", { uri: A })).toBe(0.009);
  expect(lab.count("sipedge_peer_calls")).toBe(1);
});
