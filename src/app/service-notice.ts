/**
 * What the service manager is told (sd_notify(3)): ready, stopping, and that the event loop still turns.
 * Through libc by bun:ffi, because Bun has no unix datagram sockets. Without NOTIFY_SOCKET it does nothing.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import type { Alarm, Clock } from "../base/clock.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const PATH_BYTES_MAX = 107; // sun_path with its closing zero
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const SYMBOLS = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64,
  },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
} as const;

type Libc = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];

export class ServiceNotice {
  readonly #clock: Clock;
  readonly #watchdog_ms: number;
  readonly #libc: Libc | null;
  readonly #fd: number;
  // ptr() does not keep its array alive: a field for that reason.
  readonly #address: Uint8Array;
  #alarm: Alarm | null = null;

  /** `env`: NOTIFY_SOCKET says whom to tell, WATCHDOG_USEC how often they want to hear of us. */
  constructor(env: Readonly<Record<string, string | undefined>>, clock: Clock) {
    this.#clock = clock;
    this.#address = addressOf(env.NOTIFY_SOCKET ?? "");
    this.#libc = this.#address.length === 0 ? null : libc();
    this.#fd = this.#libc?.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0) ?? -1;
    const usec = Number(env.WATCHDOG_USEC ?? "");
    // Half of it, as sd_watchdog_enabled(3) advises.
    this.#watchdog_ms = Number.isFinite(usec) && usec > 0 ? Math.max(1, usec / 2000) : 0;
  }

  /** Calls and registrations are taken from now on. */
  ready(): void {
    this.#send("READY=1");
    if (this.#watchdog_ms > 0 && this.#fd >= 0) this.#beat();
  }

  stopping(): void {
    this.#send("STOPPING=1");
  }

  close(): void {
    this.#alarm?.cancel();
    if (this.#fd >= 0) this.#libc?.close(this.#fd);
  }

  #beat(): void {
    this.#send("WATCHDOG=1");
    this.#alarm = this.#clock.after(this.#watchdog_ms, () => this.#beat());
  }

  #send(text: string): void {
    if (this.#libc === null || this.#fd < 0) return;
    const bytes = Buffer.from(text);
    const { length } = this.#address;
    this.#libc.sendto(this.#fd, ptr(bytes), bytes.length, MSG_NOSIGNAL, ptr(this.#address), length);
  }
}

/** A sockaddr_un; `@` begins an abstract name. Empty: there is nobody to tell, or no such place. */
function addressOf(name: string): Uint8Array {
  const path = Buffer.from(name);
  if (!/^[@/]/.test(name) || path.length > PATH_BYTES_MAX) return new Uint8Array(0);
  const isAbstract = name.startsWith("@");
  const address = new Uint8Array(2 + path.length + (isAbstract ? 0 : 1));
  address[0] = AF_UNIX; // sa_family_t of little-endian machines: all that we are built for
  address.set(path, 2);
  if (isAbstract) address[2] = 0;
  return address;
}

function libc(): Libc | null {
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch {
      // Not this libc: the next name.
    }
  }
  return null;
}
