/**
 * Requests that belong to an INVITE we sent: CANCEL (RFC 3261 §9.1) and the ACK of a final answer
 * other than 2xx (§17.1.1.3). Both repeat its Request-URI, topmost Via, Route, From, Call-ID and CSeq number.
 */
import type { Edits } from "./edits.ts";
import { H } from "./header-names.ts";
import { ParseError } from "./parse-error.ts";
import type { SipMessage } from "./sip-message.ts";

/** `invite` is the INVITE as it left. `headers` are whole lines without CRLF (a Reason, RFC 3326). */
export function cancelFor(edits: Edits, invite: SipMessage, headers: readonly string[] = []): Buffer {
  return derive(edits, invite, "CANCEL", null, headers);
}

/** The To of the ACK is the one of the answer, with the tag of whoever refused. */
export function ackFor(edits: Edits, invite: SipMessage, answer: SipMessage): Buffer {
  return derive(edits, invite, "ACK", answer.text(H.To), []);
}

function derive(
  edits: Edits,
  invite: SipMessage,
  method: string,
  to: string | null,
  headers: readonly string[],
): Buffer {
  edits.clear();
  edits.replace(invite.start, invite.uriStart, `${method} `);
  let viaSeen = false;
  let end = invite.headersStart;
  for (let line = 0; line < invite.count; line++) {
    const id = invite.idOf(line);
    const start = invite.lineStart(line);
    end = invite.lineEnd(line);
    switch (id) {
      case H.Via:
        if (viaSeen) edits.remove(start, end);
        else keepFirstVia(edits, invite, line);
        viaSeen = true;
        break;
      case H.To:
        if (to !== null) edits.replace(invite.valueStart(line), invite.valueEnd(line), to);
        break;
      case H.CSeq:
        edits.replace(invite.valueStart(line), invite.valueEnd(line), cseqOf(invite, method));
        break;
      case H.MaxForwards:
        edits.replace(invite.valueStart(line), invite.valueEnd(line), "70");
        break;
      case H.From:
      case H.CallId:
      case H.Route:
        break;
      default:
        edits.remove(start, end);
    }
  }
  const extra = headers.map((header) => `${header}\r\n`).join("");
  edits.insert(end, `${extra}Content-Length: 0\r\n\r\n`);
  return edits.apply(invite.bytes, invite.start, end);
}

function keepFirstVia(edits: Edits, invite: SipMessage, line: number): void {
  const via = invite.via;
  if (via === null || via instanceof ParseError) return;
  if (via.end < invite.valueEnd(line)) edits.remove(via.end, invite.valueEnd(line));
}

function cseqOf(invite: SipMessage, method: string): string {
  const cseq = invite.cseq;
  return `${cseq instanceof ParseError ? 0 : cseq.number} ${method}`;
}
