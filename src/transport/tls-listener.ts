/**
 * Accepts TLS connections on one local address (RFC 3261 §26.3.1) with node:tls, which can change its certificates
 * while it runs. A connection counts from its first packet on: one that never ends its handshake is closed like one
 * that is never accepted by the other side.
 */
import type { Server, TLSSocket } from "node:tls";
import { createServer } from "node:tls";
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import { sipNames } from "./certificate-names.ts";
import type { Certificates } from "./certificates.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { EndpointNames } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import { NodeWire } from "./node-wire.ts";
import { closeReason } from "./tcp-listener.ts";
import type { CloseReason } from "./transport-metrics.ts";

const KEEPALIVE_MS = 60_000;

export interface TlsParts {
  readonly connections: Connections;
  readonly certificates: Certificates;
  readonly log: Log;
}

export class TlsListener {
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #parts: TlsParts;
  readonly #connecting = new WeakMap<TLSSocket, Connection>();
  #accepting = true;

  private constructor(parts: TlsParts, server: Server, endpoint: Endpoint) {
    this.#parts = parts;
    this.#server = server;
    this.endpoint = endpoint;
    server.on("connection", (socket: TLSSocket) => this.#accept(socket));
    server.on("secureConnection", (socket: TLSSocket) => this.#secured(socket));
    server.on("tlsClientError", (_error: Error, socket: TLSSocket) => socket.destroy());
    server.on("error", (error) => parts.log.error("tls-listener-fault", { error: String(error) }));
  }

  /** Binds and listens; rejects with the system's error (its `code` is the errno name). */
  static async open(
    parts: TlsParts,
    where: { address: string; port: number } & EndpointNames,
  ): Promise<TlsListener> {
    const { certificates } = parts;
    const context = certificates.default;
    if (context === null) throw Object.assign(new Error("no certificate"), { code: "NOCERT" });
    const { client_certificate } = certificates.rules;
    const server = createServer({
      ...context,
      requestCert: client_certificate !== "none",
      rejectUnauthorized: false, // judged here, so that it is counted and said
      SNICallback: (name, done) => done(null, certificates.contextFor(name) ?? undefined),
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: where.address, port: where.port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const bound = server.address();
    const port = bound === null || typeof bound === "string" ? where.port : bound.port;
    return new TlsListener(parts, server, new Endpoint("tls", where.address, port, where));
  }

  /** Handshakes from now on are made with these certificates; connections that exist go on. */
  renew(): void {
    const context = this.#parts.certificates.default;
    if (context !== null) this.#server.setSecureContext(context);
  }

  /** Takes no new connections; those there are live on. */
  stopAccepting(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    this.#server.close();
  }

  /** Stops, and closes every connection of this endpoint, those opened from it included. */
  close(reason: CloseReason): void {
    this.stopAccepting();
    this.#parts.connections.closeAll(reason, this.endpoint);
  }

  #accept(socket: TLSSocket): void {
    const { connections } = this.#parts;
    const { remoteAddress, remotePort } = socket;
    let failure: unknown;
    socket.on("error", (error) => {
      failure = error;
    });
    const connection =
      remoteAddress === undefined || remotePort === undefined || !this.#accepting
        ? null
        : connections.accept(
            this.endpoint,
            plainAddress(remoteAddress),
            remotePort,
            new NodeWire(socket),
            true,
          );
    if (connection === null) {
      socket.destroy();
      return;
    }
    socket.on("close", () =>
      connection.wireClosed(connection.state === "connecting" ? "handshake_failed" : closeReason(failure)),
    );
    this.#connecting.set(socket, connection);
  }

  /** Its handshake is over. */
  #secured(socket: TLSSocket): void {
    const connection = this.#connecting.get(socket);
    if (connection === undefined) return;
    const { client_certificate } = this.#parts.certificates.rules;
    if (client_certificate !== "none") {
      if (socket.authorized) connection.names = namesOf(socket);
      else if (client_certificate === "require") {
        this.#parts.log.info("certificate-refused", {
          from: connection.id,
          why: String(socket.authorizationError ?? "none was shown"),
        });
        connection.close("certificate_refused");
        return;
      }
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.on("data", (bytes: Buffer) => connection.received(bytes));
    socket.on("drain", () => connection.drained());
    socket.on("end", () => connection.peerEnded());
    connection.connected();
  }
}

/** What the peer's certificate proves, once it was found good. */
export function namesOf(socket: TLSSocket): readonly string[] {
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const commonName = subject?.CN;
  return sipNames(subjectaltname ?? null, typeof commonName === "string" ? commonName : null);
}
