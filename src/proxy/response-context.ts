/**
 * The response context (RFC 3261 §16.7): all branches of one forwarded request, the rounds in which
 * they are tried, and what goes back to its sender.
 */
import type { Flow } from "../base/flow.ts";
import type { Binding } from "../location/binding.ts";
import { H } from "../message/header-names.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { ServerTransaction, ServerUser } from "../transaction/server-transaction.ts";
import type { Branch, BranchUser } from "./branch.ts";
import { breadthLeft, finalsOf } from "./branches.ts";
import type { ContextHost } from "./context-host.ts";
import { EarlyMedia } from "./early-media.ts";
import { hasTried, isCalled, redirectedTargets, spareTargets } from "./follow-up.ts";
import type { Forwarding } from "./forward.ts";
import type { Ringing } from "./late-forks.ts";
import {
  CANCELLED,
  COMPLETED_ELSEWHERE,
  isSilence,
  NO_VIA_LEFT,
  refusalOf,
  TOO_MANY,
} from "./own-answers.ts";
import type { Final } from "./responses.ts";
import { bestOf, otherChallenges, outcomesOf } from "./responses.ts";
import type { Round } from "./round.ts";
import type { Search } from "./search.ts";
import type { SoughtRound } from "./steps.ts";
import { isSought } from "./steps.ts";
import type { Target } from "./targets.ts";
import { contactTargets } from "./targets.ts";

export class ResponseContext<F extends Forwarding = Forwarding> implements ServerUser, BranchUser, Ringing {
  readonly startedAt: number;
  readonly #host: ContextHost<F>;
  readonly #transaction: ServerTransaction;
  readonly #breadth: number;
  /** What is forwarded; null once no further copy is made. */
  #forwarding: F | null;
  #search: Search | null;
  readonly #branches: Branch[] = [];
  #round: Round | null = null;
  /** `wheel.now()` at which this round's phones have rung long enough; null: Timer C says. */
  #ringUntil: number | null = null;
  /** Where the branches of this round begin. */
  #roundStart = 0;
  readonly #early = new EarlyMedia();
  #cancelled = false;
  #declined = false;
  /** A round for which no share of Max-Breadth is left until a branch that was given up is over. */
  #waiting: Round | null = null;
  #accepted = false;
  #done = false;

  constructor(
    host: ContextHost<F>,
    transaction: ServerTransaction,
    forwarding: F,
    search: Search | null,
    breadth: number,
    now: number,
  ) {
    this.#host = host;
    this.#transaction = transaction;
    this.#forwarding = forwarding;
    this.#search = search;
    this.#breadth = breadth;
    this.startedAt = now;
    transaction.user = this;
  }

  get method(): string {
    return this.#transaction.method;
  }

  get mayGoOn(): boolean {
    return !this.#isClosed && (this.#search?.mayGoOn ?? false);
  }

