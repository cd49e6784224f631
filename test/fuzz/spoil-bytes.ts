/**
 * Spoils binary formats the way their enemies do: lengths that lie, pointers that circle, pieces that are missing or
 * come twice. Knows nothing of a format but where numbers like to be. All from one seeded Dice.
 */
import type { SeededDice } from "../support/seeded-dice.ts";

const BYTES = [0, 1, 2, 3, 4, 0x0c, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc8, 0xcf, 0xfe, 0xff];
const WORDS = [0, 1, 2, 3, 4, 8, 12, 20, 32, 255, 256, 0x7fff, 0x8000, 0xc000, 0xc00c, 0xfffc, 0xffff];

export class ByteSpoiler {
  readonly #dice: SeededDice;
  readonly #mutations: readonly ((bytes: Buffer) => Buffer)[];

  constructor(dice: SeededDice) {
    this.#dice = dice;
    this.#mutations = [
      (bytes) => this.#write(bytes, (out, at) => out.writeUInt8(this.pick(BYTES), at), 1),
      (bytes) => this.#write(bytes, (out, at) => out.writeUInt8(this.below(256), at), 1),
      (bytes) => this.#write(bytes, (out, at) => out.writeUInt16BE(this.pick(WORDS), at), 2),
      (bytes) => this.#write(bytes, (out, at) => out.writeUInt32BE(this.below(2 ** 32), at), 4),
      (bytes) => this.#write(bytes, (out, at) => out.writeUInt8(out[at]! ^ (1 << this.below(8)), at), 1),
      (bytes) => bytes.subarray(0, this.below(bytes.length + 1)),
      (bytes) => bytes.subarray(this.below(bytes.length + 1)),
      (bytes) => Buffer.concat([bytes, Buffer.from(this.#dice.bytes(this.below(64)))]),
      (bytes) => this.#piece(bytes, (piece) => [piece, piece]),
      (bytes) => this.#piece(bytes, (piece) => Array<Buffer>(1 + this.below(60)).fill(piece)),
      (bytes) => this.#piece(bytes, () => []),
    ];
  }

  below(n: number): number {
    return Math.floor(this.#dice.fraction() * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** A copy with one to five things wrong with it; one in ten is noise from end to end. */
  spoil(bytes: Buffer): Buffer {
    if (this.below(10) === 0) return Buffer.from(this.#dice.bytes(this.below(200)));
    let spoilt: Buffer = Buffer.from(bytes);
    for (let i = this.pick([1, 1, 1, 2, 3, 5]); i > 0; i--) spoilt = this.pick(this.#mutations)(spoilt);
    return spoilt;
  }

  #write(bytes: Buffer, write: (out: Buffer, at: number) => void, width: number): Buffer {
    if (bytes.length < width) return bytes;
    write(bytes, this.below(bytes.length - width + 1));
    return bytes;
  }

  #piece(bytes: Buffer, make: (piece: Buffer) => readonly Buffer[]): Buffer {
    const from = this.below(bytes.length);
    const to = from + 1 + this.below(Math.min(64, bytes.length));
    return Buffer.concat([bytes.subarray(0, from), ...make(bytes.subarray(from, to)), bytes.subarray(to)]);
  }
}
