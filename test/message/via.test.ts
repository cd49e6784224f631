import { describe, expect, test } from "bun:test";
import { ParseError } from "../../src/message/parse-error.ts";
import type { Via } from "../../src/message/via.ts";
import { parseVia } from "../../src/message/via.ts";

function read(text: string): Via | ParseError {
  const bytes = Buffer.from(text, "latin1");
  return parseVia(bytes, 0, bytes.length);
}

function via(text: string): Via {
  const parsed = read(text);
  if (parsed instanceof ParseError) throw new Error(`${text}: ${parsed.code} at ${parsed.offset}`);
  return parsed;
}

const codeOf = (text: string) => {
  const parsed = read(text);
  return parsed instanceof ParseError ? parsed.code : "no error";
};

describe("RFC 3261 §20.42 Via", () => {
  const wellFormed: readonly [string, Partial<Via>][] = [
    [
      "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7",
      {
        transport: "UDP",
        host: "erlang.bell-telephone.com",
        port: 5060,
        branch: "z9hG4bK87asdks7",
        received: null,
      },
    ],
    [
      "SIP/2.0/UDP 192.0.2.1:5060 ;received=192.0.2.207",
      { host: "192.0.2.1", received: "192.0.2.207", branch: null },
    ],
    [
      "SIP / 2.0 / UDP first.example.com: 4000;ttl=16\r\n ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
      {
        transport: "UDP",
        host: "first.example.com",
        port: 4000,
        maddr: "224.2.0.1",
        branch: "z9hG4bKa7c6a8dlze.1",
      },
    ],
    ["sip/2.0/tcp Host.Example", { transport: "TCP", host: "host.example", port: null }],
    ["SIP/2.0/TLS-SCTP h", { transport: "TLS-SCTP" }],
    ["SIP/2.0/UDP [2001:DB8::9:1]:6050;branch=b", { host: "2001:db8::9:1", port: 6050 }],
    ["SIP/2.0/UDP [::1];received=[2001:db8::2]", { host: "::1", port: null, received: "[2001:db8::2]" }],
    ["SIP/2.0/UDP h;received=2001:db8::2;branch=b", { received: "2001:db8::2", branch: "b" }],
    ["SIP/2.0/UDP h\t:\t5070", { port: 5070 }],
    ["SIP/2.0/UDP h;BRANCH=z9hG4bK1;RPORT", { branch: "z9hG4bK1", rport: -1 }],
    ['SIP/2.0/UDP h;x="a;b,c\\"d";branch=b', { branch: "b" }],
    ["SIP/2.0/UDP h;branch=a,SIP/2.0/UDP i;branch=b", { host: "h", branch: "a" }],
    ["SIP/2.0/UDP h;extension;other=1;branch = b", { branch: "b" }],
  ];
  for (const [text, fields] of wellFormed) test(text, () => expect(via(text)).toMatchObject(fields));

  const malformed: readonly [string, string][] = [
    ["", "via_protocol"],
    ["HTTP/2.0/UDP h", "via_protocol"],
    ["SIP/3.0/UDP h", "via_version"],
    ["SIP/2.0 UDP h", "via_version"],
    ["SIP/2.0/ h", "via_transport"],
    ["SIP/2.0/UDP", "via_transport"],
    ["SIP/2.0/UDPh", "via_transport"],
    ["SIP/2.0/UDP ", "via_host"],
    ["SIP/2.0/UDP ;branch=b", "via_host"],
    ["SIP/2.0/UDP [::1", "via_host"],
    ["SIP/2.0/UDP []", "via_host"],
    ["SIP/2.0/UDP h:", "via_port"],
    ["SIP/2.0/UDP h:0", "via_port"],
    ["SIP/2.0/UDP h:65536", "via_port"],
    ["SIP/2.0/UDP h:99999999999999999999", "via_port"],
    ["SIP/2.0/UDP h x", "via_param"],
    ["SIP/2.0/UDP h;", "via_param"],
    ["SIP/2.0/UDP h;;branch=b", "via_param"],
    ["SIP/2.0/UDP h;branch=", "via_param_value"],
    ['SIP/2.0/UDP h;x="open', "via_param_value"],
    ['SIP/2.0/UDP h;branch=a"b', "via_param_value"],
    ["SIP/2.0/UDP h;branch=a\0b", "via_param_value"],
  ];
  for (const [text, code] of malformed)
    test(`${JSON.stringify(text)}: ${code}`, () => expect(codeOf(text)).toBe(code));

  test("the range of the first value: without the comma and the space around it", () => {
    const text = "SIP/2.0/UDP h;branch=a , SIP/2.0/UDP i";
    const { start, end } = via(text);
    expect(text.slice(start, end)).toBe("SIP/2.0/UDP h;branch=a");
  });

  test("cut off anywhere: refused, or what stands before the cut, and nothing from the next line", () => {
    const text = "SIP/2.0/UDP [2001:db8::1]:5070;rport=12;received=192.0.2.9;branch=z9hG4bKx;maddr=h";
    for (let end = 0; end <= text.length; end++) {
      const bytes = Buffer.from(`${text.slice(0, end)}\r\n;branch=beyond`, "latin1");
      const parsed = parseVia(bytes, 0, end);
      if (parsed instanceof ParseError) continue;
      expect(parsed.end).toBeLessThanOrEqual(end);
      expect("z9hG4bKx").toStartWith(parsed.branch ?? "");
      expect("2001:db8::1").toBe(parsed.host);
    }
  });
});

describe("RFC 3581 §3 rport", () => {
  test("without value: asked for; with one: its number; absent: null", () => {
    expect(via("SIP/2.0/UDP h;rport").rport).toBe(-1);
    expect(via("SIP/2.0/UDP h;rport=5062").rport).toBe(5062);
    expect(via("SIP/2.0/UDP h").rport).toBeNull();
  });
  test("no number: malformed", () => {
    expect(codeOf("SIP/2.0/UDP h;rport=x")).toBe("via_rport");
    expect(codeOf("SIP/2.0/UDP h;rport=1.5")).toBe("via_rport");
    expect(codeOf("SIP/2.0/UDP h;rport=1e3")).toBe("via_rport");
    expect(codeOf("SIP/2.0/UDP h;rport=0x10")).toBe("via_rport");
    expect(codeOf("SIP/2.0/UDP h;rport=65536")).toBe("via_rport");
  });
  test("ranges name the bytes to be changed", () => {
    const text = "SIP/2.0/UDP h ; received=192.0.2.3 ;rport = 5; branch=b";
    const parsed = via(text);
    expect(text.slice(parsed.rportStart, parsed.rportEnd)).toBe("rport = 5");
    expect(text.slice(parsed.receivedStart, parsed.receivedEnd)).toBe("; received=192.0.2.3");
  });
});
