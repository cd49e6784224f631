/** Clock rates of payload types and what the E-model knows of codecs. */
import { describe, expect, test } from "bun:test";
import { codecByName, PayloadTypes } from "../../src/media/codecs.ts";

describe("RFC 3551 §6 payload types", () => {
  test("fixed ones are known without a session description; G.722 has the clock 8000", () => {
    const types = new PayloadTypes();
    const known = [0, 8, 9, 18, 34].map((type) => `${types.name(type)} ${types.clockHz(type)}`);
    expect(known).toEqual(["pcmu 8000", "pcma 8000", "g722 8000", "g729 8000", "h263 90000"]);
    expect([types.name(96), types.clockHz(96), types.pacing[96]]).toEqual(["", 0, 0]);
  });

  test("MET-16 the session description names the others, and may name fixed ones anew", () => {
    const types = new PayloadTypes([
      { type: 111, name: "OPUS", clock_hz: 48_000 },
      { type: 0, name: "PCMU", clock_hz: 16_000 },
      { type: 101, name: "telephone-event", clock_hz: 8000 },
    ]);
    expect([types.pacing[111], types.pacing[0]]).toEqual([48_000, 16_000]);
    expect([types.clockHz(101), types.pacing[101]]).toEqual([8000, 0]);
    expect(types.codec(111)?.scale).toBe("F");
    expect(types.codec(101)).toBeNull();
  });

  test("nonsense is left out", () => {
    const odd = [
      { type: 128, name: "x", clock_hz: 8000 },
      { type: -1, name: "x", clock_hz: 8000 },
      { type: 97, name: "x", clock_hz: -8000 },
      { type: 98, name: "x", clock_hz: Number.NaN },
      { type: 1.5, name: "x", clock_hz: 8000 },
    ];
    const types = new PayloadTypes(odd);
    expect([...types.pacing]).toEqual([...new PayloadTypes().pacing]);
    expect(types.name(128)).toBe("");
  });
});

describe("codecs", () => {
  test("MET-07 names in any case; unknown ones and names of object members are null", () => {
    expect(codecByName("pcma")).toBe(codecByName("PCMA"));
    expect(codecByName("G729")).toMatchObject({ ie: 11, bpl: 19, listed: true });
    for (const name of ["", "H264", "constructor", "__proto__"]) expect(codecByName(name)).toBeNull();
  });

  test("MET-10 speex at 16 kHz is wideband", () => {
    expect([codecByName("speex", 8000)?.scale, codecByName("speex", 16_000)?.scale]).toEqual(["N", "W"]);
  });
});
