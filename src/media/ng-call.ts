/**
 * One call whose media an rtpengine relays. Messages that pass here while it is asked wait in the order in which they
 * came; a call stays with its instance for as long as that answers, and an offer may take it to another.
 */
import type { Clock } from "../base/clock.ts";
import type { BenMap } from "./bencode.ts";
import { textAt } from "./bencode.ts";
import type { MediaMeter, MediaReport } from "./media-session.ts";
import type { NgCommand } from "./ng-client.ts";
import type { NgRules, NgSide } from "./ng-flags.ts";
import { ngWords } from "./ng-flags.ts";
import type { NgInstance, NgPool } from "./ng-pool.ts";
import { ngReport } from "./ng-report.ts";

/** A session description that goes from one side to another. */
export interface NgPassage {
  readonly op: "offer" | "answer";
  /** The sides by their keys. */
  readonly from: string;
  readonly to: string;
  /** The tags of whoever offered and whoever answers; null: nobody has answered yet. */
  readonly offer_tag: string;
  readonly answer_tag: string | null;
  /** Which copy of a forked INVITE; null: the dialog is known by its tags. */
  readonly branch: string | null;
  /** The message, so that its repetition is recognized. */
  readonly name: string;
  readonly sdp: string;
}

/** What becomes of a message: it leaves with this description, as it came (null), or there is a reason why it cannot. */
export type NgOutcome = { readonly sdp: string | null } | { readonly why: string };

export interface NgCallParts {
  readonly clock: Clock;
  readonly pool: NgPool;
  readonly call_id: string;
  readonly caller_tag: string;
  readonly rules: NgRules;
}

interface Job {
  readonly passage: NgPassage | null;
  readonly done: (outcome: NgOutcome) => void;
}

/** Messages of one call that wait; one more is refused. */
export const HELD_MAX = 32;
/** Sides of one call, so its forks. */
const SIDES_MAX = 65;
/** A measurement so old is taken anew when somebody looks. */
const QUERY_MS = 4000;
/** Errors that another instance may not have. */
const FULL = /load limit|out of ports|no ports/i;
export const NOBODY = "No rtpengine answers";
const UNCHANGED: NgOutcome = { sdp: null };

export class NgCall implements MediaMeter {
  readonly #parts: NgCallParts;
  readonly #sides = new Map<string, NgSide>();
  /** Keys of callees by the To tags of their answers. */
  readonly #keys = new Map<string, string>();
  readonly #held: Job[] = [];
  #isAsking = false;
  #isClosed = false;
  #instance: NgInstance | null = null;
  /** Those that may know of the call. */
  readonly #used = new Set<NgInstance>();
  /** By direction: the last description that passed, and what was made of it. */
  readonly #last = new Map<string, { readonly name: string; readonly sdp: string; readonly made: string }>();
  #latest: MediaReport | null = null;
  #asked_at = Number.NEGATIVE_INFINITY;

  constructor(parts: NgCallParts) {
    this.#parts = parts;
  }

