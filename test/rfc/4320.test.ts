/** RFC 4320: what a non-INVITE may be answered, and when. */
import { describe, expect, test } from "bun:test";
import { TIMER_RULES } from "../../src/transaction/timers.ts";
import { NOTHING_LEFT, Rig, request, SLOT_MS, TIMERS } from "../transaction/rig.ts";

/** 0.5 s, then 1 s, then 2 s: Timer E is reset to T2 now. */
const TIMER_E_IS_T2_MS = 3500;

function waiting(transport: "udp" | "tcp" = "udp", method = "OPTIONS"): Rig {
  const rig = new Rig();
  rig.receive(request(method), rig.flow(transport));
  rig.take();
  return rig;
}

for (const transport of ["udp", "tcp"] as const)
  describe(`RFC 4320 §4.1 100 to a non-INVITE (${transport})`, () => {
    test("not before a client's Timer E is reset to T2, at once when it is", () => {
      const rig = waiting(transport);
      rig.clock.advance(TIMER_E_IS_T2_MS - 1);
      expect(rig.take()).toEqual([]);
      rig.clock.advance(SLOT_MS + 1);
      expect(rig.take()).toEqual(["send 100"]);
      expect(rig.requests[0]!.state).toBe("Proceeding");
    });

    test("once; no other follows, however long the answer takes", () => {
      const rig = waiting(transport);
      rig.clock.advance(60_000);
      expect(rig.times("100")).toHaveLength(1);
    });

    test("not when it was answered before", () => {
      const rig = waiting(transport);
      rig.clock.advance(TIMER_E_IS_T2_MS - 100);
      rig.respond(rig.requests[0]!, 200);
      rig.clock.advance(60_000);
      expect(rig.times("100")).toEqual([]);
      expect(rig.leftovers()).toEqual(NOTHING_LEFT);
    });

    test("the final answer follows it", () => {
      const rig = waiting(transport);
      rig.clock.advance(5000);
      rig.respond(rig.requests[0]!, 200);
      expect(rig.take()).toEqual(["send 100", "send 200"]);
    });
  });

describe("RFC 4320 §4.1 provisional answers to a non-INVITE", () => {
  for (const status of [100, 180, 183])
    test(`a ${status} of the user is not sent: the 100 leaves in due time`, () => {
      const rig = waiting();
      rig.respond(rig.requests[0]!, status);
      expect([...rig.take(), rig.requests[0]!.state]).toEqual(["Trying"]);
      rig.clock.advance(5000);
      expect(rig.take()).toEqual(["send 100"]);
    });

  test("the 100 is one of our own: Via, From, To, Call-ID and CSeq as they came, no To tag (§8.2.6.2)", () => {
    const rig = waiting();
    rig.clock.advance(5000);
    expect(rig.sent[0]!.text.split("\r\n")).toEqual([
      "SIP/2.0 100 Trying",
      "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKpeer",
      "From: <sip:alice@example.test>;tag=a1",
      "To: <sip:bob@example.test>",
      "Call-ID: call-1@198.51.100.7",
      "CSeq: 7 OPTIONS",
      "Content-Length: 0",
      "",
      "",
    ]);
  });

  test("a repeated request gets nothing before the 100, and the 100 after it", () => {
    const rig = waiting();
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.take()).toEqual([]);
    rig.clock.advance(5000);
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.take()).toEqual(["send 100", "send 100"]);
  });

  test("an INVITE has its own 100 (§17.2.1), none is added", () => {
    const rig = waiting("udp", "INVITE");
    rig.clock.advance(60_000);
    expect(rig.take()).toEqual([]);
  });
});

describe("RFC 4320 §4.1 the moment follows T1 and T2", () => {
  const moments: readonly [t1_ms: number, t2_ms: number, at_ms: number][] = [
    [500, 4000, 3500],
    [50, 4000, 6350],
    [500, 1000, 500],
    [500, 500, 500],
    [1000, 10_000, 15_000],
  ];
  for (const [t1_ms, t2_ms, at_ms] of moments)
    test(`T1 ${t1_ms} ms, T2 ${t2_ms} ms: after ${at_ms} ms`, () => {
      for (const reliable of [false, true])
        expect(TIMER_RULES["100"].first({ ...TIMERS, t1_ms, t2_ms }, reliable)).toBe(at_ms);
    });
});

describe("RFC 4320 §4.2 no 408 to a non-INVITE", () => {
  test("given up without an answer: nothing is sent and nothing is left", () => {
    const rig = waiting();
    rig.clock.advance(32_000);
    rig.take();
    rig.requests[0]!.abandon();
    expect(rig.take()).toEqual([]);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});
