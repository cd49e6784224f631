/**
 * Randomness as an argument: tags, branches, nonces and keys come from a Dice, seeded in tests.
 */
export interface Dice {
  /** `n` unpredictable bytes. */
  bytes(n: number): Uint8Array;
  /** 48 unpredictable bits as 8 characters of [A-Za-z0-9_-]: enough for a tag (RFC 3261 §19.3 asks for 32). */
  token(): string;
  /** A number in [0, 1). */
  fraction(): number;
}

function randomBytes(n: number): Buffer<ArrayBuffer> {
  return crypto.getRandomValues(Buffer.alloc(n)); // the platform's own, not node:crypto: that costs 6 MB
}

const POOL_BYTES = 6 * 256;

/** The operating system's randomness, drawn in blocks because one call costs about as much as one message. */
export class SystemDice implements Dice {
  #pool = Buffer.alloc(0);
  #used = 0;

  bytes(n: number): Uint8Array {
    return randomBytes(n);
  }

  token(): string {
    if (this.#used + 6 > this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES);
      this.#used = 0;
    }
    const token = this.#pool.toString("base64url", this.#used, this.#used + 6);
    this.#used += 6;
    return token;
  }

  fraction(): number {
    return randomBytes(4).readUInt32BE() / 2 ** 32;
  }
}
