/**
 * Our own answer to a request (RFC 3261 §8.2.6): its Via, From, To, Call-ID and CSeq lines byte for
 * byte as they came, under a new status line. Built as edits of the request itself.
 */
import type { Edits } from "./edits.ts";
import { H } from "./header-names.ts";
import { ParseError } from "./parse-error.ts";
import type { SipMessage } from "./sip-message.ts";
import { stampVia } from "./stamp.ts";
import { REASON_PHRASE } from "./status.ts";

export interface AnswerOptions {
  /** Where the request came from, for received and rport. */
  readonly address: string;
  readonly port: number;
  /** Our To tag; needed in every answer but 100 to a request without one (§8.2.6.2). */
  readonly toTag?: string;
  readonly reason?: string;
  /** Whole header lines without CRLF. They must hold no CR or LF of their own. */
  readonly headers?: readonly string[];
}

/**
 * Whether an answer would find its way into a transaction of its sender: by Via and CSeq. What else a
 * broken request lacks, its answer lacks too.
 */
export function isAnswerable(request: SipMessage): boolean {
  return request.find(H.Via) >= 0 && request.find(H.CSeq) >= 0;
}

/** The whole answer, ready to send. The request must be answerable. */
export function buildAnswer(
  edits: Edits,
  request: SipMessage,
  status: number,
  options: AnswerOptions,
): Buffer {
  edits.clear();
  const reason = options.reason ?? REASON_PHRASE[status] ?? "Unknown";
  edits.replace(request.start, request.headersStart, `SIP/2.0 ${status} ${reason}\r\n`);
  const via = request.via;
  if (via !== null && !(via instanceof ParseError)) stampVia(edits, via, options.address, options.port);
  let seen = 0;
  let cutFrom = -1;
  let end = request.headersStart;
  for (let line = 0; line < request.count; line++) {
    const id = request.idOf(line);
    if (isMirrored(id, seen, status)) {
      seen |= 1 << id;
      if (cutFrom >= 0) edits.remove(cutFrom, request.lineStart(line));
      else if (request.lineStart(line) > end) edits.remove(end, request.lineStart(line));
      cutFrom = -1;
      if (id === H.To && options.toTag !== undefined && !request.hasToTag)
        edits.insert(request.valueEnd(line), `;tag=${options.toTag}`);
    } else if (cutFrom < 0) cutFrom = end;
    end = request.lineEnd(line);
  }
  if (cutFrom >= 0) edits.remove(cutFrom, end);
  edits.insert(end, tail(options.headers));
  return edits.apply(request.bytes, request.start, end);
}

/** Via lines all of them; the others once (a second one is a mistake that must not be mirrored). */
function isMirrored(id: number, seen: number, status: number): boolean {
  switch (id) {
    case H.Via:
      return true;
    case H.From:
    case H.To:
    case H.CallId:
    case H.CSeq:
      return (seen & (1 << id)) === 0;
    case H.Timestamp:
      return status === 100 && (seen & (1 << id)) === 0; // §8.2.6.1
    default:
      return false;
  }
}

function tail(headers: readonly string[] | undefined): string {
  if (headers === undefined || headers.length === 0) return "Content-Length: 0\r\n\r\n";
  return `${headers.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`;
}
