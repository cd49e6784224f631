/**
 * One branch of a forwarded request: its target, its client transaction, how long it may ring, and a
 * CANCEL that may have to wait (RFC 3261 §9.1, §16.6 steps 7 to 11, §16.8).
 */
import type { Flow } from "../base/flow.ts";
import type { TimerOwner, Timer as WheelTimer } from "../base/timers.ts";
import { Timer } from "../base/timers.ts";
import type { Place } from "../dns/place.ts";
import { cancelFor } from "../message/derive.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { ClientTransaction, ClientUser } from "../transaction/client-transaction.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Final, Outcome } from "./responses.ts";
import { outcomeOf } from "./responses.ts";
import type { Target } from "./targets.ts";

/** What a branch tells its response context. */
export interface BranchUser {
  /** A provisional answer other than 100, or a 2xx (each one that arrives; `first`: the first of them). */
  passed(branch: Branch, response: SipMessage, first: boolean): void;
  /** The branch is over without a 2xx, or is given up. Called once. */
  ended(branch: Branch, final: Final): void;
  /** Whether somebody else is tried when nobody of this round takes it. */
  readonly mayGoOn: boolean;
  /** A branch that was given up before is really over: its share of Max-Breadth is free. */
  released(branch: Branch): void;
}

export interface BranchTimers {
  readonly timer_c_ms: number;
  /** How long an INVITE may stay without any answer. */
  readonly no_reply_ms: number;
  /** The same where there is another place or flow to try (RFC 3263 §4.3), for any request. */
  readonly failover_ms: number;
  /** Only a higher provisional status than before starts Timer C anew. */
  readonly restart_on_higher: boolean;
  /** How long after a CANCEL the final answer may take (§9.1: 64*T1). */
  readonly cancel_wait_ms: number;
}

/** Asks whether a UDP port refuses what is sent there; `refused` is called once if ICMP says so. */
export type AskPort = (address: string, port: number, refused: () => void) => void;

/** So long without any answer (T1, when the request is first repeated), and the port is asked. */
const ASK_PORT_MS = 500;
/** How long an address of one family may stay silent where one of the other family is next. */
const OTHER_FAMILY_MS = 800;
const NO_PLACES: readonly Place[] = [];

export class Branch implements ClientUser, TimerOwner {
  readonly target: Target;
  /** Its share of Max-Breadth (RFC 5393 §5.3.3). */
  readonly breadth: number;
  readonly #layer: TransactionLayer;
  readonly #user: BranchUser;
  readonly #timers: BranchTimers;
  /** `wheel.now()` at which it is given up, whatever comes. */
  readonly #deadline: number;
  readonly #askPort: AskPort;
  #transaction: ClientTransaction | null = null;
  #timer: WheelTimer | null = null;
  /** The highest provisional status so far; 0 before the first. */
  #provisional = 0;
  /** Header lines of the CANCEL to send; null: none is wanted. */
  #cancel: readonly string[] | null = null;
  #cancelSent = false;
  /** Places to try when this one leads nowhere; its target's other flows are others still. */
  ways: readonly Place[] = NO_PLACES;
  method = "";
  callId = "";
  /** The branch parameter of its copy; "" until it left. */
  id = "";
  /** The flow its copy left on; null: none did. */
  flow: Flow | null = null;
  /** Whether who is at its other end is reached over it only, whatever its Contact says. */
  bound = false;
  /** Its result was followed up elsewhere (a redirection, another flow) and goes back to nobody. */
  followed = false;
  /** Its final result; null while it runs. */
  final: Final | null = null;
  /** Whether a 2xx came. */
  accepted = false;

  constructor(
    target: Target,
    breadth: number,
    layer: TransactionLayer,
    user: BranchUser,
    timers: BranchTimers,
    deadline: number,
    askPort: AskPort,
  ) {
    this.target = target;
    this.breadth = breadth;
    this.#layer = layer;
    this.#user = user;
    this.#timers = timers;
    this.#deadline = deadline;
    this.#askPort = askPort;
  }

  /** Whether an answer is still to come. */
  get pending(): boolean {
    return this.final === null && !this.accepted;
  }

  /** Whether its request is out and has no final answer yet, be it given up or not. */
  get running(): boolean {
    return this.#transaction !== null && !this.accepted;
  }

  /** Its time begins, before a place to send to is known: a lookup may take long. Only INVITEs are timed. */
  begin(method: string, callId: string): void {
    this.method = method;
    this.callId = callId;
    if (method !== "INVITE") return;
    this.#timer = new Timer(this);
    this.#wait(this.#timers.no_reply_ms);
  }

  /** Whether its phone has been heard of. */
  get rang(): boolean {
    return this.#provisional > 0;
  }

  /** Sends the copy. A branch that was cancelled or given up before it had a place to go sends nothing. */
  send(bytes: Buffer, method: string, branch: string, flow: Flow, rest: readonly Place[]): void {
    if (this.final !== null) return;
    this.ways = rest;
    this.flow = flow;
    this.id = branch;
    if (this.#hasOthers) {
      this.#timer ??= new Timer(this);
      const failover_ms = this.#failoverMs;
      if (flow.transport === "udp" && failover_ms > ASK_PORT_MS)
        this.#layer.wheel.set(this.#timer, "ask_port", ASK_PORT_MS);
      else this.#wait(failover_ms);
    }
    const transaction = this.#layer.send(bytes, method, branch, this.callId, flow, this);
    if (this.pending) this.#transaction = transaction; // else it has failed in that very call
  }

  /** Whether somebody else can be tried in its place. */
  get #hasOthers(): boolean {
    const { hop, spares } = this.target;
    return this.ways.length > 0 || spares.length > 0 || (hop !== null && this.#user.mayGoOn);
  }

