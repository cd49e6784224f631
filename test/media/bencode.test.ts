/** ARC-18: bencoding, in which rtpengine is spoken to; what it reads is hostile. */
import { describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import type { BenInput } from "../../src/media/bencode.ts";
import { DEPTH_MAX, decodeBen, encodeBen } from "../../src/media/bencode.ts";
import { SeededDice } from "../support/seeded-dice.ts";

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const ROUNDS = 3000;

const plain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].map(([key, each]) => [key, plain(each)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value;

describe("ARC-18 bencode", () => {
  test("what is written is read again", () => {
    const value = { a: [1, -20, "x\r\n", { b: "", "long key": [] }], "": 0, sdp: "v=0\r\n" };
    expect(plain(decodeBen(encodeBen(value)))).toEqual(value);
    expect(encodeBen({ command: "ping" }).toString()).toBe("d7:command4:pinge");
    expect(encodeBen({ left: undefined, n: 7 }).toString()).toBe("d1:ni7ee");
  });

  test("keys that a plain object has of itself are keys like others", () => {
    const read = decodeBen(Buffer.from("d9:__proto__i1ee"));
    expect(read).toBeInstanceOf(Map);
    expect((read as Map<string, unknown>).get("__proto__")).toBe(1);
  });

  for (const text of [
    "",
    "i",
    "ie",
    "i-e",
    "i1",
    "i1x",
    "5:abc",
    "-1:a",
    ":",
    "l",
    "li1e",
    "d",
    "d1:a",
    "di1ei2ee",
  ])
    test(`${JSON.stringify(text)} is none`, () => expect(decodeBen(Buffer.from(text))).toBeNull());

  for (const text of ["i1ei2e", "4:spamx", "99999999999999999999:x", "i99999999999999999999e", "x"])
    test(`${JSON.stringify(text)} is none, too`, () => expect(decodeBen(Buffer.from(text))).toBeNull());

  test("nested as deep as it may be, and one deeper", () => {
    const nested = (depth: number) => Buffer.from("l".repeat(depth) + "e".repeat(depth));
    expect(decodeBen(nested(DEPTH_MAX))).not.toBeNull();
    expect(decodeBen(nested(DEPTH_MAX + 2))).toBeNull();
    expect(decodeBen(nested(30_000))).toBeNull();
  });

  test(`spoilt answers are read or are none, and never throw (FUZZ_SEED=${SEED})`, () => {
    const dice = new SeededDice(SEED);
    const whole: BenInput = { result: "ok", tags: { a: { medias: [{ index: 1, streams: [{ n: -5 }] }] } } };
    const bytes = encodeBen(whole);
    let read = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const spoilt = Buffer.from(bytes);
      for (let n = 0; n <= round % 4; n++)
        spoilt[Math.floor(dice.fraction() * spoilt.length)] = Math.floor(dice.fraction() * 256);
      if (decodeBen(spoilt.subarray(0, Math.ceil(dice.fraction() * spoilt.length))) !== null) read++;
    }
    expect(read).toBeLessThan(ROUNDS);
    expect(plain(decodeBen(bytes))).toEqual(whole);
  });
});
