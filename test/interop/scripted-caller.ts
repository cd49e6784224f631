/**
 * The lines of requests that no phone program can be told to send, for a UdpPhone.
 */
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import type { UdpPhone } from "../support/udp-phone.ts";

export interface Ask {
  readonly method: string;
  readonly uri: string;
  /** URIs. */
  readonly from: string;
  readonly to: string;
  readonly fromTag: string;
  readonly toTag?: string;
  readonly callId: string;
  readonly cseq: number;
  /** Without it the branch names the transaction by Call-ID, CSeq and method. */
  readonly branch?: string;
  /** More header lines. */
  readonly headers?: readonly string[];
  readonly body?: readonly string[];
}

/** The request as `UdpPhone.send` and `ask` take it. */
export function requestLines(phone: UdpPhone, ask: Ask): string[] {
  const { method, uri, from, to, fromTag, toTag, callId, cseq, headers = [], body } = ask;
  const branch = ask.branch ?? `z9hG4bK-${callId.split("@", 1)[0]}-${phone.port}-${cseq}-${method}`;
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${phone.address}:${phone.port};branch=${branch};rport`,
    "Max-Forwards: 70",
    `From: <${from}>;tag=${fromTag}`,
    `To: <${to}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    `Contact: <sip:${phone.address}:${phone.port}>`,
    ...headers,
    ...(body === undefined ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body === undefined ? 0 : body.join("\r\n").length + 2}`,
    ...(body === undefined ? [] : ["", ...body]),
  ];
}

/** An offer of one audio stream at this address. */
export function sdpAt(address: string, version = 1): string[] {
  const origin = `o=- 1 ${version} IN IP4 ${address}`;
  return ["v=0", origin, "s=-", `c=IN IP4 ${address}`, "t=0 0", "m=audio 40000 RTP/AVP 0"];
}

/** What an answer says in a header, one entry a line; long names only. */
export function values(message: string, name: string): string[] {
  const lines = message.split("\r\n\r\n", 1)[0]!.split("\r\n");
  const prefix = `${name.toLowerCase()}:`;
  return lines
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

/** Proxy-Authorization for the challenge of a 407 (MD5, qop auth). */
export function credentials(
  challenge: string,
  method: string,
  uri: string,
  user: string,
  password: string,
): string {
  const value = values(challenge, "Proxy-Authenticate")[0] ?? "";
  const part = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(value)?.[1] ?? "";
  const [realm, nonce] = [part("realm"), part("nonce")];
  const response = digestResponse(
    "MD5",
    ha1("MD5", user, realm, password),
    method,
    uri,
    nonce,
    "00000001",
    "c",
  );
  return (
    `Proxy-Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, cnonce="c", qop=auth, nc=00000001`
  );
}
