/** Repeatable randomness (mulberry32): the same seed gives the same tags, branches and losses. */
import type { Dice } from "../../src/base/dice.ts";

export class SeededDice implements Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => Math.floor(this.fraction() * 256));
  }

  token(): string {
    return Buffer.from(this.bytes(6)).toString("base64url");
  }
}
