/**
 * The bytes of a ping (RFC 5626 §3.5 for what needs no answer; an OPTIONS or NOTIFY outside any dialog for what does),
 * written into one piece of memory: what is the same in all pings of a listener is made once, and stays where it stands
 * as long as what varies is as long as in the ping before.
 */
import type { Flow, LocalEndpoint } from "../base/flow.ts";
import { sentByFor } from "../base/flow.ts";
import type { KeptEndpoint } from "./keepalive-endpoint.ts";
import type { PingWords } from "./keepalive-ping.ts";
import { BRANCH, uriOf } from "./keepalive-ping.ts";

/** Four zero bytes; on streams they would break the framing, so a CRLF ping goes there. */
const ZERO_BYTES = Buffer.alloc(4);
const CRLF_PING = Buffer.from("\r\n\r\n");
const VIA_TRANSPORT = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" } as const;
const ZERO = 48;
const DOT = 46;
const DASH = 45;
/** Two dots and a dash. */
const PUNCTUATION = 3;

/** What is the same in all pings, between what is not. */
interface Words {
  readonly method: Buffer;
  readonly via: Buffer;
  readonly from: Buffer;
  readonly to: Buffer;
  readonly callId: Buffer;
  readonly cseq: Buffer;
  readonly end: Buffer;
  readonly length: number;
}

export class PingWriter {
  #memory = Buffer.alloc(1024);
  /** The last ping there: most are as long as the one before. */
  #ping = this.#memory.subarray(0, 0);
  #at = 0;
  /** What the ping in the memory is made of, and how long that is which varies. */
  #laidOut: Words | null = null;
  #uriLength = 0;
  #tokenLength = 0;
  #numberDigits = 0;
  #cseqDigits = 0;
  #words: Words | null = null;
  /** Of whom the words are. */
  #rules: PingWords | null = null;
  #local: LocalEndpoint | null = null;
  #us = "";

  /**
   * The next ping of an endpoint; counts its CSeq up. For a datagram flow, which takes bytes at once, they are good until
   * the next call.
   */
  write(endpoint: KeptEndpoint, flow: Flow, rules: PingWords): Uint8Array {
    if (rules.method === "zero_bytes") return flow.reliable ? CRLF_PING : ZERO_BYTES;
    const words = this.#wordsFor(flow, rules);
    const uri = endpoint.uri ?? uriOf(flow);
    const { number, token } = endpoint;
    const cseq = ++endpoint.cseq;
    this.#begin(words, uri.length, token.length, digitsOf(number), digitsOf(cseq));
    this.#bytes(words.method);
    this.#text(uri);
    this.#bytes(words.via);
    this.#number(number);
    this.#char(DOT);
    this.#text(token);
    this.#char(DOT);
    this.#number(cseq);
    this.#bytes(words.from);
    this.#text(token);
    this.#bytes(words.to);
    this.#text(uri);
    this.#bytes(words.callId);
    this.#text(token);
    this.#char(DASH);
    this.#number(number);
    this.#bytes(words.cseq);
    this.#number(cseq);
    this.#bytes(words.end);
    this.#laidOut = words;
    if (this.#ping.length !== this.#at) this.#ping = this.#memory.subarray(0, this.#at);
    return flow.reliable ? Buffer.from(this.#ping) : this.#ping;
  }

  #wordsFor(flow: Flow, rules: PingWords): Words {
    const us = sentByFor(flow.local, flow.remoteAddress);
    if (this.#words !== null && this.#rules === rules && this.#local === flow.local && this.#us === us)
      return this.#words;
    this.#rules = rules;
    this.#local = flow.local;
    this.#us = us;
    this.#words = wordsOf(VIA_TRANSPORT[flow.transport], us, rules);
    return this.#words;
  }

  #begin(words: Words, uri: number, token: number, number: number, cseq: number): void {
    this.#at = 0;
    const isSame =
      this.#uriLength === uri &&
      this.#tokenLength === token &&
      this.#numberDigits === number &&
      this.#cseqDigits === cseq;
    if (isSame && this.#laidOut === words) return;
    this.#laidOut = null;
    this.#uriLength = uri;
    this.#tokenLength = token;
    this.#numberDigits = number;
    this.#cseqDigits = cseq;
    const bytes = words.length + 2 * (uri + number + cseq) + 3 * token + PUNCTUATION;
    if (bytes <= this.#memory.length) return;
    this.#memory = Buffer.alloc(bytes);
    this.#ping = this.#memory.subarray(0, 0);
  }

  #char(c: number): void {
    this.#memory[this.#at++] = c;
  }

  #text(text: string): void {
    const memory = this.#memory;
    const at = this.#at;
    for (let i = 0; i < text.length; i++) memory[at + i] = text.charCodeAt(i);
    this.#at = at + text.length;
  }

  #bytes(bytes: Buffer): void {
    if (this.#laidOut === null) this.#memory.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A whole number that is not negative, in decimal. */
  #number(value: number): void {
    const digits = digitsOf(value);
    let rest = value;
    for (let i = this.#at + digits - 1; i >= this.#at; i--) {
      this.#memory[i] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#at += digits;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

function wordsOf(transport: string, us: string, { method, from, extra_headers }: PingWords): Words {
  const name = method === "notify" ? "NOTIFY" : "OPTIONS";
  const event = method === "notify" ? "Event: keep-alive\r\n" : "";
  const extra = extra_headers.length === 0 ? "" : `${extra_headers.join("\r\n")}\r\n`;
  const texts = {
    method: `${name} `,
    via: ` SIP/2.0\r\nVia: SIP/2.0/${transport} ${us};branch=${BRANCH}`,
    from: `;rport\r\nMax-Forwards: 70\r\nFrom: <${from ?? `sip:keepalive@${us}`}>;tag=`,
    to: "\r\nTo: <",
    callId: ">\r\nCall-ID: ",
    cseq: "\r\nCSeq: ",
    end: ` ${name}\r\n${event}${extra}Content-Length: 0\r\n\r\n`,
  };
  const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
  return {
    method: bytes(texts.method),
    via: bytes(texts.via),
    from: bytes(texts.from),
    to: bytes(texts.to),
    callId: bytes(texts.callId),
    cseq: bytes(texts.cseq),
    end: bytes(texts.end),
    length: Object.values(texts).join("").length,
  };
}
