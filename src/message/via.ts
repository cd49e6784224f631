/**
 * The Via header field (RFC 3261 §20.42, RFC 3581 rport), read in place: offsets let a forwarded copy
 * change one parameter and leave every other byte alone.
 */
import { COLON, COMMA, EQUALS, HOSTNAME, IPV6, isDigit, isLws, QUOTE, SEMICOLON, TOKEN } from "./chars.ts";
import { ParseError } from "./parse-error.ts";

export interface Via {
  /** Transport as written, upper case: "UDP", "TCP", "TLS", "WS" … */
  readonly transport: string;
  /** sent-by host, lower case; IPv6 without brackets. */
  readonly host: string;
  /** sent-by port; null when absent (then the transport's default counts, §18.1.1). */
  readonly port: number | null;
  readonly branch: string | null;
  readonly received: string | null;
  /** null: no rport; -1: rport without value (the client asks for it); else its value. */
  readonly rport: number | null;
  readonly maddr: string | null;
  /** Byte range of this via-parm in the message, without surrounding white space. */
  readonly start: number;
  readonly end: number;
  /** Byte range of "rport" or "rport=…"; both 0 when absent. */
  readonly rportStart: number;
  readonly rportEnd: number;
  /** Byte range of ";received=…" with its semicolon; both 0 when absent. */
  readonly receivedStart: number;
  readonly receivedEnd: number;
  /** End of "keep" without value (RFC 6223 §4.1: the client would send keep-alives); 0 when it is not asked for. */
  readonly keepEnd: number;
}

/** What every branch of an RFC 3261 element begins with (§8.1.1.7). */
export const MAGIC_COOKIE = "z9hG4bK";

/**
 * The first via-parm in bytes[start, end) of a Via value.
 * via-parm = sent-protocol LWS sent-by *( SEMI via-params )
 */
export function parseVia(bytes: Buffer, start: number, end: number): Via | ParseError {
  return new ViaReader(bytes, start, end).read();
}

class ViaReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #transport = "";
  #host = "";
  #port: number | null = null;
  #branch: string | null = null;
  #received: string | null = null;
  #rport: number | null = null;
  #maddr: string | null = null;
  #rportStart = 0;
  #rportEnd = 0;
  #receivedStart = 0;
  #receivedEnd = 0;
  #keepEnd = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  read(): Via | ParseError {
    const start = this.#at;
    const fault = this.#protocol() ?? this.#sentBy();
    if (fault) return fault;
    let end = this.#at;
    for (;;) {
      this.#skipLws();
      const c = this.#bytes[this.#at];
      if (this.#at >= this.#end || c === COMMA) break;
      if (c !== SEMICOLON) return new ParseError("via_param", this.#at);
      const bad = this.#param();
      if (bad) return bad;
      end = this.#at;
    }
    return {
      transport: this.#transport,
      host: this.#host,
      port: this.#port,
      branch: this.#branch,
      received: this.#received,
      rport: this.#rport,
      maddr: this.#maddr,
      start,
      end,
      rportStart: this.#rportStart,
      rportEnd: this.#rportEnd,
      receivedStart: this.#receivedStart,
      receivedEnd: this.#receivedEnd,
      keepEnd: this.#keepEnd,
    };
  }

  #skipLws(): void {
    while (this.#at < this.#end && isLws(this.#bytes[this.#at]!)) this.#at++;
  }

  /** sent-protocol = "SIP" SLASH "2.0" SLASH transport: white space may stand around each slash. */
  #protocol(): ParseError | null {
    const b = this.#bytes;
    const s = this.#at;
    // "SIP/2.0/" without white space is what everybody writes
    const usual =
      (b[s]! | 32) === 115 &&
      (b[s + 1]! | 32) === 105 &&
      (b[s + 2]! | 32) === 112 &&
      b[s + 3] === 47 &&
      b[s + 4] === 50 &&
      b[s + 5] === 46 &&
      b[s + 6] === 48 &&
      b[s + 7] === 47;
    if (usual) this.#at = s + 8;
    else {
      if (this.#token().toUpperCase() !== "SIP" || !this.#slash()) return new ParseError("via_protocol", s);
      if (this.#token() !== "2.0" || !this.#slash()) return new ParseError("via_version", s);
    }
    this.#transport = this.#transportName();
    if (this.#transport === "") return new ParseError("via_transport", this.#at);
    const gap = this.#at;
    this.#skipLws();
    return this.#at === gap ? new ParseError("via_transport", gap) : null;
  }

  #transportName(): string {
    const b = this.#bytes;
    const s = this.#at;
    if (b[s] === 85 && b[s + 1] === 68 && b[s + 2] === 80 && isLws(b[s + 3] ?? 0)) {
      this.#at = s + 3;
      return "UDP";
    }
    return this.#token().toUpperCase();
  }

  #token(): string {
    const start = this.#at;
    while (this.#at < this.#end && TOKEN[this.#bytes[this.#at]!] === 1) this.#at++;
    return this.#bytes.latin1Slice(start, this.#at);
  }

  #slash(): boolean {
    this.#skipLws();
    if (this.#bytes[this.#at] !== 47) return false;
    this.#at++;
    this.#skipLws();
    return true;
  }

  /** sent-by = host [ COLON port ] */
  #sentBy(): ParseError | null {
    const b = this.#bytes;
    const start = this.#at;
    if (b[start] === 91) {
      let at = start + 1;
      while (at < this.#end && IPV6[b[at]!] === 1) at++;
      if (b[at] !== 93 || at === start + 1) return new ParseError("via_host", at);
      this.#host = b.latin1Slice(start + 1, at).toLowerCase();
      this.#at = at + 1;
    } else {
      let at = start;
      while (at < this.#end && HOSTNAME[b[at]!] === 1) at++;
      if (at === start) return new ParseError("via_host", at);
      this.#host = b.latin1Slice(start, at).toLowerCase();
      this.#at = at;
    }
    const after = this.#at;
    this.#skipLws();
    if (b[this.#at] !== COLON || this.#at >= this.#end) {
      this.#at = after;
      return null;
    }
    this.#at++;
    this.#skipLws();
    const port = this.#number();
    if (port < 1 || port > 65535) return new ParseError("via_port", this.#at);
    this.#port = port;
    return null;
  }

  /** 1*DIGIT up to six digits; -1 when there is none. */
  #number(): number {
    let value = -1;
    while (this.#at < this.#end && isDigit(this.#bytes[this.#at]!) && value < 1_000_000) {
      value = (value < 0 ? 0 : value * 10) + this.#bytes[this.#at]! - 48;
      this.#at++;
    }
    return value;
  }

  /** via-params = via-ttl / via-maddr / via-received / via-branch / via-extension */
  #param(): ParseError | null {
    const b = this.#bytes;
    const semicolon = this.#at;
    this.#at++;
    this.#skipLws();
    const start = this.#at;
    while (this.#at < this.#end && TOKEN[b[this.#at]!] === 1) this.#at++;
    const nameEnd = this.#at;
    if (nameEnd === start) return new ParseError("via_param", start);
    let valueStart = nameEnd;
    let valueEnd = nameEnd;
    this.#skipLws();
    const hasValue = this.#at < this.#end && b[this.#at] === EQUALS;
    if (hasValue) {
      this.#at++;
      this.#skipLws();
      valueStart = this.#at;
      if (!this.#skipValue()) return new ParseError("via_param_value", valueStart);
      valueEnd = this.#at;
    } else this.#at = nameEnd;
    return this.#known(semicolon, start, nameEnd, valueStart, valueEnd, hasValue);
  }

  /** gen-value = token / host / quoted-string; also what received and maddr hold (IPv6 in or out of brackets). */
  #skipValue(): boolean {
    const b = this.#bytes;
    const start = this.#at;
    if (b[start] === QUOTE) {
      for (let at = start + 1; at < this.#end; at++) {
        if (b[at] === 92) at++;
        else if (b[at] === QUOTE) {
          this.#at = at + 1;
          return true;
        }
      }
      return false;
    }
    while (this.#at < this.#end) {
      const c = b[this.#at]!;
      if (c === SEMICOLON || c === COMMA || isLws(c)) break;
      if (TOKEN[c] !== 1 && IPV6[c] !== 1 && c !== 91 && c !== 93 && c !== EQUALS && c !== 47 && c !== 64)
        return false;
      this.#at++;
    }
    return this.#at > start;
  }

  #known(
    semicolon: number,
    start: number,
    nameEnd: number,
    from: number,
    to: number,
    hasValue: boolean,
  ): ParseError | null {
    const b = this.#bytes;
    switch (nameEnd - start) {
      case 6:
        if (hasValue && this.#named(start, "branch")) this.#branch ??= b.latin1Slice(from, to);
        return null;
      case 5:
        if (this.#named(start, "rport")) {
          this.#rport = hasValue ? portIn(b.latin1Slice(from, to)) : -1;
          if (this.#rport === 0) return new ParseError("via_rport", from);
          this.#rportStart = start;
          this.#rportEnd = hasValue ? to : nameEnd;
        } else if (hasValue && this.#named(start, "maddr")) this.#maddr = b.latin1Slice(from, to);
        return null;
      case 4:
        if (!hasValue && this.#named(start, "keep")) this.#keepEnd = nameEnd;
        return null;
      case 8:
        if (hasValue && this.#named(start, "received")) {
          this.#received = b.latin1Slice(from, to);
          this.#receivedStart = semicolon;
          this.#receivedEnd = to;
        }
        return null;
      default:
        return null;
    }
  }

  #named(start: number, name: string): boolean {
    for (let i = 0; i < name.length; i++) {
      if ((this.#bytes[start + i]! | 32) !== name.charCodeAt(i)) return false;
    }
    return true;
  }
}

/** 1*DIGIT, 1 to 65535; 0 when it is anything else. */
function portIn(text: string): number {
  if (!/^\d{1,5}$/.test(text)) return 0;
  const port = Number(text);
  return port <= 65535 ? port : 0;
}
