/**
 * Every message that arrives passes here: read, checked for what a transaction needs, given to the
 * transaction layer (RFC 3261 §18.1.2, §18.2.1). Nothing that bytes can do gets an exception past this file.
 */
import type { Flow, Receiver } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { isAnswerable } from "../message/answer.ts";
import type { CSeq } from "../message/cseq.ts";
import { H } from "../message/header-names.ts";
import { METHODS } from "../message/methods.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Via } from "../message/via.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Answers } from "./answers.ts";

/** What one message may have; named as in [limits]. */
export interface MessageLimits {
  /** A message that came in a datagram; the transports bound those on streams. */
  readonly datagram_bytes_max: number;
  /** Start line and header fields together, with the empty line. */
  readonly headers_bytes_max: number;
  /** One header field, folded lines and line end with it. */
  readonly header_line_bytes_max: number;
  /** The Request-URI. */
  readonly uri_bytes_max: number;
}

export interface IntakeRooms {
  readonly scanner: Scanner;
  readonly layer: TransactionLayer;
  readonly answers: Answers;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Absent: nothing but what the transports bound. */
  readonly limits?: MessageLimits;
  /** Whether these are the bytes of an answer to a ping of ours, which is then dealt with. Absent: there are none. */
  readonly takesPing?: (bytes: Buffer, flow: Flow) => boolean;
  /** Told of every message that could be read, before anything is done with it. */
  readonly onReceived?: (message: SipMessage, flow: Flow) => void;
}

export class Intake implements Receiver {
  limits: MessageLimits;
  readonly #rooms: IntakeRooms;
  readonly #requests = new Map<string, Counter>();
  readonly #responses: Counter[] = [];
  readonly #exceptions: Counter;

  constructor(rooms: IntakeRooms) {
    this.#rooms = rooms;
    this.limits = rooms.limits ?? UNBOUNDED;
    const { metrics } = rooms;
    for (const method of [...METHODS, "other"])
      this.#requests.set(
        method,
        metrics.counter("sipedge_requests_received_total", "Requests received, repeated ones too", {
          method,
        }),
      );
    for (let hundred = 0; hundred < 7; hundred++)
      this.#responses.push(
        metrics.counter("sipedge_responses_received_total", "Responses received, by class", {
          class: `${hundred}xx`,
        }),
      );
    this.#exceptions = metrics.counter(
      "sipedge_exceptions_total",
      "Mistakes of ours that a message ran into",
    );
  }

  /** Whether these are the bytes of an answer to a ping of ours: nothing more is to be done with them then. */
  takesPing(bytes: Buffer, flow: Flow): boolean {
    try {
      if (this.#rooms.takesPing?.(bytes, flow) !== true) return false;
      this.#responses[bytes[STATUS_AT]! - ZERO]?.inc();
    } catch (error) {
      this.exception(error, flow);
    }
    return true;
  }

  message(bytes: Buffer, flow: Flow): void {
    try {
      const message = this.#rooms.scanner.scan(bytes);
      if (message === null) return this.#drop("not_sip");
      this.#rooms.onReceived?.(message, flow);
      if (message.isRequest) this.#request(message, flow);
      else this.#response(message, flow);
    } catch (error) {
      this.exception(error, flow);
    }
  }

  /** A stream that lost its framing: its sender hears why, as far as it can be told whom to answer. */
  broken(head: Buffer, flow: Flow, code: string): void {
    try {
      const message = this.#rooms.scanner.scan(head);
      if (message === null || !message.isRequest || !isAnswerable(message)) return;
      this.#rooms.answers.refuseStateless(message, flow, {
        status: code.endsWith("_max") ? 513 : 400,
        reason: `The stream cannot be framed (${code})`,
        section: "RFC 3261 §18.3",
      });
    } catch (error) {
      this.exception(error, flow);
    }
  }

  /** Counts and logs a mistake of ours. */
  exception(error: unknown, flow: Flow | null): void {
    this.#exceptions.inc();
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#rooms.log.error("exception", { from: flow?.id ?? null, error: text });
  }

  #request(request: SipMessage, flow: Flow): void {
    (this.#requests.get(request.method) ?? this.#requests.get("other"))?.inc();
    const { via, cseq } = request;
    if (!isAnswerable(request)) return this.#drop("request_unanswerable");
    const refusal = this.#oversize(request, flow) ?? this.#mistake(request, via, cseq);
    if (refusal === null) this.#rooms.layer.receiveRequest(request, via as Via, cseq as CSeq, flow);
    else this.#rooms.answers.refuseStateless(request, flow, refusal);
  }

  /** A message beyond its limits: what its sender is told; null when it is within them. */
  #oversize(message: SipMessage, flow: Flow): Refusal | null {
    const limit = oversize(message, flow, this.limits);
    if (limit === null) return null;
    this.#rooms.metrics
      .counter("sipedge_messages_oversized_total", "Messages refused or dropped for their size, by limit", {
        limit,
      })
      .inc();
    return TOO_LARGE[limit];
  }

  /** What a request needs to be answered and matched at all; anything else is judged later. */
  #mistake(request: SipMessage, via: Via | ParseError | null, cseq: CSeq | ParseError): Refusal | null {
    const { fault } = request;
    if (fault !== null)
      return fault.code === "version"
        ? { status: 505, reason: "Only SIP/2.0 is spoken here", section: "RFC 3261 §21.5.6" }
        : malformed(fault.code);
    if (via === null || via instanceof ParseError) return malformed(via?.code ?? "no Via");
    if (cseq instanceof ParseError) return malformed(cseq.code);
    if (cseq.method !== request.method) return malformed("CSeq names another method");
    for (const id of NEEDED)
      if (request.find(id) < 0) return malformed("a mandatory header field is missing");
    return null;
  }

  #response(response: SipMessage, flow: Flow): void {
    this.#responses[Math.floor(response.status / 100)]?.inc();
    const { via, cseq } = response;
    if (this.#oversize(response, flow) !== null) return this.#drop("response_oversized");
    if (response.fault !== null) return this.#drop("response_malformed");
    if (via === null || via instanceof ParseError) return this.#drop("response_without_via");
    if (cseq instanceof ParseError) return this.#drop("response_without_cseq");
    this.#rooms.layer.receiveResponse(response, via, cseq, flow);
  }

  #drop(reason: string): void {
    this.#rooms.metrics
      .counter("sipedge_messages_dropped_total", "Messages nobody could be answered for", { reason })
      .inc();
  }
}

