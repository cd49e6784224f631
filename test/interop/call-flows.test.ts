/**
 * The call flows of RFC 3665 and their neighbours with sipp on both sides: every message on a real socket.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge, hasIPv6 } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import { headers, Sipp, sipp } from "./sipp.ts";
import type { Played, Story } from "./sipp-stories.ts";
import { Stories, storyAccounts } from "./sipp-stories.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const CALLEE_SIX = "::1";
const TOML = `
[timers]
t1_ms = 100 # gives up after 6.4 s instead of 32
${storyAccounts()}`;

const absent = missing("call flows of RFC 3665", "sipp");
const six = !absent && (await hasIPv6());
let edge: Edge;
let stories: Stories;

function play(caller: Story["caller"] | string, callee: Story["callees"][0] | string): Promise<Played> {
  return stories.play({ caller: side(caller), callees: [side(callee)] });
}

function side(of: Story["caller"] | string): Story["caller"] {
  return typeof of === "string" ? { scenario: of } : of;
}

/** What a callee must find in an INVITE that came through us. */
function expectProxied(callee: Sipp): void {
  for (const invite of callee.received(/^INVITE /)) {
    expect(headers(invite, "Via")).toHaveLength(2);
    expect(headers(invite, "Record-Route")).not.toHaveLength(0);
    expect(headers(invite, "Max-Forwards")).toEqual(["69"]);
    expect(headers(invite, "Proxy-Authorization")).toEqual([]);
  }
}

