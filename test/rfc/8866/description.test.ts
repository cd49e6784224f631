/** RFC 8866: what a relay must understand of a session description. */
import { describe, expect, test } from "bun:test";
import { crlf, sdpOf, streamsOf } from "../../message/sdp-samples.ts";

/** The example of §5. */
const EXAMPLE = crlf(
  "v=0",
  "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1",
  "s=Call to John Smith",
  "i=SDP Offer #1",
  "u=http://www.jdoe.example.com/home.html",
  "e=Jane Doe <jane@jdoe.example.com>",
  "p=+1 617 555-6011",
  "c=IN IP4 198.51.100.1",
  "t=0 0",
  "m=audio 49170 RTP/AVP 0",
  "m=audio 49180 RTP/AVP 0",
  "m=video 51372 RTP/AVP 99",
  "c=IN IP6 2001:db8::2",
  "a=rtpmap:99 h263-1998/90000",
);

describe("RFC 8866 §5 SDP specification", () => {
  test("the example", () =>
    expect(streamsOf(sdpOf(EXAMPLE))).toEqual([
      "audio 198.51.100.1:49170 rtcp 49171 sendrecv PCMU",
      "audio 198.51.100.1:49180 rtcp 49181 sendrecv PCMU",
      "video 2001:db8::2:51372 rtcp 51373 sendrecv h263-1998",
    ]));
  test("lines end with LF alone too", () =>
    expect(streamsOf(sdpOf(EXAMPLE.replaceAll("\r\n", "\n")))).toEqual(streamsOf(sdpOf(EXAMPLE))));
  test("what is not known is ignored", () =>
    expect(streamsOf(sdpOf(EXAMPLE.replaceAll("m=", "q=1\r\na=unknown:m=audio 1 x 1\r\nm=")))).toEqual(
      streamsOf(sdpOf(EXAMPLE)),
    ));
});

describe("RFC 8866 §5.2 Origin", () => {
  test("session id, version and address", () => {
    const origin = sdpOf(EXAMPLE).origin!;
    expect([origin.sessionId, origin.version, origin.address.address]).toEqual([
      "3724394400",
      "3724394405",
      "198.51.100.1",
    ]);
  });
});

describe("RFC 8866 §5.7 Connection information", () => {
  const connection = (line: string) =>
    sdpOf(crlf("v=0", line, "m=audio 5004 RTP/AVP 0")).media[0]!.connection!;
  for (const [line, address, family] of [
    ["c=IN IP4 233.252.0.1/127", "233.252.0.1", 4],
    ["c=IN IP4 233.252.0.1/127/3", "233.252.0.1", 4],
    ["c=IN IP6 ff00::db8:0:101/3", "ff00::db8:0:101", 6],
    ["c=IN IP4 host.example.com", "host.example.com", 4],
    ["c=IN IP6 host.example.com", "host.example.com", 6],
    ["c=IN IP4 2001:db8::1", "2001:db8::1", 6],
    ["c=X25 NSAP 47.0091", "47.0091", 0],
  ] as const)
    test(line, () => expect([connection(line).address, connection(line).family]).toEqual([address, family]));
  test("the stream's overrides the session's", () =>
    expect(sdpOf(EXAMPLE).media.map(({ connection }) => connection?.family)).toEqual([4, 4, 6]));
  test("several of one stream: the first", () => {
    const lines = ["m=audio 5004 RTP/AVP 0", "c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.2"];
    expect(sdpOf(crlf("v=0", ...lines)).media[0]!.connection?.address).toBe("192.0.2.1");
  });
  test("none: it is not known", () =>
    expect(sdpOf(crlf("v=0", "m=audio 5004 RTP/AVP 0")).media[0]!.connection).toBeNull());
});

describe("RFC 8866 §5.14 Media descriptions", () => {
  test("port and number of ports", () => {
    const media = sdpOf(crlf("v=0", "m=video 49170/2 RTP/AVP 31")).media[0]!;
    expect([media.port, media.portCount, media.protocol]).toEqual([49170, 2, "RTP/AVP"]);
  });
});

describe("RFC 8866 §6.4 ptime", () => {
  for (const [line, ptime_ms] of [
    ["a=ptime:20", 20],
    ["a=ptime:30 20", 30],
    ["a=ptime:20.5", 20.5],
    ["a=ptime:99999", null],
    ["a=ptime:1.2.3", null],
    ["a=ptime:x", null],
    ["a=maxptime:60", null],
  ] as const)
    test(line, () =>
      expect(sdpOf(crlf("v=0", "m=audio 5004 RTP/AVP 0", line)).media[0]!.ptime_ms).toBe(ptime_ms),
    );
});

describe("RFC 8866 §6.7 Media direction attributes", () => {
  const direction = (session: string[], stream: string[]) =>
    sdpOf(crlf("v=0", ...session, "m=audio 5004 RTP/AVP 0", ...stream)).media[0]!.direction;
  test("none: sendrecv", () => expect(direction([], [])).toBe("sendrecv"));
  for (const each of ["sendrecv", "sendonly", "recvonly", "inactive"] as const)
    test(`${each}, of the session and of the stream, which overrides it`, () => {
      expect(direction([`a=${each}`], [])).toBe(each);
      expect(direction([], [`a=${each}`])).toBe(each);
      expect(direction(["a=inactive"], [`a=${each}`])).toBe(each);
    });
});