const STATUS_AT = "SIP/2.0 ".length;
const ZERO = 48;

const UNBOUNDED: MessageLimits = {
  datagram_bytes_max: Number.POSITIVE_INFINITY,
  headers_bytes_max: Number.POSITIVE_INFINITY,
  header_line_bytes_max: Number.POSITIVE_INFINITY,
  uri_bytes_max: Number.POSITIVE_INFINITY,
};

const TOO_LARGE: Readonly<Record<keyof MessageLimits, Refusal>> = {
  datagram_bytes_max: {
    status: 513,
    reason: "The datagram is larger than limits.datagram_bytes_max",
    section: "RFC 3261 §21.5.7",
  },
  headers_bytes_max: {
    status: 513,
    reason: "The header fields are larger than limits.headers_bytes_max",
    section: "RFC 3261 §21.5.7",
  },
  uri_bytes_max: {
    status: 414,
    reason: "The Request-URI is longer than limits.uri_bytes_max",
    section: "RFC 3261 §21.4.12",
  },
  header_line_bytes_max: {
    status: 400,
    reason: "A header field is longer than limits.header_line_bytes_max",
    section: "RFC 3261 §21.4.1",
  },
};

/** The first limit that the message is beyond; null when there is none. */
function oversize(message: SipMessage, flow: Flow, limits: MessageLimits): keyof MessageLimits | null {
  if (!flow.reliable && message.bytes.length > limits.datagram_bytes_max) return "datagram_bytes_max";
  const headers = message.bodyStart - message.start;
  if (headers > limits.headers_bytes_max) return "headers_bytes_max";
  if (message.isRequest && message.uriEnd - message.uriStart > limits.uri_bytes_max) return "uri_bytes_max";
  if (headers <= limits.header_line_bytes_max) return null;
  for (let line = 0; line < message.count; line++)
    if (message.lineEnd(line) - message.lineStart(line) > limits.header_line_bytes_max)
      return "header_line_bytes_max";
  return null;
}

const NEEDED = [H.From, H.To, H.CallId] as const;

function malformed(what: string): Refusal {
  return { status: 400, reason: `Malformed: ${what}`, section: "RFC 3261 §16.3 step 1" };
}
