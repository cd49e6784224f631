import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ParseError } from "../../src/message/parse-error.ts";
import { readSdp, SDP_MEDIA_MAX, Sdp } from "../../src/message/sdp.ts";
import { SDP_BYTES_MAX, SDP_LINES_MAX } from "../../src/message/sdp-lines.ts";
import { SDP_FORMATS_MAX } from "../../src/message/sdp-section.ts";
import { CHROME, CISCO, crlf, SAMPLES, sdpOf, streamsOf } from "./sdp-samples.ts";

const read = (text: string): Sdp | ParseError => {
  const bytes = Buffer.from(text, "latin1");
  return readSdp(bytes, 0, bytes.length);
};
const codeOf = (text: string) => {
  const sdp = read(text);
  return sdp instanceof ParseError ? sdp.code : "read";
};
const SESSION = crlf("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0");

describe("SIP-45, B-58 descriptions as they are sent", () => {
  for (const { name, text, streams } of SAMPLES)
    test(name, () => expect(streamsOf(sdpOf(text))).toEqual([...streams]));
});

describe("B-58 a=rtcp (RFC 3605 §2.1)", () => {
  const stream = (...lines: string[]) => sdpOf(SESSION + crlf("m=audio 5004 RTP/AVP 0", ...lines)).media[0]!;

  test("without address: the port, at the address of c=", () => {
    const media = stream("a=rtcp:53020");
    expect([media.rtcpPort, media.rtcpAddress?.address]).toEqual([53020, "192.0.2.1"]);
  });
  test("with an address of its own", () => {
    const media = stream("a=rtcp:53020 IN IP6 2001:db8::1");
    expect([media.rtcpPort, media.rtcpAddress?.address, media.rtcpAddress?.family]).toEqual([
      53020,
      "2001:db8::1",
      6,
    ]);
  });
  test("none: the port above", () => expect(stream().rtcpPort).toBe(5005));
  for (const value of ["", "x", "70000", "-1"])
    test(`a=rtcp:${value} is not gone by`, () => expect(stream(`a=rtcp:${value}`).rtcpPort).toBe(5005));
  test("no port is above 65535", () =>
    expect(sdpOf(`${SESSION}m=audio 65535 RTP/AVP 0\r\n`).media[0]!.rtcpPort).toBe(0));
});

describe("B-57 payload types", () => {
  test("name, clock rate, channels and parameters; a=rtpmap overrides the static one", () => {
    const [media] = sdpOf(
      SESSION +
        crlf(
          "m=audio 5004 RTP/AVP 18 0 96 97",
          "a=rtpmap:96 opus/48000/2",
          "a=fmtp:96 stereo=1",
          "a=rtpmap:0 X/16000",
        ),
    ).media;
    expect(media!.payloads).toEqual([
      { type: 18, name: "G729", clock_hz: 8000, channels: 1, fmtp: null },
      { type: 0, name: "X", clock_hz: 16000, channels: 1, fmtp: null },
      { type: 96, name: "opus", clock_hz: 48000, channels: 2, fmtp: "stereo=1" },
      { type: 97, name: "", clock_hz: 0, channels: 1, fmtp: null },
    ]);
  });
  test("an a=rtpmap of one stream says nothing of another's", () => {
    const sdp = sdpOf(
      SESSION + crlf("m=audio 5004 RTP/AVP 96", "a=rtpmap:96 iLBC/8000", "m=audio 5006 RTP/AVP 96"),
    );
    expect(sdp.media.map(({ payloads }) => payloads[0]!.name)).toEqual(["iLBC", ""]);
  });
  test("one named twice counts once; what is no payload type is passed over", () =>
    expect(
      sdpOf(`${SESSION}m=audio 5004 RTP/AVP 0 0 128 x 8\r\n`).media[0]!.payloads.map(({ type }) => type),
    ).toEqual([0, 8]));
});

describe("B-56 bundle, mux, T.38 and data", () => {
  test("groups, mids and what rides on datagrams", () => {
    const sdp = sdpOf(CHROME);
    expect(sdp.bundles).toEqual([["0", "1"]]);
    expect(
      sdp.media.map(({ mid, isMux, isRtp, isUdp, hasIce }) => [mid, isMux, isRtp, isUdp, hasIce]),
    ).toEqual([
      ["0", true, true, true, true],
      ["1", true, true, true, true],
    ]);
  });
  test("RFC 9143 §6 bundle-only: port 0 is no rejection", () => {
    const text = `${SESSION}m=audio 0 RTP/AVP 0\r\n`;
    expect(sdpOf(text).media[0]!.isRejected).toBe(true);
    expect(sdpOf(`${text}a=bundle-only\r\n`).media[0]!.isRejected).toBe(false);
  });
  for (const [protocol, isRtp, isUdp] of [
    ["RTP/AVP", true, true],
    ["RTP/SAVPF", true, true],
    ["UDP/TLS/RTP/SAVPF", true, true],
    ["TCP/TLS/RTP/SAVPF", true, false],
    ["TCP/RTP/AVP", true, false],
    ["udptl", false, true],
    ["UDP/DTLS/SCTP", false, true],
    ["DTLS/SCTP", false, true],
    ["TCP/MSRP", false, false],
  ] as const)
    test(protocol, () => {
      const [media] = sdpOf(`${SESSION}m=x 5 ${protocol} 0\r\n`).media;
      expect([media!.isRtp, media!.isUdp]).toEqual([isRtp, isUdp]);
    });
});

