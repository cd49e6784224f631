/**
 * The way a call has been forwarded until now: from whom to whom, and where it must not go again (RFC 7044,
 * RFC 5806).
 */
import type { SipMessage } from "../message/sip-message.ts";
import type { SearchRules } from "./directory.ts";
import type { Forwarded, Retarget } from "./retarget.ts";
import { forwardsSaid, retargetLines } from "./retarget.ts";

const NOWHERE: readonly string[] = [];
export const NO_FORWARDS_YET: readonly Forwarded[] = [];

export class Trail {
  /** What the copies tell of it; null: nothing. */
  retarget: Retarget | null = null;
  readonly #rules: SearchRules;
  readonly #request: SipMessage;
  readonly #isVouched: boolean;
  /** The forwards that led here, the first one first. */
  #done: readonly Forwarded[] = NO_FORWARDS_YET;
  /** Every URI it was forwarded from or to: none is tried twice. */
  #visited: readonly string[] = NOWHERE;

  /** `isVouched`: what the request says of its own past may be believed. */
  constructor(rules: SearchRules, request: SipMessage, isVouched: boolean) {
    this.#rules = rules;
    this.#request = request;
    this.#isVouched = isVouched;
  }

  /** Whether no further forward may follow these; they are those that led here, unless others are given. */
  isTooFar(forwards: readonly Forwarded[] = this.#done): boolean {
    return forwardsSaid(this.#request) + forwards.length >= this.#rules.forwards_max;
  }

  /** Whether the call itself was forwarded. */
  get isForwarded(): boolean {
    return this.#done.length > 0;
  }

  wasAt(uri: string): boolean {
    return this.#visited.includes(uri);
  }

  /** The call itself goes on. */
  goOn(forward: Forwarded): void {
    this.#done = [...this.#done, forward];
    this.retarget = this.note(this.#done);
  }

  /** What a copy tells that these forwards led to. */
  note(forwards: readonly Forwarded[]): Retarget {
    const last = forwards.at(-1);
    if (last !== undefined) this.#visited = [...this.#visited, last.from, last.to];
    return retargetLines(this.#request, forwards, this.#rules, this.#isVouched);
  }
}
