/**
 * Requests of a caller that repeats what is not answered (RFC 3261 §17.1), and who of them got a final answer: the
 * ledger of a load in which nobody may be forgotten.
 */

const T1_MS = 500;
const TRIES_MAX = 7;
/** A request still open after so long has been forgotten: three times what Timer B or F takes. */
const ANSWER_WITHIN_MS = 96_000;

interface Open {
  readonly kind: string;
  readonly isInvite: boolean;
  readonly send: () => void;
  readonly since_ms: number;
  tries: number;
  next_ms: number;
}

export interface Count {
  sent: number;
  answered: number;
}

export class Ledger {
  readonly counts = new Map<string, Count>();
  /** Final answers by status. */
  readonly statuses = new Map<number, number>();
  /** What was given up, as `kind key`. */
  readonly forgotten: string[] = [];
  readonly #open = new Map<string, Open>();
  repeated = 0;

  get open(): number {
    return this.#open.size;
  }

  /** Whether it waits for its final answer. */
  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  /** Sends for the first time. `key` is what answers are known by. */
  begin(key: string, kind: string, isInvite: boolean, send: () => void, now_ms: number): void {
    this.#countOf(kind).sent++;
    this.#open.set(key, { kind, isInvite, send, since_ms: now_ms, tries: 1, next_ms: now_ms + T1_MS });
    send();
  }

  /** Notes an answer. True: it is the first final one to that request. */
  answer(key: string, status: number): boolean {
    const open = this.#open.get(key);
    if (open === undefined) return false;
    if (status < 200) {
      if (open.isInvite) open.next_ms = Number.POSITIVE_INFINITY; // §17.1.1.2 Proceeding
      return false;
    }
    this.#open.delete(key);
    this.#countOf(open.kind).answered++;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    return true;
  }

  /** Repeats what is due and gives up what is late. */
  tick(now_ms: number): void {
    for (const [key, open] of this.#open) {
      if (now_ms - open.since_ms > ANSWER_WITHIN_MS) {
        this.#open.delete(key);
        this.forgotten.push(`${open.kind} ${key}`);
      } else if (now_ms >= open.next_ms && open.tries < TRIES_MAX) {
        open.next_ms = now_ms + T1_MS * 2 ** open.tries++;
        this.repeated++;
        open.send();
      }
    }
  }

  /** One word per kind: `register 1200/1200`. */
  summary(): string {
    return [...this.counts].map(([kind, { sent, answered }]) => `${kind} ${answered}/${sent}`).join(", ");
  }

  #countOf(kind: string): Count {
    let count = this.counts.get(kind);
    if (count === undefined) {
      count = { sent: 0, answered: 0 };
      this.counts.set(kind, count);
    }
    return count;
  }
}
