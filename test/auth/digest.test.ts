/** Digest arithmetic against the RFCs' own numbers (RFC 7616 §3.9.1, RFC 2617 §3.5). */
import { describe, expect, test } from "bun:test";
import { digestResponse, ha1 } from "../../src/auth/digest.ts";

const CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

describe("RFC 7616 §3.9.1", () => {
  const args = ["Mufasa", "http-auth@example.org", "Circle of Life"] as const;
  test("MD5", () => {
    const key = ha1("MD5", ...args);
    expect(digestResponse("MD5", key, "GET", "/dir/index.html", NONCE, "00000001", CNONCE)).toBe(
      "8ca523f5e9506fed4657c9700eebdbec",
    );
  });
  test("SHA-256", () => {
    const key = ha1("SHA-256", ...args);
    expect(digestResponse("SHA-256", key, "GET", "/dir/index.html", NONCE, "00000001", CNONCE)).toBe(
      "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    );
  });
});

test("RFC 7616 §3.9.2 SHA-512-256, as its erratum 4897 has it", () => {
  const key = ha1("SHA-512-256", "Jäsøn Doe", "api@example.org", "Secret, or not?");
  const nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK";
  const cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
  expect(digestResponse("SHA-512-256", key, "GET", "/doe.json", nonce, "00000001", cnonce)).toBe(
    "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
  );
});

test("RFC 2617 §3.5", () => {
  const key = ha1("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life");
  expect(key).toBe("939e7578ed9e3c518a452acee763bce9");
  expect(
    digestResponse(
      "MD5",
      key,
      "GET",
      "/dir/index.html",
      "dcd98b7102dd2f0e8b11d0f600bfb0c093",
      "00000001",
      "0a4f113b",
    ),
  ).toBe("6629fae49393a05397450978507c4ef1");
});

describe("characters beyond ASCII", () => {
  const expected = new Bun.CryptoHasher("md5")
    .update(Buffer.from("jürgen:réalm:pässwörd", "utf8"))
    .digest("hex");
  test("names, realms and passwords are hashed as UTF-8", () =>
    expect(ha1("MD5", "jürgen", "réalm", "pässwörd")).toBe(expected));
  test("what came from the wire is hashed byte for byte", () => {
    const uri = Buffer.from("sip:jürgen@example.test", "utf8").toString("latin1");
    const ha2 = new Bun.CryptoHasher("sha256").update(Buffer.from(`REGISTER:${uri}`, "latin1")).digest("hex");
    const whole = new Bun.CryptoHasher("sha256").update(`00:n:00000001:c:auth:${ha2}`).digest("hex");
    expect(digestResponse("SHA-256", "00", "REGISTER", uri, "n", "00000001", "c")).toBe(whole);
  });
});
