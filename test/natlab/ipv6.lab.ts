/**
 * Phones with IPv6 addresses: a global one, and a unique-local one (RFC 4193) behind a router that translates it
 * (NAT66) and forgets soon. They call each other and a phone with IPv4 through the one appliance that has both;
 * the phones are sipp, which asks for no media: no phone can talk over the address family that it does not have.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { CALLED, CALLING, LabSipp } from "./lab-sipp.ts";
import type { Namespace } from "./namespace.ts";
import { FORGETFUL } from "./nat-box.ts";
import { valuesOf } from "./sip-text.ts";

const EDGE = { four: "203.0.113.10", six: "2001:db8::10" } as const;
const HOST_PORT = { four: `${EDGE.four}:${SIP_PORT}`, six: `[${EDGE.six}]:${SIP_PORT}` } as const;
const FOUR = { name: "four", address: "203.0.113.20" } as const;
const GLOBAL = { name: "global", address: "2001:db8::20", four: "203.0.113.21" } as const;
const LOCAL = { name: "local", address: "fd00:1::10", four: "192.168.1.10" } as const;
const BOX = { six: "2001:db8::100", inside: "fd00:1::1", four: "203.0.113.100" } as const;
const PAIRS = [
  [FOUR, GLOBAL],
  [FOUR, LOCAL],
  [GLOBAL, LOCAL],
].flatMap(([one, other]) => [
  { caller: one!.name, callee: other!.name },
  { caller: other!.name, callee: one!.name },
]);
const IDLE_MS = 3 * FORGETFUL.stream_s * 1000;
/** The shortest interval there is, and what the phones of sipp take. */
const KEEPALIVE = '[keepalive]\ninterval_s = 5\nmethod = "zero_bytes"';
const LISTEN = ["udp", "tcp"].map(
  (transport) => `[[listen]]\ntransport = "${transport}"\naddress = "${EDGE.six}"\nport = ${SIP_PORT}\n`,
);

/** Gives the interface an IPv6 address as well; `gateway`: by which everything beyond is reached. */
function plugSix(space: Namespace, device: string, address: string, gateway: string | null = null): void {
  space.set("net.ipv6.conf.all.disable_ipv6", 0);
  space.run("ip", "address", "add", `${address}/64`, "dev", device, "nodad");
  if (gateway !== null) space.run("ip", "route", "add", "default", "via", gateway);
}

setDefaultTimeout(60_000);

describe.skipIf(noLab("phones with IPv6", "sipp"))("phones with IPv6", () => {
  const phones = new Map<string, LabSipp>();
  let lab: Lab;
  let edge: LabEdge;
  let wire: Capture;

  beforeAll(async () => {
    lab = new Lab("six");
    const space = lab.host("edge", EDGE.four);
    plugSix(space, "eth0", EDGE.six);
    edge = await LabEdge.start(space, {
      address: EDGE.four,
      users: [FOUR, GLOBAL, LOCAL].map(({ name }) => name),
      toml: [KEEPALIVE, ...LISTEN].join("\n"),
    });
    wire = await Capture.start(space, "eth0");
    for (const [at, place, domain] of [
      [lab.host("four", FOUR.address), FOUR, HOST_PORT.four],
      [globalHost(), GLOBAL, HOST_PORT.six],
      [translatedHost(), LOCAL, HOST_PORT.six],
    ] as const) {
      const phone = new LabSipp(at, { ...place, domain });
      await phone.registers(domain);
      phones.set(place.name, phone);
    }
  });
  afterAll(() => lab?.close());

  function globalHost(): Namespace {
    const space = lab.host("global", GLOBAL.four);
    plugSix(space, "eth0", GLOBAL.address);
    return space;
  }

  function translatedHost(): Namespace {
    const box = lab.nat("box", {
      kind: "symmetric",
      outside: BOX.four,
      inside: "192.168.1.1",
      timeouts: FORGETFUL,
    });
    plugSix(box.space, "outside", BOX.six);
    plugSix(box.space, "inside", BOX.inside);
    box.space.set("net.ipv6.conf.all.forwarding", 1);
    box.space.nft(
      'table ip6 nat { chain leaving { type nat hook postrouting priority 100; oifname "outside" masquerade fully-random; }\n}\n',
    );
    const space = lab.behind(box, "local", LOCAL.four);
    plugSix(space, "eth0", LOCAL.address, BOX.inside);
    return space;
  }

  async function call(from: string, to: string, ends: "caller" | "callee", talk_ms?: number): Promise<void> {
    const [caller, callee] = [phones.get(from)!, phones.get(to)!];
    const takes = await callee.takes(ends === "callee" ? CALLED.hangsUp : CALLED.isHungUp, talk_ms);
    const story = ends === "caller" ? CALLING.hangsUp : CALLING.isHungUp;
    await caller.succeeds(caller.calls(story, to, caller.options.domain));
    await callee.succeeds(takes);
  }

  test("B-19: the phone behind NAT66 counts as behind a NAT, the one with a global address does not", () => {
    const natOf = (user: string) =>
      edge.get<{ registrations: { nat: string[]; remote: string }[] }>(`/v1/registrations?user=${user}`)
        .registrations;
    const [local] = natOf(LOCAL.name);
    expect(local!.nat).toContain("private_contact");
    expect(local!.remote).toStartWith(`[${BOX.six}]:`);
    expect(natOf(GLOBAL.name)).toMatchObject([{ nat: [], remote: `[${GLOBAL.address}]:${SIP_PORT}` }]);
  });

  describe.each(PAIRS)("$caller calls $callee", ({ caller, callee }) => {
    for (const ends of ["caller", "callee"] as const)
      test(`B-19: the ${ends} hangs up`, () => call(caller, callee, ends));
  });

  test("NAT-29: the phone behind NAT66 is called after three times what its router remembers", async () => {
    await Bun.sleep(IDLE_MS);
    await call(FOUR.name, LOCAL.name, "caller");
    await call(GLOBAL.name, LOCAL.name, "callee");
  });

  test.each([FOUR, GLOBAL])(
    "NT-06: its call to the $name one stays open as long, and the far end hangs up",
    ({ name }) => call(LOCAL.name, name, "callee", IDLE_MS),
  );

  test("RFC 5658: a call between the families has two Record-Routes, each side's own on its side", () => {
    const invites = wire
      .messages()
      .filter(({ to, text }) => to === `${FOUR.address}:${SIP_PORT}` && text.startsWith("INVITE "));
    expect(invites.length).toBeGreaterThan(0);
    for (const { text } of invites) {
      const hosts = valuesOf(text, "Record-Route").map((route) => /@(.+):\d+;/.exec(route)?.[1]);
      expect(hosts).toEqual([EDGE.four, `[${EDGE.six}]`]);
    }
  });

  test("the appliance itself had no trouble with any of it", () => {
    expect(edge.metric("sipedge_exceptions_total")).toBe(0);
  });
});
