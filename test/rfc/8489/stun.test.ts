/** STUN Binding beside SIP: RFC 8489, with the vectors of RFC 5769, and RFC 5626 §8. */
import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { isStun, stunAnswer } from "../../../src/transport/stun.ts";
import { Edge } from "../../support/edge.ts";
import { eventually } from "../../support/process.ts";

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ""), "hex");

/** RFC 5769 §2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY, FINGERPRINT. */
const SAMPLE = hex(`
  00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf`);
const ID = "b7e7a701 bc34d686 fa87dfae";
const request = (attributes = "", head = "0001", cookie = "2112a442"): Buffer => {
  const body = hex(attributes);
  return Buffer.concat([hex(`${head} ${body.length.toString(16).padStart(4, "0")} ${cookie} ${ID}`), body]);
};

describe("NAT-21 RFC 8489 §7.3.1 a Binding request is answered", () => {
  test("RFC 5769 §2.2 XOR-MAPPED-ADDRESS of an IPv4 source", () => {
    const answer = stunAnswer(request(), "192.0.2.1", 32_853);
    expect(answer).toEqual(hex(`0101000c 2112a442 ${ID} 00200008 0001a147 e112a643`));
  });

  test("RFC 5769 §2.3 XOR-MAPPED-ADDRESS of an IPv6 source", () => {
    const answer = stunAnswer(request(), "2001:db8:1234:5678:11:2233:4455:6677", 32_853);
    expect(answer).toEqual(
      hex(`01010018 2112a442 ${ID} 00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9`),
    );
  });

  test("RFC 5769 §2.1 its fingerprint is right; PRIORITY is unknown here: 420 that names it, with a fingerprint", () => {
    const answer = stunAnswer(SAMPLE, "192.0.2.1", 32_853)!;
    expect(answer.readUInt16BE(0)).toBe(0x0111);
    expect(answer.subarray(20, 36)).toEqual(hex("00090004 00000414 000a0002 00240000"));
    expect(answer.readUInt16BE(36)).toBe(0x8028);
  });

  test("§14.7 a wrong fingerprint is no STUN: nothing", () => {
    const wrong = Buffer.from(SAMPLE);
    wrong[30]! ^= 1;
    expect(stunAnswer(wrong, "192.0.2.1", 32_853)).toBeNull();
  });

  test("§14.7 a request with a fingerprint gets its answer with one", () => {
    const fingerprint = (head: Buffer): Buffer => {
      const out = Buffer.from("8028000400000000", "hex");
      out.writeUInt32BE((crc32(head) ^ 0x5354554e) >>> 0, 4);
      return Buffer.concat([head, out]);
    };
    expect(fingerprint(SAMPLE.subarray(0, -8))).toEqual(SAMPLE);
    const asked = fingerprint(hex(`0001 0008 2112a442 ${ID}`));
    const head = hex(`01010014 2112a442 ${ID} 00200008 0001a147 e112a643`);
    expect(stunAnswer(asked, "192.0.2.1", 32_853)).toEqual(fingerprint(head));
  });

  test("§14 what need not be understood is not looked at", () => {
    const answer = stunAnswer(request("80220004 74657374"), "192.0.2.1", 5060);
    expect(answer?.readUInt16BE(0)).toBe(0x0101);
  });

  test("a client of RFC 3489, without cookie, gets MAPPED-ADDRESS", () => {
    const answer = stunAnswer(request("", "0001", "01020304"), "192.0.2.1", 5060)!;
    expect(answer.subarray(20)).toEqual(hex("00010008 000113c4 c0000201"));
  });

  test("RFC 5769 §2.4 USERNAME, NONCE, REALM and MESSAGE-INTEGRITY are known, and nobody asked for them", () => {
    const sample = hex(`
      00010060 2112a442 78ad3433 c6ad72c0 29da412e
      00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
      0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
      0014000b 6578616d 706c652e 6f726700
      00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`);
    const answer = stunAnswer(sample, "192.0.2.1", 32_853);
    expect(answer).toEqual(hex("0101000c 2112a442 78ad3433c6ad72c029da412e 00200008 0001a147 e112a643"));
  });

  for (const type of ["0001", "0009", "000a", "001c", "001d", "001e", "0020"])
    test(`§6.3 0x${type} is known and has no business here: ignored`, () =>
      expect(stunAnswer(request(`${type}0004 00000000`), "192.0.2.1", 5060)?.readUInt16BE(0)).toBe(0x0101));

  test("§6.3.1.1 all that is not understood is named, eight at most", () => {
    const answer = stunAnswer(request("00240004 00000000 00250000"), "192.0.2.1", 5060)!;
    expect(answer).toEqual(hex(`01110010 2112a442 ${ID} 00090004 00000414 000a0004 00240025`));
    const many = stunAnswer(request("00250000".repeat(50)), "192.0.2.1", 5060)!;
    expect(many.readUInt16BE(30)).toBe(16);
    expect(many.length).toBe(48);
  });

  test("§14.5 what stands behind MESSAGE-INTEGRITY is ignored", () => {
    const answer = stunAnswer(request(`00080014 ${"00".repeat(20)} 00250000`), "192.0.2.1", 5060);
    expect(answer?.readUInt16BE(0)).toBe(0x0101);
  });

  test("RFC 5780 §7.2 another sender of the answer is not to be had: 420", () => {
    for (const flags of ["00000002", "00000004", "00000006"]) {
      const answer = stunAnswer(request(`00030004 ${flags}`), "192.0.2.1", 5060)!;
      expect(answer.subarray(20)).toEqual(hex("00090004 00000414 000a0002 00030000"));
    }
    expect(stunAnswer(request("00030004 00000000"), "192.0.2.1", 5060)?.readUInt16BE(0)).toBe(0x0101);
  });

  test("RFC 3489 §11.2.4 a client without cookie would take an error for the other sender's answer: nothing", () => {
    const classic = (flags: string) => request(`00030004 ${flags}`, "0001", "01020304");
    expect(stunAnswer(classic("00000006"), "192.0.2.1", 5060)).toBeNull();
    expect(stunAnswer(classic("00000000"), "192.0.2.1", 5060)?.readUInt16BE(0)).toBe(0x0101);
  });
});

