/**
 * The token in our Record-Route: the two ends between which a dialog was set up, signed together with
 * its Call-ID. A request inside the dialog brings it back in its Route, and so proves without any
 * state of ours, even after a restart, that the dialog was let through here and between whom.
 */
import { sameAddress } from "../base/address.ts";
import type { Flow, TransportName } from "../base/flow.ts";
import { RecentMap } from "../base/recent-map.ts";
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

/** Where the signed bytes begin in the scratch memory, behind one byte that says how many they are. */
const SIGNED = 1;
/** Tokens that were found true lately and are not reckoned again: a dialog brings its own with each request. */
const KNOWN_MAX = 2048;
/** Of a token and its Call-ID together. */
const KNOWN_CHARS_MAX = 256;

export class RouteTokens {
  /** With the key in it; copied for each token. */
  readonly #hasher: Bun.CryptoHasher;
  readonly #scratch = Buffer.alloc(80);
  readonly #known = new RecentMap<string, DialogEnds>(KNOWN_MAX);

  /** `key`: 32 secret bytes that survive restarts, or dialogs would not. */
  constructor(key: Uint8Array) {
    this.#hasher = new Bun.CryptoHasher("sha256", key);
  }

  /** A token of 34 (IPv4, UDP) to 71 (IPv6, streams) characters of [A-Za-z0-9_-], fit for a URI's user part. */
  sign(ends: DialogEnds, callId: string): string {
    const scratch = this.#scratch;
    scratch.writeUInt16BE(ends.callerMark, SIGNED);
    const callee = writeEnd(scratch, SIGNED + 2, ends.caller);
    const end = writeEnd(scratch, callee, ends.callee);
    this.#mac(end, callId).copy(scratch, end, 0, MAC_BYTES);
    return scratch.toString("base64url", SIGNED, end + MAC_BYTES);
  }

  /** The ends a token names; null when we did not sign it for this Call-ID. */
  verify(token: string, callId: string): DialogEnds | null {
    if (token.length < TOKEN_CHARS_MIN || token.length > TOKEN_CHARS_MAX) return null;
    const name = `${token.length} ${token}${callId}`; // one way only to read it: no other pair has this name
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const ends = this.#read(token, callId);
    if (ends !== null && name.length <= KNOWN_CHARS_MAX) this.#known.set(name, ends);
    return ends;
  }

  #read(token: string, callId: string): DialogEnds | null {
    const scratch = this.#scratch;
    const end = SIGNED + scratch.write(token, SIGNED, "base64url") - MAC_BYTES;
    if (end < SIGNED + 16 || scratch.toString("base64url", SIGNED, end + MAC_BYTES) !== token) return null;
    const mac = this.#mac(end, callId);
    for (let i = 0; i < MAC_BYTES; i++) if (mac[i] !== scratch[end + i]) return null;
    const [caller, next] = readEnd(scratch, SIGNED + 2);
    const [callee] = readEnd(scratch, next);
    return { caller, callee, callerMark: scratch.readUInt16BE(SIGNED) };
  }

  /** Of what stands in the scratch memory up to `end`, and the Call-ID. */
  #mac(end: number, callId: string): Buffer {
    const scratch = this.#scratch;
    // How long the first part is belongs to it: nothing can be moved from one part into the other.
    scratch[0] = end - SIGNED;
    const hasher = this.#hasher.copy();
    return hasher.update(scratch.subarray(0, end)).update(callId, "latin1").digest() as Buffer;
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
