/**
 * Opens outgoing TLS connections. The peer must show a certificate for the domain that was asked for, whichever server
 * its DNS records led to (RFC 5922 §4).
 */
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import type { Log } from "../base/log.ts";
import { provesName } from "./certificate-names.ts";
import type { Certificates } from "./certificates.ts";
import type { Connection } from "./connection.ts";
import { NodeWire } from "./node-wire.ts";
import { connectFailure } from "./tcp-dial.ts";
import { closeReason } from "./tcp-listener.ts";
import { namesOf } from "./tls-listener.ts";

const KEEPALIVE_MS = 60_000;

/** As `dial`; `name`: the domain, or the address where nobody named one. */
export function dialTls(connection: Connection, name: string, certificates: Certificates, log: Log): void {
  const context = certificates.default;
  if (context === null) {
    connection.wireClosed("connect_failed");
    return;
  }
  let socket: TLSSocket;
  try {
    socket = connect({
      ...context, // ours is shown to whoever asks for one
      host: connection.remoteAddress,
      port: connection.remotePort,
      localAddress: connection.local.address,
      ...(isIP(name) === 0 && { servername: name }),
      rejectUnauthorized: false, // judged here, so that it is counted and said
      checkServerIdentity: () => undefined,
    } as Parameters<typeof connect>[0]);
  } catch {
    connection.wireClosed("connect_failed");
    return;
  }
  connection.serverName = name;
  let failure: unknown;
  let isRefused = false;
  socket.on("secureConnect", () => {
    const why = certificates.rules.verify ? distrust(socket, name) : null;
    if (why !== null) {
      isRefused = true;
      log.warn("certificate-refused", { to: connection.id, name, why });
      connection.close("certificate_refused");
      return;
    }
    connection.names = certificates.rules.verify ? namesOf(socket) : null;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    connection.connected();
  });
  socket.on("data", (bytes: Buffer) => {
    if (!isRefused) connection.received(bytes);
  });
  socket.on("drain", () => connection.drained());
  socket.on("end", () => connection.peerEnded());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () =>
    connection.wireClosed(connection.state === "connecting" ? tlsFailure(failure) : closeReason(failure)),
  );
  connection.attach(new NodeWire(socket));
}

/** Why its certificate is not believed; null: it is. */
function distrust(socket: TLSSocket, name: string): string | null {
  if (!socket.authorized) return String(socket.authorizationError ?? "not authorized");
  const names = namesOf(socket);
  return provesName(names, name) ? null : `it is for ${names.slice(0, 5).join(", ") || "nobody"}`;
}

function tlsFailure(error: unknown) {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && /^ERR_(SSL|TLS|OSSL)/.test(code)
    ? "handshake_failed"
    : connectFailure(error);
}
