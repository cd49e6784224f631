/**
 * STUN on the SIP port, asked through NATs by coturn's client: it is told the address that its NAT gave it
 * (RFC 8489 §5, RFC 5626 §8).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import type { Namespace } from "./namespace.ts";
import type { NatBox } from "./nat-box.ts";
import { NAT_KINDS } from "./nat-box.ts";

const EDGE = "203.0.113.10";
const HOST = "192.168.1.10";

setDefaultTimeout(30_000);

describe.skipIf(noLab("STUN through NATs", "turnutils_stunclient"))("STUN through NATs", () => {
  const sites = new Map<string, { box: NatBox; host: Namespace }>();
  let lab: Lab;

  beforeAll(async () => {
    lab = new Lab("stun");
    await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users: ["nobody"] });
    for (const [number, kind] of NAT_KINDS.entries()) {
      const box = lab.nat(kind, { kind, outside: `203.0.113.${100 + number}`, inside: "192.168.1.1" });
      sites.set(kind, { box, host: lab.behind(box, `${kind}-host`, HOST) });
    }
  });
  afterAll(() => lab?.close());

  test.each([...NAT_KINDS])("NAT-21 %s: the answer names the mapped address and port", async (kind) => {
    const { box, host } = sites.get(kind)!;
    const client = host.start(["turnutils_stunclient", "-p", String(SIP_PORT), EDGE]);
    const [, address, port] = await client.says(/UDP reflexive addr: ([\d.]+):(\d+)/, 5000);
    expect(address).toBe(box.options.outside);
    expect(box.mappedPorts(HOST)).toEqual([Number(port)]);
  });
});
