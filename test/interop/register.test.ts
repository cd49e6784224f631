/**
 * The registration flows of RFC 3665 §2 with sipp, over UDP and TCP, and what the status API says of them.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import type { SippOptions } from "./sipp.ts";
import { headers, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const PHONE = "127.0.0.31";
const PASSWORD = "a long secret";
const NAMES = ["new", "update", "query", "cancel", "wrong", "stream", "many"];
const TOML = `
${NAMES.map((name) => `[[user]]\nname = "${name}"\npassword = "${PASSWORD}"`).join("\n")}`;

const absent = missing("registration flows of RFC 3665", "sipp");

describe.skipIf(absent)("interop: RFC 3665 §2 registration with sipp", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** Runs a scenario and gives the Contact values of the last 200. */
  async function contactsAfter(
    user: string,
    scenario: string,
    options: Partial<SippOptions> = {},
  ): Promise<string[]> {
    const place = { target: edge.hostPort, address: PHONE, user, password: PASSWORD };
    const phone = await sipp({ scenario, ...place, ...options });
    const answer = phone.received(/^SIP\/2\.0 200 /).at(-1);
    return answer === undefined ? [] : [...headers(answer, "Contact")];
  }

  function register(user: string, contact: string, options: Partial<SippOptions> = {}): Promise<string[]> {
    return contactsAfter(user, "register", { keys: { contact, expires: "600" }, ...options });
  }

  /** The contacts registered under a name, as the status API tells. */
  async function registered(user: string): Promise<string[]> {
    type Answer = { registrations: { contact: string }[] };
    const { registrations } = await edge.get<Answer>(`/v1/registrations?user=${user}`);
    return registrations.map(({ contact }) => contact).sort();
  }

  test.concurrent("FLOW-01 RFC 3665 §2.1 new registration with a password", async () => {
    expect(await register("new", "<sip:new@192.0.2.1:5062>")).toEqual([
      "<sip:new@192.0.2.1:5062>;expires=600",
    ]);
    expect(await registered("new")).toEqual(["sip:new@192.0.2.1:5062"]);
  });

  test.concurrent("FLOW-02 RFC 3665 §2.2 a second contact joins the first", async () => {
    await register("update", "<sip:update@192.0.2.1:5062>");
    const contacts = await register("update", "<sip:update@192.0.2.2:5062>;q=0.5");
    expect(contacts).toHaveLength(2);
    expect(contacts[1]).toBe("<sip:update@192.0.2.2:5062>;q=0.5;expires=600");
    expect(await registered("update")).toEqual(["sip:update@192.0.2.1:5062", "sip:update@192.0.2.2:5062"]);
  });

  test.concurrent("FLOW-03 RFC 3665 §2.3 a query lists the contacts and changes nothing", async () => {
    await register("query", "<sip:query@192.0.2.1:5062>, <sip:query@192.0.2.2:5062>");
    expect(await contactsAfter("query", "register-query")).toHaveLength(2);
    expect(await registered("query")).toHaveLength(2);
  });

  test.concurrent("FLOW-04 RFC 3665 §2.4 Contact: * ends all of them", async () => {
    await register("cancel", "<sip:cancel@192.0.2.1:5062>, <sip:cancel@192.0.2.2:5062>");
    expect(await contactsAfter("cancel", "register-remove-all")).toEqual([]);
    expect(await registered("cancel")).toEqual([]);
  });

  test.concurrent("FLOW-05 RFC 3665 §2.5 a wrong password is challenged again, and nothing is registered", async () => {
    const keys = { contact: "<sip:wrong@192.0.2.1:5062>", expires: "600" };
    await contactsAfter("wrong", "register-wrong-password", { password: "something else", keys });
    expect(await registered("wrong")).toEqual([]);
  });

  test.concurrent("over TCP", async () => {
    await register("stream", "<sip:stream@192.0.2.1:5062;transport=tcp>", { transport: "t1" });
    type Answer = { registrations: { transport: string }[] };
    const { registrations } = await edge.get<Answer>("/v1/registrations?user=stream");
    expect(registrations.map(({ transport }) => transport)).toEqual(["tcp"]);
  });

  test.concurrent("200 phones register at 100 a second", () =>
    register("many", "<sip:many@192.0.2.1:5062>", { calls: 200, rate: 100 }).then(() => {}));
});
