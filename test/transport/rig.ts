/**
 * NetTransports on real loopback sockets with a clock that stands still until a test moves it, and a
 * receiver that writes down what comes.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Flow, LocalEndpoint, Receiver } from "../../src/base/flow.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { TcpOptions } from "../../src/transport/connection.ts";
import type { NetTransportsParts } from "../../src/transport/net-transports.ts";
import { NetTransports } from "../../src/transport/net-transports.ts";
import type { UdpOptions } from "../../src/transport/udp-listener.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export const TCP: TcpOptions = {
  connections_max: 100,
  connections_per_address_max: 50,
  idle_s: 120,
  first_message_s: 100,
  partial_message_s: 10,
  connect_timeout_ms: 4000,
  queue_bytes_max: 1_000_000,
  header_bytes_max: 4096,
  message_bytes_max: 65_536,
};
export const UDP: UdpOptions = { receive_buffer_bytes: 65_536, send_in_batches: true };

/** Time is virtual; the end of the turn is the real one, as the sockets are. */
export class SocketClock extends VirtualClock {
  override atTurnEnd(fn: () => void): void {
    setImmediate(fn);
  }
}

/** Waits for sockets: until the condition holds, or the test's own time is up. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

export class Recorder implements Receiver {
  readonly messages: { text: string; flow: Flow }[] = [];
  readonly faults: { head: string; flow: Flow; code: string }[] = [];
  onMessage: (text: string, flow: Flow) => void = () => undefined;
  onBroken: (flow: Flow) => void = () => undefined;

  message(bytes: Buffer, flow: Flow): void {
    const text = bytes.toString("latin1");
    this.messages.push({ text, flow });
    this.onMessage(text, flow);
  }
  broken(head: Buffer, flow: Flow, code: string): void {
    this.faults.push({ head: head.toString("latin1"), flow, code });
    this.onBroken(flow);
  }
}

export class Rig {
  readonly clock = new SocketClock();
  readonly metrics = new Metrics();
  readonly receiver = new Recorder();
  readonly transports: NetTransports;

  constructor(parts: Partial<NetTransportsParts> = {}) {
    const { clock, metrics, receiver } = this;
    this.transports = new NetTransports({ clock, metrics, receiver, log: silentLog, ...parts });
  }

  /** Listens on a free port of each transport and address. */
  async listen(
    on: readonly [transport: string, address: string][],
    tcp: TcpOptions = TCP,
    udp: UdpOptions = UDP,
  ): Promise<void> {
    const entries = on.map(([transport, address]) => ({ transport, address, port: 0 }));
    const failures = await this.transports.listen(entries, tcp, udp);
    if (failures.length > 0) throw new Error(failures.map((failure) => failure.message).join("; "));
  }

  endpoint(transport: string): LocalEndpoint {
    const found = this.transports.endpoints().find((endpoint) => endpoint.transport === transport);
    if (!found) throw new Error(`no ${transport} endpoint`);
    return found;
  }

  /** The value of a counter or gauge: the sum of its series whose labels hold these. */
  metric(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const family = this.metrics.collect().find((each) => each.name === `sipedge_${name}`);
    const fits = (have: Readonly<Record<string, string>>): boolean =>
      Object.entries(labels).every(([key, value]) => have[key] === value);
    return (family?.samples ?? []).reduce(
      (sum, { labels: have, value }) => sum + (fits(have) ? value : 0),
      0,
    );
  }
}

/** The far end of one TCP connection. */
export class TcpPeer {
  readonly socket: Socket;
  text = "";
  ended = false;
  closed = false;
  failure = "";

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.text += bytes.toString("latin1");
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.failure = error.code ?? "unknown";
    });
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static async to(endpoint: LocalEndpoint, allowHalfOpen = false): Promise<TcpPeer> {
    const peer = new TcpPeer(connect({ host: endpoint.address, port: endpoint.port, allowHalfOpen }));
    await until(() => peer.closed || peer.socket.readyState === "open");
    return peer;
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }
}

/** A TCP server that keeps the connections it gets. */
export class TcpServer {
  readonly peers: TcpPeer[] = [];
  readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    server.on("connection", (socket) => this.peers.push(new TcpPeer(socket)));
  }

  static async on(address: string): Promise<TcpServer> {
    const server = new TcpServer(createServer());
    server.server.listen(0, address);
    await until(() => server.server.listening);
    return server;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  close(): void {
    for (const peer of this.peers) peer.socket.destroy();
    this.server.close();
  }
}

/** A whole message with a body of that text. */
export const sip = (body: string): string =>
  `MESSAGE sip:b@b.test SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
