import { describe, expect, test } from "bun:test";
import type { ListenEntry } from "../../src/transport/listen-plan.ts";
import { listenFailure, planListeners } from "../../src/transport/listen-plan.ts";

const MACHINE = ["127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"];
const udp = (address: string, port = 5060, advertise?: string): ListenEntry =>
  advertise === undefined
    ? { transport: "udp", address, port }
    : { transport: "udp", address, port, advertise };

const sockets = (entries: ListenEntry[]): string[] =>
  planListeners(entries, MACHINE).wanted.map(({ key, advertise }) =>
    advertise ? `${key} as ${advertise}` : key,
  );
const complaints = (entries: ListenEntry[]): [number, string, string][] =>
  planListeners(entries, MACHINE).failures.map(({ index, code, message }) => [index, code, message]);

describe("listen entries", () => {
  test("an address is one socket; any is one per local address", () => {
    expect(sockets([udp("192.0.2.7"), { transport: "tcp", address: "any", port: 5062 }])).toEqual([
      "udp 192.0.2.7:5060",
      "tcp 127.0.0.1:5062",
      "tcp 192.0.2.7:5062",
      "tcp [::1]:5062",
      "tcp [2001:db8::7]:5062",
    ]);
  });

  test("an address listed beside any keeps its own name, in either order", () => {
    const own = udp("192.0.2.7", 5060, "sip.example.test:5060");
    for (const entries of [
      [own, udp("any")],
      [udp("any"), own],
    ]) {
      expect(sockets(entries)).toContain("udp 192.0.2.7:5060 as sip.example.test:5060");
      expect(sockets(entries)).toHaveLength(4);
      expect(complaints(entries)).toEqual([]);
    }
  });

  test("any with a name: not on loopback, nor on the other family of an IP literal", () => {
    expect(sockets([udp("any", 5060, "203.0.113.5:5060")])).toEqual([
      "udp 127.0.0.1:5060",
      "udp 192.0.2.7:5060 as 203.0.113.5:5060",
      "udp [::1]:5060",
      "udp [2001:db8::7]:5060",
    ]);
    expect(sockets([udp("any", 5060, "[2001:db8::99]:5060")])[3]).toEndWith("as [2001:db8::99]:5060");
    expect(
      sockets([udp("any", 5060, "sip.example.test")]).filter((line) => line.includes(" as ")),
    ).toHaveLength(2);
  });

  test("IPv6 in any spelling is the same socket", () => {
    expect(sockets([udp("2001:DB8:0:0:0:0:0:7")])).toEqual(["udp [2001:db8::7]:5060"]);
  });

  test("port 0 twice is two sockets", () => {
    expect(sockets([udp("127.0.0.1", 0), udp("127.0.0.1", 0)])).toHaveLength(2);
  });
});

describe("listen entries that cannot be", () => {
  const cases: [string, ListenEntry, RegExp][] = [
    ["wildcard IPv4", udp("0.0.0.0"), /use "any"/],
    ["wildcard IPv6", udp("::"), /use "any"/],
    ["wildcard IPv6 in full", udp("0:0:0:0:0:0:0:0"), /use "any"/],
    ["IPv4-mapped", udp("::ffff:192.0.2.7"), /write it as IPv4/],
    ["link-local", udp("fe80::1"), /link-local/],
    ["link-local with its interface", udp("fe80::1%eth0"), /link-local/],
    ["a name", udp("sip.example.test"), /neither an IP address nor "any"/],
    ["another transport", { transport: "sctp", address: "any", port: 5061 }, /use udp, tcp, tls, ws, wss/],
    ["a port out of range", udp("any", 70_000), /not between 0 and 65535/],
  ];
  for (const [name, entry, sentence] of cases) {
    test(name, () => {
      const found = complaints([udp("127.0.0.1"), entry]);
      expect(found.map(([index, code]) => [index, code])).toEqual([[1, "EINVAL"]]);
      expect(found[0]?.[2]).toMatch(sentence);
    });
  }

  test("the same socket listed twice", () => {
    expect(complaints([udp("127.0.0.1"), udp("127.0.0.1")])).toEqual([
      [1, "EADDRINUSE", "udp 127.0.0.1:5060 is listed twice (also as entry 0)"],
    ]);
  });
});

describe("sentences for what the system says", () => {
  const [wanted] = planListeners([udp("2001:db8::7", 80)], MACHINE).wanted;
  for (const [code, sentence] of [
    [
      "EADDRINUSE",
      "udp [2001:db8::7]:80 is already in use by another program (perhaps a sipedge that still runs)",
    ],
    ["EADDRNOTAVAIL", "udp [2001:db8::7]:80: 2001:db8::7 is not an address of this machine"],
    [
      "EACCES",
      "udp [2001:db8::7]:80: port 80 needs a privilege this process does not have (CAP_NET_BIND_SERVICE)",
    ],
    ["EMFILE", "udp [2001:db8::7]:80 cannot be opened (EMFILE)"],
  ] as const) {
    test(code, () => expect(listenFailure(wanted!, code)).toEqual({ index: 0, code, message: sentence }));
  }
});
