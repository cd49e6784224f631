/** The near side of a listener: who is told its address, and who its advertised name (NAT-17). */
import { afterEach, describe, expect, test } from "bun:test";
import type { LocalEndpoint } from "../../src/base/flow.ts";
import { isNameOf, sentByFor } from "../../src/base/flow.ts";
import { Networks } from "../../src/base/networks.ts";
import { Endpoint } from "../../src/transport/endpoint.ts";
import type { ListenEntry } from "../../src/transport/listen-plan.ts";
import { planListeners } from "../../src/transport/listen-plan.ts";
import { Rig, TCP, UDP } from "./rig.ts";

const endpoint = (advertise: string | null, local_networks: readonly string[] = ["10.0.0.0/24"]) =>
  new Endpoint("udp", "10.0.0.1", 5060, { advertise, local_networks });

describe("NAT-17 sentByFor", () => {
  for (const [address, expected] of [
    ["10.0.0.7", "10.0.0.1:5060"],
    ["10.0.0.1", "10.0.0.1:5060"],
    ["10.0.1.7", "203.0.113.5:5060"],
    ["198.51.100.7", "203.0.113.5:5060"],
    ["192.168.1.10", "203.0.113.5:5060"],
    ["2001:db8::7", "203.0.113.5:5060"],
    ["no address", "203.0.113.5:5060"],
    ["", "203.0.113.5:5060"],
  ] as const)
    test(`${JSON.stringify(address)} is told ${expected}`, () =>
      expect(sentByFor(endpoint("203.0.113.5:5060"), address)).toBe(expected));

  test("without advertise everybody is told the address", () => {
    for (const address of ["10.0.0.7", "198.51.100.7"])
      expect(sentByFor(endpoint(null), address)).toBe("10.0.0.1:5060");
  });

  test("without known networks everybody is told the name", () =>
    expect(sentByFor(endpoint("203.0.113.5:5060", []), "10.0.0.7")).toBe("203.0.113.5:5060"));

  test("an endpoint that knows nobody inside", () => {
    const bare: LocalEndpoint = { transport: "udp", address: "10.0.0.1", port: 5060, sentBy: "edge:5060" };
    expect(sentByFor(bare, "10.0.0.7")).toBe("edge:5060");
    expect([isNameOf(bare, "edge:5060"), isNameOf(bare, "10.0.0.1:5060")]).toEqual([true, false]);
  });

  test("IPv6, in brackets", () => {
    const six = new Endpoint("tcp", "fd00::1", 5061, {
      advertise: "[2001:db8:5::1]:5061",
      local_networks: ["fd00::/64"],
    });
    expect(sentByFor(six, "fd00::7")).toBe("[fd00::1]:5061");
    expect(sentByFor(six, "fd00:0:0:1::7")).toBe("[2001:db8:5::1]:5061");
    expect(isNameOf(six, "[fd00::1]:5061")).toBe(true);
  });
});

describe("NAT-17 isNameOf", () => {
  const one = endpoint("203.0.113.5:5060");
  for (const [name, ours] of [
    ["203.0.113.5:5060", true],
    ["10.0.0.1:5060", true],
    ["203.0.113.5:5061", false],
    ["203.0.113.5", false],
    ["10.0.0.1", false],
    ["10.0.0.10:5060", false],
    ["", false],
  ] as const)
    test(`${JSON.stringify(name)}: ${ours}`, () => expect(isNameOf(one, name)).toBe(ours));
});

describe("NAT-17 other names while running", () => {
  test("a new advertise or new networks count at once for flows that exist", () => {
    const one = endpoint("203.0.113.5:5060");
    one.rename({ advertise: "203.0.113.6:5060", local_networks: ["10.0.0.0/24"] });
    expect(sentByFor(one, "198.51.100.7")).toBe("203.0.113.6:5060");
    one.rename({ advertise: "203.0.113.6:5060", local_networks: ["10.0.0.0/24", "10.20.0.0/16"] });
    expect(sentByFor(one, "10.20.30.40")).toBe("10.0.0.1:5060");
    one.rename({ advertise: "203.0.113.6:5060", local_networks: [] });
    expect(sentByFor(one, "10.0.0.7")).toBe("203.0.113.6:5060");
    one.rename({ advertise: null, local_networks: [] });
    expect(sentByFor(one, "198.51.100.7")).toBe("10.0.0.1:5060");
  });
});

describe("NAT-17 the plan", () => {
  const entry = (more: Partial<ListenEntry> = {}): ListenEntry => ({
    transport: "udp",
    address: "10.0.0.1",
    port: 5060,
    advertise: "203.0.113.5",
    ...more,
  });
  const networks = (address: string) => (address === "10.0.0.1" ? ["10.0.0.0/24"] : []);

  test("the networks of the interface, and those of the config", () => {
    const plan = planListeners([entry({ local_networks: ["10.20.0.0/16", "192.0.2.7"] })], [], networks);
    expect(plan.failures).toEqual([]);
    expect(plan.wanted[0]!.local_networks).toEqual(["10.0.0.0/24", "10.20.0.0/16", "192.0.2.7"]);
  });

  test('"any": each address has the networks of its own interface', () => {
    const machine = ["10.0.0.1", "192.0.2.1", "127.0.0.1"];
    const plan = planListeners(
      [entry({ address: "any", local_networks: ["10.20.0.0/16"] })],
      machine,
      networks,
    );
    const by = Object.fromEntries(plan.wanted.map((each) => [each.address, each.local_networks]));
    expect(by["10.0.0.1"]).toEqual(["10.0.0.0/24", "10.20.0.0/16"]);
    expect(by["192.0.2.1"]).toEqual(["10.20.0.0/16"]);
  });

  test("every network of it can be read", () => {
    const { wanted } = planListeners([entry({ local_networks: ["2001:db8::/32"] })], [], networks);
    expect(() => new Networks(wanted[0]!.local_networks)).not.toThrow();
  });
});

describe("NAT-17 real sockets", () => {
  let rig = new Rig();
  afterEach(async () => {
    await rig.transports.close();
  });

  async function listening(entries: readonly Partial<ListenEntry>[]): Promise<readonly LocalEndpoint[]> {
    rig = new Rig();
    const whole = entries.map((entry) => ({ transport: "udp", address: "127.0.0.1", port: 0, ...entry }));
    expect(await rig.transports.listen(whole, TCP, UDP)).toEqual([]);
    return rig.transports.endpoints();
  }

  for (const transport of ["udp", "tcp"])
    test(`${transport}: whom the interface's own network holds is told the address`, async () => {
      const [one] = await listening([{ transport, advertise: "203.0.113.5:5060" }]);
      expect(one!.sentBy).toBe("203.0.113.5:5060");
      expect(sentByFor(one!, "127.0.0.1")).toBe(`127.0.0.1:${one!.port}`);
      expect(sentByFor(one!, "127.8.9.10")).toBe(`127.0.0.1:${one!.port}`);
      expect(sentByFor(one!, "198.51.100.7")).toBe("203.0.113.5:5060");
    });

  test("flows show the same names", async () => {
    const [one] = await listening([{ advertise: "203.0.113.5:5060", local_networks: ["198.51.100.0/24"] }]);
    const flow = rig.transports.flowTo("udp", "127.0.0.1", 9, one)!;
    expect(sentByFor(flow.local, "198.51.100.7")).toBe(`127.0.0.1:${one!.port}`);
    expect(sentByFor(flow.local, "198.51.101.7")).toBe("203.0.113.5:5060");
  });
});
