/** RFC 3264: what of an offer and an answer must survive a relay in between. */
import { describe, expect, test } from "bun:test";
import { Edits } from "../../../src/message/edits.ts";
import { rewriteSdp } from "../../../src/message/sdp-edit.ts";
import { crlf, sdpOf } from "../../message/sdp-samples.ts";

const edits = new Edits();
const SESSION = crlf("v=0", "o=- 7 8 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0");

function relayed(text: string, address = "203.0.113.5"): string {
  const sdp = sdpOf(text);
  const media = sdp.media.map((_, i) => ({ address, port: 30000 + 2 * i, rtcpPort: null }));
  rewriteSdp(edits, sdp, { media, ice: "strip", originAddress: null, codecs: null, isMarked: false });
  return edits.apply(sdp.lines.bytes, 0, text.length).latin1Slice();
}
const stream = (...lines: string[]) => sdpOf(SESSION + crlf("m=audio 5004 RTP/AVP 0", ...lines)).media[0]!;

describe("RFC 3264 §5 generating the offer", () => {
  test("session id and version are the sender's: o= stays as it came", () =>
    expect(relayed(`${SESSION}m=audio 5004 RTP/AVP 0\r\n`)).toContain("o=- 7 8 IN IP4 192.0.2.1\r\n"));
  test("ARC-34 payload type numbers stay, so that telephone-event means the same on both sides", () => {
    const rest = crlf("a=rtpmap:97 telephone-event/8000", "a=fmtp:97 0-15");
    expect(relayed(`${SESSION}m=audio 5004 RTP/AVP 0 97\r\n${rest}`)).toEndWith(
      `m=audio 30000 RTP/AVP 0 97\r\n${rest}`,
    );
  });
});

describe("RFC 3264 §6 a stream that is rejected: port 0", () => {
  const text =
    SESSION +
    crlf("m=audio 5004 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "c=IN IP4 192.0.2.1");
  test("stays so", () => expect(sdpOf(relayed(text)).media.map(({ port }) => port)).toEqual([30000, 0, 0]));
  test("the m= lines stay in number and order", () =>
    expect(sdpOf(relayed(text)).media.map(({ kind }) => kind)).toEqual(["audio", "video", "audio"]));
  test("nothing but rejected streams: the session's address stays", () => {
    const closed = `${SESSION}m=audio 0 RTP/AVP 0\r\n`;
    expect(relayed(closed)).toBe(closed);
  });
});

describe("RFC 3264 §8.4, SVC-01 putting a stream on hold", () => {
  for (const [lines, isHeld] of [
    [["a=sendrecv"], false],
    [["a=sendonly"], true],
    [["a=inactive"], true],
    [["a=recvonly"], false],
    [["c=IN IP4 0.0.0.0"], true],
    [["c=IN IP6 ::", "a=sendrecv"], true],
    [["c=IN IP6 0:0:0:0:0:0:0:0"], true],
    [["c=IN IP4 192.0.2.2"], false],
  ] as const)
    test(`${lines.join(" ")}: ${isHeld}`, () => expect(stream(...lines).isHeld).toBe(isHeld));

  test("NAT-12 0.0.0.0 stays, or the other side would take the call for resumed", () => {
    const held = SESSION.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    expect(relayed(`${held}m=audio 5004 RTP/AVP 0\r\n`)).toBe(`${held}m=audio 30000 RTP/AVP 0\r\n`);
  });
  test("ARC-13 towards IPv6 it is ::, and back", () => {
    const held = SESSION.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    const six = relayed(`${held}m=audio 5004 RTP/AVP 0\r\n`, "2001:db8::5");
    expect(six).toContain("c=IN IP6 ::\r\n");
    expect(relayed(six)).toContain("c=IN IP4 0.0.0.0\r\n");
  });
  test("of two streams only the one on hold is", () => {
    const text = SESSION + crlf("m=audio 5004 RTP/AVP 0", "m=video 5006 RTP/AVP 31", "c=IN IP4 0.0.0.0");
    const { media } = sdpOf(relayed(text));
    expect(media.map(({ connection }) => connection?.address)).toEqual(["203.0.113.5", "0.0.0.0"]);
    expect(media.map(({ isHeld }) => isHeld)).toEqual([false, true]);
  });
  test("RFC 8840 an address that is still to be trickled is no hold, and becomes the relay's", () => {
    const trickled = SESSION + crlf("m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x");
    expect(sdpOf(trickled).media[0]!.isHeld).toBe(false);
    const { media } = sdpOf(relayed(trickled));
    expect([media[0]!.connection?.address, media[0]!.port]).toEqual(["203.0.113.5", 30000]);
  });
  test("0.0.0.0 with ICE but a real port is a hold", () =>
    expect(stream("c=IN IP4 0.0.0.0", "a=ice-ufrag:x").isHeld).toBe(true));
  test("the direction stays as it came", () => {
    for (const direction of ["sendonly", "recvonly", "inactive", "sendrecv"])
      expect(relayed(`${SESSION}m=audio 5004 RTP/AVP 0\r\na=${direction}\r\n`)).toEndWith(
        `a=${direction}\r\n`,
      );
  });
});