describe("what gets no answer", () => {
  for (const [name, bytes] of [
    ["an indication", request("", "0011")],
    ["a success answer", request("", "0101")],
    ["another method (Allocate)", request("", "0003")],
    ["a length that does not fit", Buffer.concat([request(), Buffer.alloc(4)])],
    [
      "a length that is no multiple of four",
      Buffer.concat([hex(`0001 0002 2112a442 ${ID}`), Buffer.alloc(2)]),
    ],
    ["an attribute beyond the end", request("80220010 74657374")],
    ["half an attribute header", Buffer.concat([hex(`0001 0004 2112a442 ${ID}`), hex("80220001")])],
    ["something behind the fingerprint", Buffer.concat([SAMPLE, hex("80220000")])],
    ["zero bytes", Buffer.alloc(4)],
    ["nothing", Buffer.alloc(0)],
  ] as const)
    test(name, () => expect(stunAnswer(bytes, "192.0.2.1", 5060)).toBeNull());

  test("SIP, CRLF pings and DNS are no STUN", () => {
    for (const text of [
      "OPTIONS sip:a@b SIP/2.0\r\n\r\n",
      "\r\n\r\n",
      "\r\n".repeat(20),
      "SIP/2.0 200 OK\r\n\r\n",
    ])
      expect(isStun(Buffer.from(text))).toBe(false);
  });

  test("anything at all: never an exception, and never much more than came", () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(SAMPLE, request(), request("80220004 74657374")),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      )
      .map(([base, edits]) => {
        const bytes = Buffer.from(base);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    const any = fc.oneof(
      mutated,
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(
        any,
        fc.constantFrom("192.0.2.1", "2001:db8::7", "fe80::1%eth0"),
        fc.nat(65_535),
        (bytes, from, port) => {
          const answer = stunAnswer(bytes, from, port);
          if (answer === null) return;
          expect(bytes.readUInt16BE(0)).toBe(0x0001); // nothing but a Binding request
          expect(answer.length).toBeLessThanOrEqual(bytes.length + 24);
          expect(answer.readUInt16BE(2)).toBe(answer.length - 20);
          expect(answer.subarray(4, 20)).toEqual(bytes.subarray(4, 20));
          expect(stunAnswer(answer, from, port)).toBeNull(); // two of us never talk for ever
        },
      ),
      { numRuns: 5000 },
    );
  });
});

test("NAT-27 RFC 5626 §8 on the SIP port of a running appliance, with SIP beside it", async () => {
  const edge = await Edge.start({ addresses: ["127.0.0.1"] });
  const heard: Buffer[] = [];
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: (_socket, bytes) => void heard.push(Buffer.from(bytes)) },
  });
  try {
    socket.send(request(), edge.port, "127.0.0.1");
    await eventually("the STUN answer", () => heard.length > 0);
    const xored = Buffer.from(heard[0]!.subarray(26, 28));
    expect(xored.readUInt16BE(0) ^ 0x2112).toBe(socket.port);
    socket.send(
      `OPTIONS sip:${edge.hostPort} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.port};branch=z9hG4bKs\r\n` +
        `From: <sip:a@b.test>;tag=1\r\nTo: <sip:${edge.hostPort}>\r\nCall-ID: stun\r\nCSeq: 1 OPTIONS\r\n` +
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
      edge.port,
      "127.0.0.1",
    );
    await eventually("the SIP answer", () => heard.length > 1);
    expect(heard[1]!.toString("latin1")).toStartWith("SIP/2.0 200 ");
  } finally {
    socket.close();
    await edge.stop();
  }
});
