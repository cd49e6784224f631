/**
 * Accepts TCP connections on one local address with Bun.listen, which buffers nothing itself and
 * needs half the memory of node:net per connection.
 */
import type { Log } from "../base/log.ts";
import type { Connection, Wire } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { EndpointNames } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import type { CloseReason } from "./transport-metrics.ts";

type Attached = Connection | null;
type Socket = Bun.Socket<Attached>;

/** Probes of the kernel that find a peer that vanished without a word. */
const KEEPALIVE_MS = 60_000;

export class TcpListener {
  readonly endpoint: Endpoint;
  readonly #listener: Bun.TCPSocketListener<Attached>;
  readonly #connections: Connections;
  readonly #log: Log;
  #accepting = true;

  /** Binds and listens; throws the system's error (its `code` is the errno name). */
  constructor(connections: Connections, log: Log, where: { address: string; port: number } & EndpointNames) {
    this.#connections = connections;
    this.#log = log;
    this.#listener = Bun.listen<Attached>({
      hostname: where.address,
      port: where.port,
      socket: {
        open: (socket) => this.#accept(socket),
        data: (socket, bytes) => socket.data?.received(bytes),
        drain: (socket) => socket.data?.drained(),
        end: (socket) => socket.data?.peerEnded(),
        close: (socket, error) => socket.data?.wireClosed(closeReason(error)),
        error: (_socket, error) => this.#log.error("tcp-handler-fault", { error: String(error) }),
      },
    });
    this.endpoint = new Endpoint("tcp", where.address, this.#listener.port, where);
  }

  /** Takes no new connections; those there are live on. */
  stopAccepting(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    this.#listener.stop(false);
  }

  /** Stops, and closes every connection of this endpoint, those opened from it included. */
  close(reason: CloseReason): void {
    this.stopAccepting();
    this.#connections.closeAll(reason, this.endpoint);
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress;
    const port = socket.remotePort;
    const connection =
      address && port ? this.#connections.accept(this.endpoint, address, port, new BunWire(socket)) : null;
    socket.data = connection;
    if (connection === null) {
      socket.terminate();
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
  }
}

class BunWire implements Wire {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: Uint8Array): number {
    return this.#socket.write(bytes);
  }

  finish(): void {
    this.#socket.shutdown();
  }

  // Both run the close handler before they return; the connection is marked closed by then.
  close(): void {
    this.#socket.end();
  }
  reset(): void {
    this.#socket.terminate();
  }
}

/** Why a connection that was open ended, from the socket's error if there was one. */
export function closeReason(error: unknown): CloseReason {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (code === undefined) return "peer_closed";
  return code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH" ? "lost" : "reset";
}
