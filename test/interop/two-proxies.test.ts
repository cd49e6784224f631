/**
 * Calls that pass two proxies in a row: sipedge twice, and sipedge before a Kamailio that wants to know who
 * calls; redirection, and a proxy that has died.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import { Kamailio } from "./kamailio.ts";
import { accounts, PASSWORD, Phones } from "./phones.ts";
import type { SippOptions } from "./sipp.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const ONE = "127.0.0.6";
const TWO = "127.0.0.7";
const NEIGHBOUR = "127.0.0.8";
const CALLER = "127.0.0.81";
const TRUSTED_CALLER = "127.0.0.82";
const CALLEE = "127.0.0.83";

const absent = missing("calls through two proxies", "sipp");
const noPhone = missing("two proxies that both want a password", "baresip", "kamailio", "sox");

describe.skipIf(absent)("interop: two proxies in a row", () => {
  let one: Edge;
  let two: Edge;

  beforeAll(async () => {
    two = await Edge.start({
      addresses: [TWO],
      toml: `${accounts("bob", "carol", "dave")}[calls]\naccept_foreign_callers = true`,
    });
    // Calls to `moved` and `later` are answered by the first with a redirect to users of the second.
    const redirect = (to: string) => `forward_always = "sip:${to}@${two.hostPort}"\nredirect = true\n`;
    const users = [
      accounts("alice"),
      accounts("moved"),
      redirect("carol"),
      accounts("later"),
      redirect("dave"),
    ];
    const trusted = `[auth]\ntrusted_networks = ["${TRUSTED_CALLER}/32"]\n`;
    one = await Edge.start({ addresses: [ONE], toml: trusted + users.join("") });
  });
  afterAll(async () => {
    for (const edge of [one, two]) if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** A phone of the second proxy. */
  async function registered(user: string, scenario: string, at: string, open = false): Promise<Sipp> {
    const phone = await Sipp.start({ scenario, address: CALLEE });
    const keys = { contact: `<${phone.contact(user)}>`, expires: "600" };
    const place = { target: at, address: CALLEE, user, password: PASSWORD, keys };
    await sipp({ scenario: open ? "register-openly" : "register", ...place });
    return phone;
  }

  /** Alice, of the first proxy, calls through it. */
  const calls = (scenario: string, peer: string, more: Partial<SippOptions> = {}) =>
    sipp({
      scenario,
      target: one.hostPort,
      address: CALLER,
      user: "alice",
      password: PASSWORD,
      keys: { peer },
      ...more,
    });

  for (const [ends, caller, callee] of [
    ["caller", "caller-hangs-up", "callee-is-hung-up"],
    ["callee", "caller-is-hung-up", "callee-hangs-up"],
  ] as const)
    test(`FLOW-07, SRV-06 RFC 3665 §3.2 both record-route, the ${ends} hangs up`, async () => {
      const phone = await registered("bob", callee, two.hostPort);
      try {
        const alice = await calls(caller, `bob@${two.hostPort}`);
        await phone.succeeds();
        const invite = phone.received(/^INVITE /)[0]!;
        expect(headers(invite, "Via")).toHaveLength(3);
        expect(headers(invite, "Record-Route").map((route) => /@([^:]+):/.exec(route)![1])).toEqual([
          TWO,
          ONE,
        ]);
        expect(headers(invite, "Max-Forwards")).toEqual(["68"]);
        expect(headers(invite, "Proxy-Authorization")).toEqual([]);
        expect(alice.received(/^SIP\/2\.0 100 /)).toHaveLength(1); // the one of the first proxy
        for (const request of phone.received(/^(ACK|BYE) /)) {
          expect(headers(request, "Via")).toHaveLength(3);
          expect(headers(request, "Route")).toEqual([]);
        }
      } finally {
        await phone.stop();
      }
    });

  test("FLOW-11, SRV-04, SRV-11 RFC 3665 §3.6 302, then a late offer through both proxies", async () => {
    const phone = await registered("dave", "callee-late-offer", two.hostPort);
    try {
      const caller = await calls("caller-is-redirected", `later@${one.hostPort}`, {
        address: TRUSTED_CALLER,
      });
      await phone.succeeds();
      const [redirect] = caller.received(/^SIP\/2\.0 302 /);
      expect(headers(redirect!, "Contact")[0]).toContain(`<sip:dave@${two.hostPort}>`);
      expect(phone.received(/^INVITE /)[0]).not.toContain("m=audio");
    } finally {
      await phone.stop();
    }
  });

  describe.skipIf(noPhone)("the caller is baresip", () => {
    test("FLOW-10 (signalling), SRV-07 RFC 3665 §3.5 a phone's preloaded Route names us: it is taken off", async () => {
      const phones = new Phones(one, 86);
      const phone = await registered("bob", "callee-hangs-up", two.hostPort);
      try {
        const alice = await phones.add("alice", { outbound: one.hostPort });
        alice.dial(`sip:bob@${two.hostPort}`);
        await alice.event("CALL_CLOSED");
        await phone.succeeds();
        const preloaded = alice.sent(/^INVITE /).map((invite) => headers(invite, "Route"));
        expect(preloaded.flat().every((route) => route.startsWith(`<sip:${one.hostPort};`))).toBe(true);
        const invite = phone.received(/^INVITE /)[0]!;
        expect([headers(invite, "Route"), headers(invite, "Via").length]).toEqual([[], 3]);
      } finally {
        await phones.stop();
        await phone.stop();
      }
    });

    test("FLOW-17, SRV-11 a phone follows a 302: the redirecting user is out of the path", async () => {
      const phones = new Phones(one, 84);
      const phone = await registered("carol", "callee-is-hung-up", two.hostPort);
      try {
        const alice = await phones.add("alice", { outbound: one.hostPort });
        alice.dial(`sip:moved@${one.hostPort}`);
        await alice.says(/Call established: /);
        alice.hangUp();
        await phone.succeeds();
        expect(alice.received(/^SIP\/2\.0 302 /)).toHaveLength(1);
        const invite = phone.received(/^INVITE /)[0]!;
        expect(headers(invite, "Record-Route")).toHaveLength(2);
        expect(headers(invite, "To")).toEqual([`<sip:moved@${one.hostPort};transport=udp>`]); // §8.1.3.4
        expect(phone.received(/^BYE /)).toHaveLength(1);
      } finally {
        await phones.stop();
        await phone.stop();
      }
    });

    test("FLOW-08, SRV-07 RFC 3665 §3.3 two challenges: ours is taken off, the other realm's goes on", async () => {
      const neighbour = await Kamailio.start(NEIGHBOUR, "WITH_AUTH");
      const phones = new Phones(one, 85);
      const phone = await registered("erna", "callee-is-hung-up", neighbour.hostPort, true);
      try {
        const alice = await phones.add("alice", { outbound: one.hostPort });
        alice.dial(`sip:erna@${neighbour.hostPort}`);
        await alice.says(/Call established: /);
        alice.hangUp();
        await phone.succeeds();
        const challenges = alice
          .received(/^SIP\/2\.0 407 /)
          .map((answer) => headers(answer, "Proxy-Authenticate"));
        expect(challenges.flat().map(realm)).toEqual([ONE, "neighbour.test"]);
        const last = alice.sent(/^INVITE /).at(-1)!;
        expect(headers(last, "Proxy-Authorization").map(realm).sort()).toEqual([ONE, "neighbour.test"]);
        const invite = phone.received(/^INVITE /)[0]!;
        expect(headers(invite, "Proxy-Authorization").map(realm)).toEqual(["neighbour.test"]);
      } finally {
        await phones.stop();
        await phone.stop();
        await neighbour.stop();
      }
    });
  });
});

const realm = (value: string) => /realm="([^"]*)"/.exec(value)?.[1];
