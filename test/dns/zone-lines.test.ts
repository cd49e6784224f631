/** What `sipedge dns-records` prints. */
import { describe, expect, test } from "bun:test";
import { zoneLines } from "../../src/dns/zone-lines.ts";

const LISTENERS = [
  { transport: "udp", host: "203.0.113.5", port: 5060 },
  { transport: "tcp", host: "203.0.113.5", port: 5060 },
  { transport: "tls", host: "2001:db8::5", port: 5061 },
] as const;

describe("DNS-15 the records by which phones find this appliance", () => {
  test("a zone file: NAPTR by preference, SRV, addresses (RFC 1035 §5.1)", () => {
    expect(
      zoneLines({
        domains: ["Example.test", "192.0.2.1"],
        listeners: LISTENERS,
        ttl_s: 3600,
        format: "zone",
      }),
    ).toEqual([
      'example.test. 3600 IN NAPTR 10 50 "s" "SIPS+D2T" "" _sips._tcp.example.test.',
      'example.test. 3600 IN NAPTR 20 50 "s" "SIP+D2T" "" _sip._tcp.example.test.',
      'example.test. 3600 IN NAPTR 30 50 "s" "SIP+D2U" "" _sip._udp.example.test.',
      "_sips._tcp.example.test. 3600 IN SRV 10 10 5061 sip2.example.test.",
      "_sip._tcp.example.test. 3600 IN SRV 10 10 5060 sip.example.test.",
      "_sip._udp.example.test. 3600 IN SRV 10 10 5060 sip.example.test.",
      "sip.example.test. 3600 IN A 203.0.113.5",
      "sip2.example.test. 3600 IN AAAA 2001:db8::5",
    ]);
  });

  test("two addresses with the same listeners share a name, and its SRV record", () => {
    const listeners = ["203.0.113.5", "2001:db8::5"].map(
      (host) => ({ transport: "udp", host, port: 5060 }) as const,
    );
    expect(zoneLines({ domains: ["a.test"], listeners, ttl_s: 60, format: "zone" }).slice(1)).toEqual([
      "_sip._udp.a.test. 60 IN SRV 10 10 5060 sip.a.test.",
      "sip.a.test. 60 IN A 203.0.113.5",
      "sip.a.test. 60 IN AAAA 2001:db8::5",
    ]);
  });

  test("the same for dnsmasq, with a listener that is advertised by name", () => {
    const listeners = [{ transport: "udp", host: "edge.example.test", port: 5070 }] as const;
    expect(zoneLines({ domains: ["example.test"], listeners, ttl_s: 60, format: "dnsmasq" })).toEqual([
      "naptr-record=example.test,10,50,s,SIP+D2U,,_sip._udp.example.test",
      "srv-host=_sip._udp.example.test,edge.example.test,5070,10,10",
    ]);
  });
});
