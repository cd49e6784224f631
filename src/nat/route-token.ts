/**
 * The token in our Record-Route: the two ends between which a dialog was set up, signed together with
 * its Call-ID. A request inside the dialog brings it back in its Route, and so proves without any
 * state of ours, even after a restart, that the dialog was let through here and between whom.
 */
import { sameAddress } from "../base/address.ts";
import type { Flow, TransportName } from "../base/flow.ts";
import { isSix, readAddress, serialOf, TRANSPORTS, writeAddress } from "./token-bytes.ts";

/** One end of a dialog as we saw it: the address its messages come from and go to. */
export interface End {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  /** It may send requests of this dialog anywhere: it proved its account, or is one of our own phones. */
  readonly ours: boolean;
  /**
   * What is for it goes to this address, or over its connection, whatever its Contact says: it stands behind a
   * NAT, or asked for it (RFC 5626 §5.3).
   */
  readonly bound: boolean;
  /** Which connection it is, `serialMark` of its flow; 0 for datagrams. */
  readonly serial: number;
}

export interface DialogEnds {
  readonly caller: End;
  readonly callee: End;
  /** `tagMark` of the caller's tag: which of both sends, also from an address that its NAT changed since. */
  readonly callerMark: number;
}

/** 16 bits that tell connections between the same two addresses apart. */
export function serialMark(flow: Flow): number {
  return serialOf(flow) & 0xffff;
}

/** 16 bits that tell the two tags of one dialog apart. */
export function tagMark(tag: string | null): number {
  return Bun.hash.xxHash32(tag ?? "") & 0xffff;
}

const MAC_BYTES = 9;
/** Of two IPv4 ends over UDP, and of two IPv6 ends over streams. */
export const TOKEN_CHARS_MIN = 34;
const TOKEN_CHARS_MAX = 71;
const IPV6_BIT = 8;
const OURS_BIT = 16;
const BOUND_BIT = 32;

/** Each length as one byte. */
const LENGTHS = Buffer.from(Array.from({ length: 256 }, (_, length) => length));

export class RouteTokens {
  readonly #key: Uint8Array;
  readonly #scratch = Buffer.alloc(80);

  /** `key`: 32 secret bytes that survive restarts, or dialogs would not. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A token of 34 (IPv4, UDP) to 71 (IPv6, streams) characters of [A-Za-z0-9_-], fit for a URI's user part. */
  sign(ends: DialogEnds, callId: string): string {
    const scratch = this.#scratch;
    scratch.writeUInt16BE(ends.callerMark, 0);
    let length = writeEnd(scratch, 2, ends.caller);
    length = writeEnd(scratch, length, ends.callee);
    this.#mac(scratch, length, callId).copy(scratch, length, 0, MAC_BYTES);
    return scratch.toString("base64url", 0, length + MAC_BYTES);
  }

  /** The ends a token names; null when we did not sign it for this Call-ID. */
  verify(token: string, callId: string): DialogEnds | null {
    if (token.length < TOKEN_CHARS_MIN || token.length > TOKEN_CHARS_MAX) return null;
    const bytes = Buffer.from(token, "base64url");
    const length = bytes.length - MAC_BYTES;
    if (length < 16 || bytes.toString("base64url") !== token) return null;
    const mac = this.#mac(bytes, length, callId);
    for (let i = 0; i < MAC_BYTES; i++) if (mac[i] !== bytes[length + i]) return null;
    const [caller, next] = readEnd(bytes, 2);
    const [callee] = readEnd(bytes, next);
    return { caller, callee, callerMark: bytes.readUInt16BE(0) };
  }

  #mac(bytes: Buffer, length: number, callId: string): Buffer {
    const hasher = new Bun.CryptoHasher("sha256", this.#key);
    const signed = bytes.subarray(0, length);
    // How long the first part is belongs to it: nothing can be moved from one part into the other.
    return hasher
      .update(LENGTHS.subarray(length, length + 1))
      .update(signed)
      .update(callId, "latin1")
      .digest() as Buffer;
  }
}

/** head (transport, family, ours, bound) · port and address · for streams the connection */
function writeEnd(out: Buffer, at: number, end: End): number {
  const six = isSix(end.address);
  const { ours, bound } = end;
  out[at] =
    TRANSPORTS.indexOf(end.transport) |
    (six ? IPV6_BIT : 0) |
    (ours ? OURS_BIT : 0) |
    (bound ? BOUND_BIT : 0);
  const next = writeAddress(out, at + 1, end.address, end.port);
  return end.transport === "udp" ? next : out.writeUInt16BE(end.serial, next);
}

function readEnd(bytes: Buffer, at: number): [End, number] {
  const head = bytes[at]!;
  const [address, port, next] = readAddress(bytes, at + 1, (head & IPV6_BIT) !== 0);
  const transport = TRANSPORTS[head & 7] ?? "udp";
  const isStream = transport !== "udp";
  const end: End = {
    transport,
    address,
    port,
    ours: (head & OURS_BIT) !== 0,
    bound: (head & BOUND_BIT) !== 0,
    serial: isStream ? bytes.readUInt16BE(next) : 0,
  };
  return [end, isStream ? next + 2 : next];
}

/** Whether a request that came from this address and port is from that end of the dialog. */
export function isEnd(end: End, address: string, port: number): boolean {
  return end.port === port && sameAddress(end.address, address);
}
