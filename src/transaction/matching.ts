/**
 * The names under which transactions are found (RFC 3261 §17.1.3, §17.2.3).
 */
import type { CSeq } from "../message/cseq.ts";
import { H } from "../message/header-names.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Via } from "../message/via.ts";
import { MAGIC_COOKIE } from "../message/via.ts";

/**
 * The key of a request: branch, sent-by and method, an ACK counting as INVITE. `method` lets a CANCEL
 * name the request it cancels (§9.2). Two clients may use one branch: sent-by keeps them apart, and where it says the
 * same for two, behind two NATs, the address they come from (`source`).
 */
export function serverKey(request: SipMessage, via: Via, cseq: CSeq, method: string, source: string): string {
  const named = method === "ACK" ? "INVITE" : method;
  const place = via.host === source ? "" : ` ${source}`;
  if (via.branch?.startsWith(MAGIC_COOKIE) && via.branch.length > MAGIC_COOKIE.length)
    return `${via.branch} ${via.host}:${via.port ?? 0}${place} ${named}`;
  return `${rfc2543Key(request, cseq, named)}${place}`;
}

/**
 * §17.2.3, a request without the magic cookie: Request-URI, From tag, Call-ID, CSeq number and the
 * whole topmost Via. The To tag is left out: the ACK carries one, its INVITE does not.
 */
function rfc2543Key(request: SipMessage, cseq: CSeq, method: string): string {
  const via = request.via;
  const top = via !== null && "start" in via ? request.bytes.latin1Slice(via.start, via.end) : "";
  const tag = request.fromTag ?? request.text(H.From) ?? "";
  return `2543 ${request.uriText} ${tag} ${request.callId} ${cseq.number} ${top} ${method}`;
}

/** The key of a response, and of the request it answers: our branch and the method (§17.1.3). */
export function clientKey(branch: string, method: string): string {
  return method === "CANCEL" ? `${branch} CANCEL` : branch;
}
