/** What is shown of a message, and what is not. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { masked } from "../../src/trace/masked.ts";

const message = (lines: readonly string[], body = ""): Buffer =>
  Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");

describe("secrets are stars, and no byte is added or taken away", () => {
  for (const [name, line, secret] of [
    [
      "a digest response",
      'Authorization: Digest username="a", response="0123456789abcdef", qop=auth',
      "0123456789abcdef",
    ],
    ["in any case", 'PROXY-AUTHORIZATION:digest RESPONSE = "0123456789abcdef"', "0123456789abcdef"],
    ["Basic", "Proxy-Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
    ["a bearer token (RFC 8898)", "Authorization: Bearer abc.def.ghi", "abc.def.ghi"],
    ["what answers a login", 'Authentication-Info: rspauth="aabbcc", nextnonce="ddeeff"', "aabbcc"],
  ] as const)
    test(name, () => {
      const bytes = message(["REGISTER sip:x SIP/2.0", line, "Call-ID: c"]);
      const shown = masked(bytes);
      expect(shown).not.toContain(secret);
      expect(shown).toHaveLength(bytes.length);
      expect(shown).toContain("Call-ID: c");
    });

  test("who logs in and for what stays readable", () => {
    const shown = masked(
      message([
        "REGISTER sip:x SIP/2.0",
        'Authorization: Digest username="alice", realm="x", nonce="n1", uri="sip:x"',
      ]),
    );
    expect(shown).toContain('username="alice", realm="x", nonce="n1", uri="sip:x"');
  });

  test("SDP is shown without its keys (RFC 4568, RFC 8839)", () => {
    const sdp =
      "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20\r\na=ice-pwd:hush\r\nm=audio 1 RTP/AVP 0\r\n";
    const shown = masked(message(["INVITE sip:x SIP/2.0", "c: application/sdp"], sdp));
    expect(shown).toContain("m=audio 1 RTP/AVP 0");
    expect(shown).toContain("inline:********|2^20");
    expect(shown).not.toContain("hush");
  });

  test("what people write, and the digits they press, are nobody's business", () => {
    const text = masked(message(["MESSAGE sip:x SIP/2.0", "Content-Type: text/plain"], "meet me\r\nat noon"));
    expect(text).toEndWith("*******\r\n*******");
    const digits = masked(
      message(["INFO sip:x SIP/2.0", "Content-Type: application/dtmf-relay"], "Signal=7"),
    );
    expect(digits).toEndWith("********");
  });

  test("any bytes: as many come out", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(masked(Buffer.from(bytes))).toHaveLength(bytes.length);
      }),
      { seed: 3 },
    );
  });
});
