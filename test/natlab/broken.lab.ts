/**
 * NATs that lose their tables and connections that break: the phone is back with its next REGISTER, and until
 * then a call to it ends, or goes to the next phone, within the second.
 */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/process.ts";
import { callBothWays, hangUp, up, uriOf } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import type { Registration } from "./lab-edge.ts";
import { LabEdge } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import type { NatBox, NatKind } from "./nat-box.ts";
import { NAT_KINDS } from "./nat-box.ts";
import { methodOf, valuesOf } from "./sip-text.ts";

const EDGE = "203.0.113.10";
const PUBLIC = "203.0.113.20";
const HOST = "192.168.1.10";
const REFRESH_S = 5;
const AT_ONCE_MS = 1000;
const FLUSHED = [
  ...NAT_KINDS.map((kind) => ({ kind, transport: "udp" as const, name: `flushed-${kind}-udp` })),
  { kind: "port_restricted" as const, transport: "tcp" as const, name: "flushed-port_restricted-tcp" },
];
const BREAKS = [
  { how: "was reset", breaks: reset },
  { how: "is reset by its NAT, which forgot it", breaks: ({ box }: Site) => box.forget() },
] as const;

interface Site {
  readonly box: NatBox;
  readonly phone: LabPhone;
}

/** The appliance gets a reset; the phone, which gets an error, cannot open another connection. */
function reset({ box, phone }: Site): void {
  box.refuseConnections();
  phone.space.run("ss", "-K", "state", "established", "dst", EDGE);
}

setDefaultTimeout(60_000);

describe.skipIf(noLab("NATs that lose their tables"))("NATs that lose their tables", () => {
  const boxes: NatBox[] = [];
  let lab: Lab;
  let edge: LabEdge;
  let wire: Capture;
  let outside: LabPhone;
  let addresses = 100;

  async function site(
    name: string,
    kind: NatKind,
    options: Partial<LabPhone["options"]> & { transport: "udp" | "tcp" },
  ): Promise<Site> {
    const place = `${name}-${addresses}`;
    const box = lab.nat(place, { kind, outside: `203.0.113.${addresses++}`, inside: "192.168.1.1" });
    boxes.push(box);
    const host = lab.behind(box, `${place}-host`, HOST);
    const phone = await LabPhone.start(host, { name, registrar: edge.hostPort, address: HOST, ...options });
    return { box, phone };
  }

  /** How long after the last INVITE of the caller the first message came that fits. */
  async function tookUntil(startLine: RegExp, to: string): Promise<number> {
    let took = Number.NaN;
    await eventually(`${startLine} to ${to} on the wire`, () => {
      const messages = wire.messages();
      const invite = messages.findLast(
        ({ from, text }) =>
          from.startsWith(PUBLIC) &&
          text.startsWith("INVITE ") &&
          valuesOf(text, "Proxy-Authorization").length > 0,
      );
      if (invite === undefined) return false;
      const end = messages.find(
        (each) =>
          each.at_ms > invite.at_ms &&
          each.to.startsWith(to) &&
          startLine.test(each.text) &&
          methodOf(each.text) === "INVITE",
      );
      took = (end?.at_ms ?? Number.NaN) - invite.at_ms;
      return end !== undefined;
    });
    return took;
  }

  beforeAll(async () => {
    lab = new Lab("broken");
    const users = [
      "outside",
      ...FLUSHED.map(({ name }) => name),
      "broken-0",
      "broken-1",
      "twice-0",
      "twice-1",
    ];
    const toml = `[registrar]\nmin_expires_s = ${REFRESH_S}`;
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users, toml });
    wire = await Capture.start(edge.space, "eth0");
    const space = lab.host("outside", PUBLIC);
    outside = await LabPhone.start(space, {
      name: "outside",
      registrar: edge.hostPort,
      transport: "udp",
      address: PUBLIC,
    });
  });
  afterEach(() => {
    for (const box of boxes) box.heal();
    outside.forget();
  });
  afterAll(() => lab?.close());

  describe("when their tables are flushed", () => {
    const sites = new Map<string, Site>();
    const before = new Map<string, Registration>();

    beforeAll(async () => {
      await Promise.all(
        FLUSHED.map(async ({ kind, transport, name }) => {
          sites.set(name, await site(name, kind, { transport, refresh_s: REFRESH_S }));
          before.set(name, edge.registrations(name)[0]!);
        }),
      );
      for (const { box, phone } of sites.values()) {
        box.forget();
        phone.forget();
      }
    });

    test.each(FLUSHED)("NAT-06 $name: is back with its next REGISTER", async ({ kind, name }) => {
      const { phone } = sites.get(name)!;
      await phone.registered();
      const [after, ...more] = edge.registrations(name);
      expect(more).toEqual([]);
      expect(after?.contact).toBe(before.get(name)!.contact);
      if (kind === "symmetric") expect(after?.remote).not.toBe(before.get(name)!.remote);
      await callBothWays(outside, phone);
    });
  });

  test.each(BREAKS.map((each, number) => ({ ...each, number })))(
    "NAT-31, B-51: a call to a phone whose connection $how is answered 480 within the second",
    async ({ breaks, number }) => {
      const broken = await site(`broken-${number}`, "port_restricted", { transport: "tcp" });
      breaks(broken);
      outside.dial(uriOf(broken.phone, outside));
      await outside.got(/^SIP\/2\.0 480/, "INVITE");
      expect(await tookUntil(/^SIP\/2\.0 [3-6]/, PUBLIC)).toBeLessThan(AT_ONCE_MS);
    },
  );

  test.each(BREAKS.map((each, number) => ({ ...each, number })))(
    "NAT-31, B-51: when the connection $how, the next phone of that name rings within the second",
    async ({ breaks, number }) => {
      const name = `twice-${number}`;
      const first = await site(name, "port_restricted", { transport: "tcp", q: 1 });
      const second = await site(name, "symmetric", { transport: "udp", q: 0.5 });
      await edge.registered(name, 2);
      breaks(first);
      second.phone.forget();
      outside.dial(uriOf(second.phone, outside));
      await up(outside, second.phone);
      expect(await tookUntil(/^INVITE /, second.box.options.outside)).toBeLessThan(AT_ONCE_MS);
      await hangUp(outside, second.phone);
    },
  );
});
