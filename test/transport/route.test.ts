import { describe, expect, test } from "bun:test";
import { Route } from "../../src/transport/route.ts";
import { noSocketOptions } from "../../src/transport/socket-options.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const [loopback, lan, wan, six] = ["127.0.0.1", "192.0.2.7", "203.0.113.7", "2001:db8::7"].map((address) => ({
  endpoint: { transport: "udp" as const, address, port: 5060, sentBy: `${address}:5060` },
})) as [Leg, Leg, Leg, Leg];
type Leg = { endpoint: { transport: "udp"; address: string; port: number; sentBy: string } };
const LEGS = [loopback, lan, wan, six];

/** A machine whose kernel sends everything from the WAN leg, and counts how often it is asked. */
function onWan(): { route: Route; clock: VirtualClock; asked: string[] } {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const sourceAddress = (address: string): string => {
    asked.push(address);
    return wan.endpoint.address;
  };
  return { route: new Route(clock, { ...noSocketOptions, sourceAddress }), clock, asked };
}

describe("the way out of a machine with several legs", () => {
  test("the kernel's route decides", () => {
    expect(onWan().route.pick(LEGS, "198.51.100.1", undefined)).toBe(wan);
  });

  test("the endpoint named comes first, then its address with another port", () => {
    const { route, asked } = onWan();
    expect(route.pick(LEGS, "198.51.100.1", lan.endpoint)).toBe(lan);
    expect(route.pick(LEGS, "198.51.100.1", { ...lan.endpoint, port: 5080 })).toBe(lan);
    expect(route.pick(LEGS, "198.51.100.1", loopback.endpoint)).toBe(wan);
    expect(asked).toEqual(["198.51.100.1"]);
  });

  test("no answer from the kernel, or one we do not listen on: the first that is not loopback", () => {
    const { clock, route } = onWan();
    expect(new Route(clock, noSocketOptions).pick(LEGS, "198.51.100.1", undefined)).toBe(lan);
    expect(route.pick([loopback, lan, six, { ...lan }], "198.51.100.1", undefined)).toBe(lan);
  });

  test("one leg of the family: nobody is asked", () => {
    const { route, asked } = onWan();
    expect(route.pick(LEGS, "2001:db8::1", undefined)).toBe(six);
    expect(route.pick([loopback, lan], "198.51.100.1", undefined)).toBe(lan);
    expect(route.pick([loopback], "198.51.100.1", undefined)).toBeNull();
    expect(asked).toEqual([]);
  });

  test("loopback peers: from loopback when there is one, from any other when not", () => {
    const { route } = onWan();
    expect(route.pick(LEGS, "127.0.0.9", undefined)).toBe(loopback);
    expect(route.pick([lan, wan], "127.0.0.9", undefined)).toBe(lan);
  });

  test("an answer counts for ten seconds, or until addresses change", () => {
    const { route, clock, asked } = onWan();
    const ask = (): void => void route.pick(LEGS, "198.51.100.1", undefined);
    ask();
    clock.advance(9000);
    ask();
    expect(asked).toHaveLength(1);
    clock.advance(2000);
    ask();
    expect(asked).toHaveLength(2);
    route.forget();
    ask();
    expect(asked).toHaveLength(3);
  });
});
