/**
 * What all loads share: peers in this process, which is not measured, over UDP or over one connection; and a window of
 * operations under way, of which each has to end as it should.
 */
import { silentLog } from "../../src/base/log.ts";
import { loadSocketOptions } from "../../src/transport/socket-options.ts";
import { openStream } from "./load-stream.ts";
import { HOST, PORT } from "./servers.ts";

/**
 * Operations under way at once: a busy server, whose turns take several messages each, and no more than
 * the smallest receive buffer among the servers holds, because nobody here sends anything twice.
 */
const WINDOW = 120;
/** Else bursts of answers to this process would get lost here. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const socketOptions = loadSocketOptions(silentLog);
export const OPERATION_MAX_MS = 10_000;

export type Transport = "udp" | "tcp" | "tls";

export interface Peer {
  readonly port: number;
  /** As a Via says it. */
  readonly via: "UDP" | "TCP" | "TLS";
  send(text: string): void;
  close(): void;
}

export type OnMessage = (text: string, peer: Peer) => void;

export const open = (onMessage: OnMessage, transport: Transport = "udp", port = 0): Promise<Peer> =>
  transport === "udp" ? openUdp(onMessage, port) : openStream(onMessage, transport);

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

/** What a Contact at this peer says behind its port. */
export const transportParam = ({ via }: Peer): string =>
  via === "UDP" ? "" : `;transport=${via.toLowerCase()}`;

export const isFinal = (text: string): boolean => /^SIP\/2\.0 [2-6]/.test(text);
export const isRefusal = (text: string): boolean => /^SIP\/2\.0 [3-6]/.test(text);
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
  #refusal = "";
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
      throw new Error(`only ${this.#ended} of ${this.#count} operations ended well ${this.#refusal}`);
  }

  ended(): void {
    this.#ended++;
    if (this.#ended === this.#count) this.#resolve();
    else if (this.#begun < this.#count) this.#begin(this.#begun++);
  }

  /** One was refused: there is no need to wait for the rest. */
  refused(answer: string): void {
    this.#refusal ||= `(${lineOf(answer, "CSeq")}: ${answer.slice(0, answer.indexOf("\r\n"))})`;
    this.#resolve();
  }
}

let serial = 0;
/** A number that no message had before. */
export const nextSerial = (): number => ++serial;
