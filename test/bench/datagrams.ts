#!/usr/bin/env bun
/**
 * CPU time of one datagram in and out again, without any SIP, three ways in turn: the transports one by one, the
 * transports in batches, and libc alone (recvmmsg and sendmmsg in a loop of its own beside the runtime's, by bun:ffi):
 * what a second I/O tier could win at most (docs/decisions/0011-datagrams-leave-in-batches.md).
 *
 *     bun test/bench/datagrams.ts [--rounds N]
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { NetTransports } from "../../src/transport/net-transports.ts";

const WAYS = ["one by one", "in batches", "libc alone"] as const;
type Way = (typeof WAYS)[number];

const HOST = "127.0.0.1";
const PORT = 5974;
const CONTROL_PORT = 5975;
const COUNT = 200_000;
const UNDER_WAY = 120;
const BYTES = 600;
const ROUND_MS_MAX = 30_000;
/** recvmmsg and its structures, in 32-bit words (64-bit Linux). */
const SLOTS = 64;
const SLOT_BYTES = 65_536;
const HEADER_WORDS = 16;
const IOVEC_WORDS = 4;
const NAME_BYTES = 16;
const MSG_DONTWAIT = 0x40;

/** ptr() does not keep its array alive. */
const pinned: (Uint8Array | Uint32Array)[] = [];

async function byTransports(send_in_batches: boolean): Promise<void> {
  const receiver = {
    message: (bytes: Buffer, flow: { send(bytes: Buffer): boolean }) => void flow.send(bytes),
    broken: () => undefined,
  };
  const transports = new NetTransports({
    clock: systemClock,
    log: silentLog,
    metrics: new Metrics(),
    receiver,
  });
  const tcp = {
    ...{ connections_max: 1, connections_per_address_max: 1, idle_s: 1, first_message_s: 1 },
    ...{ partial_message_s: 1, connect_timeout_ms: 1, queue_bytes_max: 1, header_bytes_max: 1 },
    message_bytes_max: 1,
  };
  const udp = { receive_buffer_bytes: 8_388_608, send_in_batches };
  await transports.listen([{ transport: "udp", address: HOST, port: PORT }], tcp, udp);
}

/** The runtime's own epoll descriptor: the one that watches a socket of its own. */
async function runtimeEpoll(): Promise<number> {
  const socket = (await Bun.udpSocket({ hostname: HOST, port: 0 })) as unknown as { fd: number };
  const watched = new RegExp(`tfd:\\s+${socket.fd}\\b`);
  const found = readdirSync("/proc/self/fd").find((fd) => {
    try {
      return (
        readlinkSync(`/proc/self/fd/${fd}`).includes("eventpoll") &&
        watched.test(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))
      );
    } catch {
      return false; // closed meanwhile
    }
  });
  if (found === undefined) throw new Error("the runtime's epoll descriptor cannot be found");
  return Number(found);
}

