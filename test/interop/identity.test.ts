/**
 * Names of callers and realms with real clients: sipp calls under names of its own, of others and of nobody; baresip
 * and sipsak log in at two domains with a realm each.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";
import { PASSWORD, Phones, talk } from "./phones.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const CALLER = "127.0.0.191";
const CALLEE = "127.0.0.192";
const PBX = "127.0.0.193";
const FIRST_PHONE = 194;
const TOML = `
[auth]
trusted_networks = ["${PBX}"]
algorithms = ["MD5"]
[[realm]]
name = "asterisk"
domains = ["${EDGE}"]
[[user]]
name = "alice"
password = "${PASSWORD}"
identities = ["+49301234"]
[[user]]
name = "bob"
password = "${PASSWORD}"
[[user]]
name = "carol"
password = "${PASSWORD}"
[[user]]
name = "300"
password = "${PASSWORD}"`;

const absent = missing("names of callers with sipp", "sipp");

describe.skipIf(absent)("interop: names and realms", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** alice's phone calls under that name; returns the INVITE that reached the callee. */
  async function called(callee: "bob" | "300", user: string, home = edge.hostPort): Promise<string> {
    const address = callee === "bob" ? CALLEE : PBX;
    const phone = await Sipp.start({ scenario: "callee-is-hung-up", address });
    try {
      const contact = `<${phone.contact(callee)}>`;
      const scenario = callee === "bob" ? "register" : "register-openly";
      const place = { target: edge.hostPort, address, user: callee, password: PASSWORD };
      await sipp({ scenario, ...place, keys: { contact, expires: "600" } });
      await sipp({ scenario: "caller-hangs-up", ...caller(user, home, callee) });
      await phone.succeeds();
      return phone.received(/^INVITE /)[0] ?? "";
    } finally {
      await phone.stop();
    }
  }

  const caller = (user: string, home: string, callee: string) => ({
    ...{ target: edge.hostPort, address: CALLER, user, home },
    ...{ account: "alice", password: PASSWORD, keys: { peer: `${callee}@${edge.hostPort}` } },
  });

  test("B-64 RFC 3325 §5 a number of the account's own: the call arrives, a trusted host is told the number", async () => {
    expect(headers(await called("bob", "+49301234"), "P-Asserted-Identity")).toEqual([]);
    const invite = await called("300", "+49301234");
    expect(headers(invite, "P-Asserted-Identity")).toEqual([`<sip:+49301234@${EDGE}>`]);
  });

  test("B-64 RFC 3323 §4.1.1.3 an anonymous call is proved and arrives; a trusted host is told the account", async () => {
    const invite = await called("300", "anonymous", "anonymous.invalid");
    expect(headers(invite, "From")[0]).toContain("<sip:anonymous@anonymous.invalid>");
    expect(headers(invite, "P-Asserted-Identity")).toEqual([`<sip:alice@${EDGE}>`]);
    expect(headers(await called("bob", "anonymous", "anonymous.invalid"), "P-Asserted-Identity")).toEqual([]);
  });

  test("B-64 auth.check_from: another's name is refused, and counted", async () => {
    const refused = await sipp({ scenario: "caller-is-refused", ...caller("bob", edge.hostPort, "bob") });
    expect(refused.received(/^SIP\/2\.0 403 /)).toHaveLength(1);
    const metrics = await (await fetch(`${edge.api}/metrics`)).text();
    expect(metrics).toMatch(/^sipedge_refusals_total\{.*rule="auth\.check_from".*\} 1$/m);
  });

  test.skipIf(missing("registration at a realm with sipsak", "sipsak"))(
    "RFC 3261 §22.1 sipsak logs in with the realm of the domain",
    async () => {
      const words = ["-U", "-u", "bob", "-a", PASSWORD, "-s", `sip:bob@${EDGE}`, "-r", String(edge.port)];
      const program = new Program(["sipsak", ...words, "-C", "sip:bob@192.0.2.7:5062", "-x", "60", "-vvv"]);
      expect(await program.ended()).toBe(0);
      expect(program.output).toContain('realm="asterisk"');
    },
  );

  test.skipIf(missing("a call at a realm with baresip", "baresip"))(
    "RFC 3261 §22.1 two baresip phones register and talk, each asked with the realm of the domain",
    async () => {
      const phones = new Phones(edge, FIRST_PHONE);
      try {
        const [one, other] = [await phones.add("alice"), await phones.add("carol")];
        one.dial(`sip:carol@${edge.hostPort}`);
        await talk(one, other);
        for (const [method, status] of [
          ["Proxy-Authenticate", "407"],
          ["WWW-Authenticate", "401"],
        ] as const)
          for (const challenge of one.received(new RegExp(`^SIP/2.0 ${status} `)))
            expect(headers(challenge, method)[0]).toContain('realm="asterisk"');
        expect(one.received(/^SIP\/2\.0 407 /)).not.toHaveLength(0);
      } finally {
        await phones.stop();
      }
    },
  );
});
