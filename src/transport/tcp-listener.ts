/**
 * Accepts TCP connections on one local address with Bun.listen, which buffers nothing itself and
 * needs half the memory of node:net per connection.
 */
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Wire } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { EndpointNames } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import type { Incoming } from "./proxy-gate.ts";
import { ProxyGate } from "./proxy-gate.ts";
import type { ProxySource } from "./proxy-header.ts";
import type { CloseReason } from "./transport-metrics.ts";

type Attached = Incoming | null;
type Socket = Bun.Socket<Attached>;

/** Probes of the kernel that find a peer that vanished without a word. */
const KEEPALIVE_MS = 60_000;

/** Where to listen for streams, and how. */
export interface StreamWhere extends EndpointNames {
  readonly address: string;
  readonly port: number;
  /** Networks of the balancers whose connections begin with a PROXY header. */
  readonly proxy_protocol_from: readonly string[];
}

export class TcpListener {
  readonly endpoint: Endpoint;
  readonly #listener: Bun.TCPSocketListener<Attached>;
  readonly #connections: Connections;
  readonly #gate: ProxyGate;
  #accepting = true;

  /** Binds and listens; throws the system's error (its `code` is the errno name). */
  constructor(connections: Connections, log: Log, where: StreamWhere) {
    this.#connections = connections;
    this.#gate = new ProxyGate(connections, log, where.proxy_protocol_from);
    this.#listener = Bun.listen<Attached>({
      hostname: where.address,
      port: where.port,
      socket: {
        open: (socket) => this.#accept(socket),
        data: (socket, bytes) => socket.data?.received(bytes),
        drain: (socket) => socket.data?.drained(),
        end: (socket) => socket.data?.peerEnded(),
        close: (socket, error) => socket.data?.wireClosed(closeReason(error)),
        error: (_socket, error) => log.error("tcp-handler-fault", { error: String(error) }),
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
    this.#gate.close();
    this.#connections.closeAll(reason, this.endpoint);
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort: port } = socket;
    if (!remoteAddress || !port) {
      socket.terminate();
      return;
    }
    const from = { address: plainAddress(remoteAddress), port };
    if (!this.#gate.expects(from.address)) {
      this.#admit(socket, from);
      return;
    }
    socket.data = this.#gate.wait(from, new BunWire(socket), (source, rest) => {
      this.#admit(socket, source);
      if (rest.length > 0) socket.data?.received(rest);
    });
    if (socket.data === null) socket.terminate();
  }

  #admit(socket: Socket, { address, port }: ProxySource): void {
    const connection = this.#connections.accept(this.endpoint, address, port, new BunWire(socket));
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
