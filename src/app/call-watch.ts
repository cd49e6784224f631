/**
 * The calls that pass the proxy, followed from their INVITE to their end, and ended from here when somebody wants it.
 */
import { sameAddress } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Call, EndedBy } from "../calls/call.ts";
import type { CallEnd, CallRecord } from "../calls/call-record.ts";
import { addressIn, cut, recordOf } from "../calls/call-record.ts";
import { CallTable } from "../calls/call-table.ts";
import { byesOf } from "../calls/hang-up.ts";
import { sessionInterval } from "../calls/session-timer.ts";
import type { Config } from "../config/schema.ts";
import type { Domains } from "../location/domains.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { ruleOf } from "../peers/screening.ts";
import type { Branch } from "../proxy/branch.ts";
import type { CallObserver } from "../proxy/call-observer.ts";
import type { Admitted } from "../proxy/sender.ts";
import type { Target } from "../proxy/targets.ts";
import type { ClientUser } from "../transaction/client-transaction.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import { CallQuality } from "./call-quality.ts";
import { callRules } from "./room-rules.ts";

export interface CallWatchParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly layer: TransactionLayer;
  readonly domains: Domains;
  /** Where records of ended calls go. */
  readonly record: (record: CallRecord) => void;
  /** Told that a call was ended from here, so that nothing is kept for it. */
  readonly onHungUp: (call_id: string) => void;
  /** Told of each call that is over. */
  readonly onOver: (call: Call, end: CallEnd) => void;
}

export class CallWatch implements CallObserver {
  readonly table: CallTable;
  readonly #parts: CallWatchParts;
  readonly #quality: CallQuality;
  #isRecorded: boolean;
  /** Of its own: the messages of a call are read while others are under way. */
  readonly #scanner = new Scanner();

  constructor(parts: CallWatchParts, config: Config) {
    this.#parts = parts;
    this.#isRecorded = config.records.enabled;
    this.#quality = new CallQuality(parts.log, parts.metrics);
    this.#quality.mos_alarm = config.media.mos_alarm;
    const { clock, dice, metrics } = parts;
    this.table = new CallTable(
      {
        clock,
        dice,
        metrics,
        onEnd: (call, end) => void this.#over(call, end),
        onOverdue: (call) =>
          this.hangUp(call, "The call has lasted as long as it may (calls.max_duration_s)"),
        onLook: (call) => this.#quality.look(call),
      },
      callRules(config),
    );
  }

  configure(config: Config): void {
    this.#isRecorded = config.records.enabled;
    this.table.rules = callRules(config);
    this.#quality.mos_alarm = config.media.mos_alarm;
  }

  begun(admitted: Admitted, refusal: Refusal | null): void {
    const { request, callId, source, caller } = admitted;
    const cseq = request.cseq instanceof ParseError ? 0 : request.cseq.number;
    if (request.hasToTag) return this.#inside(request, callId, cseq);
    if (request.method !== "INVITE") return;
    const { bytes: invite, fromTag } = request; // whole: a part of it would cost an ArrayBuffer of its own
    const from = addressIn(request.text(H.From) ?? "");
    const to = addressIn(request.text(H.To) ?? "");
    const asked = cut(request.uriText);
    const facts = { call_id: callId, from_tag: fromTag, from, to, asked, source, user: caller.user };
    this.table.begin({ ...facts, invite }, cseq);
    if (refusal === null) return;
    const call = this.#newCallOf(admitted);
    if (call === null) return;
    call.rule = ruleOf(refusal);
    this.table.end(call, "us", refusal.status, refusal.reason);
  }

  sent({ uri, hop }: Target, flow: Flow, admitted: Admitted): void {
    if (admitted.request.method === "BYE") return this.#noteBye(admitted, flow);
    const call = this.#newCallOf(admitted);
    if (call === null || call.answered_ms !== null) return;
    call.legs++;
    call.target = uri.text;
    call.peer = hop?.peer ?? null;
    call.rule = hop?.rule ?? null;
  }

  rang(_branch: Branch, response: SipMessage, admitted: Admitted): void {
    const call = response.status > 100 ? this.#newCallOf(admitted) : null;
    if (call !== null) this.table.rang(call);
  }

  accepted({ flow, target }: Branch, response: SipMessage, admitted: Admitted): void {
    const { method, hasToTag } = admitted.request;
    if (method !== "INVITE" && method !== "UPDATE") return;
    const call = this.#callOf(admitted);
    if (call === null) return;
    const session_s = sessionInterval(response) ?? call.session_asked_s;
    if (hasToTag) {
      if (flow !== null) noteMove(call, admitted, flow);
      return this.table.refreshed(call, session_s);
    }
    if (call.answered_ms === null) call.target = target.uri.text;
    this.table.answered(call, response.toTag, response.bytes, flow, session_s);
  }

  ended(): void {} // what the caller hears counts

  finished(admitted: Admitted, status: number, reason: string, own: boolean): void {
    const { request } = admitted;
    const isTaken = status >= 200 && status < 300;
    if (request.method === "INVITE" && !request.hasToTag && !isTaken) {
      const call = this.#newCallOf(admitted);
      const by = status === 487 ? "caller" : own ? "us" : "callee";
      if (call !== null && call.answered_ms === null) this.table.end(call, by, status, reason);
    } else if (request.method === "BYE" && status !== 401 && status !== 407) this.#byed(admitted, status);
  }

