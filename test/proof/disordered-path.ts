/**
 * A line on which datagrams overtake each other and come twice: what comes in at its far end goes on to the near place
 * from its near end, and the other way round.
 */
import type { SeededDice } from "../support/seeded-dice.ts";

export type Place = readonly [address: string, port: number];

const DELAY_MS_MAX = 30;
/** Of the datagrams, so many come again, at a time of their own. */
const TWICE = 0.3;

export class DisorderedPath {
  readonly #sockets: Bun.udp.Socket<"buffer">[] = [];
  readonly #dice: SeededDice;
  twice = 0;
  overtaken = 0;
  #sent = 0;
  #newest = 0;

  private constructor(dice: SeededDice) {
    this.#dice = dice;
  }

  /** Both ends at `address`: what `far` sends to `farEnd` reaches `near`. */
  static async open(address: string, far: () => Place, near: () => Place, dice: SeededDice) {
    const path = new DisorderedPath(dice);
    for (const [index, to] of [near, far].entries()) {
      const data = (_: unknown, bytes: Buffer) => path.#pass(bytes, 1 - index, to());
      path.#sockets.push(await Bun.udpSocket({ hostname: address, socket: { data, error() {} } }));
    }
    return path;
  }

  /** Where `far` sends to. */
  get farEnd(): Place {
    return [this.#sockets[0]!.hostname, this.#sockets[0]!.port];
  }

  /** Where `near` sends to. */
  get nearEnd(): Place {
    return [this.#sockets[1]!.hostname, this.#sockets[1]!.port];
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #pass(bytes: Buffer, from: number, [address, port]: Place): void {
    const isTwice = this.#dice.fraction() < TWICE;
    if (isTwice) this.twice++;
    for (let copies = isTwice ? 2 : 1; copies > 0; copies--) {
      const number = this.#sent++;
      setTimeout(() => {
        if (number < this.#newest) this.overtaken++;
        this.#newest = Math.max(this.#newest, number);
        this.#sockets[from]?.send(bytes, port, address);
      }, DELAY_MS_MAX * this.#dice.fraction());
    }
  }
}
