/**
 * STUN clients on the SIP port: coturn's (RFC 8489) and Vovida's (RFC 3489, without the magic cookie).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge, hasIPv6 } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";

setDefaultTimeout(60_000);

const V4 = "127.0.0.2";
const V6 = "::1";
const noCoturn = missing("STUN asked by coturn's client", "turnutils_stunclient");
const noVovida = missing("STUN asked by an RFC 3489 client", "stun");
const withIPv6 = await hasIPv6();

describe.skipIf(noCoturn && noVovida)("interop: STUN clients", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: withIPv6 ? [V4, V6] : [V4] });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  async function said(...argv: readonly string[]): Promise<string> {
    const program = new Program(argv);
    expect(await program.ended()).toBe(0);
    return program.output;
  }

  /** Datagrams counted with this result. */
  async function counted(result: string): Promise<number> {
    const text = await (await fetch(`${edge.api}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
    return Number(
      new RegExp(`^sipedge_stun_total\\{result="${result}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
    );
  }

  test.skipIf(noCoturn)("NAT-21 turnutils_stunclient over IPv4: XOR-MAPPED-ADDRESS", async () => {
    const before = await counted("answered");
    const output = await said("turnutils_stunclient", "-p", String(edge.port), "-L", "127.0.0.43", V4);
    expect(output).toMatch(/IPv4\. UDP reflexive addr: 127\.0\.0\.43:[1-9]\d*/);
    expect(await counted("answered")).toBeGreaterThan(before);
  });

  test.skipIf(noCoturn || !withIPv6)("NAT-21 turnutils_stunclient over IPv6", async () => {
    const output = await said("turnutils_stunclient", "-p", String(edge.port), V6);
    expect(output).toMatch(/IPv6\. UDP reflexive addr: ::1:[1-9]\d*/);
  });

  test.skipIf(noVovida)("NAT-21, RFC 3489 §9.3 stun (test I): MAPPED-ADDRESS", async () => {
    const program = new Program(["stun", `${V4}:${edge.port}`, "1", "-v"]);
    await program.ended();
    const opened = /Opened port (\d+)/.exec(program.output)?.[1];
    expect(opened).toBeDefined();
    expect(program.output).toContain(`MappedAddress = 127.0.0.1:${opened}`);
    expect(program.output).toContain("ok=1");
  });
});
