/**
 * Phones behind every kind of NAT around one appliance with a public address: each registers, is called,
 * calls, and hangs up or is hung up on, over UDP and TCP; and they call each other.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { callBothWays } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import type { NatBox } from "./nat-box.ts";
import { NAT_KINDS } from "./nat-box.ts";

const EDGE = "203.0.113.10";
const PUBLIC = "203.0.113.20";
const GATEWAY = "192.168.1.1";
const HOST = "192.168.1.10";
const NEIGHBOUR = "192.168.1.11";
/** The first of the default range. */
const MEDIA_PORT_MIN = 10_000;
/** RFC 3550 §5.1: two bits in front of RTP and RTCP. */
const RTP_VERSION = 2;
const TRANSPORTS = ["udp", "tcp"] as const;
const PLACES = NAT_KINDS.flatMap((kind) =>
  TRANSPORTS.map((transport) => ({ kind, transport, name: `${kind}-${transport}` })),
);
const PAIRS = PLACES.flatMap((one, i) => PLACES.slice(i + 1).map((other) => [one.name, other.name] as const));
/** Kinds that give two hosts with the same port different ones outside. */
const SHARED = ["port_restricted", "symmetric"] as const;
const CASCADES = [
  { inner: "port_restricted", outer: "symmetric" },
  { inner: "symmetric", outer: "port_restricted" },
  { inner: "full_cone", outer: "restricted" },
] as const;

setDefaultTimeout(60_000);

describe.skipIf(noLab("phones behind NATs of every kind"))("phones behind NATs of every kind", () => {
  const phones = new Map<string, LabPhone>();
  let lab: Lab;
  let edge: LabEdge;
  let wire: Capture;
  let outside: LabPhone;
  let addresses = 100;

  const phone = (name: string): LabPhone => phones.get(name)!;

  function nat(name: string, kind: NatBox["options"]["kind"]): NatBox {
    return lab.nat(name, { kind, outside: `203.0.113.${addresses++}`, inside: GATEWAY });
  }

  async function add(box: NatBox, name: string, address: string, transport: "udp" | "tcp"): Promise<void> {
    const host = lab.behind(box, `${name}-host`, address);
    phones.set(name, await LabPhone.start(host, { name, registrar: edge.hostPort, transport, address }));
  }

  beforeAll(async () => {
    lab = new Lab("kinds");
    const users = ["outside", ...PLACES.map(({ name }) => name)];
    users.push(...SHARED.flatMap((kind) => [`${kind}-one`, `${kind}-two`]));
    users.push(...CASCADES.map(({ inner, outer }) => `${inner}-in-${outer}`));
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users });
    wire = await Capture.start(edge.space, "eth0");
    outside = await LabPhone.start(lab.host("outside", PUBLIC), {
      name: "outside",
      registrar: edge.hostPort,
      transport: "udp",
      address: PUBLIC,
    });
    await Promise.all(PLACES.map(({ kind, transport, name }) => add(nat(name, kind), name, HOST, transport)));
  });
  afterAll(() => lab?.close());

  test.each(PLACES)(
    "NAT-01, NAT-08, NAT-09, NAT-10, NAT-11 $name: calls and is called, either side hangs up",
    async ({ name }) => {
      expect(edge.registrations(name)).toHaveLength(1);
      await callBothWays(outside, phone(name));
    },
  );

  test.each(PAIRS)("NAT-01: %s and %s call each other", async (one, other) => {
    await callBothWays(phone(one), phone(other));
  });

  test.each(SHARED)("NAT-02: two phones behind one %s NAT call each other and outside", async (kind) => {
    const box = nat(`${kind}-shared`, kind);
    await add(box, `${kind}-one`, HOST, "udp");
    await add(box, `${kind}-two`, NEIGHBOUR, "udp");
    const [one, two] = [phone(`${kind}-one`), phone(`${kind}-two`)];
    expect(edge.registrations(one.name)[0]?.remote).not.toBe(edge.registrations(two.name)[0]?.remote);
    await callBothWays(one, two);
    await callBothWays(outside, one);
    await callBothWays(outside, two);
  });

  test.each(CASCADES)("NAT-01, NT-04: $inner NAT behind a $outer one", async ({ inner, outer }) => {
    const name = `${inner}-in-${outer}`;
    const first = lab.nat(`${name}-outer`, {
      kind: outer,
      outside: `203.0.113.${addresses++}`,
      inside: "10.0.0.1",
    });
    const second = lab.nat(name, { kind: inner, outside: "10.0.0.2", inside: GATEWAY }, first);
    await add(second, name, HOST, "udp");
    await callBothWays(outside, phone(name));
    await callBothWays(phone("symmetric-tcp"), phone(name));
  });

  test("NAT-06, NAT-10, NAT-28: whatever was sent left from the port of SIP or one for media, to public addresses only", () => {
    const packets = wire.packets();
    const left = packets.filter(({ from }) => from.startsWith(`${EDGE}:`));
    expect(left.length).toBeGreaterThan(1000);
    const isSip = ({ from }: { readonly from: string }) => from === `${EDGE}:${SIP_PORT}`;
    const messages = wire.messages().filter(({ from }) => from.startsWith(`${EDGE}:`));
    expect(messages.filter((message) => !isSip(message))).toEqual([]);
    const media = left.filter((packet) => !isSip(packet));
    expect(media.filter(({ from }) => Number(from.split(":")[1]) < MEDIA_PORT_MIN)).toEqual([]);
    expect(media.filter(({ payload }) => payload[0]! >> 6 !== RTP_VERSION)).toEqual([]);
    expect(left.filter(({ to }) => !to.startsWith("203.0.113."))).toEqual([]);
    expect(wire.messages().filter(({ text }) => text.startsWith("BYE ")).length).toBeGreaterThan(
      2 * 4 * PAIRS.length,
    );
  });

  test("the appliance itself had no trouble with any of it", () => {
    expect(edge.metric("sipedge_exceptions_total")).toBe(0);
  });
});
