/**
 * Opens outgoing TCP connections with node:net: Bun.connect can neither be given up nor says why it
 * failed.
 */
import { connect, type Socket } from "node:net";
import type { Connection } from "./connection.ts";
import { NodeWire } from "./node-wire.ts";
import { closeReason } from "./tcp-listener.ts";
import type { CloseReason } from "./transport-metrics.ts";

const KEEPALIVE_MS = 60_000;

/**
 * Starts to connect from the connection's local address to its remote one. Never throws: the
 * connection learns by `attach` or `wireClosed` what became of it, and may be closed meanwhile.
 */
export function dial(connection: Connection): void {
  let socket: Socket;
  try {
    socket = connect({
      host: connection.remoteAddress,
      port: connection.remotePort,
      localAddress: connection.local.address,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    });
  } catch {
    connection.wireClosed("connect_failed");
    return;
  }
  let connected = false;
  let failure: unknown;
  socket.on("connect", () => {
    connected = true;
    connection.connected();
  });
  socket.on("data", (bytes: Buffer) => connection.received(bytes));
  socket.on("drain", () => connection.drained());
  socket.on("end", () => connection.peerEnded());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => connection.wireClosed(connected ? closeReason(failure) : connectFailure(failure)));
  connection.attach(new NodeWire(socket));
}

/** Why a connection never came about. */
export function connectFailure(error: unknown): CloseReason {
  switch ((error as { code?: unknown } | null | undefined)?.code) {
    case "ECONNREFUSED":
    case "ECONNRESET":
      return "connect_refused";
    case "ETIMEDOUT":
      return "connect_timeout";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EPROTONOSUPPORT":
    case "ENOPROTOOPT":
      return "connect_unreachable";
    default:
      return "connect_failed";
  }
}
