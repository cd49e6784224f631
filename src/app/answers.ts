/**
 * Our own answers: every refusal leaves with its reason in a Warning header, a counter and a log line,
 * so that nobody has to guess why a call failed.
 */
import type { ChallengeCause } from "../auth/authenticator.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import { buildAnswer, isAnswerable } from "../message/answer.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { replyFlow } from "../transaction/reply-flow.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";

/** Answers that are part of every call set-up, not worth a log line. */
const USUAL = new Set([401, 407, 487]);

/** The challenges that every phone gets: the first one, and the one for a nonce that has aged. */
const PART_OF_EVERY_LOGIN: ReadonlySet<string> = new Set<ChallengeCause>(["no_credentials", "stale_nonce"]);

export const OUR_MISTAKE: Refusal = { status: 500, reason: "Our mistake", section: "RFC 3261 §21.5.1" };
export const NO_INVITE: Refusal = {
  status: 481,
  reason: "No INVITE of this transaction",
  section: "RFC 3261 §9.2",
};

export class Answers {
  /** Sees answers that leave without a transaction. */
  tap: MessageTap | null = null;
  /** Told of every refusal, before it is sent. */
  onRefused: ((call_id: string, refusal: Refusal) => void) | null = null;
  readonly #edits: Edits;
  readonly #dice: Dice;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #statelessTag: string;

  constructor(edits: Edits, dice: Dice, metrics: Metrics, log: Log) {
    this.#edits = edits;
    this.#dice = dice;
    this.#metrics = metrics;
    this.#log = log;
    // §8.2.7: an answer without state must have the same tag for each retransmission.
    this.#statelessTag = `s${dice.token()}`;
  }

  /** A final answer of our own through its transaction. Nothing happens when the transaction has had one. */
  send(transaction: ServerTransaction, status: number, headers: readonly string[]): void {
    const { request, source } = transaction;
    if (request === null) return;
    const { remoteAddress: address, remotePort: port } = source;
    const toTag = this.#dice.token();
    transaction.respond(status, buildAnswer(this.#edits, request, status, { address, port, toTag, headers }));
  }

  /** Refuses a request, counts it and says why. */
  refuse(transaction: ServerTransaction, refusal: Refusal): void {
    const { request, source } = transaction;
    if (request === null) return;
    this.#account(request, source, refusal);
    this.send(transaction, refusal.status, headersOf(refusal));
  }

  /** Refuses a request that gets no transaction: malformed, or too many. An ACK is only counted. */
  refuseStateless(request: SipMessage, source: Flow, refusal: Refusal): void {
    this.#account(request, source, refusal);
    if (request.method === "ACK" || !isAnswerable(request)) return;
    const { via } = request;
    const back = via === null || via instanceof ParseError ? source : replyFlow(via, source);
    const { remoteAddress: address, remotePort: port } = source;
    const headers = headersOf(refusal);
    const toTag = this.#statelessTag;
    const answer = buildAnswer(this.#edits, request, refusal.status, { address, port, toTag, headers });
    const isSent = back.send(answer);
    this.tap?.sent(answer, request.callId ?? "", back, isSent);
  }

  #account(request: SipMessage, source: Flow, refusal: Refusal): void {
    this.onRefused?.(request.callId ?? "", refusal);
    this.#metrics
      .counter("sipedge_refusals_total", "Requests refused by this appliance, by status and rule", {
        status: String(refusal.status),
        rule: refusal.section,
      })
      .inc();
    const said = {
      why: refusal.reason,
      method: request.method,
      uri: request.uriText,
      to: request.text(H.To),
      from: source.id,
      call_id: request.callId,
    };
    if (!USUAL.has(refusal.status))
      this.#log.info("refused", { status: refusal.status, rule: refusal.section, ...said });
    else if (refusal.status !== 487 && !PART_OF_EVERY_LOGIN.has(refusal.reason))
      this.#log.warn("login-failed", said);
  }
}

/** warn-code 399: miscellaneous, for a person (§20.43). */
function headersOf(refusal: Refusal): string[] {
  const headers = [...(refusal.headers ?? [])];
  if (!USUAL.has(refusal.status))
    headers.push(
      `Warning: 399 sipedge "${refusal.reason.replace(/["\\\r\n]/g, "'")} (${refusal.section.replace("§", "")})"`,
    );
  return headers;
}
