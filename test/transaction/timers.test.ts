/** Each timer letter on the virtual clock: exact schedules, and none on reliable transports (RFC 3261 §17 Table 4). */
import { describe, expect, test } from "bun:test";
import { TIMER_RULES } from "../../src/transaction/timers.ts";
import { NOTHING_LEFT, Rig, request, response, SLOT_MS, TIMERS } from "./rig.ts";

/** Sending at 0 and then after each interval; every firing may be a slot late, and the lateness adds up. */
function expectSchedule(times: readonly number[], intervals: readonly number[]): void {
  expect(times).toHaveLength(intervals.length + 1);
  expect(times[0]).toBe(0);
  intervals.forEach((interval, i) => {
    const waited = times[i + 1]! - times[i]!;
    expect(waited).toBeGreaterThanOrEqual(interval);
    expect(waited).toBeLessThanOrEqual(interval + SLOT_MS);
  });
}

function expectAround(at: number, ms: number): void {
  expect(at).toBeGreaterThanOrEqual(ms);
  expect(at).toBeLessThanOrEqual(ms + SLOT_MS);
}

/** Milliseconds until the transactions are gone; Infinity when they outlive `most`. */
function lifetime(rig: Rig, most = 200_000): number {
  const from = rig.now;
  while (rig.layer.size > 0) {
    if (rig.now - from > most) return Number.POSITIVE_INFINITY;
    rig.clock.advance(1);
  }
  return rig.now - from;
}

describe("RFC 3261 §17.1.1.2 Timer A and B", () => {
  test("silence over UDP: 0, 0.5, 1, 2, 4, 8, 16 s between, timeout at 32 s", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    expectAround(lifetime(rig), 32_000);
    expectSchedule(rig.times("INVITE"), [500, 1000, 2000, 4000, 8000, 16_000]);
    expect(rig.events.at(-1)).toBe("timedOut");
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("silence over TCP: sent once, timeout at 32 s all the same", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow("tcp"));
    expectAround(lifetime(rig), 32_000);
    expect(rig.times("INVITE")).toEqual([0]);
    expect(rig.events.at(-1)).toBe("timedOut");
  });

  test("a provisional answer ends both: no retransmission, no timeout", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    rig.clock.advance(600);
    rig.receive(response(100, "INVITE"), rig.flow());
    rig.clock.advance(600_000);
    expect(rig.times("INVITE")).toHaveLength(2);
    expect(rig.events).not.toContain("timedOut");
    expect(rig.layer.wheel.size).toBe(0);
  });

  test("Timer B is not capped at T2 and follows T1", () => {
    const rig = new Rig();
    rig.layer.timers = { ...TIMERS, t1_ms: 100 };
    rig.send("INVITE", rig.flow());
    expectAround(lifetime(rig), 6400);
    expectSchedule(rig.times("INVITE"), [100, 200, 400, 800, 1600, 3200]);
  });
});

