/**
 * One UDP socket on one local address, and the flows on it. The hot path: a datagram costs one flow
 * object, no look-up and no copy.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow, FlowObserver, LocalEndpoint, Receiver, TransportName } from "../base/flow.ts";
import { plainAddress } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { EndpointNames } from "./endpoint.ts";
import { Endpoint, flowId } from "./endpoint.ts";
import { SendBatch } from "./send-batch.ts";
import type { SocketOptions } from "./socket-options.ts";
import { isStun, stunAnswer } from "./stun.ts";
import type { SendFailure, TransportMetrics } from "./transport-metrics.ts";

export interface UdpOptions {
  /** Receive buffer to ask the kernel for: what arrives while the loop is busy waits there. */
  readonly receive_buffer_bytes: number;
  /** What is sent in one turn of the event loop leaves by one system call, where the platform has it. */
  readonly send_in_batches: boolean;
}

export interface UdpParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TransportMetrics;
  readonly receiver: Receiver;
  /** Whether anything from this address is looked at. */
  readonly admits: (address: string) => boolean;
  readonly socketOptions: SocketOptions;
}

type Socket = Bun.udp.Socket<"buffer">;

const KEEPALIVE_BYTES_MAX = 4;
const STUN_FIRST_BYTE_MAX = 3;
/** Each try takes one pending ICMP error off the socket; more than these few at once are rare. */
const ICMP_RETRIES_MAX = 3;
const ICMP_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOPROTOOPT",
  "EPROTO",
]);
const FAILURES: Readonly<Record<string, SendFailure>> = {
  EMSGSIZE: "too_large",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  ECONNREFUSED: "icmp_pending",
  EACCES: "denied",
  EPERM: "denied",
  EAGAIN: "would_block",
  ENOBUFS: "would_block",
};

export class UdpListener {
  readonly endpoint: Endpoint;
  readonly #socket: Socket;
  readonly #parts: UdpParts;
  readonly #received: { inc(): void };
  readonly #icmpRetries: number;
  readonly #batch: SendBatch | null = null;
  #open = true;

  private constructor(socket: Socket, endpoint: Endpoint, parts: UdpParts, options: UdpOptions) {
    this.#socket = socket;
    this.endpoint = endpoint;
    this.#parts = parts;
    this.#received = parts.metrics.udpReceived;
    const fd = (socket as { fd?: number }).fd ?? -1;
    this.#icmpRetries = parts.socketOptions.ignoreIcmpErrors(fd, endpoint.family) ? 0 : ICMP_RETRIES_MAX;
    const granted = parts.socketOptions.setReceiveBuffer(fd, options.receive_buffer_bytes);
    const { sendMany } = parts.socketOptions;
    if (options.send_in_batches && sendMany !== null && fd >= 0) {
      const { clock, metrics } = parts;
      const sent = (count: number) => metrics.udpSent.inc(count);
      const alone = (bytes: Uint8Array, to: number, address: string) => this.#alone(bytes, to, address);
      this.#batch = new SendBatch({ clock, sendMany, sent, alone }, fd, endpoint.family);
    }
    if (granted < options.receive_buffer_bytes) {
      parts.log.warn("udp-receive-buffer-small", { wanted: options.receive_buffer_bytes, granted });
    }
  }

  /** Binds the socket; rejects with the system's error (its `code` is the errno name). */
  static async open(
    parts: UdpParts,
    options: UdpOptions,
    where: { address: string; port: number } & EndpointNames,
  ): Promise<UdpListener> {
    let listener: UdpListener | null = null;
    const socket = await Bun.udpSocket({
      hostname: where.address,
      port: where.port,
      socket: {
        data: (_socket, bytes, port, address, flags) =>
          listener?.datagram(bytes, port, address, flags.truncated),
        // Bun passes the error alone, though its types promise the socket in front of it: take the last.
        error: (...args: unknown[]) => listener?.icmpError(args.at(-1)),
      },
    });
    listener = new UdpListener(
      socket,
      new Endpoint("udp", where.address, socket.port, where),
      parts,
      options,
    );
    return listener;
  }

  get open(): boolean {
    return this.#open;
  }

  flow(address: string, port: number): Flow {
    return new UdpFlow(this, address, port);
  }

