/** One listener behind a 1:1 NAT with phones on both sides: each sees the name that works for it (NAT-17, B-49). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { urisOf } from "../support/natted-phones.ts";
import { World } from "../support/world.ts";
import type { Call } from "./kit.ts";
import { entries, inside, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, setUp, text } from "./kit.ts";

/** A phone that knows the appliance by this address. */
class SitePhone extends Phone {
  readonly edge: string;
  readonly edgePort: number;

  constructor(world: World, name: string, address: string, edge: string, more: SiteOptions = {}) {
    super(world, name, address, 5060, more.transport ?? "udp");
    this.edge = edge;
    this.edgePort = more.port ?? 5060;
  }

  override send(message: string): void {
    this.host.send(message, this.edge, this.edgePort);
  }
}

interface SiteOptions {
  readonly port?: number;
  readonly advertise?: string;
  readonly transport?: "udp" | "tcp";
  readonly toml?: string;
}

interface Site {
  readonly inner: string;
  readonly outer: string;
  readonly lan: string;
  readonly phones: readonly [string, string];
  readonly wanPhones: readonly [string, string];
}

const V4: Site = {
  inner: "10.0.0.1",
  outer: "203.0.113.5",
  lan: "10.0.0.0/24",
  phones: ["10.0.0.7", "10.0.0.8"],
  wanPhones: ["198.51.100.7", "198.51.100.8"],
};
const V6: Site = {
  inner: "fd00::1",
  outer: "2001:db8:5::1",
  lan: "fd00::/64",
  phones: ["fd00::7", "fd00::8"],
  wanPhones: ["2001:db8:7::7", "2001:db8:7::8"],
};
const TRUSTED =
  '[auth]\ntrusted_networks = ["198.51.100.0/24", "10.0.0.0/24", "2001:db8:7::/48", "fd00::/64"]\n';

const bracketed = (address: string, port = 5060) =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** The appliance with that listener, and two phones on each side. */
function rig(site: Site = V4, options: SiteOptions = {}) {
  const { port = 5060, transport = "udp", advertise = bracketed(site.outer, port) } = options;
  const world = new World({ toml: TRUSTED + (options.toml ?? "") });
  world.network.oneToOne(site.outer, site.inner, [site.lan]);
  world.transports.listen(transport, site.inner, port, advertise, [site.lan]);
  const [lanA, lanB] = site.phones;
  const [wanA, wanB] = site.wanPhones;
  const lan = [
    new SitePhone(world, "lana", lanA, site.inner, options),
    new SitePhone(world, "lanb", lanB, site.inner, options),
  ] as const;
  const wan = [
    new SitePhone(world, "wana", wanA, site.outer, options),
    new SitePhone(world, "wanb", wanB, site.outer, options),
  ] as const;
  for (const phone of [...lan, ...wan]) phone.register();
  const names = { inner: bracketed(site.inner, port), outer: bracketed(site.outer, port) };
  return { world, lan, wan, ...names };
}

/** Host and port of each of our Record-Routes, topmost first. */
const recordRoutes = (arrived: Call["arrived"]) =>
  urisOf(arrived, H.RecordRoute).map((uri) => /@([^;]+)/.exec(uri)![1]!);
const viaOf = (arrived: Call["arrived"]) => /^SIP\/2\.0\/\w+ ([^;]+)/.exec(arrived.text(H.Via)!)![1]!;

/** Requests of both sides of a call, and its end. */
function talk(world: World, caller: Phone, callee: Phone, call: Call): void {
  expect(callee.count("ACK")).toBe(1);
  for (const [from, dialog, to] of [
    [caller, call.caller, callee],
    [callee, call.callee, caller],
  ] as const) {
    from.request("INVITE", dialog.target, inside(dialog, { cseq: 5 }));
    to.answer(to.incoming("INVITE"), 200);
    expect(from.last().status).toBe(200);
    const acks = to.count("ACK");
    from.request("ACK", dialog.target, inside(dialog, { cseq: 5 }));
    expect(to.count("ACK")).toBe(acks + 1);
    expect(entries(to.incoming("ACK"), H.Route)).toEqual([]);
  }
  callee.request("BYE", call.callee.target, inside(call.callee, { cseq: 9 }));
  caller.answer(caller.incoming("BYE"), 200);
  expect(callee.last().status).toBe(200);
  world.run(SETTLE_MS);
  expect(leftovers(world)).toEqual(NOTHING_LEFT);
}