describe("RFC 3261 §17.1.1.2 Timer D", () => {
  test("UDP: 32 s, each repeated refusal is acknowledged and not passed on", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    rig.receive(response(486, "INVITE"), rig.flow());
    for (let i = 0; i < 3; i++) rig.receive(response(486, "INVITE"), rig.flow());
    expect(rig.times("ACK")).toHaveLength(4);
    expect(rig.events.filter((event) => event === "answered 486")).toHaveLength(1);
    expectAround(lifetime(rig), 32_000);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("at least 32 s also when T1 is small; 64*T1 when that is more", () => {
    for (const [t1_ms, ms] of [
      [100, 32_000],
      [1000, 64_000],
    ] as const) {
      const rig = new Rig();
      rig.layer.timers = { ...TIMERS, t1_ms };
      rig.send("INVITE", rig.flow());
      rig.receive(response(486, "INVITE"), rig.flow());
      expectAround(lifetime(rig), ms);
    }
  });

  test("TCP: zero, the ACK is out and the transaction gone at once", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow("tcp"));
    rig.receive(response(486, "INVITE"), rig.flow("tcp"));
    expect(rig.take()).toEqual(["send INVITE", "send ACK", "answered 486"]);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe("RFC 3261 §17.1.2.2 Timer E and F", () => {
  test("silence over UDP: 0.5, 1, 2, 4, 4, 4 … s between, timeout at 32 s", () => {
    const rig = new Rig();
    rig.send("OPTIONS", rig.flow());
    expectAround(lifetime(rig), 32_000);
    expectSchedule(rig.times("OPTIONS"), [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]);
    expect(rig.events.at(-1)).toBe("timedOut");
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("after a provisional answer: Timer E goes on, then every T2; Timer F still ends it at 32 s", () => {
    const rig = new Rig();
    rig.send("OPTIONS", rig.flow());
    rig.clock.advance(700);
    rig.receive(response(100, "OPTIONS"), rig.flow());
    expectAround(rig.now + lifetime(rig), 32_000);
    expectSchedule(rig.times("OPTIONS"), [500, 1000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]);
    expect(rig.events.at(-1)).toBe("timedOut");
  });

  test("TCP: sent once, timeout at 32 s", () => {
    const rig = new Rig();
    rig.send("OPTIONS", rig.flow("tcp"));
    expectAround(lifetime(rig), 32_000);
    expect(rig.times("OPTIONS")).toEqual([0]);
  });
});

describe("RFC 3261 §17.1.2.2 Timer K", () => {
  test("UDP: T4, repeated answers are absorbed", () => {
    const rig = new Rig();
    rig.send("OPTIONS", rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    expect(rig.take()).toEqual(["send OPTIONS", "answered 200"]);
    expectAround(lifetime(rig), 5000);
  });

  test("TCP: zero", () => {
    const rig = new Rig();
    rig.send("OPTIONS", rig.flow("tcp"));
    rig.receive(response(200, "OPTIONS"), rig.flow("tcp"));
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe("RFC 3261 §17.2.1 Timer G and H", () => {
  test("no ACK over UDP: the answer repeats after 0.5, 1, 2, 4, 4 … s, given up at 32 s", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 486);
    expectAround(lifetime(rig), 32_000);
    expectSchedule(rig.times("486"), [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]);
    expect(rig.events.at(-1)).toBe("timedOut");
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("no ACK over TCP: sent once, given up at 32 s", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow("tcp"));
    rig.respond(rig.requests[0]!, 486);
    expectAround(lifetime(rig), 32_000);
    expect(rig.times("486")).toEqual([0]);
    expect(rig.events.at(-1)).toBe("timedOut");
  });

  test("the ACK ends Timer G and H", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 486);
    rig.clock.advance(1600);
    rig.receive(request("ACK", undefined, undefined, { To: "<sip:bob@example.test>;tag=us" }), rig.flow());
    const sent = rig.sent.length;
    rig.clock.advance(60_000);
    expect(rig.sent).toHaveLength(sent);
    expect(rig.events).not.toContain("timedOut");
  });
});

describe("RFC 3261 §17.2.1 Timer I", () => {
  const confirmed = (transport: "udp" | "tcp") => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow(transport));
    rig.respond(rig.requests[0]!, 486);
    rig.receive(request("ACK"), rig.flow(transport));
    return rig;
  };
  test("UDP: T4, repeated ACKs are absorbed", () => {
    const rig = confirmed("udp");
    rig.receive(request("ACK"), rig.flow());
    expect(rig.take()).toEqual(["request INVITE", "send 486"]);
    expectAround(lifetime(rig), 5000);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
  test("TCP: zero", () => expect(confirmed("tcp").leftovers()).toEqual(NOTHING_LEFT));
});

describe("RFC 3261 §17.2.2 Timer J", () => {
  test("UDP: 64*T1, each repeated request gets the same answer", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS"), rig.flow());
    rig.respond(rig.requests[0]!, 200);
    rig.clock.advance(20_000);
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.sent[1]!.text).toBe(rig.sent[0]!.text);
    expectAround(20_000 + lifetime(rig), 32_000);
  });
  test("TCP: zero", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS"), rig.flow("tcp"));
    rig.respond(rig.requests[0]!, 200);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});

for (const transport of ["udp", "tcp"] as const) {
  describe(`RFC 6026 §7.1 Timer L (${transport})`, () => {
    test("64*T1 in Accepted, in which the repeated INVITE is absorbed", () => {
      const rig = new Rig();
      rig.receive(request("INVITE"), rig.flow(transport));
      rig.respond(rig.requests[0]!, 200);
      rig.clock.advance(31_900);
      rig.receive(request("INVITE"), rig.flow(transport));
      expect(rig.take()).toEqual(["request INVITE", "send 200"]);
      expectAround(31_900 + lifetime(rig), 32_000);
      expect(rig.leftovers()).toEqual(NOTHING_LEFT);
    });
  });

  describe(`RFC 6026 §7.2 Timer M (${transport})`, () => {
    test("64*T1 in Accepted, in which every 2xx goes to the user", () => {
      const rig = new Rig();
      rig.send("INVITE", rig.flow(transport));
      for (let i = 0; i < 3; i++) rig.receive(response(200, "INVITE"), rig.flow(transport));
      rig.receive(response(200, "INVITE", "z9hG4bKmine", "other"), rig.flow(transport));
      expect(rig.take().filter((event) => event === "answered 200")).toHaveLength(4);
      expectAround(lifetime(rig), 32_000);
      expect(rig.leftovers()).toEqual(NOTHING_LEFT);
    });
  });
}

describe("RFC 3261 Table 4", () => {
  const table: readonly [keyof typeof TIMER_RULES, number, number][] = [
    ["A", 500, 0],
    ["B", 32_000, 32_000],
    ["D", 32_000, 0],
    ["E", 500, 0],
    ["F", 32_000, 32_000],
    ["G", 500, 0],
    ["H", 32_000, 32_000],
    ["I", 5000, 0],
    ["J", 32_000, 0],
    ["K", 5000, 0],
    ["L", 32_000, 32_000],
    ["M", 32_000, 32_000],
  ];
  for (const [letter, unreliable, reliable] of table)
    test(`Timer ${letter}: ${unreliable} ms over UDP, ${reliable} ms over a stream`, () => {
      const { first } = TIMER_RULES[letter];
      expect([first(TIMERS, false), first(TIMERS, true)]).toEqual([unreliable, reliable]);
    });

  test("every timer has its row", () => {
    expect(Object.keys(TIMER_RULES).toSorted()).toEqual(["100", ...table.map(([letter]) => letter)]);
  });
});
