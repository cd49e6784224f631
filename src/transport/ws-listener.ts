/**
 * Accepts WebSocket connections on one local address (RFC 7118) with Bun.serve, over TLS for wss. Each frame is one
 * message.
 */
import { isUtf8 } from "node:buffer";
import { hostPort, plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import { Networks } from "../base/networks.ts";
import type { Certificates, ServerContext } from "./certificates.ts";
import type { Connection, Wire } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { EndpointNames } from "./endpoint.ts";
import { Endpoint } from "./endpoint.ts";
import type { CloseReason } from "./transport-metrics.ts";
import type { WsRefusal, WsRules } from "./ws-handshake.ts";
import { forwardedFor, handshakeRefusal, NOBODY_NAMED } from "./ws-handshake.ts";

export interface WsParts {
  readonly connections: Connections;
  readonly admits: (address: string) => boolean;
  /** For wss; null: ws. */
  readonly certificates: Certificates | null;
  readonly log: Log;
}

interface Where extends EndpointNames {
  readonly address: string;
  readonly port: number;
  readonly origins: readonly string[];
  /** Networks of the balancers that say in X-Forwarded-For whose connection it is. */
  readonly forwarded_for_from: readonly string[];
}
interface Attached {
  readonly address: string;
  readonly port: number;
  connection: Connection | null;
  wire: WsWire | null;
}
type Server = Bun.Server<Attached>;

/** <openssl/ssl.h> */
const SSL_OP_NO_TLSV1_2 = 0x0800_0000;
/** Our pings are half of it apart; one that does not answer is gone (RFC 6455 §5.5.2). */
const IDLE_S = 60;
/** RFC 6455 §7.4.1. */
const CLOSED_NORMALLY = 1000;

export class WsListener {
  readonly endpoint: Endpoint;
  readonly #parts: WsParts;
  readonly #where: Where;
  readonly #balancers: Networks;
  #server: Server;
  #accepting = true;

  /** Binds and listens; throws the system's error (its `code` is the errno name). */
  constructor(parts: WsParts, where: Where) {
    this.#parts = parts;
    this.#where = where;
    this.#balancers = new Networks(where.forwarded_for_from);
    this.#server = this.#serve(where.port);
    const transport = parts.certificates === null ? "ws" : "wss";
    this.endpoint = new Endpoint(transport, where.address, this.#server.port ?? where.port, where);
  }

  /** Handshakes from now on are made with other certificates; connections that exist go on. */
  renew(): void {
    if (!this.#accepting || this.#parts.certificates === null) return;
    try {
      const before = this.#server;
      this.#server = this.#serve(this.endpoint.port);
      void before.stop(false);
    } catch (error) {
      this.#parts.log.error("listener-not-renewed", { transport: "wss", error: String(error) });
    }
  }

  /** Takes no new connections; those there are live on. */
  stopAccepting(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    void this.#server.stop(false);
  }

  /** Stops, and closes every connection of this endpoint. */
  close(reason: CloseReason): void {
    this.stopAccepting();
    this.#parts.connections.closeAll(reason, this.endpoint);
  }

  get #rules(): WsRules {
    const { address, port, sentBy } = this.endpoint;
    return { origins: this.#where.origins, own: [hostPort(address, port), sentBy.toLowerCase()] };
  }

  #serve(port: number): Server {
    const tls = this.#parts.certificates?.all ?? null;
    if (this.#parts.certificates !== null && tls?.length === 0)
      throw Object.assign(new Error("no certificate"), { code: "NOCERT" });
    return Bun.serve<Attached>({
      hostname: this.#where.address,
      port,
      reusePort: this.#parts.certificates !== null, // renewed without a moment in which nobody listens
      ...(tls !== null && { tls: tls.map(serveOptions) }),
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        maxPayloadLength: this.#parts.connections.options.message_bytes_max,
        idleTimeout: IDLE_S,
        sendPings: true,
        perMessageDeflate: false,
        open: (socket) => this.#open(socket),
        message: (socket, message) => {
          const bytes = typeof message === "string" ? Buffer.from(message, "utf8") : Buffer.from(message);
          socket.data.connection?.frame(bytes);
        },
        ping: (socket) => socket.data.connection?.alive(),
        pong: (socket) => socket.data.connection?.alive(),
        drain: (socket) => {
          socket.data.wire?.drained();
          socket.data.connection?.drained();
        },
        close: (socket) => socket.data.connection?.wireClosed("peer_closed"),
      },
      error: (error) => {
        this.#parts.log.error("ws-handler-fault", { error: String(error) });
        return new Response(null, { status: 500 });
      },
    });
  }

  #answer(request: Request, server: Server): Response | undefined {
    const peer = server.requestIP(request);
    const from = plainAddress(peer?.address ?? "");
    const isBalancer = this.#balancers.has(from);
    const address = isBalancer ? forwardedFor(request.headers) : from;
    if (peer === null || (address !== null && !this.#parts.admits(address)))
      return new Response(null, { status: 403 });
    const refusal = handshakeRefusal(request.method, request.headers, this.#rules);
    if (refusal !== null || address === null) return this.#refuse(refusal ?? NOBODY_NAMED);
    const data: Attached = { address, port: peer.port, connection: null, wire: null };
    // Bun would give back the first sub-protocol of the offer, whichever it is.
    const isUpgraded = server.upgrade(request, { data, headers: { "Sec-WebSocket-Protocol": "sip" } });
    return isUpgraded
      ? undefined
      : new Response("The WebSocket handshake is not complete\n", { status: 400 });
  }

  #refuse({ headers, status, text }: WsRefusal): Response {
    this.#parts.connections.metrics.wsRefused(status);
    const all = { "content-type": "text/plain; charset=utf-8", connection: "close", ...headers };
    return new Response(`${text}\n`, { status, headers: all });
  }

  #open(socket: Bun.ServerWebSocket<Attached>): void {
    const { data } = socket;
    const wire = new WsWire(socket);
    data.wire = wire;
    data.connection = this.#parts.connections.accept(this.endpoint, data.address, data.port, wire);
    if (data.connection === null) socket.terminate();
  }
}

/** Whole messages only: each one is a frame. */
class WsWire implements Wire {
  readonly #socket: Bun.ServerWebSocket<Attached>;
  #isFull = false;

  constructor(socket: Bun.ServerWebSocket<Attached>) {
    this.#socket = socket;
  }

  /** Text where it is UTF-8, for browsers like that best (RFC 7118 §5 allows both). */
  write(bytes: Uint8Array): number {
    if (this.#isFull) return 0;
    const sent = isUtf8(bytes)
      ? this.#socket.sendText(textOf(bytes))
      : this.#socket.sendBinary(bytes as Uint8Array<ArrayBuffer>);
    if (sent === 0) return -1;
    this.#isFull = sent < 0; // it was taken, and nothing more will be before it drains
    return bytes.length;
  }

  drained(): void {
    this.#isFull = false;
  }

  finish(): void {
    this.#socket.close(CLOSED_NORMALLY);
  }
  close(): void {
    this.#socket.close(CLOSED_NORMALLY);
  }
  reset(): void {
    this.#socket.terminate();
  }
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");

/** What Bun.serve wants to know of a certificate; the first without a name is for whoever asks for nobody. */
function serveOptions({
  serverName,
  context: { cert, key, minVersion },
}: {
  serverName: string;
  context: ServerContext;
}): Bun.TLSOptions {
  return {
    cert,
    key,
    ...(serverName !== "" && { serverName }),
    ...(minVersion === "TLSv1.3" && { secureOptions: SSL_OP_NO_TLSV1_2 }),
  };
}