for (const [family, site] of [
  ["IPv4", V4],
  ["IPv6", V6],
] as const)
  for (const transport of family === "IPv4" ? (["udp", "tcp"] as const) : (["udp"] as const))
    describe(`NAT-17, B-49 ${family} over ${transport}`, () => {
      test("LAN to WAN: outside the advertised name in Via and Record-Route, inside the address", () => {
        const { world, lan, wan, inner, outer } = rig(site, { transport });
        const call = setUp(lan[0], wan[0]);
        expect(viaOf(call.arrived)).toBe(outer);
        expect(recordRoutes(call.arrived)).toEqual([outer]);
        expect(recordRoutes(lan[0].answers("INVITE").at(-1)!)).toEqual([inner]);
        talk(world, lan[0], wan[0], call);
      });

      test("WAN to LAN: the other way round", () => {
        const { world, lan, wan, inner, outer } = rig(site, { transport });
        const call = setUp(wan[0], lan[0]);
        expect(viaOf(call.arrived)).toBe(inner);
        expect(recordRoutes(call.arrived)).toEqual([inner]);
        expect(recordRoutes(wan[0].answers("INVITE").at(-1)!)).toEqual([outer]);
        talk(world, wan[0], lan[0], call);
      });

      test("LAN to LAN: the address only, once", () => {
        const { world, lan, inner } = rig(site, { transport });
        const call = setUp(lan[0], lan[1]);
        expect(viaOf(call.arrived)).toBe(inner);
        expect(recordRoutes(call.arrived)).toEqual([inner]);
        talk(world, lan[0], lan[1], call);
      });

      test("WAN to WAN: the advertised name only, once", () => {
        const { world, wan, outer } = rig(site, { transport });
        const call = setUp(wan[0], wan[1]);
        expect(viaOf(call.arrived)).toBe(outer);
        expect(recordRoutes(call.arrived)).toEqual([outer]);
        talk(world, wan[0], wan[1], call);
      });

      test("CANCEL and the ACK of a refusal carry the Via of their INVITE", () => {
        const { lan, wan, outer } = rig(site, { transport });
        const sent = lan[0].request("INVITE", "sip:wana@example.test");
        wan[0].answer(wan[0].incoming("INVITE"), 180);
        lan[0].cancel(sent);
        expect(viaOf(wan[0].incoming("CANCEL"))).toBe(outer);
        wan[0].answer(wan[0].incoming("INVITE"), 487);
        expect(viaOf(wan[0].incoming("ACK"))).toBe(outer);
      });

      test("a Route with either name of ours is taken off", () => {
        const { lan, wan, inner, outer } = rig(site, { transport });
        const param = transport === "udp" ? "" : ";transport=tcp";
        for (const [i, route] of [
          `<sip:${inner}${param};lr>`,
          `<sip:${outer}${param};lr>`,
          `<sip:${outer}${param};lr>, <sip:${inner}${param};lr>`,
        ].entries())
          for (const phone of [lan[0], wan[0]]) {
            phone.request("MESSAGE", "sip:wanb@example.test", {
              callId: `${phone.name}-${i}`,
              headers: [`Route: ${route}`],
            });
            const arrived = wan[1].incoming("MESSAGE");
            expect([arrived.callId, entries(arrived, H.Route)]).toEqual([`${phone.name}-${i}`, []]);
          }
      });

      test("both names are ours in a Request-URI", () => {
        const { lan, inner, outer } = rig(site, { transport });
        for (const name of [inner, outer]) {
          lan[0].request("OPTIONS", `sip:${name}`, { callId: name });
          expect(lan[0].last().status).toBe(200);
        }
      });
    });

