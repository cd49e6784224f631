/**
 * A SIP ALG in between: the kernel's own helper (nf_nat_sip), which rewrites addresses in what passes.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { callBothWays } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { valuesOf } from "./sip-text.ts";

const EDGE = "203.0.113.10";
const PUBLIC = "203.0.113.20";
const HOST = "192.168.1.10";
const KINDS = [
  { kind: "port_restricted", outside: "203.0.113.100" },
  { kind: "symmetric", outside: "203.0.113.101" },
] as const;

setDefaultTimeout(60_000);

describe.skipIf(noLab("phones behind a SIP ALG"))("phones behind a SIP ALG", () => {
  const phones = new Map<string, LabPhone>();
  let lab: Lab;
  let edge: LabEdge;
  let wire: Capture;
  let outside: LabPhone;

  beforeAll(async () => {
    lab = new Lab("alg");
    const users = ["outside", ...KINDS.map(({ kind }) => kind)];
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users });
    wire = await Capture.start(edge.space, "eth0");
    const registrar = edge.hostPort;
    const common = { registrar, transport: "udp" } as const;
    outside = await LabPhone.start(lab.host("outside", PUBLIC), {
      ...common,
      name: "outside",
      address: PUBLIC,
    });
    for (const { kind, outside } of KINDS) {
      const box = lab.nat(kind, { kind, outside, inside: "192.168.1.1", alg: true });
      const host = lab.behind(box, `${kind}-host`, HOST);
      phones.set(kind, await LabPhone.start(host, { ...common, name: kind, address: HOST }));
    }
  });
  afterAll(() => lab?.close());

  test.each(KINDS)("NAT-07 $kind: the ALG did rewrite the phone's Contact", ({ kind, outside }) => {
    const registers = wire
      .messages()
      .filter(({ from, text }) => from.startsWith(`${outside}:`) && text.startsWith("REGISTER "));
    expect(registers.length).toBeGreaterThan(0);
    for (const { text } of registers) expect(valuesOf(text, "Contact")[0]).toContain(`@${outside}:`);
    expect(edge.registrations(kind)).toHaveLength(1);
  });

  test.each(KINDS)("NAT-07 $kind: calls and is called, either side hangs up", async ({ kind }) => {
    await callBothWays(outside, phones.get(kind)!);
  });

  test("NAT-07: two phones behind ALGs call each other", async () => {
    await callBothWays(phones.get("port_restricted")!, phones.get("symmetric")!);
  });

  test("NAT-07: no message went astray", () => {
    const sent = wire.messages().filter(({ from }) => from === `${EDGE}:${SIP_PORT}`);
    expect(sent.filter(({ to }) => !to.startsWith("203.0.113."))).toEqual([]);
    expect(edge.metric("sipedge_exceptions_total")).toBe(0);
  });
});
