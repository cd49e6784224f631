/**
 * The counters of all transports, made once so that the hot path pays one addition each.
 */
import type { Counter, Metrics } from "../base/metrics.ts";
import type { ProxyHeaderEnd } from "./proxy-gate.ts";

/** The connection failed or ended: the reason of a Flow's end and the label of its counter. */
export type CloseReason =
  | "peer_closed"
  | "peer_closed_in_message"
  | "reset"
  | "lost"
  | "idle"
  | "partial_message_stalled"
  | "queue_full"
  | "broken"
  | "connect_refused"
  | "connect_timeout"
  | "connect_unreachable"
  | "connect_failed"
  | "handshake_failed"
  | "certificate_refused"
  | "banned"
  | "no_message"
  | "listener_gone"
  | "shutdown";

export type SendFailure =
  | "would_block"
  | "too_large"
  | "unreachable"
  | "icmp_pending"
  | "denied"
  | "closed"
  | "other";

export type RefusalReason = "connections_max" | "connections_per_address_max" | "handshakes_max";

export class TransportMetrics {
  readonly #metrics: Metrics;
  readonly udpReceived: Counter;
  readonly udpSent: Counter;
  readonly udpTruncated: Counter;
  readonly tcpAccepted: Counter;
  readonly tcpOpened: Counter;
  readonly aliases: Counter;
  readonly tcpReceived: Counter;
  readonly tcpSent: Counter;
  readonly receiverFaults: Counter;
  readonly udpKeepalives: Counter;
  readonly pings: Counter;
  readonly pongs: Counter;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    const counter = (name: string, help: string): Counter => metrics.counter(`sipedge_${name}_total`, help);
    this.udpReceived = counter("udp_datagrams_received", "Datagrams received, keep-alives included");
    this.udpSent = counter("udp_datagrams_sent", "Datagrams handed to the kernel");
    this.udpTruncated = counter("udp_datagrams_truncated", "Datagrams dropped because they came cut off");
    this.tcpAccepted = counter("tcp_connections_accepted", "Connections accepted");
    this.tcpOpened = counter("tcp_connections_opened", "Connections opened to a peer");
    this.aliases = metrics.counter(
      "sipedge_tcp_aliases_total",
      "Connections lent by their TLS peers for requests to them (RFC 5923)",
    );
    this.tcpReceived = counter("tcp_messages_received", "Messages framed out of streams");
    this.tcpSent = counter("tcp_messages_sent", "Messages sent or queued on connections");
    this.receiverFaults = counter("receiver_faults", "Exceptions while a received message was handled");
    this.udpKeepalives = this.#keepalive("udp");
    this.pings = this.#keepalive("ping");
    this.pongs = this.#keepalive("pong");
  }

  udpSendFailed(reason: SendFailure): void {
    const help = "Datagrams that could not be sent";
    this.#metrics.counter("sipedge_udp_send_failed_total", help, { reason }).inc();
  }

  stun(answered: boolean): void {
    const help = "STUN datagrams beside SIP";
    this.#metrics.counter("sipedge_stun_total", help, { result: answered ? "answered" : "ignored" }).inc();
  }

  udpIcmpError(code: string): void {
    const help = "ICMP errors reported by a UDP socket";
    this.#metrics.counter("sipedge_udp_icmp_errors_total", help, { code }).inc();
  }

  tcpSendFailed(reason: "closed" | "queue_full"): void {
    const help = "Messages dropped because their connection could not take them";
    this.#metrics.counter("sipedge_tcp_send_failed_total", help, { reason }).inc();
  }

  tcpRefused(direction: "in" | "out", reason: RefusalReason): void {
    const help = "Connections not accepted or not opened because of a limit";
    this.#metrics.counter("sipedge_tcp_connections_refused_total", help, { direction, reason }).inc();
  }

  wsRefused(status: number): void {
    const help = "WebSocket handshakes that were refused, by the HTTP status they got";
    this.#metrics.counter("sipedge_ws_refused_total", help, { status: String(status) }).inc();
  }

  proxyHeader(result: ProxyHeaderEnd): void {
    const help = "Connections from balancers, by what became of their PROXY header";
    this.#metrics.counter("sipedge_proxy_headers_total", help, { result }).inc();
  }

  tcpClosed(reason: CloseReason): void {
    this.#metrics.counter("sipedge_tcp_closed_total", "Connections closed", { reason }).inc();
  }

  streamBroken(code: string): void {
    const help = "Streams that could not be framed any further";
    this.#metrics.counter("sipedge_stream_broken_total", help, { code }).inc();
  }

  tcpConnections(read: () => number): void {
    this.#metrics.gauge("sipedge_tcp_connections", "Connections now, those being opened included", read);
  }

  #keepalive(kind: "udp" | "ping" | "pong"): Counter {
    const help = "Keep-alives received (RFC 5626 §3.5.1)";
    return this.#metrics.counter("sipedge_keepalives_total", help, { kind });
  }
}
