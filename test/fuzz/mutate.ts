/**
 * Spoils messages the way bad software and bad people do: knows lines, numbers, parameters and quotes,
 * so that what comes out still gets past the first checks. All from one seeded Dice.
 */
import type { SeededDice } from "../support/seeded-dice.ts";

const CRLF = "\r\n";

/** Pieces that have broken parsers. */
const NASTY = [
  "\0",
  "\r",
  "\n",
  "\r\n",
  "\r\n ",
  "\r\n\r\n",
  " ",
  "\t",
  '"',
  '\\"',
  "\\",
  "<",
  ">",
  "<>",
  ",",
  ",,",
  ";",
  ";;",
  ":",
  "@",
  "=",
  "%",
  "%00",
  "%zz",
  "*",
  "[",
  "]",
  "[::1]",
  "[::ffff:1.2.3.4]",
  "[fe80::1%25eth0]",
  "255.255.255.255",
  "0.0.0.0",
  "999.1.1.1",
  "\xff\xfe",
  "\xc3\xb6",
  "SIP/2.0",
  "SIP/2.0 200 OK\r\n",
  ";lr",
  ";maddr=192.0.2.1",
  ";maddr=255.255.255.255",
  ";transport=tcp",
  ";transport=ws",
  ";transport=x",
  ";rport",
  ";rport=99999",
  ";received=1.2.3.4",
  ";received=x",
  ";branch=z9hG4bK",
  ";tag=",
  ";expires=-1",
  ";q=2",
  ";reg-id=0",
  ';+sip.instance="<urn:uuid:1>"',
  "?Route=%3Csip:x%3E",
  "sip:",
  "sips:a@b",
  "tel:+1",
  "a".repeat(300),
  "%41".repeat(200),
  "(".repeat(200),
];

const NUMBERS = [
  "0",
  "-1",
  "00000000000000000001",
  "255",
  "256",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "18446744073709551616",
  "1e3",
  "0x10",
  `1${"0".repeat(100)}`,
];

const LINES = [
  "Content-Length: 0",
  "l: 5",
  "Content-Length: -1",
  "Content-Length: 99999999999",
  "Max-Forwards: 0",
  "Max-Forwards: 1",
  "Max-Breadth: 0",
  "Max-Breadth: 1",
  "Require: path, x",
  "Proxy-Require: x",
  "Route: <sip:192.0.2.1;lr>",
  "Route: <sip:192.0.2.1:5060;lr>,<sip:198.51.100.7;lr>",
  "Route: <sip:198.51.100.7>",
  "Route: <sip:x@192.0.2.1;lr>, sip:y",
  "Record-Route: <sip:192.0.2.1;lr>",
  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours",
  "Via: SIP/2.0/UDP [2001:db8::1];rport",
  "v: x",
  "Contact: *",
  "Expires: 0",
  "Contact: <sip:a@b>;expires=60, <sip:c@d>;q=0.5",
  "Path: <sip:198.51.100.7;lr>",
  'Proxy-Authorization: Digest username="a", realm="example.test", nonce="x", uri="sip:a", response="y"',
  'Authorization: Digest username="a", realm="example.test", nonce="x", uri="sip:a", response="y", qop=auth, nc=1, cnonce="z"',
  "Authorization: Digest",
  "From: <sip:a@b>;tag=1",
  "To: <sip:a@b>;tag=2",
  "Call-ID: other",
  "CSeq: 1 ACK",
  "CSeq: 1 CANCEL",
  "Timestamp: 1",
  "Reason: SIP;cause=200",
  " folded",
  "nocolon",
  ": noname",
];

const METHODS = [
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "REGISTER",
  "OPTIONS",
  "MESSAGE",
  "X",
  "SIP/2.0",
  "IN\0VITE",
];

export class Mutator {
  readonly #dice: SeededDice;
  readonly #corpus: readonly string[];
  readonly #mutations: readonly ((text: string) => string)[];

