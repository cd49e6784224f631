/**
 * Accepts TLS connections on one local address (RFC 3261 §26.3.1) with node:tls, which can change its certificates
 * while it runs. A connection counts from its first packet on (behind a balancer: from its PROXY header on): one that
 * never ends its handshake is closed like one that is never accepted by the other side.
 */
import type { Server as PlainServer, Socket } from "node:net";
import { createServer as createPlainServer } from "node:net";
import type { Server, TlsOptions } from "node:tls";
import { createServer, TLSSocket } from "node:tls";
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import { sipNames } from "./certificate-names.ts";
import type { Certificates } from "./certificates.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { Endpoint } from "./endpoint.ts";
import { NodeWire } from "./node-wire.ts";
import { ProxyGate } from "./proxy-gate.ts";
import type { ProxySource } from "./proxy-header.ts";
import type { StreamWhere } from "./tcp-listener.ts";
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
  /** A plain one where balancers are named: their header comes before the handshake. */
  readonly #server: Server | PlainServer;
  readonly #parts: TlsParts;
  readonly #gate: ProxyGate;
  readonly #connecting = new WeakMap<TLSSocket, Connection>();
  #accepting = true;

  private constructor(parts: TlsParts, server: Server | PlainServer, endpoint: Endpoint, gate: ProxyGate) {
    this.#parts = parts;
    this.#server = server;
    this.#gate = gate;
    this.endpoint = endpoint;
    if (isTls(server)) {
      server.on("connection", (socket: TLSSocket) => void this.#accept(socket, sourceOf(socket)));
      server.on("secureConnection", (socket: TLSSocket) => this.#secured(socket));
      server.on("tlsClientError", (_error: Error, socket: TLSSocket) => socket.destroy());
    } else server.on("connection", (socket: Socket) => this.#meet(socket));
    server.on("error", (error: Error) => parts.log.error("tls-listener-fault", { error: String(error) }));
  }

  /** Binds and listens; rejects with the system's error (its `code` is the errno name). */
  static async open(parts: TlsParts, where: StreamWhere): Promise<TlsListener> {
    const options = serverOptions(parts.certificates);
    if (options === null) throw Object.assign(new Error("no certificate"), { code: "NOCERT" });
    const server = where.proxy_protocol_from.length > 0 ? createPlainServer() : createServer(options);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: where.address, port: where.port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const bound = server.address();
    const port = bound === null || typeof bound === "string" ? where.port : bound.port;
    const gate = new ProxyGate(parts.connections, parts.log, where.proxy_protocol_from);
    return new TlsListener(parts, server, new Endpoint("tls", where.address, port, where), gate);
  }

  /** Handshakes from now on are made with these certificates; connections that exist go on. */
  renew(): void {
    const context = this.#parts.certificates.default;
    if (context !== null && isTls(this.#server)) this.#server.setSecureContext(context);
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
    this.#gate.close();
    this.#parts.connections.closeAll(reason, this.endpoint);
  }

  /** Before its handshake: from a balancer, its header says whose it is. */
  #meet(socket: Socket): void {
    const from = sourceOf(socket);
    socket.on("error", () => {}); // its close follows
    if (from === null) {
      socket.destroy();
      return;
    }
    if (!this.#gate.expects(from.address)) {
      this.#secure(socket, from);
      return;
    }
    const read = (bytes: Buffer): void => wait?.received(bytes);
    const reset = (): void => void socket.resetAndDestroy();
    const wait = this.#gate.wait(from, { reset }, (source, rest) => {
      socket.off("data", read);
      socket.pause();
      if (rest.length > 0) socket.unshift(rest); // the handshake's first bytes
      this.#secure(socket, source);
    });
    if (wait === null) {
      socket.destroy();
      return;
    }
    socket.on("data", read);
    socket.on("end", () => wait.peerEnded());
    socket.on("close", () => wait.wireClosed("peer_closed"));
  }

  /** The handshake of a connection that a plain server took. */
  #secure(plain: Socket, source: ProxySource): void {
    const options = serverOptions(this.#parts.certificates);
    if (options === null) {
      plain.destroy();
      return;
    }
    const socket = new TLSSocket(plain, { ...options, isServer: true });
    socket.on("secure", () => this.#secured(socket));
    socket.on("close", () => plain.destroy()); // without it a failed handshake leaves it open
    if (!this.#accept(socket, source)) plain.destroy();
  }

  /** False: a limit or the guard refuses it. */
  #accept(socket: TLSSocket, source: ProxySource | null): boolean {
    const { connections } = this.#parts;
    let failure: unknown;
    socket.on("error", (error) => {
      failure = error;
    });
    const connection =
      source === null || !this.#accepting
        ? null
        : connections.accept(this.endpoint, source.address, source.port, new NodeWire(socket), true);
    if (connection === null) {
      socket.destroy();
      return false;
    }
    socket.on("close", () =>
      connection.wireClosed(connection.state === "connecting" ? "handshake_failed" : closeReason(failure)),
    );
    this.#connecting.set(socket, connection);
    return true;
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

/** Null: there is no certificate. */
function serverOptions(certificates: Certificates): TlsOptions | null {
  const context = certificates.default;
  if (context === null) return null;
  return {
    ...context,
    requestCert: certificates.rules.client_certificate !== "none",
    rejectUnauthorized: false, // judged here, so that it is counted and said
    SNICallback: (name, done) => done(null, certificates.contextFor(name) ?? undefined),
  };
}

const isTls = (server: Server | PlainServer): server is Server => "setSecureContext" in server;

function sourceOf({ remoteAddress, remotePort }: Socket): ProxySource | null {
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return { address: plainAddress(remoteAddress), port: remotePort };
}

/** What the peer's certificate proves, once it was found good. */
export function namesOf(socket: TLSSocket): readonly string[] {
  const { subject, subjectaltname } = socket.getPeerCertificate();
  const commonName = subject?.CN;
  return sipNames(subjectaltname ?? null, typeof commonName === "string" ? commonName : null);
}
