/**
 * Asks a UDP port whether anybody is there. Our listening sockets ignore ICMP errors, because one dead peer would
 * fail sends to others; a connected socket of its own hears of exactly one peer (RFC 1122 §4.1.3.3).
 */
import { createSocket } from "node:dgram";
import type { Clock } from "../base/clock.ts";
import type { Counter, Metrics } from "../base/metrics.ts";

/** Questions at once; one more is not asked, and its sender waits for its own timer. */
const QUESTIONS_MAX = 64;
/** How long an ICMP error may take. */
const ANSWER_MS_MAX = 2000;
/** A keep-alive (RFC 5626 §3.5.1): whoever is there ignores it. */
const NOTHING = Buffer.from("\r\n\r\n");

/** What the kernel makes of the ICMP codes that say nobody can be reached there. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOPROTOOPT",
]);

export class PortQuestions {
  readonly #clock: Clock;
  readonly #refused: Counter;
  readonly #asked: Counter;
  readonly #skipped: Counter;
  #open = 0;

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    const counter = (result: string): Counter =>
      metrics.counter("sipedge_udp_ports_asked_total", "Silent UDP ports asked whether they are closed", {
        result,
      });
    this.#asked = counter("asked");
    this.#refused = counter("refused");
    this.#skipped = counter("too_many");
  }

  /** `refused` is called once if the port is closed, never otherwise. Never throws. */
  ask(address: string, port: number, refused: () => void): void {
    if (this.#open >= QUESTIONS_MAX) return this.#skipped.inc();
    this.#open++;
    this.#asked.inc();
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#open--;
      alarm.cancel();
      socket.close();
    };
    const alarm = this.#clock.after(ANSWER_MS_MAX, close);
    socket.on("error", (error: Error & { code?: string }) => {
      const isClosed = isOpen && UNREACHABLE.has(error.code ?? "");
      close();
      if (!isClosed) return;
      this.#refused.inc();
      refused();
    });
    try {
      socket.connect(port, address, () => {
        if (isOpen) socket.send(NOTHING);
      });
    } catch {
      close(); // no port at all: nothing to be asked
    }
  }
}