  /** A side that takes part from now on. False: there are too many. */
  join(key: string, side: NgSide): boolean {
    if (!this.#sides.has(key) && this.#sides.size >= SIDES_MAX) return false;
    this.#sides.set(key, side);
    return true;
  }

  /** A side signals from this address now. */
  move(key: string, signalling_address: string): void {
    const side = this.#sides.get(key);
    if (side !== undefined && side.signalling_address !== signalling_address)
      this.#sides.set(key, { ...side, signalling_address });
  }

  has(key: string): boolean {
    return this.#sides.has(key);
  }

  /** The callee whose answer to the copy `key` has this tag. */
  name(key: string, tag: string): void {
    if (this.#keys.has(tag) || this.#keys.size < SIDES_MAX) this.#keys.set(tag, key);
  }

  /** The callee with this tag; null: its media does not pass here. */
  keyOf(tag: string | null): string | null {
    return (tag === null ? undefined : this.#keys.get(tag)) ?? null;
  }

  /** Which instance has it; null: none yet. */
  get instance(): string | null {
    return this.#instance?.name ?? null;
  }

  /**
   * `done` is called once: in this very call when nothing has to be asked and nobody waits, else later. Null: the
   * message has no description, and only keeps its place.
   */
  pass(passage: NgPassage | null, done: (outcome: NgOutcome) => void): void {
    if (this.#isClosed || (passage === null && !this.#isAsking && this.#held.length === 0))
      return done(UNCHANGED);
    if (this.#held.length >= HELD_MAX)
      return done({ why: "Too many messages of this call wait for rtpengine" });
    this.#held.push({ passage, done });
    this.#goOn();
  }

  get latest(): MediaReport | null {
    const { clock, pool } = this.#parts;
    if (this.#instance !== null && clock.now() - this.#asked_at >= QUERY_MS) {
      this.#asked_at = clock.now();
      pool.ask(this.#instance, this.#about("query"), (answer) => this.#note(answer));
    }
    return this.#latest;
  }

  close(): Promise<MediaReport | null> {
    if (this.#isClosed) return Promise.resolve(this.#latest);
    this.#isClosed = true;
    for (const { done } of this.#held.splice(0)) done(UNCHANGED);
    const { pool } = this.#parts;
    const last = this.#instance;
    if (last !== null) last.calls--;
    // Without the tag of one who takes part, rtpengine deletes it but does not say what it had measured.
    const command = { ...this.#about("delete"), "from-tag": this.#parts.caller_tag, "delete-delay": 0 };
    for (const other of this.#used) if (other !== last) pool.ask(other, command, () => {});
    if (last === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      pool.ask(last, command, (answer) => {
        this.#note(answer);
        resolve(this.#latest);
      });
    });
  }

  #about(command: string): NgCommand {
    const { call_id } = this.#parts;
    return { command, "call-id": call_id };
  }

  #note(answer: BenMap | null): void {
    if (answer !== null) this.#latest = ngReport(answer, this.#parts.caller_tag) ?? this.#latest;
  }

  /** One after the other, so that an answer never overtakes its offer. */
  #goOn(): void {
    while (!this.#isAsking && this.#held.length > 0) {
      const { passage, done } = this.#held.shift()!;
      if (passage === null) {
        done(UNCHANGED);
        continue;
      }
      this.#isAsking = true;
      this.#ask(passage, new Set(), (outcome) => {
        this.#isAsking = false;
        done(outcome);
        this.#goOn();
      });
    }
  }

  #ask(passage: NgPassage, tried: Set<NgInstance>, done: (outcome: NgOutcome) => void): void {
    const { op, from, to, name, sdp } = passage;
    const last = this.#last.get(`${from} ${to}`);
    if (last?.name === name && last.sdp === sdp) return done({ sdp: last.made });
    const sides = { from: this.#sides.get(from), to: this.#sides.get(to) };
    if (sides.from === undefined || sides.to === undefined) return done(UNCHANGED);
    const { pool } = this.#parts;
    const instance = this.#instance?.isUp
      ? this.#instance
      : op === "offer"
        ? pool.choose(tried)
        : this.#instance;
    if (instance === null) return done({ why: NOBODY });
    this.#used.add(instance);
    const words = ngWords(op, sides.from, sides.to, this.#parts.rules);
    pool.ask(instance, { ...this.#identity(passage), ...words }, (answer) => {
      const made = answer === null ? null : textAt(answer, "sdp");
      if (made?.startsWith("v=0") && textAt(answer, "result") === "ok") {
        this.#take(instance);
        this.#last.set(`${from} ${to}`, { name, sdp, made });
        return done({ sdp: made });
      }
      const why = reasonOf(instance, answer);
      if (this.#isClosed || op !== "offer" || (answer !== null && !FULL.test(why))) return done({ why });
      tried.add(instance);
      this.#leave();
      this.#ask(passage, tried, done);
    });
  }

  #identity({ op, offer_tag, answer_tag, branch, sdp }: NgPassage): NgCommand {
    return {
      command: op,
      "call-id": this.#parts.call_id,
      "from-tag": offer_tag,
      "to-tag": answer_tag ?? undefined,
      "via-branch": branch ?? undefined,
      sdp,
    };
  }

  #take(instance: NgInstance): void {
    if (this.#instance === instance || this.#isClosed) return;
    this.#leave();
    this.#instance = instance;
    instance.calls++;
  }

  #leave(): void {
    if (this.#instance !== null) this.#instance.calls--;
    this.#instance = null;
    this.#last.clear();
  }
}

function reasonOf({ name }: NgInstance, answer: BenMap | null): string {
  if (answer === null) return NOBODY;
  const said = textAt(answer, "error-reason") ?? textAt(answer, "message") ?? textAt(answer, "result") ?? "";
  return `rtpengine ${name} says: ${said.replace(/[^\x20-\x7e]/g, "").slice(0, 100)}`;
}