  /** One of two families is often broken where both are told (RFC 7984 §4): the other is tried soon. */
  get #failoverMs(): number {
    const { failover_ms } = this.#timers;
    const next = this.ways[0]?.address;
    const here = this.flow?.remoteAddress;
    if (next === undefined || here === undefined || next.includes(":") === here.includes(":"))
      return failover_ms;
    return Math.min(failover_ms, OTHER_FAMILY_MS);
  }

  /** Ends it before anything was sent: no place to send to, or sending is not allowed. */
  fail(status: number, reason: string, outcome: Outcome): void {
    this.#end({ status, response: null, reason, outcome });
  }

  /**
   * §9.1: a CANCEL follows a provisional answer; before one it waits. `headers` are whole lines
   * without CRLF. Only INVITEs are cancelled.
   */
  cancel(headers: readonly string[]): void {
    if (!this.pending || this.#cancel !== null) return;
    this.#cancel = headers;
    if (this.#transaction === null) this.fail(487, "Cancelled before it was sent", "other");
    else if (this.#provisional > 0) this.#sendCancel();
  }

  answered(transaction: ClientTransaction, response: SipMessage): void {
    const { status } = response;
    if (status < 200) this.#rings(transaction.method, status, response);
    else if (status < 300) {
      const first = !this.accepted;
      this.accepted = true;
      this.#stopTimer();
      this.#user.passed(this, response, first);
      if (transaction.method !== "INVITE") this.#transaction = null;
    } else this.#end({ status, response, reason: response.reason, outcome: outcomeOf(status) });
  }

  #rings(method: string, status: number, response: SipMessage): void {
    if (method !== "INVITE") this.#stopTimer(); // it is there: Timer F is enough
    const first = this.#provisional === 0;
    const higher = status > this.#provisional;
    if (higher) this.#provisional = status;
    // §16.7 step 2: each provisional but 100 starts Timer C anew.
    if (this.pending && (first || (status > 100 && (higher || !this.#timers.restart_on_higher))))
      this.#wait(this.#timers.timer_c_ms);
    if (this.#cancel !== null && !this.#cancelSent) this.#sendCancel();
    if (status > 100 && this.pending) this.#user.passed(this, response, false);
  }

  timedOut(): void {
    this.#end({ status: 408, response: null, reason: "No answer (Timer B or F)", outcome: "unreachable" });
  }

  transportFailed(): void {
    this.#end({ ...this.#unreached, reason: "The connection failed" });
  }

  timerFired(timer: WheelTimer): void {
    if (timer.letter === "ask_port") return this.#doubt();
    if (timer.letter !== "cancel_wait") return this.#giveUp();
    const transaction = this.#transaction;
    this.#end({ status: 408, response: null, reason: "No answer to CANCEL", outcome: "no_answer" });
    transaction?.abandon();
  }

  /** Nothing came back yet: either packets are lost, or nobody is there, which ICMP would tell. */
  #doubt(): void {
    this.#wait(this.#failoverMs - ASK_PORT_MS);
    const { flow } = this;
    if (flow !== null) this.#askPort(flow.remoteAddress, flow.remotePort, () => this.#refused());
  }

  #refused(): void {
    if (!this.pending || this.#provisional > 0) return;
    const transaction = this.#transaction;
    this.#end({ ...this.#unreached, reason: "ICMP: the port is closed" });
    transaction?.abandon();
  }

  /**
   * Timer C (§16.8), no reply at all, or the end of its ring time: it counts as 408 from now on, and a
   * CANCEL goes out, when a provisional came or as soon as one comes. A 2xx that crosses it still counts.
   */
  #giveUp(): void {
    if (this.method === "INVITE") this.#cancel ??= [];
    const rang = this.#provisional > 0;
    if (this.#cancel !== null && rang && !this.#cancelSent) this.#sendCancel();
    const reason = rang ? "Nobody answered in time" : "No reply at all";
    this.#tell({ status: 408, response: null, reason, outcome: rang ? "no_answer" : "unreachable" });
  }

  /** §16.9: 503. Departs from it for a phone that registered here: it is away for now, which is no fault of a server. */
  get #unreached(): Pick<Final, "status" | "response" | "outcome"> {
    return { status: this.target.binding === null ? 503 : 480, response: null, outcome: "unreachable" };
  }

  /** Starts the timer anew, never beyond the deadline. */
  #wait(ms: number): void {
    if (this.#timer === null || this.#cancelSent) return;
    const { wheel } = this.#layer;
    wheel.set(this.#timer, "C", Math.max(0, Math.min(ms, this.#deadline - wheel.now())));
  }

  #sendCancel(): void {
    const transaction = this.#transaction;
    const invite = transaction?.sent ?? null;
    if (invite === null || transaction === null) return;
    this.#cancelSent = true;
    const bytes = cancelFor(this.#layer.edits, invite, this.#cancel ?? []);
    this.#layer.send(bytes, "CANCEL", transaction.key, this.callId, transaction.flow, IGNORED);
    if (this.#timer !== null) this.#layer.wheel.set(this.#timer, "cancel_wait", this.#timers.cancel_wait_ms);
  }

  #end(final: Final): void {
    this.#stopTimer();
    this.#transaction = null;
    if (this.final !== null && !this.accepted) this.#user.released(this);
    else this.#tell(final);
  }

  #tell(final: Final): void {
    if (!this.pending) return;
    this.final = final;
    this.#user.ended(this, final);
  }

  #stopTimer(): void {
    if (this.#timer === null) return;
    this.#layer.wheel.stop(this.#timer);
    this.#timer = null;
  }
}

/** Nobody waits for the answer to a CANCEL: the INVITE's own answer counts. */
const IGNORED: ClientUser = { answered() {}, timedOut() {}, transportFailed() {} };
