/** A socket of node:net or node:tls as a Wire. */
import type { Socket } from "node:net";
import type { Wire } from "./connection.ts";

export class NodeWire implements Wire {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** All or nothing: it would buffer without bound, so it gets nothing while it holds anything back. */
  write(bytes: Uint8Array): number {
    if (this.#socket.destroyed) return -1;
    if (this.#socket.writableNeedDrain) return 0;
    this.#socket.write(bytes);
    return bytes.length;
  }

  finish(): void {
    this.#socket.end();
  }
  close(): void {
    this.#socket.destroy();
  }
  reset(): void {
    this.#socket.resetAndDestroy();
  }
}