describe("NH-14 the marker line", () => {
  const marked = (lines: string) => sdpOf(SESSION + lines).isMarked;
  test("is read at either level", () => {
    expect(marked("a=nortpproxy:yes\r\n")).toBe(true);
    expect(marked("m=audio 5 RTP/AVP 0\r\na=nortpproxy:yes\r\n")).toBe(true);
  });
  test("is not read out of other lines", () =>
    expect(marked("i=a=nortpproxy:yes\r\na=nortpproxy:no\r\na=x:a=nortpproxy:yes\r\n")).toBe(false));
});

describe("what is no session description is an error with a code", () => {
  for (const [name, text, code] of [
    ["nothing", "", "sdp_version"],
    ["line ends alone", "\r\n\r\n", "sdp_version"],
    ["text", "hello", "sdp_version"],
    ["another version", "v=1\r\n", "sdp_version"],
    ["no v= first", "s=-\r\nv=0\r\n", "sdp_version"],
    ["m= without protocol", `${SESSION}m=audio 5004\r\n`, "sdp_media"],
    ["a port that is no number", `${SESSION}m=audio x RTP/AVP 0\r\n`, "sdp_media_port"],
    ["a port too large", `${SESSION}m=audio 65536 RTP/AVP 0\r\n`, "sdp_media_port"],
    ["a count that is no number", `${SESSION}m=audio 5/x RTP/AVP 0\r\n`, "sdp_media_port"],
    ["c= without address", "v=0\r\nc=IN IP4\r\n", "sdp_connection"],
    ["c= of a stream without address", `${SESSION}m=audio 5 RTP/AVP 0\r\nc=192.0.2.1\r\n`, "sdp_connection"],
  ] as const)
    test(name, () => expect(codeOf(text)).toBe(code));
});

describe("bounds", () => {
  const stream = "m=audio 5004 RTP/AVP 0\r\n";
  for (const [name, max, text, code] of [
    ["streams", SDP_MEDIA_MAX, (n: number) => SESSION + stream.repeat(n), "sdp_media_max"],
    ["lines", SDP_LINES_MAX, (n: number) => `v=0\n${"a=x\n".repeat(n - 1)}`, "sdp_lines_max"],
    [
      "formats",
      SDP_FORMATS_MAX,
      (n: number) => `${SESSION}m=audio 5 RTP/AVP${" 0".repeat(n)}`,
      "sdp_formats_max",
    ],
    ["bytes", SDP_BYTES_MAX, (n: number) => `v=0\n${"s".repeat(n - 4)}`, "sdp_bytes_max"],
  ] as const)
    test(`${max} ${name}, and not one more`, () => {
      expect(codeOf(text(max))).toBe("read");
      expect(codeOf(text(max + 1))).toBe(code);
    });
});

describe("SIP-45 any bytes", () => {
  /** Everything that can be asked of it, asked. */
  const ask = (sdp: Sdp | ParseError) => {
    if (sdp instanceof ParseError) return sdp.code;
    const streams = sdp.media.map((media) => [
      media.isHeld,
      media.isTrickling,
      media.rtcpAddress,
      media.ptime_ms,
    ]);
    return [streamsOf(sdp), streams, sdp.origin, sdp.bundles, sdp.isMarked];
  };

  test("reading never throws, and an error lies within the bytes", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (array, isSdp) => {
        const bytes = Buffer.concat([Buffer.from(isSdp ? "v=0\n" : ""), array]);
        const sdp = readSdp(bytes, 0, bytes.length);
        ask(sdp);
        if (sdp instanceof ParseError) expect(sdp.offset).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 500 },
    ));

  test("nor of a description with bytes changed, dropped and put in", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...SAMPLES),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(..."\r\n \t:=/*mac0 9\0\xff"), fc.nat({ max: 2 })), {
          maxLength: 12,
        }),
        ({ text }, changes) => {
          let mutated = text;
          for (const [at, char, width] of changes) {
            const i = at % mutated.length;
            mutated = mutated.slice(0, i) + char + mutated.slice(i + width);
          }
          expect(ask(read(mutated))).toBeDefined();
        },
      ),
      { numRuns: 1000 },
    ));

  test("a line that goes on behind the range ends with it", () => {
    const bytes = Buffer.from("v=0\r\nm=audio 5 RTP/AVP 07\r\n", "latin1");
    const sdp = readSdp(bytes, 0, bytes.length - 3);
    expect(sdp instanceof Sdp && streamsOf(sdp)).toEqual(["audio undefined:5 rtcp 6 sendrecv PCMU"]);
  });

  test("only the range that was named is read", () => {
    const bytes = Buffer.from(`m=audio 1 RTP/AVP 0\r\n${CISCO}m=audio 2 RTP/AVP 0\r\n`, "latin1");
    const sdp = readSdp(bytes, 21, 21 + CISCO.length);
    expect(sdp instanceof Sdp && streamsOf(sdp)).toEqual(streamsOf(sdpOf(CISCO)));
  });
});
