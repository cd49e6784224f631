/**
 * Addresses and connections inside tokens: port in 2 bytes, then the address in 4 or 16.
 */
import type { Flow, TransportName } from "../base/flow.ts";

/** Their numbers in tokens. */
export const TRANSPORTS: readonly TransportName[] = ["udp", "tcp", "tls", "ws", "wss"];

export const isSix = (address: string): boolean => address.includes(":");

/** Returns where the next byte goes. */
export function writeAddress(out: Buffer, at: number, address: string, port: number): number {
  out.writeUInt16BE(port, at);
  if (isSix(address)) {
    writeIPv6(out, at + 2, address);
    return at + 18;
  }
  writeIPv4(out, at + 2, address);
  return at + 6;
}

/** Address, port, and where the next byte stands. */
export function readAddress(bytes: Buffer, at: number, six: boolean): [string, number, number] {
  const from = at + 2;
  const address = six ? readIPv6(bytes, from) : readIPv4(bytes, from);
  return [address, bytes.readUInt16BE(at), from + (six ? 16 : 4)];
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

/** The number of a connection, which stands at the end of its id; 0 for datagrams. */
export function serialOf(flow: Flow): number {
  if (!flow.reliable) return 0; // the id of a datagram flow is made when it is asked for
  const { id } = flow;
  return Number(id.slice(id.lastIndexOf("#") + 1)) >>> 0;
}
