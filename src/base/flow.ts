/**
 * A Flow is the two-way association a message came on: a UDP pair of addresses, or one connection
 * (RFC 5626 §3.1). Transports make flows; every other room only names them and sends on them.
 */
import type { Networks } from "./networks.ts";

export type TransportName = "udp" | "tcp" | "tls" | "ws" | "wss";

/** One of our own listening points, as messages name it. */
export interface LocalEndpoint {
  readonly transport: TransportName;
  /** The bound address, without brackets. */
  readonly address: string;
  readonly port: number;
  /** `host:port` for Via, Record-Route and Path: the advertised name, or the bound address (IPv6 in brackets). */
  readonly sentBy: string;
  /** Who stands in the networks of this endpoint, and the name that is told there; absent: nobody is known to. */
  readonly inside?: Inside;
}

/** The near side of an endpoint: peers that reach its bound address without any address translation. */
export interface Inside {
  readonly networks: Networks;
  /** `host:port` of the bound address. */
  readonly sentBy: string;
}

/** The `host:port` by which a peer at this address reaches the endpoint: its advertised name is for those outside. */
export function sentByFor(endpoint: LocalEndpoint, address: string): string {
  const { inside, sentBy } = endpoint;
  return inside !== undefined && inside.sentBy !== sentBy && inside.networks.has(address)
    ? inside.sentBy
    : sentBy;
}

/** Whether `hostPort` is a name of this endpoint, told inside or outside. */
export function isNameOf(endpoint: LocalEndpoint, name: string): boolean {
  const { inside, sentBy } = endpoint;
  if (name === sentBy || name === inside?.sentBy) return true;
  return name.length === sentBy.length && name.toLowerCase() === sentBy.toLowerCase();
}

/**
 * Is told once when a connection is gone, with the reason for the trace: at the end of the event-loop
 * turn, never from inside a call on the flow.
 */
export interface FlowObserver {
  flowClosed(flow: Flow, reason: string): void;
}

export interface Flow {
  readonly transport: TransportName;
  readonly local: LocalEndpoint;
  /** The peer's address, without brackets, IPv4-mapped IPv6 written as IPv4. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** True for connections: no retransmissions are needed (RFC 3261 §17). */
  readonly reliable: boolean;
  /** The domains that the peer's checked certificate proves (RFC 5922 §7); null or absent: it showed none. */
  readonly names?: readonly string[] | null;
  /** Whether the connection was opened from here; absent for datagrams. */
  readonly outgoing?: boolean;
  /** False once a connection is closed; a UDP flow is open as long as its socket is. */
  readonly open: boolean;
  /** Names the flow in maps and logs: `udp:10.0.0.1:5060>192.0.2.7:5062`, plus `#n` for connection n. */
  readonly id: string;
  /**
   * Hands one whole message to the transport. True: it left or is queued (a connection still being
   * opened queues). False: it was dropped (closed, queue full, no route), and nothing will follow.
   * Never throws. Over a connection the bytes are not copied and may leave later: they must not change any more; a
   * datagram is taken at once.
   */
  send(bytes: Uint8Array): boolean;
  /** Asks to be told when this connection closes. UDP flows never close by themselves. */
  watch(observer: FlowObserver): void;
  unwatch(observer: FlowObserver): void;
  /** The same socket towards another port of the same peer (a response without rport); null for connections. */
  toPort(port: number): Flow | null;
}

/** What the transports deliver. Called synchronously; must not throw. */
export interface Receiver {
  /** One datagram, or one message framed out of a stream (start line to end of body). */
  message(bytes: Buffer, flow: Flow): void;
  /**
   * A stream that can no longer be framed. `head` holds the start line and headers read so far, for
   * a 400 to whoever sent it; the transport closes the connection once that answer is out.
   */
  broken(head: Buffer, flow: Flow, code: string): void;
}

/** What the layers above need of the transports. */
export interface Transports {
  /**
   * A flow to `address:port`: the live connection to it, or a new one that queues while it is opened;
   * for UDP the socket `from` when it fits, else the first of the family. `name`: the domain for which a TLS peer must
   * have a certificate (RFC 5922 §4); absent: its address. Null: no listener can reach it.
   */
  flowTo(
    transport: TransportName,
    address: string,
    port: number,
    from?: LocalEndpoint,
    name?: string,
  ): Flow | null;
  /** The live connection to `address:port`, or null; never opens one. */
  connectionTo(transport: TransportName, address: string, port: number): Flow | null;
  /**
   * What is for this port of the peer and a domain that its certificate proves may go over this TLS connection, which
   * it opened (RFC 5923 §8.2). Does nothing for other flows.
   */
  alias(flow: Flow, port: number): void;
  /** The flow a stored id names, when it still exists (a restart ends connections, not UDP flows). */
  flowById(id: string): Flow | null;
  /**
   * Asks whether a UDP port refuses what is sent there: `refused` is called once if ICMP says so within a short
   * while, and never otherwise.
   */
  askPort(address: string, port: number, refused: () => void): void;
  /** Every point we listen on now. */
  endpoints(): readonly LocalEndpoint[];
  /** True when a stream connection to `address:port` is open or succeeded lately (RFC 3261 §18.1.1). */
  speaksTcp(address: string, port: number): boolean;
}

/** `host:port` with IPv6 literals in brackets (RFC 3261 §25.1 hostport). */
export function hostPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `::ffff:192.0.2.1` is how a dual-stack socket shows IPv4; everybody else writes 192.0.2.1. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

export const isReliable = (transport: TransportName): boolean => transport !== "udp";
