/**
 * A transaction layer on a virtual clock whose sockets and user only write down what they are given.
 */
import type { Flow, FlowObserver, LocalEndpoint, TransportName, Transports } from "../../src/base/flow.ts";
import { hostPort, isReliable } from "../../src/base/flow.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { buildAnswer } from "../../src/message/answer.ts";
import { Edits } from "../../src/message/edits.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import type { ClientTransaction } from "../../src/transaction/client-transaction.ts";
import type { LayerOptions } from "../../src/transaction/layer.ts";
import { TransactionLayer } from "../../src/transaction/layer.ts";
import type { ServerTransaction } from "../../src/transaction/server-transaction.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export const T1_MS = 500;
export const TIMERS = { t1_ms: 500, t2_ms: 4000, t4_ms: 5000 };
/** A wheel's slot: how much later than its time a timer may fire. */
export const SLOT_MS = 10;

const LOCAL: LocalEndpoint = {
  transport: "udp",
  address: "192.0.2.1",
  port: 5060,
  sentBy: "192.0.2.1:5060",
};

/** Keeps what is sent; refuses when told to. */
export class RecordingFlow implements Flow {
  readonly transport: TransportName;
  readonly local: LocalEndpoint;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly reliable: boolean;
  open = true;
  accepts = true;
  readonly observers = new Set<FlowObserver>();
  readonly #sent: (text: string, flow: RecordingFlow) => void;

  constructor(
    transport: TransportName,
    address: string,
    port: number,
    sent: (text: string, flow: RecordingFlow) => void,
  ) {
    this.transport = transport;
    this.local = { ...LOCAL, transport };
    this.remoteAddress = address;
    this.remotePort = port;
    this.reliable = isReliable(transport);
    this.#sent = sent;
  }

  get id(): string {
    return `${this.transport}:192.0.2.1:5060>${hostPort(this.remoteAddress, this.remotePort)}`;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.open || !this.accepts) return false;
    this.#sent(Buffer.from(bytes).toString("latin1"), this);
    return true;
  }

  watch(observer: FlowObserver): void {
    this.observers.add(observer);
  }
  unwatch(observer: FlowObserver): void {
    this.observers.delete(observer);
  }
  toPort(port: number): Flow | null {
    return this.reliable ? null : new RecordingFlow(this.transport, this.remoteAddress, port, this.#sent);
  }
  close(): void {
    this.open = false;
    for (const observer of [...this.observers]) observer.flowClosed(this, "reset");
  }
}

export interface Sent {
  readonly at: number;
  readonly text: string;
  readonly to: string;
}

export class Rig {
  readonly clock = new VirtualClock();
  readonly metrics = new Metrics();
  readonly edits = new Edits();
  readonly scanner = new Scanner();
  readonly layer: TransactionLayer;
  /** Everything that happened, in order: "send INVITE", "send 486", "answered 180", "timedOut" … */
  readonly events: string[] = [];
  readonly sent: Sent[] = [];
  readonly requests: ServerTransaction[] = [];
  readonly cancels: { cancel: ServerTransaction; invite: ServerTransaction | null }[] = [];
  readonly #start = this.clock.now();

  constructor(transactionsMax = 1000, more: Partial<LayerOptions> = {}) {
    const transports: Transports = {
      flowTo: (transport, address, port) => this.flow(transport, address, port),
      connectionTo: () => null,
      alias: () => {},
      flowById: () => null,
      endpoints: () => [LOCAL],
      speaksTcp: () => false,
      askPort: () => {},
    };
    this.layer = new TransactionLayer({
      clock: this.clock,
      metrics: this.metrics,
      transports,
      edits: this.edits,
      scanner: this.scanner,
      timers: TIMERS,
      transactionsMax,
      ...more,
      user: {
        request: (transaction) => {
          this.events.push(`request ${transaction.method}`);
          transaction.user = this.serverUser;
          this.requests.push(transaction);
        },
        cancel: (cancel, _request, invite) => {
          this.events.push("cancel");
          this.cancels.push({ cancel, invite });
        },
        ack: () => this.events.push("stray ACK"),
        strayResponse: (response) => this.events.push(`stray ${response.status}`),
      },
    });
  }