async function byLibc(): Promise<void> {
  const { i32, u32, ptr: address } = FFIType;
  const libc = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, address, u32], returns: i32 },
    epoll_create1: { args: [i32], returns: i32 },
    epoll_ctl: { args: [i32, i32, i32, address], returns: i32 },
    epoll_wait: { args: [i32, address, i32, i32], returns: i32 },
    recvmmsg: { args: [i32, address, u32, i32, address], returns: i32 },
    sendmmsg: { args: [i32, address, u32, i32], returns: i32 },
  }).symbols;
  const socket = libc.socket(2, 2, 0);
  const name = Uint8Array.of(2, 0, PORT >> 8, PORT & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  if (libc.bind(socket, ptr(name), name.length) !== 0) throw new Error("the port is taken");
  const epoll = libc.epoll_create1(0);
  const events = new Uint8Array(12 * 16);
  for (const fd of [socket, await runtimeEpoll()]) {
    new DataView(events.buffer).setUint32(0, 1, true);
    libc.epoll_ctl(epoll, 1, fd, ptr(events));
  }
  const headers = new Uint32Array(SLOTS * HEADER_WORDS);
  const iovecs = new Uint32Array(SLOTS * IOVEC_WORDS);
  const names = new Uint8Array(SLOTS * NAME_BYTES);
  const arena = new Uint8Array(SLOTS * SLOT_BYTES);
  const point = (into: Uint32Array, at: number, to: number): void => {
    into[at] = to % 2 ** 32;
    into[at + 1] = Math.floor(to / 2 ** 32);
  };
  for (let i = 0; i < SLOTS; i++) {
    point(headers, i * HEADER_WORDS, ptr(names) + i * NAME_BYTES);
    point(headers, i * HEADER_WORDS + 4, ptr(iovecs) + i * IOVEC_WORDS * 4);
    point(iovecs, i * IOVEC_WORDS, ptr(arena) + i * SLOT_BYTES);
    headers[i * HEADER_WORDS + 2] = NAME_BYTES;
    headers[i * HEADER_WORDS + 6] = 1;
    iovecs[i * IOVEC_WORDS + 2] = SLOT_BYTES;
  }
  pinned.push(headers, iovecs, names, arena, events);
  const turn = (): void => {
    const count = libc.recvmmsg(socket, ptr(headers), SLOTS, MSG_DONTWAIT, null);
    for (let i = 0; i < count; i++) {
      const length = headers[i * HEADER_WORDS + 14]!;
      // A message outlives the arena: it needs its own bytes here as well.
      Buffer.allocUnsafeSlow(length).set(arena.subarray(i * SLOT_BYTES, i * SLOT_BYTES + length));
      iovecs[i * IOVEC_WORDS + 2] = length;
    }
    if (count > 0) libc.sendmmsg(socket, ptr(headers), count, 0);
    else libc.epoll_wait(epoll, ptr(events), 16, 100);
    for (let i = 0; i < count; i++) iovecs[i * IOVEC_WORDS + 2] = SLOT_BYTES;
    setImmediate(turn);
  };
  turn();
}

/** The child: echoes on one port, tells its CPU time on another. */
async function echo(way: Way): Promise<void> {
  await (way === "libc alone" ? byLibc() : byTransports(way === "in batches"));
  const fetchCpu = () => Response.json(process.cpuUsage());
  Bun.serve({ hostname: HOST, port: CONTROL_PORT, fetch: fetchCpu });
  process.stdout.write("ready\n");
}

async function cpuUs(): Promise<number> {
  const answer = await fetch(`http://${HOST}:${CONTROL_PORT}/`, { signal: AbortSignal.timeout(5000) });
  const { user, system } = (await answer.json()) as NodeJS.CpuUsage;
  return user + system;
}

/** CPU µs of the child for one datagram in and out. */
async function measure(way: Way): Promise<number> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--echo", way], { stdout: "pipe" });
  try {
    await child.stdout.getReader().read();
    const bytes = Buffer.alloc(BYTES, 65);
    let got = 0;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const load = await Bun.udpSocket({
      hostname: HOST,
      port: 0,
      socket: {
        data(socket) {
          if (++got < COUNT) socket.send(bytes, PORT, HOST);
          else resolve();
        },
      },
    });
    const before = await cpuUs();
    const bound = setTimeout(() => reject(new Error(`${way}: ${got} of ${COUNT} came back`)), ROUND_MS_MAX);
    for (let i = 0; i < UNDER_WAY; i++) load.send(bytes, PORT, HOST);
    await promise.finally(() => clearTimeout(bound));
    const us = ((await cpuUs()) - before) / COUNT;
    load.close();
    return us;
  } finally {
    child.kill("SIGTERM");
    await child.exited;
  }
}

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { echo: { type: "string" }, rounds: { type: "string" } },
});
if (values.echo !== undefined) await echo(values.echo as Way);
else {
  const samples = new Map<Way, number[]>(WAYS.map((way) => [way, []]));
  for (let round = 0; round < Number(values.rounds ?? 5); round++)
    for (const way of WAYS) samples.get(way)!.push(await measure(way));
  for (const [way, all] of samples) {
    const sorted = all.toSorted((a, b) => a - b);
    const [least, middle, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
    process.stdout.write(
      `${way}: ${middle.toFixed(2)} µs a datagram in and out (${least.toFixed(2)}–${most.toFixed(2)})\n`,
    );
  }
}
