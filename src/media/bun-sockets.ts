/** Media sockets of this machine. */
import type { MediaSocket, OpenSocket } from "./port-stock.ts";

/** Told the descriptor of each new socket, to set what Bun cannot. */
export type Prepare = (fd: number, family: 4 | 6) => void;

/** Each try takes one pending ICMP error off the socket. */
const SEND_TRIES_MAX = 3;

export const bunSockets =
  (prepare: Prepare): OpenSocket =>
  async (address, port, receive) => {
    try {
      const socket = await Bun.udpSocket({
        hostname: address,
        port,
        socket: { data: (_socket, bytes, fromPort, from) => receive(bytes, fromPort, from), error() {} },
      });
      const { fd } = socket as { fd?: number };
      if (fd !== undefined) prepare(fd, address.includes(":") ? 6 : 4);
      return new BunMediaSocket(socket);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      return typeof code === "string" ? code : "unknown";
    }
  };

class BunMediaSocket implements MediaSocket {
  readonly #socket: Bun.udp.Socket<"buffer">;

  constructor(socket: Bun.udp.Socket<"buffer">) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array, port: number, address: string): boolean {
    for (let tries = 0; tries < SEND_TRIES_MAX; tries++) {
      try {
        return this.#socket.send(bytes, port, address);
      } catch {
        // A phone that has closed its port answers by ICMP, which fails the next send: that one is repeated.
      }
    }
    return false;
  }

  close(): void {
    this.#socket.close();
  }
}
