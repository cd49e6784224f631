/**
 * Datagrams of one event-loop turn, handed to the kernel by one system call (sendmmsg(2), Linux): the second way out
 * of a UDP socket. Bytes are copied when they are added; nothing is allocated for a datagram.
 */
import { ptr } from "bun:ffi";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import {
  AF_INET,
  AF_INET6,
  ipv6Bytes,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  writeIpv4,
} from "./sockaddr.ts";
import type { SendMany } from "./socket-options.ts";

/** More than these in a turn leave in several calls. */
const SLOTS = 64;
const ARENA_BYTES = 128 * 1024;
/** Bigger ones are rare, and would fill the arena. */
const DATAGRAM_BYTES_MAX = 8 * 1024;
/** struct mmsghdr, struct iovec and struct sockaddr_in6 of 64-bit Linux, in 32-bit words. */
const HEADER_WORDS = 16;
const HEADER_BYTES = 4 * HEADER_WORDS;
const IOVEC_WORDS = 4;
const SOCKADDR_BYTES = 28;
const HOSTS_MAX = 1024;
const ZONE = "%";
const WORD = 2 ** 32;

export interface SendBatchParts {
  readonly clock: Clock;
  readonly sendMany: SendMany;
  /** Told how many left. */
  readonly sent: (count: number) => void;
  /** Sends one that the batch could not, counts what became of it, and says whether it left. */
  readonly alone: (bytes: Uint8Array, port: number, address: string) => boolean;
}

export class SendBatch {
  readonly #parts: SendBatchParts;
  readonly #fd: number;
  readonly #family: 4 | 6;
  // ptr() does not keep its array alive: these are fields for that reason.
  readonly #headers = new Uint32Array(SLOTS * HEADER_WORDS);
  readonly #iovecs = new Uint32Array(SLOTS * IOVEC_WORDS);
  readonly #names = new Uint8Array(SLOTS * SOCKADDR_BYTES);
  readonly #arena = new Uint8Array(ARENA_BYTES);
  readonly #headersAt: number;
  readonly #arenaAt: number;
  /** IPv6 addresses as the kernel takes them: reading their text costs more than sending. */
  readonly #hosts = new BoundedMap<string, Uint8Array>(HOSTS_MAX);
  /** Where the last datagram could not be sent to: whoever sends the next one is told, if it cannot either. */
  readonly #refused = new BoundedMap<string, true>(HOSTS_MAX);
  readonly #ports = new Uint16Array(SLOTS);
  readonly #addresses: string[] = new Array(SLOTS).fill("");
  #count = 0;
  #used = 0;
  #isDue = false;

  constructor(parts: SendBatchParts, fd: number, family: 4 | 6) {
    this.#parts = parts;
    this.#fd = fd;
    this.#family = family;
    this.#headersAt = ptr(this.#headers);
    this.#arenaAt = ptr(this.#arena);
    const namesAt = ptr(this.#names);
    const iovecsAt = ptr(this.#iovecs);
    for (let i = 0; i < SLOTS; i++) {
      const at = i * HEADER_WORDS;
      this.#pointer(this.#headers, at, namesAt + i * SOCKADDR_BYTES);
      this.#headers[at + 2] = family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
      this.#pointer(this.#headers, at + 4, iovecsAt + i * IOVEC_WORDS * 4);
      this.#headers[at + 6] = 1;
      this.#names[i * SOCKADDR_BYTES] = family === 4 ? AF_INET : AF_INET6;
    }
  }

  /** True: it leaves at the end of this turn. False: it was dropped; an address that refused before is asked at once. */
  add(bytes: Uint8Array, port: number, address: string): boolean {
    const { length } = bytes;
    if (length > DATAGRAM_BYTES_MAX || (this.#family === 6 && address.includes(ZONE)))
      return this.#atOnce(bytes, port, address);
    if (this.#refused.size > 0 && this.#refused.peek(address) === true)
      return this.#atOnce(bytes, port, address);
    if (this.#count === SLOTS || this.#used + length > ARENA_BYTES) this.flush();
    const slot = this.#count++;
    this.#name(slot * SOCKADDR_BYTES, address, port);
    this.#arena.set(bytes, this.#used);
    this.#pointer(this.#iovecs, slot * IOVEC_WORDS, this.#arenaAt + this.#used);
    this.#iovecs[slot * IOVEC_WORDS + 2] = length;
    this.#used += length;
    this.#ports[slot] = port;
    this.#addresses[slot] = address;
    if (!this.#isDue) {
      this.#isDue = true;
      this.#parts.clock.atTurnEnd(this.#turnEnds);
    }
    return true;
  }

  /** Hands over what waits; one that the kernel refuses is sent alone, so that its error is known, and the rest goes on. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    this.#used = 0;
    let sent = 0;
    for (let at = 0; at < count; ) {
      const taken = this.#parts.sendMany(this.#fd, this.#headersAt + at * HEADER_BYTES, count - at, 0);
      if (taken > 0) {
        at += taken;
        sent += taken;
      } else this.#again(at++);
    }
    if (sent > 0) this.#parts.sent(sent);
  }

  /** In its place behind what waits. */
  #atOnce(bytes: Uint8Array, port: number, address: string): boolean {
    this.flush();
    const isSent = this.#parts.alone(bytes, port, address);
    if (isSent) this.#refused.delete(address);
    return isSent;
  }

  readonly #turnEnds = (): void => {
    this.#isDue = false;
    this.flush();
  };

  #again(slot: number): void {
    const at = slot * IOVEC_WORDS;
    const from = this.#iovecs[at]! + this.#iovecs[at + 1]! * WORD - this.#arenaAt;
    const bytes = this.#arena.slice(from, from + this.#iovecs[at + 2]!);
    const address = this.#addresses[slot]!;
    if (!this.#parts.alone(bytes, this.#ports[slot]!, address)) this.#refused.set(address, true);
  }

  #name(at: number, address: string, port: number): void {
    const names = this.#names;
    names[at + 2] = port >> 8;
    names[at + 3] = port & 255;
    if (this.#family === 4) return writeIpv4(names, at + 4, address);
    let bytes = this.#hosts.get(address);
    if (bytes === undefined) {
      bytes = ipv6Bytes(address);
      this.#hosts.set(address, bytes);
    }
    names.set(bytes, at + 8);
  }

  #pointer(into: Uint32Array, at: number, address: number): void {
    into[at] = address % WORD;
    into[at + 1] = Math.floor(address / WORD);
  }
}
