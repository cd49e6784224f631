/**
 * What passes an interface of a namespace, as tcpdump writes it into a pcap file, and the SIP messages in it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../support/process.ts";
import type { Namespace } from "./namespace.ts";

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET = 14;
const [TCP, UDP] = [6, 17];

export interface Packet {
  /** The kernel's time, in milliseconds since 1970. */
  readonly at_ms: number;
  readonly transport: "udp" | "tcp";
  /** `address:port`. */
  readonly from: string;
  readonly to: string;
  /** RFC 2474. */
  readonly dscp: number;
  readonly payload: Buffer;
  /** TCP: its sequence number and whether it is a reset. */
  readonly sequence: number;
  readonly reset: boolean;
}

/** One SIP message on its way; over TCP the time is that of its last segment. */
export interface Passed {
  readonly at_ms: number;
  readonly transport: "udp" | "tcp";
  readonly from: string;
  readonly to: string;
  /** The whole message, lines ended by LF. */
  readonly text: string;
}

export class Capture {
  /** A pcap file, which grows. */
  readonly file: string;
  readonly #program: Program;

  private constructor(space: Namespace, device: string) {
    this.file = join(space.folder(), "packets.pcap");
    const argv = ["tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-Z", "root", "-w", this.file];
    this.#program = space.start([...argv, "udp or tcp"]);
  }

  /** Packets of that interface are kept from when this resolves. */
  static async start(space: Namespace, device: string): Promise<Capture> {
    const capture = new Capture(space, device);
    await capture.#program.says(/listening on /);
    return capture;
  }

  /** The packets so far. */
  packets(): readonly Packet[] {
    return packetsOf(readFileSync(this.file));
  }

  /** The SIP messages so far. */
  messages(): readonly Passed[] {
    const packets = this.packets();
    return [...datagrams(packets), ...streamed(packets)].toSorted((one, other) => one.at_ms - other.at_ms);
  }
}

/** The packets of a pcap file of an Ethernet interface; the last record may still be unfinished. */
export function packetsOf(file: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = FILE_HEADER; at + RECORD_HEADER <= file.length; ) {
    const end = at + RECORD_HEADER + file.readUInt32LE(at + 8);
    if (end > file.length) break;
    const at_ms = file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000;
    const packet = packetOf(file.subarray(at + RECORD_HEADER + ETHERNET, end), at_ms);
    if (packet !== null) packets.push(packet);
    at = end;
  }
  return packets;
}

/** RFC 791 §3.1, RFC 768, RFC 9293 §3.1; null for other protocols and for later fragments. */
function packetOf(ip: Buffer, at_ms: number): Packet | null {
  if (ip.length < 20 || ip[0]! >> 4 !== 4 || (ip.readUInt16BE(6) & 0x1fff) !== 0) return null;
  const protocol = ip[9]!;
  const body = ip.subarray((ip[0]! & 15) * 4, ip.readUInt16BE(2));
  if ((protocol !== UDP && protocol !== TCP) || body.length < (protocol === UDP ? 8 : 20)) return null;
  const stream = protocol === TCP;
  const address = (offset: number) => ip.subarray(offset, offset + 4).join(".");
  return {
    at_ms,
    transport: stream ? "tcp" : "udp",
    from: `${address(12)}:${body.readUInt16BE(0)}`,
    to: `${address(16)}:${body.readUInt16BE(2)}`,
    dscp: ip[1]! >> 2,
    payload: body.subarray(stream ? (body[12]! >> 4) * 4 : 8),
    sequence: stream ? body.readUInt32BE(4) : 0,
    reset: stream && (body[13]! & 4) !== 0,
  };
}

function datagrams(packets: readonly Packet[]): Passed[] {
  return packets.flatMap(({ at_ms, transport, from, to, payload }) => {
    const text = payload.toString("latin1").replaceAll("\r\n", "\n");
    return transport === "udp" && isSip(text) ? [{ at_ms, transport, from, to, text }] : [];
  });
}

const isSip = (text: string): boolean => /^(SIP\/2\.0 \d{3} |[A-Z]+ sips?:\S+ SIP\/2\.0\n)/.test(text);

/** The messages of each direction of each connection; segments that come again are left out. */
function streamed(packets: readonly Packet[]): Passed[] {
  const passed: Passed[] = [];
  const streams = new Map<string, { next: number; text: string }>();
  for (const { at_ms, transport, from, to, payload, sequence } of packets) {
    if (transport !== "tcp" || payload.length === 0) continue;
    const way = `${from}>${to}`;
    const stream = streams.get(way) ?? { next: sequence, text: "" };
    streams.set(way, stream);
    if (sequence !== stream.next) continue;
    stream.next = (sequence + payload.length) >>> 0;
    stream.text += payload.toString("latin1");
    for (;;) {
      stream.text = stream.text.replace(/^(\r\n)+/, "");
      const message = firstOf(stream.text);
      if (message === null) break;
      stream.text = stream.text.slice(message.length);
      passed.push({ at_ms, transport, from, to, text: message.replaceAll("\r\n", "\n") });
    }
  }
  return passed;
}

/** RFC 3261 §18.3: the first message of a stream, once it is whole. */
function firstOf(text: string): string | null {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const length = /^(?:Content-Length|l)\s*:\s*(\d+)/im.exec(text.slice(0, head))?.[1] ?? "0";
  const end = head + 4 + Number(length);
  return text.length < end ? null : text.slice(0, end);
}
