/**
 * What is decided about a call, written into its trace in words: who the caller is taken for, each target and why it
 * was left, and the end.
 */
import type { Flow } from "../base/flow.ts";
import type { CallEnd } from "../calls/call-record.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Branch } from "../proxy/branch.ts";
import type { CallObserver } from "../proxy/call-observer.ts";
import type { Admitted } from "../proxy/sender.ts";
import type { Target } from "../proxy/targets.ts";
import type { Traces } from "../trace/traces.ts";

export class TraceNotes implements CallObserver {
  readonly #traces: Traces;

  constructor(traces: Traces) {
    this.#traces = traces;
  }

  begun(admitted: Admitted, refusal: Refusal | null): void {
    const { callId, request } = admitted;
    if (!this.#traces.has(callId)) return;
    if (request.method === "INVITE") this.#traces.began(callId);
    if (refusal !== null || request.hasToTag) return;
    this.#traces.note(callId, `caller: ${callerOf(admitted)}`);
  }

  sent(target: Target, flow: Flow, { callId, request }: Admitted): void {
    if (request.hasToTag || !this.#traces.has(callId)) return;
    this.#traces.note(callId, `target: ${target.uri.text}${whyOf(target)}, over ${flow.id}`);
  }

  rang(): void {} // its answer is in the trace

  accepted({ callId, target, method }: Branch, _response: SipMessage, { request }: Admitted): void {
    if (method === "INVITE" && !request.hasToTag)
      this.#traces.note(callId, `${target.uri.text} takes the call`);
  }

  ended({ callId, target, final, accepted, followed }: Branch): void {
    if (final === null || accepted || !this.#traces.has(callId)) return;
    const who = final.response === null ? "" : " (its own answer)";
    const next = followed ? "; another is tried in its place" : "";
    this.#traces.note(callId, `${target.uri.text} ended: ${final.status} ${final.reason}${who}${next}`);
  }

  finished({ callId, request }: Admitted, status: number, reason: string): void {
    if (!request.hasToTag) this.#traces.answered(callId, status, reason);
  }

  /** Of a request that was refused before it was forwarded, or by us in the end. */
  refused(call_id: string, { status, reason, section }: Refusal): void {
    if (!this.#traces.has(call_id)) return;
    this.#traces.refused(call_id, status, reason);
    this.#traces.note(call_id, `refused: ${status} ${reason} (${section})`);
  }

  over(call_id: string, { status, reason, by }: CallEnd, wasAnswered: boolean): void {
    if (!this.#traces.has(call_id)) return;
    const isFailed = !wasAnswered || by === "nobody" || by === "us";
    this.#traces.answered(call_id, status, reason);
    if (wasAnswered) this.#traces.note(call_id, `over, ended by ${by}${reason === "" ? "" : `: ${reason}`}`);
    this.#traces.over(call_id, isFailed);
  }
}

function callerOf({ caller, callerIsBound, callerNat }: Admitted): string {
  const who =
    caller.user !== null
      ? `account ${caller.user}${caller.identity === caller.user ? "" : ` as ${caller.identity}`}`
      : caller.ours
        ? "trusted network"
        : caller.peer !== null
          ? `peer ${caller.peer}`
          : "no account of ours";
  if (callerNat !== null && callerNat !== "") return `${who}, behind a NAT (${callerNat})`;
  return `${who}${callerIsBound ? ", reached over its flow" : ""}`;
}

function whyOf({ binding, hop, path, retarget }: Target): string {
  if (hop !== null)
    return ` (peer ${hop.peer}${hop.rule === null ? "" : `, route ${hop.rule}`}${hop.route === null ? "" : ` by ${hop.route}`})`;
  const forwarded = retarget === null ? "" : ", forwarded";
  if (binding === null) return forwarded === "" ? "" : " (forwarded)";
  return ` (registered by ${binding.user_agent ?? "a phone"}${path.length > 0 ? ", by its Path" : ""}${forwarded})`;
}
