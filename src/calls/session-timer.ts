/**
 * The proxy's part in session timers (RFC 4028 §8): refuses those that are too short, and asks for one where the
 * phones would have none. Who refreshes is left to the phones.
 */
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { hasOption } from "../message/option-tags.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Call } from "./call.ts";

export interface SessionRules {
  /** The interval that calls get which ask for none or a longer one; null: what the phones ask for stays. */
  readonly insert_s: number | null;
  /** The shortest that is let through; at least SESSION_S_MIN. */
  readonly min_s: number;
}

/** Where the calls are. */
export interface Calls {
  find(call_id: string, from_tag: string | null, to_tag: string | null): Call | null;
}

/** The shortest there may be (§4). */
export const SESSION_S_MIN = 90;

/** Session-Expires as the interval that counts; null: there is none, or it is none. */
export function sessionInterval(message: SipMessage): number | null {
  const seconds = deltaSeconds(message, H.SessionExpires);
  return seconds === null ? null : Math.max(SESSION_S_MIN, seconds);
}

export class SessionTimers {
  rules: SessionRules;
  readonly #calls: Calls;

  constructor(calls: Calls, rules: SessionRules) {
    this.#calls = calls;
    this.rules = rules;
  }

  /** 422 with our Min-SE, to a side that understands it (§8.1); null: the request may pass. */
  refusal(request: SipMessage): Refusal | null {
    if (!startsTimer(request.method)) return null;
    const asked = deltaSeconds(request, H.SessionExpires);
    const { min_s } = this.rules;
    if (asked === null || asked >= min_s || !hasOption(request, H.Supported, "timer")) return null;
    return {
      status: 422,
      reason: "Session Interval Too Small",
      section: "RFC 4028 §8.1",
      headers: [`Min-SE: ${min_s}`],
    };
  }

  /** §8.1: inserts the interval, or makes it shorter, never below the Min-SE of the request. */
  editRequest(edits: Edits, request: SipMessage): void {
    if (!startsTimer(request.method)) return;
    const { insert_s, min_s } = this.rules;
    const asked = deltaSeconds(request, H.SessionExpires);
    if (asked === null && (insert_s === null || request.find(H.SessionExpires) >= 0)) return;
    const isShort = asked !== null && asked < min_s;
    if (isShort) raiseMinSe(edits, request, min_s);
    const least = Math.max(isShort ? min_s : SESSION_S_MIN, deltaSeconds(request, H.MinSe) ?? 0);
    const wanted = Math.max(least, Math.min(asked ?? Infinity, insert_s ?? Infinity));
    if (wanted !== asked) writeInterval(edits, request, wanted);
    const call = this.#calls.find(request.callId ?? "", request.fromTag, request.toTag);
    const isKept = insert_s !== null && hasOption(request, H.Supported, "timer");
    if (call !== null) call.session_asked_s = isKept ? wanted : null;
  }

  /** §8.2: where the answering side knows no timer and the asking one does, that one refreshes. */
  editResponse(edits: Edits, response: SipMessage): void {
    const { insert_s } = this.rules;
    if (insert_s === null || response.status < 200 || response.status >= 300) return;
    if (response.cseq instanceof ParseError || !startsTimer(response.cseq.method)) return;
    if (response.find(H.SessionExpires) >= 0) return;
    const call = this.#calls.find(response.callId ?? "", response.fromTag, response.toTag);
    const asked_s = call?.session_asked_s ?? null;
    if (asked_s === null) return;
    edits.insert(endOfHeaders(response), `Require: timer\r\nSession-Expires: ${asked_s};refresher=uac\r\n`);
  }
}

const startsTimer = (method: string): boolean => method === "INVITE" || method === "UPDATE";

function raiseMinSe(edits: Edits, request: SipMessage, min_s: number): void {
  const line = request.find(H.MinSe);
  if (line < 0) edits.insert(endOfHeaders(request), `Min-SE: ${min_s}\r\n`);
  else if ((deltaSeconds(request, H.MinSe) ?? 0) < min_s)
    edits.replace(request.valueStart(line), request.valueEnd(line), String(min_s));
}

/** The refresher and whatever else stands behind the number stay. */
function writeInterval(edits: Edits, request: SipMessage, seconds: number): void {
  const line = request.find(H.SessionExpires);
  if (line < 0) {
    edits.insert(endOfHeaders(request), `Session-Expires: ${seconds}\r\n`);
    return;
  }
  const start = request.valueStart(line);
  const digits = /^\s*\d+/.exec(request.text(H.SessionExpires) ?? "")?.[0].length ?? 0;
  edits.replace(start, start + digits, String(seconds));
}

function endOfHeaders(message: SipMessage): number {
  return message.lineEnd(message.count - 1);
}

/** delta-seconds before the parameters; null: the header is not there, or begins otherwise. */
function deltaSeconds(message: SipMessage, header: typeof H.SessionExpires | typeof H.MinSe): number | null {
  const text = message.text(header);
  const seconds = text === null ? null : /^\s*(\d{1,10})\s*(?:;|$)/.exec(text)?.[1];
  return seconds === null || seconds === undefined ? null : Number(seconds);
}
