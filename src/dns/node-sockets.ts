/**
 * Sockets to name servers by node:dgram and node:net. A connected datagram socket takes datagrams from
 * its server alone, and learns of a closed port at once (ICMP).
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { DnsSocket, DnsSockets, ServerAddress, SocketEvents } from "./sockets.ts";

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "failed";
};

/** Passes nothing on once it is closed, and at most one failure. */
class Gate {
  open = true;
  readonly #events: SocketEvents;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  received(bytes: Buffer, from: ServerAddress): void {
    if (this.open) this.#events.received(bytes, from);
  }

  failed(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.#events.failed(reason);
  }
}

function datagram({ address, port }: ServerAddress, events: SocketEvents): DnsSocket {
  const gate = new Gate(events);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  let connected = false;
  const waiting: Buffer[] = [];
  const transmit = (bytes: Buffer) => {
    try {
      socket.send(bytes, (error) => error && gate.failed(codeOf(error)));
    } catch (error) {
      queueMicrotask(() => gate.failed(codeOf(error)));
    }
  };
  socket.on("message", (bytes, from) => gate.received(bytes, from));
  socket.on("error", (error) => gate.failed(codeOf(error)));
  const shut = () => {
    try {
      socket.close();
    } catch {
      // It is closed, or not open yet: then `opened` closes it.
    }
  };
  const opened = (error?: Error | null) => {
    if (error) return gate.failed(codeOf(error));
    if (!gate.open) return shut();
    connected = true;
    for (const bytes of waiting.splice(0)) transmit(bytes);
  };
  try {
    socket.connect(port, address, opened as () => void);
  } catch (error) {
    queueMicrotask(() => gate.failed(codeOf(error)));
  }
  return {
    send: (bytes) => void (connected ? transmit(bytes) : waiting.push(bytes)),
    close() {
      gate.open = false;
      shut();
    },
  };
}

function stream(server: ServerAddress, events: SocketEvents): DnsSocket {
  const gate = new Gate(events);
  const socket = connect({ host: server.address, port: server.port, noDelay: true });
  socket.on("data", (bytes: Buffer) => gate.received(bytes, server));
  socket.on("error", (error) => gate.failed(codeOf(error)));
  socket.on("close", () => gate.failed("closed"));
  return {
    send: (bytes) => void socket.write(bytes), // node:net keeps it until the connection stands
    close() {
      gate.open = false;
      socket.destroy();
    },
  };
}

export const nodeSockets: DnsSockets = { datagram, stream };
