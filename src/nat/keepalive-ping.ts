/**
 * The bytes of a ping (RFC 5626 §3.5 for what needs no answer; an OPTIONS or NOTIFY outside any dialog for what
 * does), and whose ping a response answers.
 */
import type { Flow } from "../base/flow.ts";
import { hostPort, sentByFor } from "../base/flow.ts";
import type { KeptEndpoint } from "./keepalive-endpoint.ts";

export type PingMethod = "options" | "notify" | "zero_bytes";

/** Four zero bytes; on streams they would break the framing, so a CRLF ping goes there. */
const ZERO_BYTES = Buffer.alloc(4);
const CRLF_PING = Buffer.from("\r\n\r\n");
/** A longer Contact is not repeated in each ping: the address does as well. */
const URI_CHARS_MAX = 256;
const BRANCH = "z9hG4bKka";
const VIA_TRANSPORT = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" } as const;

export interface PingWords {
  readonly method: PingMethod;
  /** The From URI; null: keepalive@ our own name. */
  readonly from: string | null;
  /** Header lines without CRLF. */
  readonly extra_headers: readonly string[];
}

/** The next ping of an endpoint; counts its CSeq up. */
export function pingBytes(
  endpoint: KeptEndpoint,
  flow: Flow,
  { method, from, extra_headers }: PingWords,
): Buffer {
  if (method === "zero_bytes") return flow.reliable ? CRLF_PING : ZERO_BYTES;
  const name = method === "notify" ? "NOTIFY" : "OPTIONS";
  const us = sentByFor(flow.local, flow.remoteAddress);
  const uri = contactOf(endpoint) ?? uriOf(flow);
  const { number, token } = endpoint;
  endpoint.cseq++;
  const extra = extra_headers.length === 0 ? "" : `${extra_headers.join("\r\n")}\r\n`;
  const event = method === "notify" ? "Event: keep-alive\r\n" : "";
  return Buffer.from(
    `${name} ${uri} SIP/2.0\r\n` +
      `Via: SIP/2.0/${VIA_TRANSPORT[flow.transport]} ${us};branch=${BRANCH}${number}.${token}.${endpoint.cseq};rport\r\n` +
      "Max-Forwards: 70\r\n" +
      `From: <${from ?? `sip:keepalive@${us}`}>;tag=${token}\r\n` +
      `To: <${uri}>\r\n` +
      `Call-ID: ${token}-${number}\r\n` +
      `CSeq: ${endpoint.cseq} ${name}\r\n${event}${extra}Content-Length: 0\r\n\r\n`,
    "latin1",
  );
}

/** Headers have no place in a Request-URI (RFC 3261 §19.1.1). */
function contactOf({ uri }: KeptEndpoint): string | null {
  if (uri === null || uri.length > URI_CHARS_MAX) return null;
  const headers = uri.indexOf("?");
  return headers < 0 ? uri : uri.slice(0, headers);
}

function uriOf({ remoteAddress, remotePort, transport }: Flow): string {
  const param = transport === "udp" ? "" : `;transport=${transport}`;
  return `sip:${hostPort(remoteAddress, remotePort)}${param}`;
}

/** The number, token and CSeq in the branch of a ping of ours; null: it is none. */
export function readPingBranch(branch: string): { number: number; token: string; cseq: number } | null {
  if (!branch.startsWith(BRANCH)) return null;
  const first = branch.indexOf(".", BRANCH.length);
  const second = branch.lastIndexOf(".");
  if (first < 0 || second <= first) return null;
  return {
    number: Number(branch.slice(BRANCH.length, first)),
    token: branch.slice(first + 1, second),
    cseq: Number(branch.slice(second + 1)),
  };
}
