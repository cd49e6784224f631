/**
 * The appliance behind a 1:1 NAT, with phones inside and outside: each is told the address that it can reach,
 * `advertise` outside and the bound one inside (B-49).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { callBothWays } from "./calls.ts";
import type { Passed } from "./capture.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { ROUTING_FIELDS, valuesOf } from "./sip-text.ts";

const PUBLIC = "203.0.113.5";
const INNER = "10.0.0.5";
const INSIDE = [
  { name: "lan-udp", transport: "udp", address: "10.0.0.20" },
  { name: "lan-tcp", transport: "tcp", address: "10.0.0.21" },
] as const;
const OUTSIDE = [
  { name: "wan-udp", transport: "udp", address: "203.0.113.30" },
  { name: "wan-tcp", transport: "tcp", address: "203.0.113.31" },
] as const;
/** Behind NATs of their own, with the private addresses of the phones inside. */
const ELSEWHERE = [
  { name: "far-udp", transport: "udp", address: "10.0.0.20" },
  { name: "far-tcp", transport: "tcp", address: "10.0.0.20" },
] as const;
const NAMES = [...INSIDE, ...OUTSIDE, ...ELSEWHERE].map(({ name }) => name);
const PAIRS = NAMES.flatMap((one, i) => NAMES.slice(i + 1).map((other) => [one, other] as const));

setDefaultTimeout(60_000);

describe.skipIf(noLab("the appliance behind a 1:1 NAT"))("the appliance behind a 1:1 NAT", () => {
  const phones = new Map<string, LabPhone>();
  const near: Capture[] = [];
  let lab: Lab;
  let edge: LabEdge;
  let far: Capture;

  beforeAll(async () => {
    lab = new Lab("one");
    const router = lab.nat("router", {
      kind: "one_to_one",
      outside: PUBLIC,
      inside: "10.0.0.1",
      host: INNER,
    });
    edge = await LabEdge.start(lab.behind(router, "edge", INNER), {
      address: INNER,
      domains: [PUBLIC],
      advertise: `${PUBLIC}:${SIP_PORT}`,
      users: NAMES,
    });
    far = await Capture.start(router.space, "outside");
    const [inner, outer] = [`${INNER}:${SIP_PORT}`, `${PUBLIC}:${SIP_PORT}`];
    for (const each of INSIDE) {
      const space = lab.behind(router, each.name, each.address);
      near.push(await Capture.start(space, "eth0"));
      phones.set(each.name, await LabPhone.start(space, { ...each, registrar: inner }));
    }
    for (const each of OUTSIDE)
      phones.set(
        each.name,
        await LabPhone.start(lab.host(each.name, each.address), { ...each, registrar: outer }),
      );
    for (const [number, each] of ELSEWHERE.entries()) {
      const outside = `203.0.113.${40 + number}`;
      const box = lab.nat(`${each.name}-nat`, { kind: "symmetric", outside, inside: "10.0.0.1" });
      const space = lab.behind(box, each.name, each.address);
      phones.set(each.name, await LabPhone.start(space, { ...each, registrar: outer }));
    }
  });
  afterAll(() => lab?.close());

  test.each(PAIRS)("NAT-17, B-49: %s and %s call each other", async (one, other) => {
    await callBothWays(phones.get(one)!, phones.get(other)!);
  });

  /** What the appliance sent past a capture. */
  const sent = (passed: readonly Passed[], address: string) =>
    passed.filter(({ from }) => from === `${address}:${SIP_PORT}`);

  test("NAT-04, NAT-17: nothing outside names the appliance by its inner address", () => {
    const messages = sent(far.messages(), PUBLIC);
    expect(messages.length).toBeGreaterThan(10 * PAIRS.length);
    const wrong = messages.flatMap(({ text }) =>
      ROUTING_FIELDS.flatMap((field) =>
        valuesOf(text, field).flatMap((value) =>
          value.includes(INNER) ? [`${text.split("\n", 1)[0]}: ${field}: ${value}`] : [],
        ),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test("NAT-17: a request that arrives outside names the public address on top", () => {
    const requests = sent(far.messages(), PUBLIC).filter(({ text }) => !text.startsWith("SIP/2.0"));
    for (const { text } of requests) expect(valuesOf(text, "Via")[0]).toContain(` ${PUBLIC}:${SIP_PORT};`);
    const routed = requests.flatMap(({ text }) => valuesOf(text, "Record-Route").slice(0, 1));
    expect(routed.length).toBeGreaterThan(0);
    for (const route of routed) expect(route).toContain(`@${PUBLIC}:${SIP_PORT};`);
  });

  test("NAT-17, B-49: phones inside talk to the inner address, and only to that", () => {
    for (const capture of near) {
      const messages = capture.messages();
      const inner = `${INNER}:${SIP_PORT}`;
      expect(messages.filter(({ from, to }) => from !== inner && to !== inner)).toEqual([]);
      const requests = sent(messages, INNER).filter(({ text }) => !text.startsWith("SIP/2.0"));
      expect(requests.length).toBeGreaterThan(PAIRS.length / 2);
      for (const { text } of requests) {
        expect(valuesOf(text, "Via")[0]).toContain(` ${inner};`);
        for (const route of valuesOf(text, "Record-Route").slice(0, 1)) expect(route).toContain(`@${inner};`);
      }
    }
  });

  test("the appliance itself had no trouble with any of it", () => {
    expect(edge.metric("sipedge_exceptions_total")).toBe(0);
  });
});
