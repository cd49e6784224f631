/**
 * Tokens that name a flow. The one in our Path: over which a phone registers through us at another registrar (RFC 5626
 * §5.1); requests bring it back in their Route, and go out on that very flow or not at all. The one in a Contact that
 * was rewritten (contact.ts), which carries what stood there before.
 */
import type { Flow, LocalEndpoint, TransportName, Transports } from "../base/flow.ts";
import { isSix, readAddress, serialOf, TRANSPORTS, writeAddress } from "./token-bytes.ts";

/** A flow as a token names it. */
export interface NamedFlow {
  readonly transport: TransportName;
  readonly local_address: string;
  readonly local_port: number;
  readonly remote_address: string;
  readonly remote_port: number;
  /** Which connection it is; 0 for datagrams. */
  readonly serial: number;
  /** What else was signed with it; "": nothing. */
  readonly note: string;
}

/** Keeps tokens of one kind apart from those of another, and from those of dialogs, signed with the same key. */
export type TokenPurpose = "flow" | "contact";

const MAC_BYTES = 9;
/** Of a flow between two IPv4 addresses, and between two IPv6 addresses. */
const TOKEN_CHARS_MIN = 35;
const TOKEN_CHARS_MAX = 67;
/** Longest note that is signed; it makes a token longer by four thirds of its length. */
export const NOTE_CHARS_MAX = 132;
const NOTED_CHARS_MAX = TOKEN_CHARS_MAX + (NOTE_CHARS_MAX * 4) / 3;
const IPV6_BIT = 8;

export class FlowTokens {
  readonly #key: Uint8Array;
  readonly #purpose: TokenPurpose;
  readonly #scratch = Buffer.alloc(192);

  /** `key`: 32 secret bytes that survive restarts, or registrations through us would not. */
  constructor(key: Uint8Array, purpose: TokenPurpose = "flow") {
    this.#key = key;
    this.#purpose = purpose;
  }

  /**
   * A token of 35 (IPv4) to 67 (IPv6) characters of [A-Za-z0-9_-], fit for a URI; longer with a note (latin1, at most
   * NOTE_CHARS_MAX).
   */
  sign(flow: Flow, note = ""): string {
    if (note.length > NOTE_CHARS_MAX) throw new RangeError("a note longer than NOTE_CHARS_MAX");
    const { local, remoteAddress, remotePort, transport } = flow;
    const scratch = this.#scratch;
    scratch[0] = TRANSPORTS.indexOf(transport) | (isSix(remoteAddress) ? IPV6_BIT : 0);
    scratch.writeUInt32BE(serialOf(flow), 1);
    let length = writeAddress(scratch, 5, local.address, local.port);
    length = writeAddress(scratch, length, remoteAddress, remotePort);
    length += scratch.latin1Write(note, length);
    this.#mac(scratch, length).copy(scratch, length, 0, MAC_BYTES);
    return scratch.toString("base64url", 0, length + MAC_BYTES);
  }

  /** The flow a token names; null when we did not sign it. */
  verify(token: string): NamedFlow | null {
    if (token.length < TOKEN_CHARS_MIN || token.length > NOTED_CHARS_MAX) return null;
    const bytes = Buffer.from(token, "base64url");
    const length = bytes.length - MAC_BYTES;
    if (bytes.toString("base64url") !== token) return null;
    const mac = this.#mac(bytes, length);
    for (let i = 0; i < MAC_BYTES; i++) if (mac[i] !== bytes[length + i]) return null;
    const six = (bytes[0]! & IPV6_BIT) !== 0;
    const [local_address, local_port, next] = readAddress(bytes, 5, six);
    const [remote_address, remote_port, end] = readAddress(bytes, next, six);
    const transport = TRANSPORTS[bytes[0]! & 7] ?? "udp";
    return {
      transport,
      local_address,
      local_port,
      remote_address,
      remote_port,
      serial: bytes.readUInt32BE(1),
      note: bytes.latin1Slice(end, length),
    };
  }

  #mac(bytes: Buffer, length: number): Buffer {
    const hasher = new Bun.CryptoHasher("sha256", this.#key);
    return hasher.update(this.#purpose).update(bytes.subarray(0, length)).digest() as Buffer;
  }
}

/** The flow of that name as it is now; "gone" when its connection is closed, or its socket is. */
export function flowNamed(transports: Transports, name: NamedFlow): Flow | "gone" {
  const { transport, remote_address, remote_port } = name;
  if (transport !== "udp") {
    const live = transports.connectionTo(transport, remote_address, remote_port);
    return live !== null && serialOf(live) === name.serial ? live : "gone";
  }
  const local = transports.endpoints().find((endpoint) => isLocalOf(name, endpoint));
  return (local && transports.flowTo("udp", remote_address, remote_port, local)) ?? "gone";
}

/** Whether it is this flow. */
export function isNamed(name: NamedFlow, flow: Flow): boolean {
  return (
    flow.remotePort === name.remote_port &&
    flow.remoteAddress === name.remote_address &&
    isLocalOf(name, flow.local) &&
    serialOf(flow) === name.serial
  );
}

function isLocalOf(name: NamedFlow, { transport, address, port }: LocalEndpoint): boolean {
  return transport === name.transport && port === name.local_port && address === name.local_address;
}
