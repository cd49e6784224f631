/**
 * One rtpengine, as it is spoken to by its ng protocol: a cookie and a bencoded dictionary in one datagram each way.
 * A command that is not answered is repeated under the same cookie, so it is carried out once.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { BenInput, BenMap } from "./bencode.ts";
import { decodeBen, encodeBen, textAt } from "./bencode.ts";

export type NgCommand = { readonly command: string; readonly [key: string]: BenInput | undefined };

/** Takes the answer; null: none came in time. Called once, never from inside `ask`. */
export type NgDone = (answer: BenMap | null) => void;

export interface NgClientParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly metrics: Metrics;
  /** `address:port`, for counters. */
  readonly name: string;
  /** False: it did not leave, which counts as lost on the way. */
  readonly send: (bytes: Uint8Array) => boolean;
}

/** When a command is sent again; the last repetition is in good time before any `timeout_ms`. */
const REPEAT_MS = [100, 300] as const;
/** Commands under way at once; one more counts as not answered. */
export const UNDER_WAY_MAX = 4096;
/** A datagram carries no more. */
const COMMAND_BYTES_MAX = 65_000;
const SPACE = 0x20;
/** Longer than any cookie of ours. */
const COOKIE_BYTES_MAX = 32;

class Pending {
  readonly command: string;
  readonly bytes: Uint8Array;
  readonly done: NgDone;
  readonly sent_at: number;
  repeats = 0;
  alarm: Alarm | null = null;

  constructor(command: string, bytes: Uint8Array, done: NgDone, sent_at: number) {
    this.command = command;
    this.bytes = bytes;
    this.done = done;
    this.sent_at = sent_at;
  }
}

export class NgClient {
  /** How long an answer is waited for. */
  timeout_ms: number;
  readonly #parts: NgClientParts;
  readonly #pending = new Map<string, Pending>();
  readonly #outcome: (command: string, result: string) => Counter;
  readonly #strays: Counter;
  readonly #repeats: Counter;

  constructor(parts: NgClientParts, timeout_ms: number) {
    this.#parts = parts;
    this.timeout_ms = timeout_ms;
    const { metrics, name: instance } = parts;
    this.#outcome = (command, result) =>
      metrics.counter("sipedge_rtpengine_commands_total", "Commands to rtpengine, by what came of them", {
        instance,
        command,
        result,
      });
    this.#strays = metrics.counter(
      "sipedge_rtpengine_strays_total",
      "Datagrams from an rtpengine that answer nothing that is asked",
      { instance },
    );
    this.#repeats = metrics.counter("sipedge_rtpengine_repeats_total", "Commands that were sent again", {
      instance,
    });
  }

  get underWay(): number {
    return this.#pending.size;
  }

  ask(command: NgCommand, done: NgDone): void {
    const { clock, dice, send } = this.#parts;
    const cookie = dice.token();
    const bytes = Buffer.concat([Buffer.from(`${cookie} `, "latin1"), encodeBen(command)]);
    if (this.#pending.size >= UNDER_WAY_MAX || bytes.length > COMMAND_BYTES_MAX) {
      this.#outcome(command.command, "not_sent").inc();
      clock.after(0, () => done(null));
      return;
    }
    const pending = new Pending(command.command, bytes, done, clock.now());
    this.#pending.set(cookie, pending);
    this.#wait(cookie, pending);
    send(bytes);
  }

  /** A datagram from it. */
  received(bytes: Buffer): void {
    const space = bytes.subarray(0, COOKIE_BYTES_MAX).indexOf(SPACE);
    const cookie = space < 0 ? "" : bytes.latin1Slice(0, space);
    const pending = this.#pending.get(cookie);
    const answer = pending === undefined ? null : decodeBen(bytes, space + 1);
    if (pending === undefined || !(answer instanceof Map)) {
      this.#strays.inc();
      return;
    }
    this.#end(cookie, pending, answer);
  }

  /** Whoever waits is told that no answer came. */
  close(): void {
    for (const [cookie, pending] of [...this.#pending]) this.#end(cookie, pending, null);
  }

  #wait(cookie: string, pending: Pending): void {
    const { clock } = this.#parts;
    const next = REPEAT_MS[pending.repeats];
    const isLast = next === undefined || next >= this.timeout_ms;
    const due = pending.sent_at + (isLast ? this.timeout_ms : next);
    pending.alarm = clock.after(due - clock.now(), () => {
      if (isLast) return this.#end(cookie, pending, null);
      pending.repeats++;
      this.#repeats.inc();
      this.#wait(cookie, pending);
      this.#parts.send(pending.bytes);
    });
  }

  #end(cookie: string, pending: Pending, answer: BenMap | null): void {
    this.#pending.delete(cookie);
    pending.alarm?.cancel();
    this.#outcome(pending.command, answer === null ? "silence" : resultOf(answer)).inc();
    pending.done(answer);
  }
}

const RESULTS: ReadonlySet<string> = new Set(["ok", "pong", "error", "load limit"]);

function resultOf(answer: BenMap): string {
  const result = textAt(answer, "result") ?? "";
  return RESULTS.has(result) ? result.replace(" ", "_") : "other";
}