describe.skipIf(absent)("interop: RFC 3665 call flows with sipp", () => {
  beforeAll(async () => {
    edge = await Edge.start({ addresses: six ? [EDGE, CALLEE_SIX] : [EDGE], toml: TOML });
    stories = new Stories(edge);
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  test.concurrent("FLOW-06 RFC 3665 §3.1 for reference: the same two phones without us", async () => {
    const callee = await Sipp.start({ scenario: "callee-is-hung-up", address: "127.0.0.13" });
    try {
      const target = `${callee.address}:${callee.port}`;
      const place = { address: "127.0.0.14", user: "anybody", home: EDGE };
      await sipp({ scenario: "foreign-caller-hangs-up", target, ...place, keys: { peer: `bob@${target}` } });
      await callee.succeeds();
      expect(headers(callee.received(/^INVITE /)[0]!, "Via")).toHaveLength(1);
    } finally {
      await callee.stop();
    }
  });

  describe("RFC 3665 §3.2 call set-up and hang-up through Record-Route", () => {
    test.concurrent("the caller hangs up: 100 calls at 20 a second", async () => {
      const { callees } = await stories.play({
        caller: { scenario: "caller-hangs-up", pause_ms: 500 },
        callees: [{ scenario: "callee-is-hung-up" }],
        calls: 100,
        rate: 20,
      });
      const callee = callees[0]!;
      expectProxied(callee);
      const dialogs = new Set(callee.received(/^BYE /).map((bye) => headers(bye, "Call-ID")[0]));
      expect(dialogs.size).toBe(100);
      for (const bye of callee.received(/^BYE /)) expect(headers(bye, "Route")).toEqual([]);
    });

    test.concurrent("the callee hangs up: 100 calls at 20 a second", async () => {
      const { caller } = await stories.play({
        caller: { scenario: "caller-is-hung-up" },
        callees: [{ scenario: "callee-hangs-up", pause_ms: 500 }],
        calls: 100,
        rate: 20,
      });
      const dialogs = new Set(caller.received(/^BYE /).map((bye) => headers(bye, "Call-ID")[0]));
      expect(dialogs.size).toBe(100);
    });
  });

  describe("RFC 3665 §3.8 to §3.11 calls that come to nothing", () => {
    test.concurrent("FLOW-13, SIP-14 RFC 3665 §3.8 unanswered: CANCEL reaches the phone, the caller gets 487", async () => {
      const { callees } = await play("caller-cancels", "callee-is-cancelled");
      const [invite, cancel] = [callees[0]!.received(/^INVITE /)[0]!, callees[0]!.received(/^CANCEL /)[0]!];
      expect(headers(cancel, "Via")).toEqual([headers(invite, "Via")[0]!]); // §9.1: the one Via of the INVITE
    });

    test.concurrent("FLOW-14 RFC 3665 §3.9 busy: 486, the ACKs hop by hop", () =>
      refusedBy("callee-is-busy", 486));
    test.concurrent("FLOW-16 RFC 3665 §3.11 temporarily unavailable: 180, then the phone's 480", async () => {
      const caller = await refusedBy("callee-is-unavailable", 480);
      expect(caller.received(/^SIP\/2\.0 180 /)).toHaveLength(1);
    });

    async function refusedBy(scenario: string, status: number): Promise<Sipp> {
      const { caller, callees } = await play("caller-is-refused", scenario);
      expect(finals(caller)).toEqual([407, status]);
      expect(callees[0]!.received(/^ACK /)).not.toHaveLength(0); // ours, §17.1.1.3
      return caller;
    }

    test.concurrent("FLOW-15 RFC 3665 §3.10 no response from the phone: 408 after 64 T1", async () => {
      const { caller, callees } = await play("caller-is-refused", {
        scenario: "callee-says-nothing",
        pause_ms: 7000,
      });
      expect(finals(caller)).toEqual([407, 408]);
      expect(callees[0]!.received(/^INVITE /).length).toBeGreaterThan(4); // repeated as §17.1.1.2 says
    });

    test.concurrent("FLOW-15 RFC 3665 §3.11 nobody registered: 480", async () => {
      const { caller } = await stories.play({ caller: { scenario: "caller-is-refused" }, callees: [] });
      expect(finals(caller)).toEqual([407, 480]);
    });

    test.concurrent("nobody of that name: 404", async () => {
      const keys = { peer: `nobody@${edge.hostPort}` };
      const { caller } = await stories.play({
        caller: { scenario: "caller-is-refused", keys },
        callees: [],
      });
      expect(finals(caller)).toEqual([407, 404]);
    });

    test.concurrent("somebody else's name in From: 403", async () => {
      const scenario = "caller-is-refused";
      const { caller } = await stories.play({ caller: { scenario, account: "callee0" }, callees: [] });
      expect(finals(caller)).toEqual([407, 403]);
    });
  });

  describe("offers and answers", () => {
    test.concurrent("FLOW-11 RFC 3665 §3.6 late offer: the answer travels in the ACK", () =>
      play("caller-late-offer", "callee-late-offer").then(({ callees }) => expectProxied(callees[0]!)));

    test.concurrent("SVC-01 RFC 5359 §2.1 hold and back, by re-INVITE", async () => {
      const { callees } = await play("caller-holds", "callee-is-held");
      const [first, ...later] = callees[0]!.received(/^INVITE /);
      expect(headers(first!, "Record-Route")).toHaveLength(1);
      expect(later).not.toHaveLength(0);
      for (const invite of later) expect(headers(invite, "Route")).toEqual([]);
    });

    test.concurrent("SIP-17, SIP-26 RFC 3262 a reliable 183 and its PRACK", async () => {
      const { callees } = await play("caller-pracks", "callee-is-pracked");
      expect(callees[0]!.received(/^PRACK /)).toHaveLength(1);
    });
  });

  describe("requests inside and outside of dialogs", () => {
    test.concurrent("SIP-30, SIP-31, SIP-33 UPDATE, INFO, REFER and its NOTIFY inside a call", async () => {
      const { caller, callees } = await play("caller-in-dialog", "callee-in-dialog");
      for (const method of ["UPDATE", "INFO", "REFER", "BYE"])
        expect(callees[0]!.received(new RegExp(`^${method} `))).toHaveLength(1);
      expect(caller.received(/^NOTIFY /)).toHaveLength(1);
    });

    test.concurrent("SIP-32 RFC 3428 MESSAGE: the text arrives as it was sent", async () => {
      const { callees } = await play("caller-messages", "callee-is-messaged");
      expect(callees[0]!.received(/^MESSAGE /)[0]).toContain("\n\nWatson, come here.");
    });

    test.concurrent("SIP-27, SIP-28 RFC 6665 SUBSCRIBE, NOTIFY in its dialog, and the end of it", async () => {
      const { caller } = await play("caller-subscribes", "callee-notifies");
      expect(caller.received(/^NOTIFY /)).toHaveLength(2);
    });
  });

  test.concurrent("SRV-10 RFC 3261 §16.7 three phones ring, one answers, the others are cancelled", async () => {
    const { caller, callees } = await stories.play({
      caller: { scenario: "caller-hangs-up" },
      callees: [
        { scenario: "callee-is-cancelled" },
        { scenario: "callee-is-hung-up" },
        { scenario: "callee-is-cancelled" },
      ],
    });
    expect(finals(caller)).toEqual([407, 200, 200]); // the challenge, the one answer, the answer to BYE
    expect(callees.map((phone) => phone.received(/^CANCEL /).length)).toEqual([1, 0, 1]);
    expect(callees.map((phone) => phone.received(/^BYE /).length)).toEqual([0, 1, 0]);
  });

  describe("SIP-03 transports", () => {
    const calls = 5;
    test.concurrent("TCP to TCP, the caller hangs up", () => between("t1", "t1", "caller"));
    test.concurrent("TCP to TCP, the callee hangs up", () => between("t1", "t1", "callee"));
    test.concurrent("a TCP connection for each call", () => between("tn", "t1", "caller"));
    test.concurrent("UDP to TCP", () => between("u1", "t1", "caller"));
    test.concurrent("UDP to TCP, the callee hangs up", () => between("u1", "t1", "callee"));
    test.concurrent("TCP to UDP", () => between("t1", "u1", "caller"));
    test.concurrent("TCP to UDP, the callee hangs up", () => between("t1", "u1", "callee"));
    test.concurrent("a UDP socket for each call", () => between("un", "u1", "caller"));

    async function between(from: "u1" | "un" | "t1" | "tn", to: "u1" | "t1", ends: "caller" | "callee") {
      const scenarios =
        ends === "caller"
          ? ["caller-hangs-up", "callee-is-hung-up"]
          : ["caller-is-hung-up", "callee-hangs-up"];
      const { callees } = await stories.play({
        caller: { scenario: scenarios[0]!, transport: from },
        callees: [{ scenario: scenarios[1]!, transport: to }],
        calls,
      });
      expectProxied(callees[0]!);
      const changes = from[0] !== to[0];
      const [invite] = callees[0]!.received(/^INVITE /);
      const routes = headers(invite!, "Record-Route");
      expect(routes).toHaveLength(changes ? 2 : 1); // RFC 5658: one for each side
      expect(routes[0]!.includes(";transport=tcp")).toBe(to === "t1");
    }
  });

  describe.skipIf(!six)("IPv4 and IPv6", () => {
    test.concurrent("an IPv4 caller and an IPv6 callee: two Record-Routes", async () => {
      const { callees } = await play("caller-hangs-up", {
        scenario: "callee-is-hung-up",
        address: CALLEE_SIX,
      });
      const routes = headers(callees[0]!.received(/^INVITE /)[0]!, "Record-Route");
      expect(routes.map((route) => route.includes("@[::1]:"))).toEqual([true, false]);
    });

    test.concurrent("an IPv6 caller and an IPv4 callee, who hangs up", async () => {
      const { callees } = await play(
        { scenario: "caller-is-hung-up", address: CALLEE_SIX },
        "callee-hangs-up",
      );
      const routes = headers(callees[0]!.received(/^INVITE /)[0]!, "Record-Route");
      expect(routes.map((route) => route.includes("@[::1]:"))).toEqual([false, true]);
    });

    test.concurrent("IPv6 at both ends, over TCP", async () => {
      const tcp = { address: CALLEE_SIX, transport: "t1" } as const;
      await play({ scenario: "caller-hangs-up", ...tcp }, { scenario: "callee-is-hung-up", ...tcp });
    });
  });
});

/** The final statuses a caller saw, in order. */
function finals(caller: Sipp): number[] {
  const statuses = caller.received(/^SIP\/2\.0 /).map((answer) => Number(answer.slice(8, 11)));
  return statuses.filter((status) => status >= 200);
}