  /** Hands one datagram to the kernel, or to the batch of this turn; never throws. False: it was dropped, and counted. */
  send(bytes: Uint8Array, port: number, address: string): boolean {
    if (this.#batch === null || !this.#open) return this.#alone(bytes, port, address);
    return this.#batch.add(bytes, port, address);
  }

  #alone(bytes: Uint8Array, port: number, address: string): boolean {
    try {
      if (this.#socket.send(bytes, port, address)) {
        this.#parts.metrics.udpSent.inc();
        return true;
      }
    } catch (error) {
      return this.#sendFailed(bytes, port, address, error);
    }
    this.#parts.metrics.udpSendFailed("would_block");
    return false;
  }

  close(): void {
    if (!this.#open) return;
    this.#batch?.flush();
    this.#open = false;
    this.#socket.close();
  }

  /** One datagram from the socket. */
  datagram(bytes: Buffer, port: number, address: string, truncated: boolean): void {
    this.#received.inc();
    if (!this.#parts.admits(address)) return;
    if (bytes.length <= KEEPALIVE_BYTES_MAX && isKeepalive(bytes)) {
      this.#parts.metrics.udpKeepalives.inc();
      return;
    }
    if (bytes[0]! <= STUN_FIRST_BYTE_MAX && isStun(bytes)) return this.#stun(bytes, port, address);
    if (truncated) {
      this.#parts.metrics.udpTruncated.inc();
      return;
    }
    try {
      this.#parts.receiver.message(bytes, new UdpFlow(this, address, port));
    } catch (error) {
      this.#parts.metrics.receiverFaults.inc();
      this.#parts.log.error("receiver-fault", { error: String(error) });
    }
  }

  /** No SIP message begins so. */
  #stun(bytes: Buffer, port: number, address: string): void {
    const answer = stunAnswer(bytes, plainAddress(address), port);
    this.#parts.metrics.stun(answer !== null);
    if (answer !== null) this.send(answer, port, address);
  }

  icmpError(error: unknown): void {
    this.#parts.metrics.udpIcmpError(codeOf(error));
  }

  /** A pending ICMP error about some other peer fails a send once: the next try goes through. */
  #sendFailed(bytes: Uint8Array, port: number, address: string, first: unknown): boolean {
    let code = codeOf(first);
    for (let retry = 0; retry < this.#icmpRetries && ICMP_CODES.has(code); retry++) {
      this.#parts.metrics.udpIcmpError(code);
      try {
        if (this.#socket.send(bytes, port, address)) {
          this.#parts.metrics.udpSent.inc();
          return true;
        }
        code = "EAGAIN";
      } catch (error) {
        code = codeOf(error);
      }
    }
    const reason = this.#open ? (FAILURES[code] ?? "other") : "closed";
    this.#parts.metrics.udpSendFailed(reason);
    this.#parts.log.debug("udp-send-failed", { reason, code, to: address, port, bytes: bytes.length });
    return false;
  }
}

/** RFC 5626 §3.5.1 and what phones send besides: nothing but CR, LF and zero bytes, or nothing at all. */
function isKeepalive(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (c !== 0 && c !== 13 && c !== 10) return false;
  }
  return true;
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "unknown";
}

class UdpFlow implements Flow {
  readonly #listener: UdpListener;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(listener: UdpListener, remoteAddress: string, remotePort: number) {
    this.#listener = listener;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  get transport(): TransportName {
    return "udp";
  }
  get reliable(): boolean {
    return false;
  }
  get local(): LocalEndpoint {
    return this.#listener.endpoint;
  }
  get open(): boolean {
    return this.#listener.open;
  }
  get id(): string {
    return flowId(this.#listener.endpoint, this.remoteAddress, this.remotePort);
  }

  send(bytes: Uint8Array): boolean {
    return this.#listener.send(bytes, this.remotePort, this.remoteAddress);
  }

  toPort(port: number): Flow {
    return new UdpFlow(this.#listener, this.remoteAddress, port);
  }

  watch(_observer: FlowObserver): void {
    // A UDP flow does not close by itself: there is never anything to tell.
  }
  unwatch(_observer: FlowObserver): void {
    // As watch.
  }
}
