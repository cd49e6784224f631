/** What the test phones write: requests, answers and digest credentials (RFC 3261 §8.1.1, §8.2.6, §22.4). Pure. */
import type { Algorithm } from "../../auth/digest.ts";
import { digestResponse, ha1 } from "../../auth/digest.ts";
import type { TransportName } from "../../base/flow.ts";
import { parseAuthParams } from "../../message/auth-params.ts";
import { H } from "../../message/header-names.ts";
import { ParseError } from "../../message/parse-error.ts";
import type { SipMessage } from "../../message/sip-message.ts";

/** By this everybody can tell a test from a call. */
export const USER_AGENT = "sipedge selftest";
const MAX_FORWARDS = 70;

/** A request without what belongs to its transaction. */
export interface Draft {
  readonly method: string;
  readonly uri: string;
  /** Header values, tags with them. */
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly routes: readonly string[];
  /** Further header lines. */
  readonly lines: readonly string[];
  /** A session description, or "". */
  readonly body: string;
}

export interface TransactionText {
  readonly transport: TransportName;
  readonly sentBy: string;
  readonly branch: string;
  readonly cseq: number;
  /** Header lines with credentials. */
  readonly credentials: readonly string[];
}

export function requestBytes(draft: Draft, transaction: TransactionText): Buffer {
  const { transport, sentBy, branch, cseq, credentials } = transaction;
  return bytesOf(
    [
      `${draft.method} ${draft.uri} SIP/2.0`,
      `Via: SIP/2.0/${transport.toUpperCase()} ${sentBy};branch=${branch};rport`,
      `Max-Forwards: ${MAX_FORWARDS}`,
      ...draft.routes.map((route) => `Route: ${route}`),
      `From: ${draft.from}`,
      `To: ${draft.to}`,
      `Call-ID: ${draft.callId}`,
      `CSeq: ${cseq} ${draft.method}`,
      `User-Agent: ${USER_AGENT}`,
      ...draft.lines,
      ...credentials,
    ],
    draft.body,
  );
}

/** What an answer has beside what it takes from the request. */
export interface AnswerText {
  readonly status: string;
  /** Put into To where it has no tag yet. */
  readonly tag: string;
  readonly lines: readonly string[];
  readonly body: string;
}

export function answerBytes(request: SipMessage, { status, tag, lines, body }: AnswerText): Buffer {
  const to = request.text(H.To) ?? "";
  return bytesOf(
    [
      `SIP/2.0 ${status}`,
      ...request.texts(H.Via).map((value) => `Via: ${value}`),
      ...request.texts(H.RecordRoute).map((value) => `Record-Route: ${value}`),
      `From: ${request.text(H.From) ?? ""}`,
      `To: ${request.hasToTag ? to : `${to};tag=${tag}`}`,
      `Call-ID: ${request.callId ?? ""}`,
      `CSeq: ${request.text(H.CSeq) ?? ""}`,
      `User-Agent: ${USER_AGENT}`,
      ...lines,
    ],
    body,
  );
}

function bytesOf(lines: readonly string[], body: string): Buffer {
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  const all = [...lines, ...type, `Content-Length: ${Buffer.byteLength(body, "latin1")}`];
  return Buffer.from(`${all.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

export interface Secret {
  readonly name: string;
  readonly password: string;
}

/** The header line that proves the account to a 401 or 407; null: it offers nothing that we can do. */
export function credentialsFor(answer: SipMessage, draft: Draft, account: Secret, cnonce: string) {
  const isProxy = answer.status === 407;
  for (const value of answer.texts(isProxy ? H.ProxyAuthenticate : H.WwwAuthenticate)) {
    const read = parseAuthParams(value);
    if (read instanceof ParseError || read.scheme !== "digest") continue;
    const algorithm = algorithmOf(read.params.get("algorithm"));
    const offered = (read.params.get("qop") ?? "").split(",").map((qop) => qop.trim());
    const qop = ["auth", "auth-int"].find((known) => offered.includes(known));
    if (algorithm === null || qop === undefined) continue;
    const realm = read.params.get("realm") ?? "";
    const nonce = read.params.get("nonce") ?? "";
    const count = "00000001";
    const body = qop === "auth-int" ? Buffer.from(draft.body, "latin1") : null;
    const hash = ha1(algorithm, account.name, realm, account.password);
    const response = digestResponse(algorithm, hash, draft.method, draft.uri, nonce, count, cnonce, body);
    return (
      `${isProxy ? "Proxy-Authorization" : "Authorization"}: Digest username="${account.name}", ` +
      `realm="${realm}", nonce="${nonce}", uri="${draft.uri}", response="${response}", ` +
      `algorithm=${algorithm}, cnonce="${cnonce}", qop=${qop}, nc=${count}`
    );
  }
  return null;
}

function algorithmOf(text = "MD5"): Algorithm | null {
  const name = text.toUpperCase();
  return name === "MD5" || name === "SHA-256" ? name : null;
}