  /** The BYE of a call by one of its sides; that of another leg of its fork, or with a tag that is none, ends nothing. */
  #callOfBye(admitted: Admitted): Call | null {
    const { fromTag, toTag } = admitted.request;
    const call = this.#callOf(admitted);
    if (call === null || call.to_tag === null) return null;
    const { from_tag } = call.facts;
    const isOfIt =
      (fromTag === from_tag && toTag === call.to_tag) || (fromTag === call.to_tag && toTag === from_tag);
    return isOfIt ? call : null;
  }

  #noteBye(admitted: Admitted, { remoteAddress }: Flow): void {
    const call = this.#callOfBye(admitted);
    if (call === null) return;
    const { callee, facts, movedTo } = call;
    const isCallers = facts.from_tag === admitted.request.fromTag;
    const ends = [movedTo ?? facts.source.remoteAddress, callee?.remoteAddress ?? ""];
    const [own, other] = isCallers ? ends : ends.reverse();
    const isTrue =
      sameAddress(admitted.source.remoteAddress, own ?? "") && sameAddress(remoteAddress, other ?? "");
    call.byeTo = isTrue ? "other side" : "elsewhere";
  }

  /**
   * A side has hung up. Unless the other side itself knows, or is gone, it is told by a BYE of ours: else whoever
   * sends its BYE elsewhere, or one that nobody can accept, would talk on in a call that is counted no more.
   */
  #byed(admitted: Admitted, status: number): void {
    const { request } = admitted;
    const call = this.#callOfBye(admitted);
    if (call === null || (status === 403 && call.byeTo === null)) return; // a stranger's, which was not let through
    const by = call.facts.from_tag === request.fromTag ? "caller" : "callee";
    const reason = request.text(H.Reason) ?? "";
    const isSilent = status === 0 || status === 408; // whoever is gone has hung up as well
    const isKnown =
      call.byeTo === "other side" && (isSilent || status === 481 || (status >= 200 && status < 300));
    if (isKnown || !this.hangUp(call, reason, by)) this.table.end(call, by, 200, reason);
  }

  /** Sends BYE to both sides. False: it was not answered yet, or is being ended already. `by` is who wanted it. */
  hangUp(call: Call, reason: string, by: EndedBy = "us"): boolean {
    if (call.state !== "up") return false;
    const { clock, dice, domains, layer, log } = this.#parts;
    call.state = "ending";
    call.ending_at = clock.now();
    log.info("call-hung-up", { call: call.id, call_id: call.facts.call_id, reason });
    const isOurs = ({ host, port }: { host: string; port: number | null }): boolean =>
      domains.isOurEndpoint(host, port);
    const byes = byesOf(call, this.#scanner, isOurs, () => dice.token(), reason);
    let open = byes.length;
    const done = (): void => {
      open--;
      if (open <= 0) this.table.end(call, by, 200, reason);
    };
    for (const bye of byes) {
      if (bye === null) done();
      else layer.send(bye.bytes, "BYE", bye.branch, call.facts.call_id, bye.flow, untilFinal(done));
    }
    this.#parts.onHungUp(call.facts.call_id);
    return true;
  }

  /** Nobody was heard for so long: its phones are gone. */
  silent(id: string, silent_ms: number): void {
    const call = this.table.byId(id);
    if (call !== null) this.hangUp(call, `No media for ${Math.round(silent_ms / 1000)} s (media.silence_s)`);
  }

  /** Its media is closed at once; its record waits for what was measured of it. */
  async #over(call: Call, end: CallEnd): Promise<void> {
    this.#parts.onOver(call, end);
    const { meter } = call;
    const report = meter === null ? null : await meter.close();
    if (report !== null) this.#quality.ended(call, report);
    if (this.#isRecorded) this.#parts.record(recordOf(call, end, report));
  }

  /** Numbers that the two sides use, for BYEs of ours. */
  #inside(request: SipMessage, callId: string, cseq: number): void {
    const call = this.table.find(callId, request.fromTag, request.toTag);
    if (call === null) return;
    if (call.facts.from_tag === request.fromTag) call.caller_cseq = Math.max(call.caller_cseq, cseq);
    else call.callee_cseq = Math.max(call.callee_cseq, cseq);
  }

  #newCallOf({ request, callId }: Admitted): Call | null {
    if (request.method !== "INVITE" || request.hasToTag) return null;
    return this.table.find(callId, request.fromTag, null);
  }

  #callOf({ request, callId }: Admitted): Call | null {
    return this.table.find(callId, request.fromTag, request.toTag);
  }
}

/**
 * The caller has moved (RFC 3261 §12.2.1.1), and the callee has agreed. Not the other way round: a caller could make
 * itself the callee, and hang up on itself in a call that goes on.
 */
function noteMove(call: Call, { request, source }: Admitted, answeredBy: Flow): void {
  if (request.fromTag !== call.facts.from_tag || call.callee === null) return;
  if (sameAddress(answeredBy.remoteAddress, call.callee.remoteAddress)) call.movedTo = source.remoteAddress;
}

function untilFinal(done: () => void): ClientUser {
  let isOver = false;
  const once = (): void => {
    if (!isOver) done();
    isOver = true;
  };
  return {
    answered(_transaction, response: SipMessage) {
      if (response.status >= 200) once();
    },
    timedOut: once,
    transportFailed: once,
  };
}
