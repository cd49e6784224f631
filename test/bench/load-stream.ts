/** Peers over one TCP or TLS connection: messages are cut out of the stream by Content-Length (RFC 3261 §18.3). */
import type { OnMessage, Peer } from "./load-peer.ts";
import { HOST, PORT, TLS_PORT } from "./servers.ts";

/** What may stand unread or unsent: the whole window of operations many times over. */
const UNREAD_MAX = 1 << 20;
const UNSENT_MAX = 1 << 22;
const CONNECT_MS_MAX = 10_000;

/** Cuts messages out of a stream; a character is a byte (latin1). */
export class MessageReader {
  #unread = "";

  /** Calls `each` for every message that is whole now. Throws when where one ends cannot be told, or is too far. */
  take(chunk: string, each: (text: string) => void): void {
    this.#unread += chunk;
    let at = 0;
    for (let end = this.#end(at); end > at; end = this.#end(at)) {
      const text = this.#unread.slice(at, end);
      at = end;
      if (text !== "\r\n") each(text); // §7.5: empty lines before a message, pongs among them
    }
    this.#unread = this.#unread.slice(at);
    if (this.#unread.length > UNREAD_MAX) throw new Error(`more than ${UNREAD_MAX} bytes and no message`);
  }

  /** Where the message or empty line at `from` ends; `from` when it is not all here yet. */
  #end(from: number): number {
    if (this.#unread.startsWith("\r\n", from)) return from + 2;
    const head = this.#unread.indexOf("\r\n\r\n", from);
    if (head < 0) return from;
    const length = /\r\n(?:Content-Length|l)[ \t]*:\s*(\d+)[ \t]*(?:\r\n|$)/i.exec(
      this.#unread.slice(from, head),
    );
    if (length === null) throw new Error("a message over a stream without Content-Length");
    const end = head + 4 + Number(length[1]);
    return end <= this.#unread.length ? end : from;
  }
}

/** A connection to the server's port; over TLS its certificate, which it signed itself, is not checked. */
export async function openStream(onMessage: OnMessage, transport: "tcp" | "tls"): Promise<Peer> {
  const reader = new MessageReader();
  const { promise: isOpen, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error(`no ${transport} connection`)), CONNECT_MS_MAX);
  let unsent = "";
  const socket = await Bun.connect({
    hostname: HOST,
    port: transport === "tls" ? TLS_PORT : PORT,
    ...(transport === "tls" ? { tls: { rejectUnauthorized: false } } : {}),
    socket: {
      open() {
        if (transport === "tcp") resolve();
      },
      handshake: () => resolve(),
      data(own, data) {
        try {
          reader.take(data.toString("latin1"), (text) => onMessage(text, peer));
        } catch (error) {
          broken(error);
          own.end();
        }
      },
      drain: () => flush(),
      error: (_own, error) => broken(error),
    },
  });
  const flush = (): void => {
    if (unsent === "") return;
    const taken = socket.write(Buffer.from(unsent, "latin1"));
    unsent = unsent.slice(Math.max(taken, 0));
    if (unsent.length > UNSENT_MAX) broken(new Error(`more than ${UNSENT_MAX} bytes are not taken`));
  };
  const send = (text: string): void => {
    const isWaiting = unsent !== ""; // for drain
    unsent += text;
    if (!isWaiting) flush();
  };
  const via = transport === "tls" ? "TLS" : "TCP";
  const peer: Peer = { port: socket.localPort, via, send, close: () => void socket.end() };
  await isOpen.finally(() => clearTimeout(late));
  return peer;
}

/** The operations under way will not end, which fails the run; this says why. */
const broken = (error: unknown): void => void process.stderr.write(`stream: ${String(error)}\n`);
