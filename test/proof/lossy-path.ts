/**
 * A line to one phone that loses packets: what the appliance sends to its outer port comes out of its inner
 * one and the other way round, each packet or not.
 */

export type Place = readonly [address: string, port: number];

export class LossyPath {
  /** Where the appliance finds the phone. */
  readonly outer: Place;
  /** Where the phone finds the appliance. */
  readonly inner: Place;
  lost = 0;
  passed = 0;
  #sockets: readonly Bun.udp.Socket<"buffer">[];

  private constructor(sockets: readonly [outer: Bun.udp.Socket<"buffer">, inner: Bun.udp.Socket<"buffer">]) {
    this.#sockets = sockets;
    this.outer = [sockets[0].hostname, sockets[0].port];
    this.inner = [sockets[1].hostname, sockets[1].port];
  }

  /** `loses` is asked once for each packet. */
  static async open(address: string, phone: Place, edge: Place, loses: () => boolean): Promise<LossyPath> {
    const opened: { path?: LossyPath } = {};
    const socketTo = (to: Place, other: () => Bun.udp.Socket<"buffer"> | undefined) =>
      Bun.udpSocket({
        hostname: address,
        port: 0,
        binaryType: "buffer",
        socket: {
          data: (_, bytes) => opened.path?.pass(bytes, other(), to, loses()),
          error() {}, // a phone that has gone: its packets are lost as well
        },
      });
    const outer = await socketTo(phone, () => inner);
    const inner: Bun.udp.Socket<"buffer"> = await socketTo(edge, () => outer);
    opened.path = new LossyPath([outer, inner]);
    return opened.path;
  }

  /** Lets one packet through, or not. */
  private pass(
    bytes: Buffer,
    by: Bun.udp.Socket<"buffer"> | undefined,
    [address, port]: Place,
    loses: boolean,
  ): void {
    if (loses || by === undefined) {
      this.lost++;
      return;
    }
    this.passed++;
    try {
      by.send(bytes, port, address);
    } catch {
      this.lost++; // the kernel had no room: one more loss
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }
}
