/**
 * The copy of each message for the capture server of [hep]: where that is, looked up again now and then where it is a
 * name, and a socket. Nothing is made while no target is configured.
 */
import { ipFamily } from "../base/address.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import type { NameService } from "../dns/records.ts";
import { bunSockets } from "../media/bun-sockets.ts";
import type { MediaSocket, OpenSocket } from "../media/port-stock.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { parseHostPort } from "../message/uri.ts";
import { readPingBranch } from "../nat/keepalive-ping.ts";
import { HepExport } from "../trace/hep-export.ts";
import type { MessageCapture, Traces } from "../trace/traces.ts";
import { loadSocketOptions } from "../transport/socket-options.ts";

export interface CaptureParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly names: NameService;
  /** Default: sockets of this machine. */
  readonly open?: OpenSocket;
}

const HEP_PORT = 9060;
/** How often the address of a name is asked for; what name service keeps costs nothing. */
const LOOK_UP_MS = 30_000;

export class Capture implements MessageCapture {
  readonly #parts: CaptureParts;
  readonly #traces: Pick<Traces, "capture">;
  #export: HepExport | null = null;
  /** "": copies are not wanted. */
  #host = "";
  #port = HEP_PORT;
  /** Where they go now; null: not known yet. */
  #address: string | null = null;
  #socket: MediaSocket | null = null;
  #family = 0;
  #isOpening = false;
  #again: Alarm | null = null;

  /** `traces`: who is told of every message, and tells it here while copies are wanted. */
  constructor(parts: CaptureParts, traces: Pick<Traces, "capture">) {
    this.#parts = parts;
    this.#traces = traces;
  }

  configure({ target, capture_id, password }: Config["hep"]): void {
    const place = target === null ? null : parseHostPort(target, 0, target.length);
    if (place === null || place instanceof ParseError) return this.close();
    const { clock, metrics } = this.#parts;
    const sender = { capture_id, password: password ?? null };
    this.#export ??= new HepExport({ clock, metrics, send: (packet) => this.#send(packet) }, sender);
    this.#export.sender = sender;
    this.#port = place.port ?? HEP_PORT;
    this.#traces.capture = this;
    if (place.host === this.#host) return;
    this.#host = place.host;
    this.#address = null;
    this.#again?.cancel();
    if (ipFamily(place.host) !== 0) this.#found(place.host, place.host);
    else this.#lookUp(place.host);
  }

  /** Ends it; `configure` begins anew. */
  close(): void {
    this.#traces.capture = null;
    this.#host = "";
    this.#address = null;
    this.#again?.cancel();
    this.#socket?.close();
    this.#socket = null;
  }

  /** Answers to pings of ours are left out, as the pings are. */
  received(message: SipMessage, flow: Flow): void {
    const { isRequest, via } = message;
    if (!isRequest && via !== null && !(via instanceof ParseError))
      if (via.branch !== null && readPingBranch(via.branch) !== null) return;
    this.#export?.received(message, flow);
  }

  sent(bytes: Buffer, callId: string, flow: Flow, isSent: boolean): void {
    this.#export?.sent(bytes, callId, flow, isSent);
  }

  #lookUp(host: string): void {
    const { clock, names } = this.#parts;
    this.#again = clock.after(LOOK_UP_MS, () => this.#lookUp(host));
    names.ask(host, "A", (ipv4) => {
      if (ipv4.kind === "records") return this.#found(host, ipv4.records[0] ?? null);
      names.ask(host, "AAAA", (ipv6) =>
        this.#found(host, ipv6.kind === "records" ? (ipv6.records[0] ?? null) : null),
      );
    });
  }

  /** While name service does not answer, the last address stays. */
  #found(host: string, address: string | null): void {
    if (host !== this.#host) return; // another target is wanted by now
    if (address === null) {
      this.#parts.log.warn("hep-target-unknown", { target: host });
      return;
    }
    this.#address = address;
    void this.#open(ipFamily(address));
  }

  async #open(family: number): Promise<void> {
    if (this.#isOpening || (this.#socket !== null && this.#family === family)) return;
    this.#isOpening = true;
    const open = this.#parts.open ?? socketsOf(this.#parts.log);
    const socket = await open(family === 6 ? "::" : "0.0.0.0", 0, () => {});
    this.#isOpening = false;
    if (typeof socket === "string") {
      this.#parts.log.warn("hep-socket", { error: socket });
      return;
    }
    this.#socket?.close();
    this.#socket = socket;
    this.#family = family;
    if (this.#address === null) this.#forget();
    else if (ipFamily(this.#address) !== family) await this.#open(ipFamily(this.#address));
  }

  /** It was switched off while the socket was opened. */
  #forget(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  #send(packet: Uint8Array): boolean {
    if (this.#address === null || this.#socket === null) return false;
    return this.#socket.send(packet, this.#port, this.#address);
  }
}

function socketsOf(log: Log): OpenSocket {
  const options = loadSocketOptions(log);
  return bunSockets((fd, family) => options.ignoreIcmpErrors(fd, family));
}
