/** From a URI to places (RFC 3263 §4): which look-ups are made, in which order, and what they give. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import type { Place, Resolver, Service } from "../../src/dns/locate.ts";
import { Locator } from "../../src/dns/locate.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipUri } from "../../src/message/uri.ts";
import { parseUri } from "../../src/message/uri.ts";

/** As the proxy does it: a look-up only when the URI does not name its place itself. */
function locateWith(locator: Locator, uri: SipUri, found: (places: readonly Place[]) => void): void {
  const place = locator.literal(uri);
  if (place === "name") locator.lookUp(uri, found);
  else found(place === null ? [] : [place]);
}

type Zone = Readonly<Record<string, readonly string[] | readonly Service[] | Error>>;

function rig(zone: Zone = {}) {
  const asked: string[] = [];
  const answer = async (name: string): Promise<never> => {
    asked.push(name);
    const found = zone[name] ?? [];
    if (found instanceof Error) throw found;
    return found as never;
  };
  const resolver: Resolver = { addresses: answer, services: answer };
  const metrics = new Metrics();
  const locator = new Locator(resolver, metrics);
  const locate = (text: string): Promise<readonly Place[]> => {
    const uri = parseUri(text);
    if (uri instanceof ParseError) throw new Error(uri.code);
    return new Promise((resolve) => locateWith(locator, uri, resolve));
  };
  const value = (name: string) => metrics.collect().find((each) => each.name === name)!.samples[0]!.value;
  return { asked, locate, locator, value };
}

const shown = (places: readonly Place[]) => places.map((p) => `${p.transport} ${p.address} ${p.port}`);
const srv = (name: string, port: number, priority = 0, weight = 0): Service => ({
  name,
  port,
  priority,
  weight,
});

