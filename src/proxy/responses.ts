/**
 * The way back: the forwarded copy of a response (RFC 3261 §16.7 steps 3, 7 and 9), and which of
 * several final responses is the best (step 6).
 */
import type { Flow } from "../base/flow.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { REASON_PHRASE } from "../message/status.ts";
import type { Answerer } from "./callee-identity.ts";
import type { ResponseEditor } from "./own-routes.ts";

/** How a round of targets ended, as far as forwards ask for it. */
export type Outcome = "busy" | "no_answer" | "not_registered" | "unreachable" | "other";

/** A final result of one branch: a response, or what we make of silence or a failed transport. */
export interface Final {
  readonly status: number;
  /** Null: nobody answered; `status` is our own finding. */
  readonly response: SipMessage | null;
  /** Why, for the answer we then make ourselves. */
  readonly reason: string;
  readonly outcome: Outcome;
}

/** 5xx by which a server judges the request; the others say that it cannot work now. */
const REFUSING: ReadonlySet<number> = new Set([501, 505, 513, 555]);

/** What a final answer means for forwards. */
export function outcomeOf(status: number): Outcome {
  if (status === 486 || status === 600) return "busy";
  if (status === 408 || status === 480) return "no_answer";
  if (status === 430 || (status >= 500 && status < 600 && !REFUSING.has(status))) return "unreachable";
  return "other";
}

const BY_WEIGHT: readonly Outcome[] = ["busy", "no_answer", "unreachable"];

/** What several phones' results mean together, the one that tells most first: busy before away. */
export function outcomesOf(finals: readonly Final[]): readonly Outcome[] {
  return BY_WEIGHT.filter((outcome) => finals.some((final) => final.outcome === outcome));
}

/**
 * The response without its topmost Via, which is ours. Null: no Via is left, so it was an answer to a
 * request of our own and goes nowhere.
 * `source` is the flow its request came on, `from` who answers; `editor` changes what it must besides.
 * `status` replaces the code and phrase (503 leaves as 500, step 6); `extra` is header lines with CRLF.
 */
export function buildResponseCopy(
  edits: Edits,
  response: SipMessage,
  editor: ResponseEditor,
  source: Flow,
  from: Answerer,
  status = response.status,
  extra = "",
): Buffer | null {
  const line = response.find(H.Via);
  if (line < 0) return null;
  edits.clear();
  const comma = viaEnd(response, line);
  if (comma < response.valueEnd(line)) edits.remove(response.valueStart(line), afterComma(response, comma));
  else if (response.find(H.Via, line + 1) < 0) return null;
  else edits.remove(response.lineStart(line), response.lineEnd(line));
  if (status !== response.status)
    edits.replace(
      response.start,
      response.headersStart - 2,
      `SIP/2.0 ${status} ${REASON_PHRASE[status] ?? ""}`,
    );
  const length = editor.editResponse(edits, response, source, from);
  if (source.reliable && response.find(H.ContentLength) < 0)
    edits.insert(response.lineEnd(response.count - 1), `Content-Length: ${length}\r\n`); // RFC 3261 §18.3
  if (extra !== "") edits.insert(response.lineStart(line), extra);
  return edits.apply(response.bytes, response.start, response.bodyEnd);
}

/** End of the first via-parm in the line: the comma behind it, or the end of the value. */
function viaEnd(response: SipMessage, line: number): number {
  const via = response.via;
  const from = via !== null && "end" in via ? via.end : response.valueStart(line);
  const comma = response.bytes.indexOf(44, from);
  return comma >= 0 && comma < response.valueEnd(line) ? comma : response.valueEnd(line);
}

function afterComma(response: SipMessage, comma: number): number {
  let at = comma + 1;
  while (response.bytes[at] === 32 || response.bytes[at] === 9) at++;
  return at;
}

/**
 * §16.7 step 6: any 6xx first, where one ends the search; else the lowest class, and within 4xx those
 * that tell the caller what to do differently; a real answer before our own findings.
 */
export function bestOf(finals: readonly Final[], declineEndsSearch = true): Final {
  let best = finals[0]!;
  for (const final of finals)
    if (rank(final, declineEndsSearch) < rank(best, declineEndsSearch)) best = final;
  return best;
}

const TELLING = new Set([401, 407, 415, 420, 484]);

function rank({ status, response }: Final, declineEndsSearch: boolean): number {
  if (status >= 600 && declineEndsSearch) return 0;
  if (response === null) return 8000 + status;
  if (status === 503) return 9000; // only when nobody said anything better
  const order = Math.floor(status / 100) * 1000;
  return TELLING.has(status) ? order : order + 100;
}

/**
 * §16.7 step 7: when the best answer is 401 or 407, the challenges of all others go along. Returns
 * header lines with CRLF.
 */
export function otherChallenges(best: Final, finals: readonly Final[]): string {
  if (best.status !== 401 && best.status !== 407) return "";
  let lines = "";
  for (const { response, status } of finals) {
    if (response === null || response === best.response || (status !== 401 && status !== 407)) continue;
    for (const value of response.texts(H.WwwAuthenticate)) lines += `WWW-Authenticate: ${value}\r\n`;
    for (const value of response.texts(H.ProxyAuthenticate)) lines += `Proxy-Authenticate: ${value}\r\n`;
  }
  return lines;
}

/** delta-seconds of Retry-After (§20.33), what follows it left out; null without one. */
export function retryAfterOf(response: SipMessage): number | null {
  const seconds = /^\s*(\d{1,10})/.exec(response.text(H.RetryAfter) ?? "")?.[1];
  return seconds === undefined ? null : Number(seconds);
}