  /** `corpus`: messages as latin1 text, for splicing. */
  constructor(dice: SeededDice, corpus: readonly string[]) {
    this.#dice = dice;
    this.#corpus = corpus;
    this.#mutations = [
      (text) => this.#flip(text),
      (text) => this.#splice(text, this.pick(NASTY), 0),
      (text) => this.#splice(text, this.pick(NASTY), this.#below(6)),
      (text) => this.#splice(text, "", 1 + this.#below(30)),
      (text) => text.slice(0, this.#below(text.length + 1)),
      (text) => this.#number(text),
      (text) => this.#lines(text, (lines, at) => lines.splice(at, 0, lines[at]!)),
      (text) => this.#lines(text, (lines, at) => lines.splice(at, 1)),
      (text) => this.#lines(text, (lines, at) => lines.push(...lines.splice(at, 1))),
      (text) => this.#lines(text, (lines, at) => lines.splice(at, 0, this.pick(LINES))),
      (text) => this.#lines(text, (lines, at) => lines.splice(at, 1, this.pick(LINES))),
      (text) =>
        this.#lines(text, (lines, at) =>
          lines.splice(at, 0, ...Array<string>(1 + this.#below(300)).fill(lines[at]!)),
        ),
      (text) => this.#swapValues(text),
      (text) => this.#method(text),
      (text) => this.#repeat(text),
      (text) => this.#cross(text),
      (text) => this.#swapEnds(text),
    ];
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  /** The message with one to four things wrong with it; mostly one, so that it gets far. */
  spoil(text: string): string {
    let spoilt = text;
    for (let i = this.pick([1, 1, 1, 1, 2, 4]); i > 0; i--) spoilt = this.pick(this.#mutations)(spoilt);
    return spoilt;
  }

  /** The same message as another transaction and call; one in four stays what it is, as if it were repeated. */
  renew(text: string): string {
    if (this.#below(4) === 0) return text;
    const unique = this.#dice.token().replace(/\W/g, "");
    return text
      .replace("branch=z9hG4bK", `branch=z9hG4bK${unique}`)
      .replace(/^(Call-ID|i): */im, `$1: ${unique}`);
  }

  #below(n: number): number {
    return Math.floor(this.#dice.fraction() * n);
  }

  #flip(text: string): string {
    const at = this.#below(text.length);
    const flipped = (text.charCodeAt(at) || 0) ^ (1 << this.#below(8));
    return text.slice(0, at) + String.fromCharCode(flipped & 255) + text.slice(at + 1);
  }

  /** Puts `piece` in the place of `remove` characters anywhere. */
  #splice(text: string, piece: string, remove: number): string {
    const at = this.#below(text.length + 1);
    return text.slice(0, at) + piece + text.slice(at + remove);
  }

  /** Another number in the place of one. */
  #number(text: string): string {
    const found = [...text.matchAll(/\d+/g)];
    if (found.length === 0) return text;
    const { index, 0: digits } = this.pick(found);
    return text.slice(0, index) + this.pick(NUMBERS) + text.slice(index + digits.length);
  }

  #lines(text: string, change: (lines: string[], at: number) => void): string {
    const end = text.indexOf(CRLF + CRLF);
    const lines = (end < 0 ? text : text.slice(0, end)).split(CRLF);
    change(lines, this.#below(lines.length));
    return lines.join(CRLF) + (end < 0 ? "" : text.slice(end));
  }

  /** One field gets the value of another. */
  #swapValues(text: string): string {
    return this.#lines(text, (lines, at) => {
      const other = lines[this.#below(lines.length)] ?? "";
      const name = /^[^:]*:/.exec(lines[at] ?? "")?.[0];
      if (name !== undefined) lines[at] = name + other.replace(/^[^:]*:/, "");
    });
  }

  #method(text: string): string {
    const method = this.pick(METHODS);
    const renamed = text.replace(/^\S+/, () => method);
    return this.#below(2) === 0
      ? renamed
      : renamed.replace(/^(CSeq:\s*\d+\s+)\S+/im, (_, head: string) => head + method);
  }

  /** A piece of the message many times over. */
  #repeat(text: string): string {
    const at = this.#below(text.length);
    const piece = text.slice(at, at + 1 + this.#below(20));
    return text.slice(0, at) + piece.repeat(1 + this.#below(400)) + text.slice(at);
  }

  /** The beginning of this message and the end of another. */
  #cross(text: string): string {
    const other = this.pick(this.#corpus);
    return text.slice(0, this.#below(text.length)) + other.slice(this.#below(other.length));
  }

  /** Line ends of another kind. */
  #swapEnds(text: string): string {
    const end = this.pick(["\n", "\r", "\n\r", "\r\r\n", "\r\n\t"]);
    return this.#below(2) === 0 ? text.replaceAll(CRLF, end) : text.replace(CRLF, end);
  }
}
