/**
 * A call through two proxies: sipedge and Kamailio as its neighbour, each with its own domain, sipp on
 * both sides.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge, freePort } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import { Kamailio } from "./kamailio.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const NEIGHBOUR = "127.0.0.8";
const CALLER = "127.0.0.21";
const CALLEE = "127.0.0.22";
const STRANGER = "127.0.0.23";
const PASSWORD = "a long secret";

const absent = missing("two-proxy calls", "sipp", "kamailio");

const toml = (acceptForeignCallers: boolean) => `
[calls]
accept_foreign_callers = ${acceptForeignCallers}
[[user]]
name = "alice"
password = "${PASSWORD}"`;

describe.skipIf(absent)("interop: RFC 3665 §3.2 two proxies, the other one Kamailio", () => {
  let edge: Edge;
  let neighbour: Kamailio;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: toml(true) });
    neighbour = await Kamailio.start(NEIGHBOUR);
  });
  afterAll(async () => {
    await neighbour?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** Registers bob, who belongs to Kamailio, and calls him as alice, who belongs to sipedge. */
  async function outwards(caller: string, callee: string): Promise<Sipp> {
    const phone = await Sipp.start({ scenario: callee, address: CALLEE });
    try {
      const contact = `<${phone.contact("bob")}>`;
      const keys = { contact, expires: "600" };
      await sipp({
        scenario: "register-openly",
        target: neighbour.hostPort,
        address: CALLEE,
        user: "bob",
        keys,
      });
      await sipp({
        scenario: caller,
        target: edge.hostPort,
        address: CALLER,
        user: "alice",
        password: PASSWORD,
        keys: { peer: `bob@${neighbour.hostPort}` },
      });
      await phone.succeeds();
      return phone;
    } finally {
      await phone.stop();
    }
  }

  /** Registers alice at sipedge, and has her called by a user of Kamailio. */
  async function inwards(caller: string, callee: string): Promise<Sipp> {
    const phone = await Sipp.start({ scenario: callee, address: CALLEE });
    try {
      await registerAlice(edge, phone);
      await sipp({
        scenario: caller,
        target: neighbour.hostPort,
        address: CALLER,
        user: "bob",
        keys: { peer: `alice@${edge.hostPort}` },
      });
      await phone.succeeds();
      return phone;
    } finally {
      await phone.stop();
    }
  }

  test("FLOW-07 outwards, the caller hangs up: ACK and BYE pass both proxies", async () => {
    const phone = await outwards("caller-hangs-up", "callee-is-hung-up");
    const invite = phone.received(/^INVITE /)[0]!;
    expect(headers(invite, "Record-Route")).toHaveLength(2);
    expect(headers(invite, "Via")).toHaveLength(3);
    expect(headers(invite, "Proxy-Authorization")).toEqual([]);
    for (const method of ["ACK", "BYE"])
      expect(headers(phone.received(new RegExp(`^${method} `))[0]!, "Via")).toHaveLength(3);
  });

  test("outwards, the callee hangs up", () =>
    outwards("caller-is-hung-up", "callee-hangs-up").then(() => {}));

  test("inwards, the caller hangs up", async () => {
    const phone = await inwards("foreign-caller-hangs-up", "callee-is-hung-up");
    expect(headers(phone.received(/^BYE /)[0]!, "Via")).toHaveLength(3);
  });

  test("inwards, the callee hangs up", () =>
    inwards("foreign-caller-is-hung-up", "callee-hangs-up").then(() => {}));

  test("calls.accept_foreign_callers = false: refused", async () => {
    const closed = await Edge.start({ addresses: [EDGE], toml: toml(false) });
    const phone = await Sipp.start({ scenario: "callee-is-hung-up", address: CALLEE });
    try {
      await registerAlice(closed, phone);
      const route = `<sip:${neighbour.hostPort};lr>`;
      await refused(neighbour.hostPort, `alice@${closed.hostPort}`, route);
    } finally {
      await phone.stop();
      await closed.stop();
    }
  });

  describe("SRV-07 no relaying to third parties", () => {
    test("through Kamailio, by a Route that names us", async () => {
      const port = await freePort(STRANGER);
      const route = `<sip:${neighbour.hostPort};lr>, <sip:${edge.hostPort};lr>`;
      await refused(neighbour.hostPort, `third@${STRANGER}:${port}`, route);
    });

    test("straight to us", async () => {
      const port = await freePort(STRANGER);
      await refused(edge.hostPort, `third@${STRANGER}:${port}`, `<sip:${edge.hostPort};lr>`);
    });
  });

  /** A call by a user of Kamailio's that ends with our 403. */
  async function refused(target: string, peer: string, route: string): Promise<void> {
    const scenario = "foreign-caller-is-refused";
    const home = neighbour.hostPort;
    const caller = await sipp({
      scenario,
      target,
      home,
      address: CALLER,
      user: "bob",
      keys: { peer, route },
    });
    expect(headers(caller.received(/^SIP\/2\.0 403/)[0]!, "Warning")[0]).toStartWith("399 sipedge ");
  }
});

function registerAlice(edge: Edge, phone: Sipp): Promise<Sipp> {
  return sipp({
    scenario: "register",
    target: edge.hostPort,
    address: CALLEE,
    user: "alice",
    password: PASSWORD,
    keys: { contact: `<${phone.contact("alice")}>`, expires: "600" },
  });
}
