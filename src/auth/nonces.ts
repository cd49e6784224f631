/**
 * Nonces that carry their own proof: time and random bytes under a keyed hash, so issuing one stores
 * nothing. What is remembered, within a bound, is how far each nonce in use has counted (RFC 7616 §3.4 nc).
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";

/** Nonces whose counts are remembered. The oldest leaves first and counts as stale from then on. */
export const NONCES_MAX = 65_536;
/** How far counts may arrive out of order: a phone may have several requests on their way. */
const WINDOW = 32;
const TIME_BYTES = 6;
/** The last two of them are a mark of the address it was issued to. */
const RANDOM_BYTES = 6;
const ADDRESS_BYTES = 2;
const PROOF_BYTES = 12;
const NONCE_BYTES = TIME_BYTES + RANDOM_BYTES + PROOF_BYTES;

export type NonceVerdict = "fresh" | "stale" | "replayed" | "forged";

interface Use {
  readonly issued: number;
  highest: number;
  /** Bit n is set when `highest - n` was seen. */
  seen: number;
}

export class Nonces {
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #key: Uint8Array;
  /** By it a nonce tells to which address it was issued. */
  readonly #addressKey: number;
  readonly #uses: BoundedMap<string, Use>;
  #lifetimeMs: number;
  /** Nonces issued before this and not remembered may have been used: they count as stale. */
  #forgottenUntil = 0;

  constructor(clock: Clock, dice: Dice, lifetimeMs: number, max = NONCES_MAX) {
    this.#clock = clock;
    this.#dice = dice;
    this.#key = dice.bytes(32); // of this process: after a restart every nonce is stale, and phones just ask anew
    this.#addressKey = new DataView(dice.bytes(4).buffer.slice(0)).getUint32(0);
    this.#lifetimeMs = lifetimeMs;
    this.#uses = new BoundedMap(max, (_, use) => {
      this.#forgottenUntil = Math.max(this.#forgottenUntil, use.issued);
    });
  }

  set lifetimeMs(ms: number) {
    this.#lifetimeMs = ms;
  }

  get remembered(): number {
    return this.#uses.size;
  }

  /** A new nonce for whoever is at `address`: 32 characters of [A-Za-z0-9_-]. */
  issue(address = ""): string {
    const bytes = Buffer.alloc(NONCE_BYTES);
    bytes.writeUIntBE(Math.floor(this.#clock.now()), 0, TIME_BYTES);
    bytes.set(this.#dice.bytes(RANDOM_BYTES - ADDRESS_BYTES), TIME_BYTES);
    bytes.writeUInt16BE(this.#markOf(address), TIME_BYTES + RANDOM_BYTES - ADDRESS_BYTES);
    this.#proof(bytes).copy(bytes, TIME_BYTES + RANDOM_BYTES, 0, PROOF_BYTES);
    return bytes.toString("base64url");
  }

  /**
   * Whether this count of this nonce may be used now; "fresh" takes note of it. "stale": ours but too
   * old. "replayed": that count was used before. "forged": not ours, or of an earlier process.
   */
  use(nonce: string, count: number): NonceVerdict {
    const known = this.#uses.get(nonce);
    if (known !== undefined) {
      if (this.#clock.now() - known.issued > this.#lifetimeMs) return "stale";
      return take(known, count) ? "fresh" : "replayed";
    }
    const issued = this.#issuedAt(nonce);
    if (issued < 0) return "forged";
    if (issued <= this.#forgottenUntil || this.#clock.now() - issued > this.#lifetimeMs) return "stale";
    this.#uses.set(nonce, { issued, highest: count, seen: 1 });
    return "fresh";
  }

  /** Whether it is ours and was issued to this address: whoever has it receives what is sent there. */
  wasIssuedTo(nonce: string, address: string): boolean {
    if (this.#issuedAt(nonce) < 0) return false;
    const bytes = Buffer.from(nonce, "base64url");
    return bytes.readUInt16BE(TIME_BYTES + RANDOM_BYTES - ADDRESS_BYTES) === this.#markOf(address);
  }

  #markOf(address: string): number {
    return Number(Bun.hash.wyhash(address, BigInt(this.#addressKey)) & 0xffffn);
  }

  #issuedAt(nonce: string): number {
    const bytes = Buffer.from(nonce, "base64url");
    if (bytes.length !== NONCE_BYTES || bytes.toString("base64url") !== nonce) return -1;
    const proof = this.#proof(bytes);
    if (!proof.subarray(0, PROOF_BYTES).equals(bytes.subarray(TIME_BYTES + RANDOM_BYTES))) return -1;
    return bytes.readUIntBE(0, TIME_BYTES);
  }

  #proof(bytes: Buffer): Buffer {
    const hasher = new Bun.CryptoHasher("sha256", this.#key);
    return hasher.update(bytes.subarray(0, TIME_BYTES + RANDOM_BYTES)).digest() as Buffer;
  }
}

/** Takes note of a count; false when it was there before or lies too far back to know. */
function take(use: Use, count: number): boolean {
  if (count > use.highest) {
    const ahead = count - use.highest;
    use.seen = ahead >= WINDOW ? 1 : (use.seen << ahead) | 1;
    use.highest = count;
    return true;
  }
  const behind = use.highest - count;
  if (behind >= WINDOW) return false;
  const bit = 1 << behind;
  if ((use.seen & bit) !== 0) return false;
  use.seen |= bit;
  return true;
}
