/**
 * The services of RFC 5359 with baresip phones: hold, transfer, and calls that are forwarded by rules set
 * over the HTTP API while everything runs.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import type { Baresip } from "./baresip.ts";
import { accounts, hearsTones, PASSWORD, Phones, talk } from "./phones.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.5";
const BUSY_PHONE = "127.0.0.70";

const absent = missing("services of RFC 5359 with phones", "baresip", "sox", "sipp");

describe.skipIf(absent)("interop: RFC 5359 services with baresip", () => {
  let edge: Edge;
  let phones: Phones;
  let alice: Baresip;
  let bob: Baresip; // does not answer by itself
  let carol: Baresip;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: accounts("alice", "bob", "carol", "dora", "busy") });
    phones = new Phones(edge, 61);
    [alice, bob, carol] = [
      await phones.add("alice"),
      await phones.add("bob", { answers: false }),
      await phones.add("carol"),
    ];
  });
  afterAll(async () => {
    await phones?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });
  beforeEach(() => phones.forget());

  const uri = (name: string) => `sip:${name}@${edge.hostPort}`;

  async function forward(user: string, rules: Record<string, string | number>): Promise<void> {
    const response = await fetch(`${edge.api}/v1/users/${user}/forwarding`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(rules),
      signal: AbortSignal.timeout(5000),
    });
    expect(response.status).toBe(200);
  }

  /** What a forwarded INVITE says of its way. */
  function expectForwarded(phone: Baresip, from: string, to: string, cause: number, reason: string): void {
    const invite = phone.received(/^INVITE /)[0]!;
    expect(headers(invite, "To")).toEqual([`<sip:${from}@${edge.hostPort};transport=udp>`]);
    const answered = cause === 302 ? "" : `?Reason=SIP%3Bcause%3D${cause}`; // nobody did when all calls go on
    expect(headers(invite, "History-Info").join(", ")).toBe(
      `<sip:${from}@${EDGE}${answered}>;index=1, <sip:${to}@${EDGE};cause=${cause}>;index=1.1;mp=1`,
    );
    expect(headers(invite, "Diversion")[0]).toEndWith(`;reason=${reason};counter=1`);
  }

  test("SVC-07, B-65, SRV-12 RFC 5359 §2.7 all calls: the other phone rings, before and after a restart", async () => {
    await forward("bob", { always: "carol" });
    alice.dial(uri("bob"));
    await talk(alice, carol);
    expectForwarded(carol, "bob", "carol", 302, "unconditional");
    expect(await edge.program.stop()).toBe(0);
    await edge.again();
    phones.forget();
    alice.dial(uri("bob"));
    await talk(alice, carol);
    expect(bob.events).toEqual([]);
    await forward("bob", {});
  });

  test("SVC-08, B-65 RFC 5359 §2.8 busy: the phone says 486, the next one talks", async () => {
    await forward("busy", { busy: "carol" });
    const phone = await Sipp.start({ scenario: "callee-is-busy", address: BUSY_PHONE });
    try {
      const keys = { contact: `<${phone.contact("busy")}>`, expires: "600" };
      const place = { target: edge.hostPort, address: BUSY_PHONE, user: "busy", password: PASSWORD };
      await sipp({ scenario: "register", ...place, keys });
      alice.dial(uri("busy"));
      await talk(alice, carol);
      await phone.succeeds();
    } finally {
      await phone.stop();
    }
    expectForwarded(carol, "busy", "carol", 486, "user-busy");
    expect(alice.received(/^SIP\/2\.0 486/)).toEqual([]);
  });

  test("SVC-09, B-65, B-28 RFC 5359 §2.9 no answer: the phone is cancelled, the next one talks", async () => {
    await forward("bob", { no_answer: "carol", no_answer_after_s: 1 });
    alice.dial(uri("bob"));
    await bob.event("CALL_INCOMING");
    await talk(alice, carol);
    expectForwarded(carol, "bob", "carol", 408, "no-answer");
    await eventually("bob's 487", () => bob.sent(/^SIP\/2\.0 487/).length > 0);
    expect(bob.received(/^CANCEL /)).toHaveLength(1);
    await forward("bob", {});
  });

  test("SVC-01 RFC 5359 §2.1 (signalling) hold and resume", async () => {
    alice.dial(uri("carol"));
    await hearsTones(alice, carol);
    alice.command("hold");
    await reInvited(carol, 1, "a=sendonly");
    alice.command("resume");
    await reInvited(carol, 2, "a=sendrecv");
    const [first, ...later] = carol.received(/^INVITE /);
    expect(headers(first!, "Record-Route")).toHaveLength(1);
    for (const invite of later) expect(headers(invite, "Route")).toEqual([]);
    alice.hangUp();
    await carol.event("CALL_CLOSED");
  });

  test("SVC-02 RFC 5359 §2.2 (signalling) consultation hold: two calls of one phone", async () => {
    alice.dial(uri("carol"));
    await hearsTones(alice, carol);
    alice.command("hold");
    await reInvited(carol, 1, "a=sendonly");
    alice.dial(uri("bob"));
    await bob.event("CALL_INCOMING");
    bob.command("accept");
    await bob.event("CALL_ESTABLISHED");
    alice.hangUp(); // the newer one of its calls
    await bob.event("CALL_CLOSED");
    alice.command("resume");
    await reInvited(carol, 2, "a=sendrecv");
    alice.hangUp();
    await carol.event("CALL_CLOSED");
    const dialogs = [bob, carol].map((phone) =>
      phone.received(/^BYE /).map((bye) => headers(bye, "Call-ID")),
    );
    expect(new Set(dialogs.flat(2)).size).toBe(2);
  });

  test("SVC-04, SIP-31 RFC 5359 §2.4 transfer, unattended: REFER, NOTIFY, and the new call is heard", async () => {
    const dora = await phones.add("dora");
    alice.dial(uri("carol"));
    await hearsTones(alice, carol);
    carol.command("transfer", uri("dora"));
    await carol.event("CALL_CLOSED");
    await dora.event("CALL_ESTABLISHED");
    expect(headers(alice.received(/^REFER /)[0]!, "Refer-To")).toEqual([uri("dora")]);
    const fragments = carol.received(/^NOTIFY /).map((notify) => notify.split("\n\n")[1]!.trim());
    expect(fragments).toEqual(["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    await eventually("dora to hear alice", () => dora.heard_s > 1.2, 30_000);
    alice.hangUp();
    await dora.event("CALL_CLOSED");
  });

  /** Waits for the nth re-INVITE and what its offer says of the direction. */
  async function reInvited(phone: Baresip, nth: number, direction: string): Promise<void> {
    const offers = () => phone.received(/^INVITE /).slice(1);
    await eventually("a re-INVITE", () => offers().length >= nth);
    expect(offers()[nth - 1]).toContain(direction);
    await eventually("its ACK", () => phone.received(/^ACK /).length > nth);
  }
});
