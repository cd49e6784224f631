/**
 * A phone's way to a server: one UDP socket, TCP or TLS connection, or WebSocket (RFC 7118 §5). For programs that call
 * through a running appliance from outside, not for the appliance itself.
 */
import { connect as connectTcp, type Socket as NetSocket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { TransportName } from "../base/flow.ts";
import { hostPort, isReliable } from "../base/flow.ts";
import { FramingFault, StreamFramer } from "../message/framing.ts";
import { namesOf } from "./tls-listener.ts";

export interface LinkTarget {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** The domain a TLS server is asked for (RFC 6066 §3); null: it is an address. */
  readonly serverName: string | null;
}

export interface LinkEvents {
  /** One whole message; keep-alives are left out. Must not throw. */
  message(bytes: Buffer): void;
  /** The link is gone, for this reason; told once, and not after `close`. */
  lost(why: string): void;
}

export interface ClientLink {
  readonly transport: TransportName;
  /** False: whoever sends repeats (RFC 3261 §17). */
  readonly reliable: boolean;
  /** The local address; media goes from there as well. */
  readonly address: string;
  /** What Via and Contact say: `host:port`; over a WebSocket a name that leads nowhere (RFC 7118 §5). */
  readonly sentBy: string;
  /** What the server's certificate proves; null: it showed none, or this platform does not tell. */
  readonly certificateNames: readonly string[] | null;
  /** False: it was not taken. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

const CONNECT_MS = 5000;
const LATE = `no connection within ${CONNECT_MS / 1000} s`;
const LIMITS = { header_bytes_max: 65_536, message_bytes_max: 262_144 };
/** Each try takes one pending ICMP error off the socket. */
const SEND_TRIES_MAX = 3;

/** Sends from the target's own address, which is one of this machine. Rejects with the reason in words. */
export function openLink(clock: Clock, target: LinkTarget, events: LinkEvents): Promise<ClientLink> {
  switch (target.transport) {
    case "udp":
      return openUdp(target, events);
    case "tcp":
    case "tls":
      return openStream(clock, target, events);
    default:
      return openWebSocket(clock, target, events);
  }
}

async function openUdp({ address, port }: LinkTarget, events: LinkEvents): Promise<ClientLink> {
  const socket = await Bun.udpSocket({
    hostname: address,
    port: 0,
    socket: { data: (_socket, bytes) => events.message(bytes), error() {} },
  });
  return {
    transport: "udp",
    reliable: false,
    address,
    sentBy: hostPort(address, socket.port),
    certificateNames: null,
    send(bytes) {
      for (let tries = 0; tries < SEND_TRIES_MAX; tries++) {
        try {
          return socket.send(bytes, port, address);
        } catch {
          // ICMP for an earlier datagram: this one is sent again.
        }
      }
      return false;
    },
    close: () => socket.close(),
  };
}

/** What the server shows is taken as it is: whether phones would trust it is somebody else's question. */
function dial({ transport, address, port, serverName }: LinkTarget): NetSocket | TLSSocket {
  const where = { host: address, port, localAddress: address };
  if (transport === "tcp") return connectTcp({ ...where, noDelay: true });
  return connectTls({
    ...where,
    ...(serverName !== null && { servername: serverName }),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  } as Parameters<typeof connectTls>[0]);
}

function openStream(clock: Clock, target: LinkTarget, events: LinkEvents): Promise<ClientLink> {
  const { transport, address, port } = target;
  const { promise, resolve, reject } = Promise.withResolvers<ClientLink>();
  const socket = dial(target);
  const framer = new StreamFramer(LIMITS);
  let isOver = false;
  const over = (why: string): void => {
    if (isOver) return;
    isOver = true;
    alarm.cancel();
    socket.destroy();
    reject(new Error(why));
    events.lost(why);
  };
  const alarm = clock.after(CONNECT_MS, () => over(LATE));
  socket.on("error", (error: Error) => over(error.message));
  socket.on("close", () => over("the connection was closed"));
  socket.on("data", (bytes: Buffer) => {
    const fault = take(framer, bytes, events);
    if (fault !== null) over(`what came is no SIP: ${fault}`);
  });
  socket.once(transport === "tcp" ? "connect" : "secureConnect", () => {
    alarm.cancel();
    resolve({
      transport,
      reliable: true,
      address,
      sentBy: hostPort(address, socket.localPort ?? port),
      certificateNames: transport === "tls" ? namesOf(socket as TLSSocket) : null,
      send(bytes) {
        if (!isOver) socket.write(bytes);
        return !isOver;
      },
      close() {
        isOver = true;
        socket.end();
        socket.destroySoon();
      },
    });
  });
  return promise;
}

/** The code of what broke the stream; null: it goes on. */
function take(framer: StreamFramer, bytes: Buffer, events: LinkEvents): string | null {
  framer.feed(bytes);
  for (let frame = framer.next(); frame !== null; frame = framer.next()) {
    if (frame instanceof FramingFault) return frame.code;
    if (typeof frame !== "string") events.message(frame);
  }
  return null;
}

function openWebSocket(clock: Clock, target: LinkTarget, events: LinkEvents): Promise<ClientLink> {
  const { transport, address, port, serverName } = target;
  const { promise, resolve, reject } = Promise.withResolvers<ClientLink>();
  const host = serverName !== null && transport === "wss" ? { Host: hostPort(serverName, port) } : {};
  const socket = new WebSocket(`${transport}://${hostPort(address, port)}/`, {
    protocols: ["sip"],
    headers: host,
    tls: { rejectUnauthorized: false },
  } as unknown as string[]);
  socket.binaryType = "arraybuffer";
  let isOver = false;
  const over = (why: string): void => {
    if (isOver) return;
    isOver = true;
    alarm.cancel();
    reject(new Error(why));
    events.lost(why);
    socket.close();
  };
  const alarm = clock.after(CONNECT_MS, () => over(LATE));
  socket.onerror = () => over("the WebSocket was refused");
  socket.onclose = ({ reason }) => over(reason || "the WebSocket was closed");
  socket.onmessage = ({ data }) => {
    const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : Buffer.from(data as ArrayBuffer);
    if (bytes.length > 4) events.message(bytes);
  };
  socket.onopen = () => {
    alarm.cancel();
    resolve({
      transport,
      reliable: isReliable(transport),
      address,
      sentBy: "selftest.invalid",
      certificateNames: null,
      send(bytes) {
        if (!isOver) socket.send(bytes as Uint8Array<ArrayBuffer>);
        return !isOver;
      },
      close() {
        isOver = true;
        socket.close();
      },
    });
  };
  return promise;
}
