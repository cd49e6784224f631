/**
 * Two sites that use the same private addresses, each with phones that cannot be told apart by what they say of
 * themselves: the flow they came on tells.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { call } from "./calls.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";

const EDGE = "203.0.113.10";
const PUBLIC = "203.0.113.20";
const SITES = ["203.0.113.100", "203.0.113.101"] as const;
const HOSTS = ["192.168.1.10", "192.168.1.11"] as const;
const PLACES = SITES.flatMap((outside, site) =>
  HOSTS.map((address, number) => ({ outside, site, address, name: `site-${site}-phone-${number}` })),
);

setDefaultTimeout(60_000);

describe.skipIf(noLab("two sites with the same addresses"))("two sites with the same addresses", () => {
  const phones: LabPhone[] = [];
  let lab: Lab;
  let edge: LabEdge;
  let outside: LabPhone;

  beforeAll(async () => {
    lab = new Lab("sites");
    const users = ["outside", ...PLACES.map(({ name }) => name)];
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users });
    const common = { registrar: edge.hostPort, transport: "udp" } as const;
    outside = await LabPhone.start(lab.host("outside", PUBLIC), {
      ...common,
      name: "outside",
      address: PUBLIC,
    });
    const boxes = SITES.map((each, site) =>
      lab.nat(`site-${site}`, { kind: "port_restricted", outside: each, inside: "192.168.1.1" }),
    );
    for (const { site, address, name } of PLACES) {
      const host = lab.behind(boxes[site]!, name, address);
      phones.push(await LabPhone.start(host, { ...common, name, address }));
    }
  });
  afterAll(() => lab?.close());

  test("NAT-02: four bindings, each with a flow of its own from its site", () => {
    const bindings = PLACES.map(({ name }) => edge.registrations(name));
    expect(bindings.map((each) => each.length)).toEqual([1, 1, 1, 1]);
    expect(bindings.map(([binding]) => binding!.remote.split(":")[0])).toEqual(
      PLACES.map((place) => place.outside),
    );
    expect(new Set(bindings.map(([binding]) => binding!.remote)).size).toBe(4);
    const hosts = bindings.map(([binding]) => /@([\d.]+:\d+)/.exec(binding!.contact)?.[1]);
    expect(hosts).toEqual(PLACES.map(({ address }) => `${address}:5060`));
  });

  test.each(PLACES.map(({ name }, number) => ({ name, number })))(
    "NAT-02: $name gets its own calls and nobody else does",
    async ({ number }) => {
      for (const phone of phones) phone.forget();
      await call(outside, phones[number]!, outside);
      const called = phones.map((phone) => phone.received(/^INVITE /, "INVITE").length);
      expect(called).toEqual(phones.map((_, each) => (each === number ? 1 : 0)));
    },
  );

  test("NAT-02: twins at the two sites, with one address, call each other", async () => {
    const [one, , twin] = phones;
    expect(one!.options.address).toBe(twin!.options.address);
    await call(one!, twin!, one!);
    await call(twin!, one!, one!);
  });
});
