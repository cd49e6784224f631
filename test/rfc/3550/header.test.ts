/** The RTP header (RFC 3550 §5.1) and RTP beside RTCP on one port (RFC 5761 §4). */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  hasMarker,
  headerLength,
  isRtcp,
  isRtp,
  payloadLength,
  payloadType,
  sequenceNumber,
  ssrc,
  timestamp,
} from "../../../src/media/rtp.ts";
import { rr, rtp } from "../../media/rtp-samples.ts";

describe("RFC 3550 §5.1 RTP header", () => {
  test("ARC-32 fields are read where they stand, the highest values too", () => {
    const fields = { seq: 0xffff, timestamp: 0xffffffff, ssrc: 0xfffffffe, type: 127 };
    const bytes = rtp({ ...fields, type: 34, marker: true });
    expect(isRtp(bytes)).toBe(true);
    expect([sequenceNumber(bytes), timestamp(bytes), ssrc(bytes)]).toEqual([0xffff, 0xffffffff, 0xfffffffe]);
    expect([payloadType(bytes), hasMarker(bytes)]).toEqual([34, true]);
    const plain = rtp(fields);
    expect([payloadType(plain), hasMarker(plain)]).toEqual([127, false]);
  });

  test("other versions and short datagrams are no RTP", () => {
    for (const version of [0x00, 0x40, 0xc0]) {
      const bytes = rtp();
      bytes[0] = version;
      expect(isRtp(bytes)).toBe(false);
    }
    expect(isRtp(rtp().subarray(0, 11))).toBe(false);
    expect(isRtp(rtp().subarray(0, 12))).toBe(true);
    expect(isRtp(Buffer.alloc(0))).toBe(false);
  });

  test("header length counts CSRCs and extension; 0 when the datagram ends before", () => {
    const bytes = rtp({ payload_bytes: 28 });
    bytes[0] = 0x80 | 0x10 | 2; // two CSRCs, extension
    bytes.writeUInt16BE(1, 12 + 8 + 2); // one word of it
    expect(headerLength(bytes)).toBe(12 + 8 + 4 + 4);
    expect(payloadLength(bytes)).toBe(12);
    expect(headerLength(bytes.subarray(0, 27))).toBe(0);
    expect(headerLength(bytes.subarray(0, 22))).toBe(0);
    expect(payloadLength(bytes.subarray(0, 27))).toBe(-1);
  });

  test("padding is no payload, and padding that does not fit is told", () => {
    const bytes = rtp({ payload_bytes: 20 });
    bytes[0] = 0x80 | 0x20;
    bytes[31] = 4;
    expect(payloadLength(bytes)).toBe(16);
    bytes[31] = 21;
    expect(payloadLength(bytes)).toBe(-1);
    bytes[31] = 0;
    expect(payloadLength(bytes)).toBe(-1);
  });

  test("any bytes: no exception, and never both RTP and RTCP", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(isRtp(bytes) && isRtcp(bytes)).toBe(false);
        if (!isRtp(bytes)) return;
        const header = headerLength(bytes);
        expect(header === 0 || (header >= 12 && header <= bytes.length)).toBe(true);
        expect(payloadLength(bytes)).toBeLessThanOrEqual(bytes.length - 12);
        expect(timestamp(bytes)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("RFC 5761 §4 RTP and RTCP on one port", () => {
  test("MET-17 packet types 192 to 223 are RTCP, all others RTP", () => {
    for (let second = 0; second < 256; second++) {
      const bytes = rtp();
      bytes[1] = second;
      const control = second >= 192 && second <= 223;
      expect([isRtp(bytes), isRtcp(bytes)]).toEqual([!control, control]);
    }
  });

  test("an RR of eight bytes is RTCP though shorter than an RTP header", () => {
    expect(isRtcp(rr(1))).toBe(true);
    expect(isRtcp(rr(1).subarray(0, 3))).toBe(false);
  });
});
