/**
 * sipsak, the administrator's SIP probe: OPTIONS, trace route, registration and MESSAGE.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Edge } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const PHONE = "127.0.0.41";
const PASSWORD = "a long secret";
const TOML = `
[[user]]
name = "alice"
password = "${PASSWORD}"
[[user]]
name = "bob"
password = "${PASSWORD}"`;

const absent = missing("probes with sipsak", "sipsak");

describe.skipIf(absent)("interop: sipsak", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  async function sipsak(...options: string[]): Promise<{ code: number; output: string }> {
    // The port goes by -r: this sipsak cuts a port of five digits in the URI down to four.
    const program = new Program(["sipsak", ...options, "-r", String(edge.port), "-vv"]);
    const code = await program.ended();
    return { code, output: program.output };
  }

  for (const transport of ["udp", "tcp"])
    test(`SRV-03, SIP-25 OPTIONS to the appliance over ${transport}: 200, with what it can do`, async () => {
      const { code, output } = await sipsak("-E", transport, "-s", `sip:${EDGE}`);
      expect(output).toContain("SIP/2.0 200 OK");
      expect(output).toMatch(/^Allow: .*INVITE.*REGISTER/m);
      expect(code).toBe(0);
    });

  test("SIP-06 Max-Forwards: 0 to somebody else: 483", async () => {
    const { code, output } = await sipsak("-m", "0", "-s", `sip:bob@${EDGE}`);
    expect(output).toContain("SIP/2.0 483 Too Many Hops");
    expect(code).toBe(1);
  });

  test("SIP-06 trace route (-T): 483 from us for the first hop, then the answer to a stranger", async () => {
    const { output } = await sipsak("-T", "-s", `sip:bob@${EDGE}`);
    expect(output).toMatch(
      /Max-Forwards set to 0\n[\s\S]*483 Too Many Hops\n[\s\S]*Max-Forwards set to 1\n[\s\S]*403/,
    );
  });

  test("a flood of OPTIONS (-F) leaves it answering", async () => {
    expect((await sipsak("-F", "-e", "500", "-s", `sip:${EDGE}`)).code).toBe(0);
    expect((await sipsak("-s", `sip:${EDGE}`)).code).toBe(0);
  });

  test("FLOW-01 registration mode (-U) with a password", async () => {
    const alice = ["-U", "-u", "alice", "-a", PASSWORD, "-s", `sip:alice@${EDGE}`];
    const { code, output } = await sipsak(...alice, "-C", "sip:alice@192.0.2.7:5062", "-x", "300");
    expect(output).toContain("All usrloc tests completed successful.");
    expect(code).toBe(0);
    type Answer = { registrations: { contact: string }[] };
    const { registrations } = await edge.get<Answer>("/v1/registrations?user=alice");
    expect(registrations.map(({ contact }) => contact)).toEqual(["sip:alice@192.0.2.7:5062"]);
  });

  test("FLOW-05 a wrong password registers nobody", async () => {
    const { code } = await sipsak("-U", "-u", "bob", "-a", "wrong", "-s", `sip:bob@${EDGE}`, "-x", "300");
    expect(code).not.toBe(0);
    expect(await edge.get("/v1/registrations?user=bob")).toMatchObject({ registrations: [] });
  });

  const noPhone = missing("MESSAGE from sipsak to sipp", "sipp");
  test.skipIf(noPhone)(
    "MESSAGE to a registered phone, with a password (-f: its -M mode crashes)",
    async () => {
      const phone = await Sipp.start({ scenario: "callee-is-messaged", address: PHONE });
      try {
        const keys = { contact: `<${phone.contact("bob")}>`, expires: "600" };
        const place = { target: edge.hostPort, address: PHONE, user: "bob", password: PASSWORD };
        await sipp({ scenario: "register", ...place, keys });
        const file = join(edge.dir, "message.sip");
        writeFileSync(file, MESSAGE.join("\r\n"));
        const { code, output } = await sipsak(
          "-f",
          file,
          "-u",
          "alice",
          "-a",
          PASSWORD,
          "-s",
          `sip:bob@${EDGE}`,
        );
        expect(output).toContain("SIP/2.0 200 OK");
        expect(code).toBe(0);
        await phone.succeeds();
        const [message] = phone.received(/^MESSAGE /);
        expect(headers(message!, "User-Agent")).toEqual(["sipsak"]);
        expect(headers(message!, "Proxy-Authorization")).toEqual([]);
      } finally {
        await phone.stop();
      }
    },
  );
});

/** sipsak adds Via and credentials. */
const MESSAGE: readonly string[] = [
  `MESSAGE sip:bob@${EDGE} SIP/2.0`,
  "Max-Forwards: 70",
  `From: <sip:alice@${EDGE}>;tag=probe`,
  `To: <sip:bob@${EDGE}>`,
  "Call-ID: message-from-sipsak",
  "CSeq: 1 MESSAGE",
  "User-Agent: sipsak",
  "Content-Type: text/plain",
  "Content-Length: 18",
  "",
  "Watson, come here.",
];
