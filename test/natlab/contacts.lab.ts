/**
 * An appliance that rewrites Contacts (`nat.contact = "rewrite"`), and baresips behind every kind of NAT: calls work as
 * ever, what leaves for one side tells no private address of the other, and each phone is asked for by its own Contact.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { callBothWays } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { NAT_KINDS } from "./nat-box.ts";
import { methodOf, valuesOf } from "./sip-text.ts";

const EDGE = "203.0.113.10";
const OUTSIDE = "203.0.113.20";
const GATEWAY = "192.168.1.1";
const HOST = "192.168.1.10";
const PLACES = NAT_KINDS.flatMap((kind) =>
  (["udp", "tcp"] as const).map((transport) => ({ kind, transport, name: `${kind}-${transport}` })),
);
const PAIRS = [
  ["symmetric-udp", "port_restricted-tcp"],
  ["symmetric-tcp", "restricted-udp"],
  ["port_restricted-udp", "full_cone-udp"],
] as const;

setDefaultTimeout(60_000);

describe.skipIf(noLab("Contacts rewritten"))("Contacts rewritten", () => {
  const phones = new Map<string, LabPhone>();
  let lab: Lab;
  let edge: LabEdge;
  let wire: Capture;

  const phone = (name: string): LabPhone => phones.get(name)!;
  const sent = () => wire.messages().filter(({ from }) => from === `${EDGE}:${SIP_PORT}`);

  beforeAll(async () => {
    lab = new Lab("contacts");
    const users = ["outside", ...PLACES.map(({ name }) => name)];
    const toml = '[nat]\ncontact = "rewrite"\n';
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users, toml });
    wire = await Capture.start(edge.space, "eth0");
    const add = async (
      name: string,
      space: ReturnType<Lab["host"]>,
      address: string,
      transport: "udp" | "tcp",
    ) =>
      phones.set(name, await LabPhone.start(space, { name, registrar: edge.hostPort, transport, address }));
    await add("outside", lab.host("outside", OUTSIDE), OUTSIDE, "udp");
    await Promise.all(
      PLACES.map(({ kind, transport, name }, i) => {
        const box = lab.nat(name, { kind, outside: `203.0.113.${100 + i}`, inside: GATEWAY });
        return add(name, lab.behind(box, `${name}-host`, HOST), HOST, transport);
      }),
    );
  });
  afterAll(() => lab?.close());

  test.each(PLACES)("NT-19, NH-19 $name: calls and is called, either side hangs up", async ({ name }) => {
    await callBothWays(phone("outside"), phone(name));
  });

  test.each(PAIRS)("NT-19, NH-19: %s and %s call each other", async (one, other) => {
    await callBothWays(phone(one), phone(other));
  });

  test("NT-19: no Contact, Record-Route, Path or Via of ours that left tells a private address", () => {
    const messages = sent().filter(({ text }) => methodOf(text) !== "REGISTER"); // tells a phone of its own
    expect(messages.length).toBeGreaterThan(6 * 4 * (PLACES.length + PAIRS.length));
    const told = messages.flatMap(({ text }) => [
      ...["Contact", "Record-Route", "Path"].flatMap((field) => valuesOf(text, field)),
      ...(text.startsWith("SIP/2.0") ? [] : valuesOf(text, "Via").slice(0, 1)),
    ]);
    expect(told.length).toBeGreaterThan(messages.length);
    expect(told.filter((value) => value.includes("192.168."))).toEqual([]);
    expect(told.filter((value) => value.includes(";sipedge=")).length).toBeGreaterThan(4 * PLACES.length);
  });

  test("NT-19: whatever is asked of a phone names a Contact that it wrote", () => {
    for (const { name } of PLACES) {
      const remote = edge.registrations(name)[0]!.remote;
      const messages = wire.messages();
      const wrote = messages
        .filter(({ from }) => from === remote)
        .flatMap(({ text }) => valuesOf(text, "Contact"));
      const asked = messages.filter(({ to, text }) => to === remote && /^(INVITE|ACK|BYE) /.test(text));
      expect(asked.length).toBeGreaterThanOrEqual(6); // two INVITEs, two ACKs, two BYEs of four calls
      const strange = asked.filter(
        ({ text }) => !wrote.some((each) => each.includes(`<${text.split(" ", 2)[1]}>`)),
      );
      expect([name, strange]).toEqual([name, []]);
    }
  });

  test("the appliance itself had no trouble with any of it", () => {
    expect(edge.metric("sipedge_exceptions_total")).toBe(0);
  });
});
