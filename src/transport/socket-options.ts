/**
 * What Bun does not offer about sockets, through libc by bun:ffi (Linux, glibc or musl): options and
 * the route to a peer. Where that cannot be had, everything still works, with a small receive buffer,
 * resends, and the first listener as the way out.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import type { Log } from "../base/log.ts";
import { familyOf } from "./endpoint.ts";
import { AF_INET, AF_INET6, readSockaddr, SOCKADDR_IN6_BYTES, writeSockaddr } from "./sockaddr.ts";

/** <sys/socket.h> and <netinet/in.h> of Linux, the same on x64 and arm64. */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ACCEPTCONN = 30;
const SO_RCVBUFFORCE = 33;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_RECVERR = 11;
const IPPROTO_IPV6 = 41;
const IPV6_RECVERR = 25;
const IPV6_TCLASS = 67;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** Any port will do to ask for a route: connecting a datagram socket sends nothing. */
const ROUTE_PORT = 5060;
/** File descriptors that are looked at for a listening socket. */
const FDS_MAX = 65_536;
/** A classic BPF program (<linux/filter.h>) of one step, BPF_RET|BPF_K: the second socket of the group. */
const TO_THE_SECOND = Uint8Array.of(6, 0, 0, 0, 1, 0, 0, 0);
const SOCK_FPROG_BYTES = 16;

const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const SYMBOLS = {
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  connect: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  sendmmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32], returns: FFIType.i32 },
} as const;

/** sendmmsg(2): how many of the messages left, -1 when the first one could not. */
export type SendMany = (fd: number, messages: number, count: number, flags: number) => number;

export interface SocketOptions {
  /**
   * Keeps an ICMP error about one peer from failing the next send to another (Bun asks for such errors
   * by IP_RECVERR, and the kernel reports them on whatever comes next). False: it could not be set.
   */
  ignoreIcmpErrors(fd: number, family: 4 | 6): boolean;
  /**
   * Asks for a receive buffer, past net.core.rmem_max where we may. Returns the bytes the kernel
   * accounts for (it doubles what it is asked for), 0 when that cannot be known.
   */
  setReceiveBuffer(fd: number, bytes: number): number;
  /** Marks what the socket sends with a DSCP (RFC 2474), 0 to 63. False: it could not be set. */
  setDscp(fd: number, family: 4 | 6, dscp: number): boolean;
  /**
   * While two sockets listen at this TCP port together (SO_REUSEPORT), new connections go to the later one, so that the
   * first can be closed with nobody waiting at its door. To be asked once the first listens. False: it could not be set.
   */
  newestFirst(address: string, port: number): boolean;
  /** The local address the kernel would send from to reach `address` (an IP literal); null: unknown or no route. */
  sourceAddress(address: string): string | null;
  /** Null: this platform has none. */
  readonly sendMany: SendMany | null;
}

/** For platforms without libc at hand. */
export const noSocketOptions: SocketOptions = {
  ignoreIcmpErrors: () => false,
  setReceiveBuffer: () => 0,
  setDscp: () => false,
  newestFirst: () => false,
  sourceAddress: () => null,
  sendMany: null,
};

/** The options of this machine; says so in the log when there are none. */
export function loadSocketOptions(log: Log): SocketOptions {
  for (const name of LIBRARIES) {
    try {
      return new LibcOptions(dlopen(name, SYMBOLS).symbols);
    } catch {
      // Not this libc: the next name.
    }
  }
  log.warn("socket-options-unavailable", { effect: "small UDP receive buffer, ICMP errors cost a resend" });
  return noSocketOptions;
}

type Symbols = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];

class LibcOptions implements SocketOptions {
  readonly #libc: Symbols;
  readonly sendMany: SendMany;
  // ptr() does not keep its array alive: these are fields for that reason.
  readonly #value = new Int32Array(1);
  readonly #length = new Uint32Array(1);
  readonly #sockaddr = new Uint8Array(SOCKADDR_IN6_BYTES);

  constructor(libc: Symbols) {
    this.#libc = libc;
    this.sendMany = libc.sendmmsg as unknown as SendMany;
  }

  ignoreIcmpErrors(fd: number, family: 4 | 6): boolean {
    return family === 4
      ? this.#set(fd, IPPROTO_IP, IP_RECVERR, 0)
      : this.#set(fd, IPPROTO_IPV6, IPV6_RECVERR, 0);
  }

  setReceiveBuffer(fd: number, bytes: number): number {
    if (!this.#set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) this.#set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    return this.#get(fd, SOL_SOCKET, SO_RCVBUF);
  }

  setDscp(fd: number, family: 4 | 6, dscp: number): boolean {
    const trafficClass = dscp << 2; // the two bits behind it are ECN's
    return family === 4
      ? this.#set(fd, IPPROTO_IP, IP_TOS, trafficClass)
      : this.#set(fd, IPPROTO_IPV6, IPV6_TCLASS, trafficClass);
  }

  newestFirst(address: string, port: number): boolean {
    const fd = this.#listening(address, port);
    const program = new Uint8Array(SOCK_FPROG_BYTES);
    const view = new DataView(program.buffer);
    view.setUint16(0, 1, true);
    view.setBigUint64(8, BigInt(ptr(TO_THE_SECOND)), true);
    const { setsockopt } = this.#libc;
    return (
      fd !== null &&
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, ptr(program), SOCK_FPROG_BYTES) === 0
    );
  }

  /** The socket that listens there: Bun.serve does not tell its own. */
  #listening(address: string, port: number): number | null {
    const name = this.#sockaddr;
    for (let fd = 0; fd < FDS_MAX; fd++) {
      if (this.#get(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 1) continue;
      this.#length[0] = name.length;
      if (this.#libc.getsockname(fd, ptr(name), ptr(this.#length)) !== 0) continue;
      const family = name[0] === AF_INET ? 4 : name[0] === AF_INET6 ? 6 : null;
      if (family === null || ((name[2]! << 8) | name[3]!) !== port) continue;
      if (readSockaddr(name, family) === address) return fd;
    }
    return null;
  }

  sourceAddress(address: string): string | null {
    const family = familyOf(address);
    const fd = this.#libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return null;
    try {
      const name = this.#sockaddr;
      name.fill(0);
      this.#length[0] = writeSockaddr(name, 0, family, address, ROUTE_PORT);
      if (this.#libc.connect(fd, ptr(name), this.#length[0]) !== 0) return null;
      this.#length[0] = name.length;
      return this.#libc.getsockname(fd, ptr(name), ptr(this.#length)) === 0
        ? readSockaddr(name, family)
        : null;
    } finally {
      this.#libc.close(fd);
    }
  }

  #set(fd: number, level: number, name: number, value: number): boolean {
    this.#value[0] = value;
    return this.#libc.setsockopt(fd, level, name, ptr(this.#value), 4) === 0;
  }

  #get(fd: number, level: number, name: number): number {
    this.#value[0] = 0;
    this.#length[0] = 4;
    const failed = this.#libc.getsockopt(fd, level, name, ptr(this.#value), ptr(this.#length)) !== 0;
    return failed ? 0 : this.#value[0];
  }
}