describe("NAT-17 answers", () => {
  for (const [name, from] of [
    ["outside", "wan"],
    ["inside", "lan"],
  ] as const)
    test(`an answer from ${name} is taken with either name of ours in its Via`, () => {
      const { lan, wan, inner, outer } = rig();
      const callee = from === "wan" ? wan[0] : lan[0];
      for (const [i, [told, other]] of [
        [inner, outer],
        [outer, inner],
      ].entries()) {
        lan[1].request("MESSAGE", `sip:${callee.name}@example.test`, {
          callId: `m${i}`,
          branch: `z9hG4bKm${i}`,
        });
        const arrived = callee.incoming("MESSAGE");
        const answer = [
          "SIP/2.0 200 OK",
          ...arrived.texts(H.Via).map((via) => `Via: ${via.replace(told!, other!)}`),
          `From: ${arrived.text(H.From)}`,
          `To: ${arrived.text(H.To)};tag=x`,
          `Call-ID: ${arrived.callId}`,
          "CSeq: 1 MESSAGE",
          "Content-Length: 0",
          "",
          "",
        ].join("\r\n");
        callee.flowOf(arrived).send(Buffer.from(answer, "latin1"));
        lan[1].world.run(20);
        expect(lan[1].statuses("MESSAGE")).toHaveLength(i + 1);
      }
    });
});

describe("NAT-17 registrations", () => {
  test("B-04 Service-Route: each side's own name", () => {
    const { lan, wan, inner, outer } = rig(V4, { toml: "[registrar]\nservice_route = true\n" });
    const told = (phone: Phone) => /Service-Route: <sip:([^;]+);/.exec(text(phone.last()))?.[1];
    expect(told(lan[0])).toBe(inner);
    expect(told(wan[0])).toBe(outer);
  });

  for (const [side, registrar, phone] of [
    ["inside", "10.0.0.50", "wan"],
    ["outside", "198.51.100.50", "lan"],
  ] as const)
    test(`B-02 Path: a registrar ${side} is told the name it can reach, and its calls come back by it`, () => {
      const toml = `[[peer]]\nname = "pbx"\nuris = ["sip:${registrar}"]\nserves = ["pbx.test"]\nprobe_s = 0\n`;
      const { world, lan, wan, inner, outer } = rig(V4, { toml });
      const pbx = new SitePhone(world, "pbx", registrar, side === "inside" ? V4.inner : V4.outer);
      const caller = phone === "wan" ? wan[0] : lan[0];
      caller.request("REGISTER", "sip:pbx.test", {
        to: "<sip:x@pbx.test>",
        from: "<sip:x@pbx.test>",
        callId: "served",
      });
      const [path] = entries(pbx.incoming("REGISTER"), H.Path);
      expect(path).toContain(`@${side === "inside" ? inner : outer};`);
      pbx.request("INVITE", caller.contact, { headers: [`Route: ${path}`, `Contact: <${pbx.contact}>`] });
      expect(caller.incoming("INVITE").uriText).toBe(caller.contact);
    });
});

describe("NAT-17 advertised names", () => {
  for (const [name, options] of [
    ["without a port, on 5060", { advertise: "203.0.113.5" }],
    ["a host name", { advertise: "edge.example.org:5060" }],
    ["a host name in capitals", { advertise: "Edge.Example.ORG:5060" }],
    ["a host name without a port", { advertise: "edge.example.org" }],
    ["another port of ours", { port: 5070 }],
    ["without a port, on 5070", { port: 5070, advertise: "203.0.113.5" }],
  ] as const)
    test(`${name}: calls between the sides, all requests both ways`, () => {
      const { world, lan, wan } = rig(V4, options);
      talk(world, lan[0], wan[0], setUp(lan[0], wan[0]));
      talk(world, wan[1], lan[1], setUp(wan[1], lan[1]));
    });

  test("an answer whose Via has the advertised host name in lower case is taken", () => {
    const { world, lan, wan } = rig(V4, { advertise: "Edge.Example.ORG:5060" });
    lan[0].request("MESSAGE", "sip:wana@example.test");
    const arrived = wan[0].incoming("MESSAGE");
    expect(viaOf(arrived).toLowerCase()).toBe("edge.example.org:5060");
    wan[0].answer(arrived, 200);
    world.run(20);
    expect(lan[0].statuses("MESSAGE")).toEqual([200]);
  });

  test("without advertise everybody is told the address", () => {
    const { wan, lan, inner } = rig(V4, { advertise: "10.0.0.1:5060" });
    lan[0].request("INVITE", "sip:wana@example.test");
    expect(recordRoutes(wan[0].incoming("INVITE"))).toEqual([inner]);
  });
});
