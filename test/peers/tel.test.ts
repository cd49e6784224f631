/** tel: URIs read as numbers of ours. */
import { describe, expect, test } from "bun:test";
import { Domains } from "../../src/location/domains.ts";
import { readTel, telAsSip } from "../../src/peers/tel.ts";
import { uriOf } from "./kit.ts";

describe("RFC 3966 §3 tel: URIs", () => {
  test.each([
    ["tel:+49-30-1234", "+49301234", null],
    ["TEL:+1(201)555.0123;isub=1", "+12015550123", null],
    ["tel:7042;phone-context=Example.test", "7042", "example.test"],
    ["tel:110;phone-context=+49", "110", "+49"],
    ["tel:*21%23", "*21#", null],
  ])("%s", (text, number, context) => expect(readTel(text)).toEqual({ number, context }));

  test.each(["tel:", "tel:+", "tel:+49x", "tel:--", "tel:alice", "sip:+49@x", `tel:+${"1".repeat(65)}`])(
    "%s is none",
    (text) => expect(readTel(text)).toBeNull(),
  );
});

describe("RFC 3261 §19.1.6 the same number as a sip: URI", () => {
  const domains = new Domains();
  domains.configure(["example.test"], []);
  const read = (text: string) => telAsSip(uriOf(text), domains, (user) => user === "110")?.text ?? null;

  test("a global number, whatever its context", () => {
    expect(read("tel:+49-30-1")).toBe("sip:+49301@example.test;user=phone");
    expect(read("tel:+49-30-1;phone-context=elsewhere.test")).toBe("sip:+49301@example.test;user=phone");
  });
  test("a local number: without context and with ours", () => {
    expect(read("tel:7042")).toBe("sip:7042@example.test;user=phone");
    expect(read("tel:70-42;phone-context=EXAMPLE.test")).toBe("sip:7042@example.test;user=phone");
    expect(read("tel:%2321")).toBe("sip:%2321@example.test;user=phone");
  });
  test("a local number of somewhere else is not guessed at (RFC 3966 §5.1.5), but for calls for help", () => {
    expect(read("tel:7042;phone-context=+1-201")).toBeNull();
    expect(read("tel:7042;phone-context=elsewhere.test")).toBeNull();
    expect(read("tel:110;phone-context=+49")).toBe("sip:110@example.test;user=phone");
  });
  test("without a configured domain: the address it listens on", () => {
    const nameless = new Domains();
    nameless.configure(
      [],
      [{ transport: "udp", address: "2001:db8::1", port: 5060, sentBy: "[2001:db8::1]:5060" }],
    );
    expect(telAsSip(uriOf("tel:1"), nameless, () => false)?.text).toBe("sip:1@[2001:db8::1];user=phone");
  });
});