  readonly clientUser = {
    answered: (_: ClientTransaction, response: SipMessage) => {
      this.events.push(`answered ${response.status}`);
    },
    timedOut: () => {
      this.events.push("timedOut");
    },
    transportFailed: () => {
      this.events.push("transportFailed");
    },
  };

  readonly serverUser = {
    acknowledged: () => {
      this.events.push("acknowledged");
    },
    timedOut: () => {
      this.events.push("timedOut");
    },
    transportFailed: () => {
      this.events.push("transportFailed");
    },
  };

  get now(): number {
    return this.clock.now() - this.#start;
  }

  flow(transport: TransportName = "udp", address = "198.51.100.7", port = 5060): RecordingFlow {
    return new RecordingFlow(transport, address, port, (text, flow) => {
      const first = text.split("\r\n", 1)[0]!.split(" ");
      this.events.push(`send ${first[0] === "SIP/2.0" ? first[1] : first[0]}`);
      this.sent.push({ at: this.now, text, to: hostPort(flow.remoteAddress, flow.remotePort) });
    });
  }

  scan(text: string): SipMessage {
    const message = this.scanner.scan(Buffer.from(text, "latin1"));
    if (message === null) throw new Error(`no message: ${text}`);
    return message;
  }

  /** Delivers a request or response as the intake does. */
  receive(text: string, flow: Flow): void {
    const message = this.scan(text);
    const { via, cseq } = message;
    if (via === null || via instanceof ParseError || cseq instanceof ParseError)
      throw new Error("a test message without Via or CSeq");
    if (message.isRequest) this.layer.receiveRequest(message, via, cseq, flow);
    else this.layer.receiveResponse(message, via, cseq, flow);
  }

  /** Sends a request of our own. */
  send(method: string, flow: Flow, branch = "z9hG4bKmine"): ClientTransaction {
    return this.layer.send(
      Buffer.from(request(method, branch, "192.0.2.1:5060")),
      method,
      branch,
      "call-1@198.51.100.7",
      flow,
      this.clientUser,
    );
  }

  respond(transaction: ServerTransaction, status: number, text = request(transaction.method)): void {
    const bytes = buildAnswer(this.edits, this.scan(text), status, {
      address: "198.51.100.7",
      port: 5060,
      toTag: "us",
    });
    transaction.respond(status, bytes);
  }

  /** Takes the events gathered since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }

  counter(name: string): number {
    const family = this.metrics.collect().find((each) => each.name === name);
    return (family?.samples ?? []).reduce((sum, sample) => sum + sample.value, 0);
  }

  /** Milliseconds at which messages with this first word were sent. */
  times(word: string): number[] {
    const fits = (text: string) => text.startsWith(`${word} `) || text.startsWith(`SIP/2.0 ${word} `);
    return this.sent.filter((each) => fits(each.text)).map((each) => each.at);
  }

  /** What must hold when everything has ended: no transaction, no timer, no alarm. */
  leftovers(): Record<string, number> {
    const { server, client, timers } = this.layer.snapshot(10);
    return { server, client, timers, alarms: this.clock.pending };
  }
}

export const NOTHING_LEFT = { server: 0, client: 0, timers: 0, alarms: 0 };

/** A request with the given Via branch and sent-by. */
export function request(
  method: string,
  branch = "z9hG4bKpeer",
  sentBy = "198.51.100.7:5060",
  changes: Record<string, string> = {},
): string {
  const headers: Record<string, string> = {
    Via: `SIP/2.0/UDP ${sentBy}${branch === "" ? "" : `;branch=${branch}`}`,
    "Max-Forwards": "70",
    From: "<sip:alice@example.test>;tag=a1",
    To: "<sip:bob@example.test>",
    "Call-ID": "call-1@198.51.100.7",
    CSeq: `7 ${method}`,
    "Content-Length": "0",
    ...changes,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} sip:bob@example.test SIP/2.0`, ...lines, "", ""].join("\r\n");
}

export function response(status: number, method: string, branch = "z9hG4bKmine", toTag = "b1"): string {
  return [
    `SIP/2.0 ${status} Whatever`,
    `Via: SIP/2.0/UDP 192.0.2.1:5060;branch=${branch};rport=5060;received=192.0.2.1`,
    "From: <sip:alice@example.test>;tag=a1",
    `To: <sip:bob@example.test>;tag=${toTag}`,
    "Call-ID: call-1@198.51.100.7",
    `CSeq: 7 ${method}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}
