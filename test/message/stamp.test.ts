import { describe, expect, test } from "bun:test";
import { sameAddress } from "../../src/base/address.ts";
import { Edits } from "../../src/message/edits.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { stampVia } from "../../src/message/stamp.ts";
import { parseVia } from "../../src/message/via.ts";

/** The Via value after it arrived from address:port. */
function stamped(value: string, address: string, port: number): string {
  const bytes = Buffer.from(value, "latin1");
  const via = parseVia(bytes, 0, bytes.length);
  if (via instanceof ParseError) throw new Error(via.code);
  const edits = new Edits();
  stampVia(edits, via, address, port);
  return edits.apply(bytes, 0, bytes.length).toString("latin1");
}

describe("RFC 3261 §18.2.1 received", () => {
  test("sent-by is the source address: nothing is added", () => {
    expect(stamped("SIP/2.0/UDP 192.0.2.7;branch=b", "192.0.2.7", 5070)).toBe(
      "SIP/2.0/UDP 192.0.2.7;branch=b",
    );
  });
  test("sent-by is another address or a name: the source is added, the example of the section", () => {
    expect(stamped("SIP/2.0/UDP bobspc.biloxi.com:5060", "192.0.2.4", 5060)).toBe(
      "SIP/2.0/UDP bobspc.biloxi.com:5060;received=192.0.2.4",
    );
  });
  test("a value that the sender wrote there itself is replaced", () => {
    expect(stamped("SIP/2.0/UDP a ; received=198.51.100.1 ;branch=b", "192.0.2.4", 5060)).toBe(
      "SIP/2.0/UDP a  ;branch=b;received=192.0.2.4",
    );
    expect(stamped("SIP/2.0/UDP 192.0.2.4;received=198.51.100.1", "192.0.2.4", 5060)).toBe(
      "SIP/2.0/UDP 192.0.2.4",
    );
  });
  test("only the first of several values on the line is touched", () => {
    expect(stamped("SIP/2.0/UDP a;rport, SIP/2.0/UDP b;rport", "192.0.2.4", 9)).toBe(
      "SIP/2.0/UDP a;rport=9;received=192.0.2.4, SIP/2.0/UDP b;rport",
    );
  });
  test("IPv6: the same address written in another way is the same", () => {
    expect(stamped("SIP/2.0/UDP [2001:DB8:0::7]", "2001:db8::7", 5060)).toBe("SIP/2.0/UDP [2001:DB8:0::7]");
    expect(stamped("SIP/2.0/UDP [2001:db8::8]", "2001:db8::7", 5060)).toBe(
      "SIP/2.0/UDP [2001:db8::8];received=2001:db8::7",
    );
  });
});

describe("RFC 3581 §4 rport", () => {
  test("asked for: gets the source port, and received even where sent-by is the source", () => {
    expect(stamped("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff", "192.0.2.1", 9988)).toBe(
      "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1",
    );
    expect(stamped("SIP/2.0/UDP 192.0.2.1;rport", "192.0.2.1", 9988)).toBe(
      "SIP/2.0/UDP 192.0.2.1;rport=9988;received=192.0.2.1",
    );
  });
  test("a port that the sender wrote there itself is replaced", () => {
    expect(stamped("SIP/2.0/UDP 192.0.2.1;rport = 7;x", "192.0.2.1", 9988)).toBe(
      "SIP/2.0/UDP 192.0.2.1;rport=9988;x;received=192.0.2.1",
    );
  });
});

describe("hosts that are one", () => {
  test("names compare as text, IPv6 as addresses, and garbage is no error", () => {
    expect(sameAddress("a", "192.0.2.1")).toBe(false);
    expect(sameAddress("192.0.2.1", "192.0.2.1")).toBe(true);
    expect(sameAddress("0:0:0:0:0:0:0:1", "::1")).toBe(true);
    expect(sameAddress(":::::", "::1")).toBe(false);
    expect(sameAddress("1:2:3:4:5:6:7:8:9", "::1")).toBe(false);
  });
  test("an IPv4 sender and an IPv6 sent-by are never one, nor the other way round", () => {
    expect(sameAddress("::ffff:192.0.2.1", "192.0.2.1")).toBe(false);
    expect(sameAddress("::1", "fe80::1%eth0")).toBe(false);
    expect(sameAddress("192.0.2.1", "2001:db8::1")).toBe(false);
  });
});
