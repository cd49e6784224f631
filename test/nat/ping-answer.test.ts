/** Which bytes count as the answer to a ping without being read whole: nothing but what names its number and token. */
import { describe, expect, test } from "bun:test";
import { KeptEndpoint } from "../../src/nat/keepalive-endpoint.ts";
import { readAnswer, requestUriFor } from "../../src/nat/keepalive-ping.ts";
import { PingWriter } from "../../src/nat/ping-writer.ts";

const KEPT = {
  transport: "udp",
  local_address: "192.0.2.1",
  local_port: 5060,
  remote_address: "198.51.100.20",
  remote_port: 40_000,
  id: "udp:192.0.2.1:5060>198.51.100.20:40000",
} as const;
const ENDPOINT = new KeptEndpoint(KEPT, 17, "Xk3_9aQ2");
ENDPOINT.cseq = 120;
const ALL = new Map([[17, ENDPOINT]]);

const answer = (branch: string, start = "SIP/2.0 200 OK"): Buffer =>
  Buffer.from(
    `${start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=${branch};rport\r\nCSeq: 1 OPTIONS\r\n\r\n`,
  );
const PARAM = ";branch=z9hG4bKka17.Xk3_9aQ2.120";
const written = (first: string, second = "l: 0", start = "SIP/2.0 200 OK"): Buffer =>
  Buffer.from(`${start}\r\n${first}\r\n${second}\r\nCSeq: 1 OPTIONS\r\n\r\n`);
const read = (bytes: Buffer) => readAnswer(bytes, ALL);

describe("read at once", () => {
  for (const [branch, cseq] of [
    ["z9hG4bKka17.Xk3_9aQ2.120", 120],
    ["z9hG4bKka17.Xk3_9aQ2.0", 0],
    ["z9hG4bKka17.Xk3_9aQ2.119", 119],
  ] as const)
    test(branch, () => expect(read(answer(branch))).toEqual({ endpoint: ENDPOINT, cseq }));

  test("a Via in compact form, nothing behind the branch, more Vias below", () => {
    expect(read(written(`v: SIP/2.0/UDP h${PARAM}`))?.cseq).toBe(120);
    expect(read(written(`Via: SIP/2.0/UDP h${PARAM}, SIP/2.0/UDP x`, "Via: SIP/2.0/UDP y"))?.cseq).toBe(120);
  });

  test("any final status", () => {
    for (const status of [200, 301, 404, 500, 603])
      expect(read(answer("z9hG4bKka17.Xk3_9aQ2.5", `SIP/2.0 ${status} `))?.cseq).toBe(5);
  });
});

describe("left to whoever reads it whole", () => {
  for (const [name, bytes] of [
    ["another token", answer("z9hG4bKka17.Xk3_9aQ3.120")],
    ["a shorter token", answer("z9hG4bKka17.Xk3_9aQ.120")],
    ["a token that goes on", answer("z9hG4bKka17.Xk3_9aQ2x.120")],
    ["no token", answer("z9hG4bKka17..120")],
    ["another number", answer("z9hG4bKka18.Xk3_9aQ2.120")],
    ["no number", answer("z9hG4bKka.Xk3_9aQ2.120")],
    ["a number beyond any", answer("z9hG4bKka17777777777.Xk3_9aQ2.120")],
    ["a ping that was not sent yet", answer("z9hG4bKka17.Xk3_9aQ2.121")],
    ["no CSeq", answer("z9hG4bKka17.Xk3_9aQ2.")],
    ["a CSeq beyond any", answer("z9hG4bKka17.Xk3_9aQ2.1202222222")],
    ["a branch of another kind", answer("z9hG4bK17.Xk3_9aQ2.120")],
    ["a provisional answer", answer("z9hG4bKka17.Xk3_9aQ2.120", "SIP/2.0 100 Trying")],
    ["a status that is none", answer("z9hG4bKka17.Xk3_9aQ2.120", "SIP/2.0 zzz")],
    ["a request", answer("z9hG4bKka17.Xk3_9aQ2.120", "OPTIONS sip:x SIP/2.0")],
    ["a branch far down", answer(`${"x".repeat(300)}z9hG4bKka17.Xk3_9aQ2.120`)],
    ["cut off in the token", answer("z9hG4bKka17.Xk3_9aQ2.120").subarray(0, 72)],
    ["a branch that goes on behind the CSeq", answer("z9hG4bKka17.Xk3_9aQ2.120x")],
    ["in another header above", written(`X-Old: y${PARAM}`, `Via: SIP/2.0/UDP h${PARAM}`)],
    ["in the reason", written("Via: SIP/2.0/UDP h;branch=z9hG4bKother", "l: 0", `SIP/2.0 200 OK${PARAM}`)],
    ["in the second Via", written("Via: SIP/2.0/UDP h;branch=z9hG4bKother", `Via: SIP/2.0/UDP h${PARAM}`)],
    ["in the second value", written(`Via: SIP/2.0/UDP h;branch=z9hG4bKother, SIP/2.0/UDP h${PARAM}`)],
    ["in no Via at all", written(`Vix: SIP/2.0/UDP h${PARAM}`)],
    ["as a host", written("Via: SIP/2.0/UDP z9hG4bKka17.Xk3_9aQ2.120;branch=z9hG4bKother")],
    ["nothing", Buffer.alloc(0)],
  ] as const)
    test(name, () => expect(read(bytes)).toBeNull());
});

test("what is written is what is read back, whatever the digits", () => {
  const writer = new PingWriter();
  const flow = {
    transport: "udp",
    reliable: false,
    local: { transport: "udp", address: "192.0.2.1", port: 5060, sentBy: "192.0.2.1:5060" },
    remoteAddress: "198.51.100.20",
    remotePort: 40_000,
  } as never;
  const words = { method: "options", from: null, extra_headers: ["X-A: b"] } as const;
  for (const [number, cseq] of [
    [0, 0],
    [9, 9],
    [10, 99],
    [199_999, 123_456_789],
  ] as const) {
    const endpoint = new KeptEndpoint(KEPT, number, "AAAA____");
    endpoint.uri = requestUriFor("sip:alice@192.168.1.10:5060;ob?x=y");
    endpoint.cseq = cseq;
    const ping = Buffer.from(writer.write(endpoint, flow, words)).toString("latin1");
    expect(ping.split("\r\n")).toEqual([
      "OPTIONS sip:alice@192.168.1.10:5060;ob SIP/2.0",
      `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKka${number}.AAAA____.${cseq + 1};rport`,
      "Max-Forwards: 70",
      "From: <sip:keepalive@192.0.2.1:5060>;tag=AAAA____",
      "To: <sip:alice@192.168.1.10:5060;ob>",
      `Call-ID: AAAA____-${number}`,
      `CSeq: ${cseq + 1} OPTIONS`,
      "X-A: b",
      "Content-Length: 0",
      "",
      "",
    ]);
    const back = Buffer.from(
      ping.replace("OPTIONS sip:alice@192.168.1.10:5060;ob SIP/2.0", "SIP/2.0 200 OK"),
    );
    expect(readAnswer(back, new Map([[number, endpoint]]))?.cseq).toBe(cseq + 1);
  }
});
