/**
 * What stays of a call attempt: one record, made when it is over.
 */
import type { MediaReport } from "../media/media-session.ts";
import type { Call, EndedBy } from "./call.ts";
import { TEXT_CHARS_MAX } from "./call.ts";

/** Times are Unix milliseconds; text is as it came, cut to `TEXT_CHARS_MAX`. */
export interface CallRecord {
  readonly id: string;
  readonly call_id: string;
  readonly started_ms: number;
  readonly rang_ms: number | null;
  readonly answered_ms: number | null;
  readonly ended_ms: number;
  /** From and To as they came, without the tag; the Request-URI. */
  readonly from: string;
  readonly to: string;
  readonly asked: string;
  /** The account the caller proved; null: none. */
  readonly user: string | null;
  /** Where the INVITE came from: `Flow.id`. */
  readonly source: string;
  /** The last URI that was tried; "" when there was none. */
  readonly target: string;
  readonly peer: string | null;
  /** The route that led there; absent or null: none was asked. */
  readonly rule?: string | null;
  readonly legs: number;
  /** The final answer; 0: there was none. */
  readonly status: number;
  readonly reason: string;
  readonly ended_by: EndedBy;
  /** What was measured of its media; null: it was not relayed. */
  readonly media?: MediaReport | null;
}

/** How a call ended. */
export interface CallEnd {
  readonly at_ms: number;
  readonly status: number;
  readonly reason: string;
  readonly by: EndedBy;
}

export function recordOf(
  call: Call,
  { at_ms, status, reason, by }: CallEnd,
  media: MediaReport | null,
): CallRecord {
  const { facts } = call;
  return {
    id: call.id,
    call_id: cut(facts.call_id),
    started_ms: facts.started_ms,
    rang_ms: call.rang_ms,
    answered_ms: call.answered_ms,
    ended_ms: Math.max(at_ms, facts.started_ms),
    from: facts.from,
    to: facts.to,
    asked: facts.asked,
    user: facts.user,
    source: facts.source.id,
    target: cut(call.target),
    peer: call.peer,
    rule: call.rule,
    legs: call.legs,
    status,
    reason: cut(reason),
    ended_by: by,
    media,
  };
}

/** A value of From or To without its parameters: read further when somebody asks. */
export function addressIn(value: string): string {
  const end = value.indexOf(">");
  return cut(end < 0 ? (value.split(";", 1)[0] ?? "") : value.slice(0, end + 1));
}

export const cut = (text: string): string => text.slice(0, TEXT_CHARS_MAX);
