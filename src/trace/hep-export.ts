/**
 * Sends a copy of each SIP message to a capture server, at the end of the event-loop turn it came or left in: the
 * message itself never waits for its copy. What cannot be sent is dropped and counted.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { HepSender } from "./hep.ts";
import { hepPacket } from "./hep.ts";
import { masked } from "./masked.ts";
import type { MessageCapture } from "./traces.ts";

export interface HepParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Must not throw. False: it was dropped. */
  readonly send: (packet: Uint8Array) => boolean;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly call_id: string | null;
  readonly flow: Flow;
  readonly isReceived: boolean;
  readonly at_us: number;
}

/** Messages of one turn at most; one more, and it is not exported. */
export const WAITING_MAX = 2000;
/** Monotonic and wall clock are brought together again when they are further apart. */
const DRIFT_MS_MAX = 50;

type DropReason = "queue_full" | "too_large" | "not_sent";

export class HepExport implements MessageCapture {
  sender: HepSender;
  readonly #parts: HepParts;
  readonly #sent: Counter;
  readonly #dropped: Readonly<Record<DropReason, Counter>>;
  #waiting: Waiting[] = [];
  /** Unix milliseconds at which the monotonic clock was zero. */
  #epoch_ms: number;

  constructor(parts: HepParts, sender: HepSender) {
    this.#parts = parts;
    this.sender = sender;
    this.#epoch_ms = parts.clock.wall() - parts.clock.now();
    const { metrics } = parts;
    this.#sent = metrics.counter("sipedge_hep_packets_total", "Messages copied to the capture server");
    const dropped = (reason: DropReason): Counter =>
      metrics.counter("sipedge_hep_dropped_total", "Messages of which the capture server got no copy", {
        reason,
      });
    this.#dropped = {
      queue_full: dropped("queue_full"),
      too_large: dropped("too_large"),
      not_sent: dropped("not_sent"),
    };
  }

  received({ bytes, callId }: SipMessage, flow: Flow): void {
    this.#add(bytes, callId, flow, true);
  }

  /** What did not leave is not told. */
  sent(bytes: Buffer, callId: string, flow: Flow, isSent: boolean): void {
    if (isSent) this.#add(bytes, callId, flow, false);
  }

  #add(bytes: Buffer, call_id: string | null, flow: Flow, isReceived: boolean): void {
    const waiting = this.#waiting;
    if (waiting.length === WAITING_MAX) return this.#dropped.queue_full.inc();
    if (waiting.length === 0) this.#parts.clock.atTurnEnd(() => this.#flush());
    waiting.push({ bytes, call_id, flow, isReceived, at_us: this.#now_us() });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { bytes, call_id, flow, isReceived, at_us } of waiting) {
      const payload = Buffer.from(masked(bytes), "latin1");
      const message = { ends: flow, isReceived, at_us, call_id, payload };
      const packet = hepPacket(this.sender, message);
      if (packet === null) this.#dropped.too_large.inc();
      else if (this.#parts.send(packet)) this.#sent.inc();
      else this.#dropped.not_sent.inc();
    }
  }

  /** Finer than the wall clock, and in order: capture servers sort by it. */
  #now_us(): number {
    const { clock } = this.#parts;
    const now = clock.now();
    const epoch_ms = clock.wall() - now;
    if (Math.abs(epoch_ms - this.#epoch_ms) > DRIFT_MS_MAX) this.#epoch_ms = epoch_ms;
    return Math.round((this.#epoch_ms + now) * 1000);
  }
}
