/**
 * A SIP ALG in between: the kernel's own helper (nf_nat_sip), which rewrites addresses in what passes, and
 * routers that do so by half, whose phones are sipp: it sends what such a router would make of its messages.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SIPEDGE } from "../support/edge.ts";
import { callBothWays } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { CALLED, LabSipp } from "./lab-sipp.ts";
import type { Namespace } from "./namespace.ts";
import { valuesOf } from "./sip-text.ts";

const EDGE = "203.0.113.10";
const PUBLIC = "203.0.113.20";
const HOST = "192.168.1.10";
const KINDS = [
  { kind: "port_restricted", outside: "203.0.113.100" },
  { kind: "symmetric", outside: "203.0.113.101" },
] as const;
const STATUS_API = "http://127.0.0.1:8080";
const HALVES = [
  { name: "half-one", outside: "203.0.113.110" },
  { name: "half-two", outside: "203.0.113.111" },
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

describe.skipIf(noLab("phones whose router rewrites by half", "sipp"))(
  "phones whose router rewrites by half",
  () => {
    const phones = new Map<string, LabSipp>();
    let lab: Lab;
    let edge: LabEdge;
    let wire: Capture;
    let outside: LabPhone;

    beforeAll(async () => {
      lab = new Lab("half");
      const users = ["outside", "plain", ...HALVES.map(({ name }) => name)];
      const toml = '[keepalive]\nmethod = "zero_bytes"'; // the phones of sipp take nothing else
      edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users, toml });
      wire = await Capture.start(edge.space, "eth0");
      const common = { registrar: edge.hostPort, transport: "udp" } as const;
      outside = await LabPhone.start(lab.host("outside", PUBLIC), {
        ...common,
        name: "outside",
        address: PUBLIC,
      });
      for (const { name, outside } of HALVES) {
        const options = { name, address: HOST, domain: edge.hostPort, viaHost: outside };
        const phone = new LabSipp(site(name, outside), options);
        await phone.registers(edge.hostPort);
        phones.set(name, phone);
      }
      const plain = site("plain", "203.0.113.112");
      await LabPhone.start(plain, { ...common, name: "plain", address: HOST });
    });
    afterAll(() => lab?.close());

    function site(name: string, outside: string): Namespace {
      const box = lab.nat(`${name}-nat`, { kind: "port_restricted", outside, inside: "192.168.1.1" });
      return lab.behind(box, name, HOST);
    }

    const signsOf = (user: string): string[][] =>
      edge
        .get<{ registrations: { alg_signs: string[] }[] }>(`/v1/registrations?user=${user}`)
        .registrations.map(({ alg_signs }) => alg_signs);

    test.each(HALVES)(
      "NAT-07 $name: what arrived names the router on top and the phone below",
      ({ outside }) => {
        const registers = wire
          .messages()
          .filter(({ from, text }) => from.startsWith(`${outside}:`) && text.startsWith("REGISTER "));
        expect(registers.length).toBeGreaterThan(0);
        for (const { text } of registers) {
          expect(valuesOf(text, "Via")[0]).toContain(` ${outside}:${SIP_PORT};`);
          expect(valuesOf(text, "Contact")[0]).toContain(`@${HOST}:${SIP_PORT}>`);
        }
      },
    );

    test("NAT-07: the registrations say so, and of nobody else", () => {
      for (const { name } of HALVES) expect(signsOf(name)).toEqual([["half_rewritten"]]);
      for (const name of ["outside", "plain"]) expect(signsOf(name)).toEqual([[]]);
    });

    test("NAT-07: sipedge status says whose router it is", () => {
      const text = edge.space.run(...SIPEDGE, "status", "--url", STATUS_API);
      const warnings = text.replace(/\n {6}/g, " ").matchAll(/ALG suspected: .*/g);
      expect([...warnings].map(([warning]) => warning)).toEqual(
        HALVES.map(
          ({ name, outside }) =>
            `ALG suspected: the router of ${name}@${EDGE} at ${outside}:${SIP_PORT} rewrites SIP (half_rewritten)`,
        ),
      );
    });

    test("NAT-07: the log says it once per device, however often it registers", async () => {
      for (const phone of phones.values()) await phone.registers(edge.hostPort);
      for (const { name } of HALVES) expect(edge.registrations(name)).toHaveLength(1);
      const lines = edge.program.output.split("\n").filter((line) => line.includes("alg-suspected"));
      const devices = lines.map((line) => HALVES.find(({ name }) => line.includes(`${name}@`))?.name);
      expect(devices.toSorted()).toEqual(HALVES.map(({ name }) => name));
    });

    test.each(HALVES)("NAT-07 $name: is called all the same, the caller hangs up", async ({ name }) => {
      const phone = phones.get(name)!;
      const called = await phone.takes(CALLED.isHungUp);
      await calls(phone);
      outside.hangUp();
      await outside.got(/^SIP\/2\.0 200/, "BYE");
      await phone.succeeds(called);
    });

    test.each(HALVES)("NAT-07 $name: is called all the same, and hangs up", async ({ name }) => {
      const phone = phones.get(name)!;
      const called = await phone.takes(CALLED.hangsUp);
      await calls(phone);
      await outside.got(/^BYE /, "BYE");
      await phone.succeeds(called);
    });

    async function calls(phone: LabSipp): Promise<void> {
      outside.forget();
      outside.dial(phone.uri);
      await outside.got(/^SIP\/2\.0 200/, "INVITE");
    }
  },
);
