/**
 * The token in our Record-Route: the two ends between which a dialog was set up, signed together with
 * its Call-ID. A request inside the dialog brings it back in its Route, and so proves without any
 * state of ours, even after a restart, that the dialog was let through here and between whom.
 */
import { sameAddress } from "../base/address.ts";
import type { TransportName } from "../base/flow.ts";

/** One end of a dialog as we saw it: the address its messages come from and go to. */
export interface End {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** It may send requests of this dialog anywhere: it proved its account, or is one of our own phones. */
  readonly ours: boolean;
}

export interface DialogEnds {
  readonly caller: End;
  readonly callee: End;
}

const TRANSPORTS: readonly TransportName[] = ["udp", "tcp", "tls", "ws", "wss"];
const MAC_BYTES = 9;
/** Of two IPv4 ends, and of two IPv6 ends. */
export const TOKEN_CHARS_MIN = 31;
const TOKEN_CHARS_MAX = 63;
const IPV6_BIT = 8;
const OURS_BIT = 16;

export class RouteTokens {
  readonly #key: Uint8Array;
  readonly #scratch = Buffer.alloc(64);

  /** `key`: 32 secret bytes that survive restarts, or dialogs would not. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A token of 31 (IPv4) to 63 (IPv6) characters of [A-Za-z0-9_-], fit for a URI's user part. */
  sign(ends: DialogEnds, callId: string): string {
    const scratch = this.#scratch;
    let length = writeEnd(scratch, 0, ends.caller);
    length = writeEnd(scratch, length, ends.callee);
    this.#mac(scratch, length, callId).copy(scratch, length, 0, MAC_BYTES);
    return scratch.toString("base64url", 0, length + MAC_BYTES);
  }

  /** The ends a token names; null when we did not sign it for this Call-ID. */
  verify(token: string, callId: string): DialogEnds | null {
    if (token.length < TOKEN_CHARS_MIN || token.length > TOKEN_CHARS_MAX) return null;
    const bytes = Buffer.from(token, "base64url");
    const length = bytes.length - MAC_BYTES;
    if (length < 14) return null;
    const mac = this.#mac(bytes, length, callId);
    for (let i = 0; i < MAC_BYTES; i++) if (mac[i] !== bytes[length + i]) return null;
    const [caller, next] = readEnd(bytes, 0);
    const [callee] = readEnd(bytes, next);
    return { caller, callee };
  }

  #mac(bytes: Buffer, length: number, callId: string): Buffer {
    const hasher = new Bun.CryptoHasher("sha256", this.#key);
    return hasher.update(bytes.subarray(0, length)).update(callId, "latin1").digest() as Buffer;
  }
}

/** head (transport, family, ours) · port · address in 4 or 16 bytes */
function writeEnd(out: Buffer, at: number, end: End): number {
  const six = end.address.includes(":");
  out[at] = TRANSPORTS.indexOf(end.transport) | (six ? IPV6_BIT : 0) | (end.ours ? OURS_BIT : 0);
  out.writeUInt16BE(end.port, at + 1);
  if (six) {
    writeIPv6(out, at + 3, end.address);
    return at + 19;
  }
  writeIPv4(out, at + 3, end.address);
  return at + 7;
}

function readEnd(bytes: Buffer, at: number): [End, number] {
  const head = bytes[at]!;
  const six = (head & IPV6_BIT) !== 0;
  const from = at + 3;
  const to = from + (six ? 16 : 4);
  const end: End = {
    transport: TRANSPORTS[head & 7] ?? "udp",
    address: six ? readIPv6(bytes, from) : readIPv4(bytes, from),
    port: bytes.readUInt16BE(at + 1),
    ours: (head & OURS_BIT) !== 0,
  };
  return [end, to];
}

function writeIPv4(out: Buffer, at: number, address: string): void {
  let byte = 0;
  let to = at;
  for (let i = 0; i < address.length; i++) {
    const c = address.charCodeAt(i);
    if (c === 46) {
      out[to++] = byte;
      byte = 0;
    } else byte = byte * 10 + c - 48;
  }
  out[to] = byte;
}

/** Eight groups of 16 bits; "::" stands for as many zero groups as are missing. A zone (%eth0) is left out. */
function writeIPv6(out: Buffer, at: number, address: string): void {
  const text = address.split("%", 1)[0] ?? "";
  const [head = "", tail] = text.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill("0"), ...right];
  for (let i = 0; i < 8; i++) out.writeUInt16BE(Number.parseInt(groups[i] ?? "0", 16) & 0xffff, at + 2 * i);
}

function readIPv4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function readIPv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** Whether a request that came from this address and port is from that end of the dialog. */
export function isEnd(end: End, address: string, port: number): boolean {
  return end.port === port && sameAddress(end.address, address);
}