  /** Tries the targets of a round, all at once. */
  begin(round: Round): void {
    this.#hush();
    this.#round = round;
    this.#ringUntil = round.ring_ms === null ? null : this.#host.now() + round.ring_ms;
    this.#roundStart = this.#branches.length;
    if (isSought(round)) return this.#seek(round);
    if (this.#add(round.targets) === 0) {
      if (!this.#mayFindRoom(round)) return this.#roundOver();
      this.#waiting = round;
      return;
    }
    if (this.#done || round.users.length === 0 || this.method !== "INVITE") return;
    if (this.#host.answerRules.late_forking && this.#round === round) this.#host.ringing(round.users, this);
  }

  /** Waits for a round that has to be found out. */
  #seek(round: SoughtRound): void {
    round.seek((found) => {
      if (this.#done) return;
      if (this.#isClosed) this.#answer(CANCELLED);
      else if ("status" in found) this.#nobody(found);
      else this.begin(found);
    });
  }

  /** Whether a branch that was given up, once it is over, leaves a share of Max-Breadth for it. */
  #mayFindRoom({ targets }: Round): boolean {
    const { branchesMax } = this.#host;
    if (targets.length === 0 || this.#branches.length >= branchesMax) return false;
    return this.#branches.some(({ running }) => running);
  }

  /** A branch for each, as far as the bounds go; returns how many. All exist before the first can end. */
  #add(targets: readonly Target[]): number {
    const forwarding = this.#forwarding;
    const round = this.#round;
    if (forwarding === null || round === null) return 0;
    const left = breadthLeft(this.#breadth, this.#branches);
    const count = Math.min(targets.length, this.#host.branchesMax - this.#branches.length, left);
    if (count < targets.length) this.#host.noRoom(targets.length - Math.max(0, count));
    if (count < 1) return 0;
    // RFC 5393 §5.3.3: what never answers keeps its share, so some is kept back for who or what may come later.
    const first = this.#branches.length === this.#roundStart && !this.#search?.mayGoOn;
    const kept = Math.floor(left / (first ? 6 : 2));
    const share = Math.max(1, Math.floor((left - kept) / count));
    const added: Branch[] = [];
    for (let i = 0; i < count; i++) added.push(this.#host.branch(this, targets[i]!, share, this.#ringUntil));
    this.#branches.push(...added);
    for (const branch of added) this.#host.dispatch(branch, forwarding);
    return count;
  }

  /** A phone that registered for somebody who is being called rings with the others. */
  join(_user: string, bindings: readonly Binding[]): void {
    const round = this.#round;
    if (this.#isClosed || this.#accepted || this.#done || round === null) return;
    const fresh = bindings.filter((binding) => !hasTried(this.#branches, binding));
    this.#add(contactTargets(this.#search?.callable(fresh) ?? [], round.retarget));
  }

  /** No branch is created any more: the caller or a 6xx ended the search (§16.7 step 5). */
  get #isClosed(): boolean {
    return this.#cancelled || this.#declined;
  }

  /** A branch that was given up is over: a round that waited for its share of Max-Breadth begins. */
  released(): void {
    const round = this.#waiting;
    this.#waiting = null;
    if (round === null || this.#done || this.#accepted) return;
    if (this.#isClosed) this.#roundOver();
    else this.begin(round);
  }

  /** The sender's CANCEL (§16.10): every branch still running is cancelled, with the sender's Reason (RFC 3326). */
  cancel(request: SipMessage): void {
    if (this.#cancelled || this.method !== "INVITE") return;
    this.#cancelled = true;
    if (this.#round !== null && isSought(this.#round)) this.#answer(CANCELLED);
    if (this.#waiting !== null) {
      this.#waiting = null;
      this.#roundOver();
    }
    this.#cancelPending(request.texts(H.Reason).map((value) => `Reason: ${value}`));
  }

  passed(branch: Branch, response: SipMessage, first: boolean): void {
    if (first) this.#host.branchAccepted(branch, response, this.#forwarding);
    if (response.status >= 200) this.#accept(branch, response);
    else if (
      !this.#transaction.answered &&
      this.#early.mayPass(branch, response, this.#host.answerRules.early_media)
    ) {
      const { gate } = this.#host;
      if (gate === null) this.#rings(branch, response);
      else gate.beforeResponse(response, (mayGo) => void (mayGo && this.#rings(branch, response)));
    }
  }

  #rings(branch: Branch, response: SipMessage): void {
    if (this.#transaction.answered) return;
    if (this.#forwarding !== null) this.#host.branchRang(branch, response, this.#forwarding);
    this.#forward(response, branch);
  }

  /** §16.7 step 5: every 2xx goes back at once, also when another final answer went before. */
  #accept(branch: Branch, response: SipMessage): void {
    if (this.method !== "INVITE" && this.#transaction.answered) return;
    const first = !this.#accepted;
    this.#accepted = true;
    const { gate } = this.#host;
    if (gate === null) this.#giveAccepted(branch, response, first);
    else gate.beforeResponse(response, () => this.#giveAccepted(branch, response, first));
    if (first) this.#cancelPending(COMPLETED_ELSEWHERE, branch);
  }

  #giveAccepted(branch: Branch, response: SipMessage, first: boolean): void {
    const sent = this.#forward(response, branch);
    if (!first) return;
    if (sent) this.#finish(response.status, response.reason);
    else this.#answer(NO_VIA_LEFT);
  }

  /** §16.7 steps 4 to 6: the best answer goes back when no branch can bring a better one. */
  ended(branch: Branch, final: Final): void {
    this.#host.branchEnded(branch, final);
    const isOpen = !this.#accepted && !this.#done;
    if (isOpen && final.status >= 600 && this.#host.answerRules.decline_ends_search) {
      this.#declined = true;
      this.#cancelPending([`Reason: SIP;cause=${final.status}`]);
    }
    if (isOpen && !this.#isClosed && this.#followed(branch, final)) return;
    this.#host.targetEnded(branch, final);
    if (!isOpen || this.#branches.some(({ pending }, i) => pending && i >= this.#roundStart)) return;
    this.#roundOver();
  }

  /** Whether somebody else is called in the place of this branch: its own answer does not count then. */
  #followed(branch: Branch, final: Final): boolean {
    const others =
      spareTargets(branch, final) ??
      (this.#host.answerRules.follow_redirects && this.method === "INVITE"
        ? redirectedTargets(branch, final, this.#search, this.#forwarding?.callerIsOurs ?? false)
        : null);
    if (others === null) return false;
    const fresh = others.filter(
      ({ binding, ways }) => binding === null || ways !== null || !isCalled(this.#branches, binding),
    );
    // Without a fresh one whoever it names is being called, or was: their answers count.
    branch.followed = true; // before anybody else is called, who may end in that very call
    if (fresh.length === 0) return false;
    if (this.#add(fresh) === 0) branch.followed = false;
    return branch.followed;
  }

  /** Nobody of this round took it: the search goes on, or the best answer goes back. */
  #roundOver(): void {
    if (this.#accepted || this.#done) return;
    const finals = finalsOf(this.#branches, this.#roundStart, false);
    const next = this.#cancelled ? null : this.#nextRound(finals);
    if (next !== null) return this.begin(next);
    if (finals.length > 0) return this.#giveBest(finals);
    this.#nobody(TOO_MANY); // no room in the last round, or all of it was followed up
  }

  /** Nobody is left to call: what was said before counts, or the refusal where nobody was called at all. */
  #nobody(refusal: Refusal): void {
    const told = finalsOf(this.#branches, 0, true);
    if (told.length > 0) this.#giveBest(told);
    else this.#answer(refusal);
  }

  #nextRound(finals: readonly Final[]): Round | null {
    const search = this.#search;
    if (search === null || this.#host.isOver(this)) return null;
    const outcomes = outcomesOf(finals);
    const declined = finals.some(({ status }) => status >= 600) && this.#host.answerRules.decline_ends_search;
    return declined ? search.afterDecline(outcomes) : search.next(outcomes);
  }

  /** No final answer of a caller who called off is better than 487 (§16.7 step 6, §9.2). */
  #giveBest(finals: readonly Final[]): void {
    const real = finals.filter((final) => !isSilence(final, this.method));
    if (real.length === 0 && this.method !== "INVITE") {
      this.#transaction.abandon(); // RFC 4320 §4.2: no 408 to a non-INVITE, its sender's own timer tells it
      this.#finish(0, "No answer", true);
      return;
    }
    const best = bestOf(real.length > 0 ? real : finals, this.#host.answerRules.decline_ends_search);
    const { response, status } = best;
    if (response === null) {
      this.#answer(this.#cancelled ? CANCELLED : refusalOf(best));
      return;
    }
    const sent = status === 503 ? 500 : status; // step 6: 503 says nothing about us
    const from = this.#branches.find(({ final }) => final === best)!;
    const copy = this.#host.copyBack(response, this.#transaction, from, sent, otherChallenges(best, finals));
    if (copy === null) this.#answer(NO_VIA_LEFT);
    else {
      this.#transaction.respond(sent, copy);
      this.#finish(sent, response.reason);
    }
  }

  #answer(refusal: Refusal): void {
    this.#host.answer(this.#transaction, refusal);
    this.#finish(refusal.status, refusal.reason, true);
  }

  #finish(status: number, reason: string, own = false): void {
    if (this.#done) return;
    this.#done = true;
    this.#hush();
    const forwarding = this.#forwarding;
    this.#forwarding = null;
    this.#search = null;
    if (forwarding !== null) this.#host.finished(forwarding, status, reason, own);
  }

  #hush(): void {
    if (this.#round !== null && this.#round.users.length > 0) this.#host.quiet(this.#round.users, this);
    this.#round = null;
  }

  /** False: the response has lost the sender's Via and cannot find its way. */
  #forward(response: SipMessage, from: Branch): boolean {
    const copy = this.#host.copyBack(response, this.#transaction, from);
    if (copy !== null) this.#transaction.respond(response.status, copy);
    return copy !== null;
  }

  #cancelPending(headers: readonly string[], except?: Branch): void {
    if (this.method !== "INVITE") return;
    for (const branch of [...this.#branches]) if (branch !== except) branch.cancel(headers);
  }

  acknowledged(_transaction: ServerTransaction, ack: SipMessage, flow: Flow): void {
    this.#host.ack(ack, flow);
  }

  timedOut(): void {} // Timer H: the caller never acknowledged our refusal; nothing more can be done

  transportFailed(): void {
    this.#cancelled = true; // nobody is there to take an answer
    this.#cancelPending([]);
  }
}