describe("RFC 3263 §4.1 literal addresses need no look-up", () => {
  const literals: readonly [string, string][] = [
    ["sip:a@192.0.2.7", "udp 192.0.2.7 5060"],
    ["sip:a@192.0.2.7:5080", "udp 192.0.2.7 5080"],
    ["sip:a@192.0.2.7;transport=tcp", "tcp 192.0.2.7 5060"],
    ["sip:a@192.0.2.7;transport=TCP", "tcp 192.0.2.7 5060"],
    ["sip:a@192.0.2.7;transport=tls", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7;transport=tcp", "tls 192.0.2.7 5061"],
    ["sips:a@192.0.2.7;transport=ws", "wss 192.0.2.7 443"],
    ["sip:a@192.0.2.7;transport=ws", "ws 192.0.2.7 80"],
    ["sip:a@[2001:db8::7]", "udp 2001:db8::7 5060"],
    ["sip:a@[2001:db8::7]:5070;transport=tcp", "tcp 2001:db8::7 5070"],
    ["sip:a@example.test;maddr=192.0.2.9", "udp 192.0.2.9 5060"],
    ["sip:a@192.0.2.7:5070;maddr=192.0.2.9", "udp 192.0.2.9 5070"],
  ];
  for (const [uri, place] of literals)
    test(`${uri}: ${place}, in the same turn`, () => {
      const { asked, locator } = rig();
      let found: readonly Place[] | null = null;
      locateWith(locator, parseUri(uri) as SipUri, (places) => {
        found = places;
      });
      expect(shown(found!)).toEqual([place]);
      expect(asked).toEqual([]);
    });

  for (const uri of [
    "sip:a@192.0.2.7;transport=sctp",
    "sips:a@192.0.2.7;transport=udp",
    "sip:a@host;transport=",
  ])
    test(`${uri}: no transport of ours, nowhere to go`, async () => {
      const { asked, locate } = rig();
      expect([await locate(uri), asked]).toEqual([[], []]);
    });
});

describe("RFC 3263 §4.2 names", () => {
  test("a port means addresses only, in the order of the resolver", async () => {
    const { asked, locate } = rig({ "gw.test": ["192.0.2.1", "2001:db8::1"] });
    expect(shown(await locate("sip:a@gw.test:5062"))).toEqual(["udp 192.0.2.1 5062", "udp 2001:db8::1 5062"]);
    expect(asked).toEqual(["gw.test"]);
  });

  test("a transport without a port: SRV of that transport alone", async () => {
    const { asked, locate } = rig({ "_sip._tcp.gw.test": [srv("s1.test", 5070)], "s1.test": ["192.0.2.1"] });
    expect(shown(await locate("sip:a@gw.test;transport=tcp"))).toEqual(["tcp 192.0.2.1 5070"]);
    expect(asked).toEqual(["_sip._tcp.gw.test", "s1.test"]);
  });

  test("sips: only the secure service is asked for, under its own name", async () => {
    const { asked, locate } = rig({ "gw.test": ["192.0.2.1"] });
    await locate("sips:a@gw.test");
    expect(asked.filter((name) => name.startsWith("_"))).toEqual(["_sips._tcp.gw.test"]);
  });

  test("neither: SRV of the transports, then addresses at the default port", async () => {
    const { asked, locate } = rig({ "gw.test": ["192.0.2.1"] });
    expect(shown(await locate("sip:a@gw.test"))).toEqual(["udp 192.0.2.1 5060"]);
    expect(asked).toEqual(["_sip._udp.gw.test", "_sip._tcp.gw.test", "gw.test"]);
  });

  test("SRV records: lowest priority first, greatest weight first within it", async () => {
    const { locate } = rig({
      "_sip._udp.gw.test": [srv("c.test", 3, 20, 0), srv("b.test", 2, 10, 10), srv("a.test", 1, 10, 90)],
      "a.test": ["192.0.2.1"],
      "b.test": ["192.0.2.2"],
      "c.test": ["192.0.2.3"],
    });
    expect(shown(await locate("sip:a@gw.test"))).toEqual([
      "udp 192.0.2.1 1",
      "udp 192.0.2.2 2",
      "udp 192.0.2.3 3",
    ]);
  });

  test("an SRV record of a dead name does not hide the next one", async () => {
    const { locate } = rig({
      "_sip._udp.gw.test": [srv("dead.test", 1, 1), srv("live.test", 2, 2)],
      "live.test": ["192.0.2.2"],
    });
    expect(shown(await locate("sip:a@gw.test"))).toEqual(["udp 192.0.2.2 2"]);
  });

  test("an SRV target that cannot be looked up does not hide the next one", async () => {
    const { locate } = rig({
      "_sip._udp.gw.test": [srv("ill.test", 1, 1), srv("live.test", 2, 2)],
      "ill.test": new Error("SERVFAIL"),
      "live.test": ["192.0.2.2"],
    });
    expect(shown(await locate("sip:a@gw.test"))).toEqual(["udp 192.0.2.2 2"]);
  });

  test("a server that fails on SRV does not hide the address", async () => {
    const { locate, value } = rig({
      "_sip._udp.gw.test": new Error("SERVFAIL"),
      "_sip._tcp.gw.test": new Error("SERVFAIL"),
      "gw.test": ["192.0.2.1"],
    });
    expect(shown(await locate("sip:a@gw.test"))).toEqual(["udp 192.0.2.1 5060"]);
    expect(value("sipedge_dns_failed_total")).toBe(2);
  });

  test("no such name: no place, no exception", async () => {
    expect(await rig().locate("sip:a@nowhere.test")).toEqual([]);
  });

  test("a look-up that fails: no place, counted, nothing left under way", async () => {
    const { locate, value } = rig({ "gw.test": new Error("TIMEOUT") });
    expect(await locate("sip:a@gw.test:5060")).toEqual([]);
    expect([value("sipedge_dns_failed_total"), value("sipedge_dns_underway")]).toEqual([1, 0]);
  });

  test("a maddr that is a name is looked up in place of the host", async () => {
    const { asked, locate } = rig({ "m.test": ["192.0.2.5"] });
    expect(shown(await locate("sip:a@gw.test:5061;maddr=m.test"))).toEqual(["udp 192.0.2.5 5061"]);
    expect(asked).toEqual(["m.test"]);
  });
});

describe("bounds", () => {
  test("a thousand addresses: sixteen places are kept", async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    expect(await rig({ "gw.test": many }).locate("sip:a@gw.test:5060")).toHaveLength(16);
  });

  test("a thousand look-ups under way: one more is refused at once and counted, and all end", async () => {
    let release: (addresses: readonly string[]) => void = () => {};
    const gate = new Promise<readonly string[]>((resolve) => {
      release = resolve;
    });
    const metrics = new Metrics();
    const locator = new Locator({ addresses: () => gate, services: async () => [] }, metrics);
    const value = (name: string) => metrics.collect().find((each) => each.name === name)!.samples[0]!.value;
    const uri = parseUri("sip:a@slow.test:5060") as never;
    const found: number[] = [];
    for (let i = 0; i < 1000; i++) locateWith(locator, uri, (places) => found.push(places.length));
    expect([found.length, value("sipedge_dns_underway")]).toEqual([0, 1000]);
    locateWith(locator, uri, (places) => found.push(places.length));
    expect([found, value("sipedge_dns_refused_total")]).toEqual([[0], 1]);
    // A literal address is served all the same.
    locateWith(locator, parseUri("sip:a@192.0.2.1") as never, (places) => found.push(places.length));
    expect(found).toEqual([0, 1]);
    release(["192.0.2.9"]);
    await gate;
    await Promise.resolve().then(() => undefined);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect([found.length, value("sipedge_dns_underway")]).toEqual([1002, 0]);
  });
});
