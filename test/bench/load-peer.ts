/**
 * What all loads share: peers in this process, which is not measured, over UDP or over one TCP connection; and a window
 * of operations under way, of which each has to end as it should.
 */
import { silentLog } from "../../src/base/log.ts";
import { loadSocketOptions } from "../../src/transport/socket-options.ts";
import { PORT } from "./servers.ts";

/**
 * Operations under way at once: a busy server, whose turns take several messages each, and no more than
 * the smallest receive buffer among the servers holds, because nobody here sends anything twice.
 */
const WINDOW = 120;
/** Else bursts of answers to this process would get lost here. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const socketOptions = loadSocketOptions(silentLog);
export const OPERATION_MAX_MS = 10_000;
const HOST = "127.0.0.1";

export type Transport = "udp" | "tcp";

export interface Peer {
  readonly port: number;
  /** As a Via says it. */
  readonly via: "UDP" | "TCP";
  send(text: string): void;
  close(): void;
}

type OnMessage = (text: string, peer: Peer) => void;

export const open = (onMessage: OnMessage, transport: Transport = "udp", port = 0): Promise<Peer> =>
  transport === "udp" ? openUdp(onMessage, port) : openTcp(onMessage);

async function openUdp(onMessage: OnMessage, port: number): Promise<Peer> {
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port,
    socket: {
      data: (_own, data) => onMessage(data.toString("latin1"), peer),
      error() {},
    },
  });
  const peer: Peer = {
    port: socket.port,
    via: "UDP",
    send: (text) => void socket.send(text, PORT, HOST),
    close: () => socket.close(),
  };
  socketOptions.setReceiveBuffer((socket as { fd?: number }).fd ?? -1, RECEIVE_BUFFER_BYTES);
  return peer;
}

async function openTcp(onMessage: OnMessage): Promise<Peer> {
  let unread = "";
  let unsent = "";
  const flush = (): void => {
    const taken = socket.write(Buffer.from(unsent, "latin1"));
    unsent = unsent.slice(Math.max(taken, 0));
  };
  const socket = await Bun.connect({
    hostname: HOST,
    port: PORT,
    socket: {
      data(_own, data) {
        unread += data.toString("latin1");
        for (let end = endOfMessage(unread); end > 0; end = endOfMessage(unread)) {
          const text = unread.slice(0, end);
          unread = unread.slice(end);
          onMessage(text, peer);
        }
      },
      drain: () => flush(),
    },
  });
  const send = (text: string): void => {
    unsent += text;
    flush();
  };
  const peer: Peer = { port: socket.localPort, via: "TCP", send, close: () => void socket.end() };
  return peer;
}

/** 0: it is not all here yet. */
function endOfMessage(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return 0;
  const end = head + 4 + Number(/\r\nContent-Length:\s*(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
  return text.length >= end ? end : 0;
}

export const lineOf = (text: string, name: string): string => {
  const at = text.indexOf(`\r\n${name}:`);
  return at < 0 ? "" : text.slice(at + 2, text.indexOf("\r\n", at + 2));
};
export const linesOf = (text: string, name: string): string[] =>
  text.split("\r\n").filter((line) => line.startsWith(`${name}:`));

/** How a message without a body ends. */
export const NOTHING = "Content-Length: 0\r\n\r\n";

/** As a phone answers; `method`: the answer is for another request of the same transaction. */
export function answer(peer: Peer, request: string, status: string, extra: string, method?: string): void {
  const echoed = ["Via", "Record-Route", "From", "Call-ID"].flatMap((name) => linesOf(request, name));
  const cseq = lineOf(request, "CSeq");
  const to = lineOf(request, "To");
  const tag = to.includes("tag=") ? "" : `;tag=b${peer.port}`;
  const numbered = method === undefined ? cseq : cseq.replace(/[A-Z]+$/, method);
  peer.send(`SIP/2.0 ${status}\r\n${echoed.join("\r\n")}\r\n${numbered}\r\n${to}${tag}\r\n${extra}`);
}

/** Starts `begin(i)` for i in 0..count, WINDOW at a time; `ended()` reports one. Throws when they stop ending. */
export class Window {
  readonly #count: number;
  readonly #begin: (i: number) => void;
  readonly #size: number;
  #begun = 0;
  #ended = 0;
  #resolve: () => void = () => {};

  constructor(count: number, begin: (i: number) => void, size = WINDOW) {
    this.#count = count;
    this.#begin = begin;
    this.#size = size;
  }

  async run(): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
    while (this.#begun < Math.min(this.#size, this.#count)) this.#begin(this.#begun++);
    let last = -1;
    const watch = setInterval(() => {
      if (this.#ended === last) this.#resolve();
      last = this.#ended;
    }, OPERATION_MAX_MS);
    await done;
    clearInterval(watch);
    if (this.#ended < this.#count)
      throw new Error(`only ${this.#ended} of ${this.#count} operations ended well`);
  }

  ended(): void {
    this.#ended++;
    if (this.#ended === this.#count) this.#resolve();
    else if (this.#begun < this.#count) this.#begin(this.#begun++);
  }
}

let serial = 0;
/** A number that no message had before. */
export const nextSerial = (): number => ++serial;
