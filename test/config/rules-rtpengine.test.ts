/** ARC-18: what of media.engine and [[rtpengine]] makes no sense is refused. */
import { describe, expect, test } from "bun:test";
import { configOf, told } from "./support.ts";

const ENGINE = '[media]\nengine = "rtpengine"\n';
const ONE = '[[rtpengine]]\naddress = "10.0.0.21"\n';

describe("ARC-18 media.engine", () => {
  test("rtpengine without any", () => {
    expect(told(ENGINE)).toEqual([
      '- rtpengine: nothing; at least one [[rtpengine]], for media.engine is "rtpengine"',
    ]);
  });

  test("one named twice, in two spellings", () => {
    const six = (address: string) => `[[rtpengine]]\naddress = "${address}"\n`;
    expect(told(ENGINE + six("2001:db8::1") + six("2001:DB8:0::1"))).toEqual([
      "5 rtpengine[1]: 2001:db8::1 port 2223; each once: rtpengine[0] has it already",
    ]);
  });

  test("one network name, or three", () => {
    expect(told(`${ENGINE}rtpengine_networks = ["a"]\n${ONE}`)).toEqual([
      "3 media.rtpengine_networks: 1 names; two names, the inner one first, or none",
    ]);
  });

  test("a name in place of an address", () => {
    expect(told('[[rtpengine]]\naddress = "media.example.test"\n')).toHaveLength(1);
  });

  test("ready for later: instances beside the built-in relay", () => {
    expect(configOf(ONE).media.engine).toBe("built-in");
    expect(configOf(ENGINE + ONE).rtpengine).toEqual([{ address: "10.0.0.21", port: 2223, weight: 1 }]);
  });
});
