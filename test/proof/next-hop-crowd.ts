/**
 * A socket that asks the appliance for many names, a bounded number at a time, and writes down each final
 * answer.
 */

type Socket = Bun.udp.Socket<"buffer">;

/** Requests under way at once. */
const WINDOW = 150;
/** RFC 3261 §17.1.1.2: a request without an answer goes out again. */
const REPEAT_MS = 500;
const TRIES_MAX = 40;
const TICK_MS = 5;

interface Open {
  readonly text: string;
  readonly name: string;
  tries: number;
  sent_ms: number;
}

const copy = (text: string, name: string): string[] => text.match(new RegExp(`^${name}:[^\r]*`, "gim")) ?? [];

export class Crowd {
  readonly #socket: Socket;
  readonly #target: readonly [address: string, port: number];
  readonly #open = new Map<string, Open>();
  #serial = 0;
  /** How often each final status came. */
  readonly statuses: Record<string, number> = {};

  private constructor(socket: Socket, target: readonly [address: string, port: number]) {
    this.#socket = socket;
    this.#target = target;
  }

  static async open(address: string, target: readonly [address: string, port: number]): Promise<Crowd> {
    let take: (text: string) => void = () => {};
    const socket = await Bun.udpSocket({
      hostname: address,
      socket: { data: (_socket, bytes) => take(bytes.toString("latin1")), error() {} },
    });
    const crowd = new Crowd(socket, target);
    take = (text) => crowd.#take(text);
    return crowd;
  }

  /** Sends a request to each of these; resolves when each has its final answer, or none after all its tries. */
  async ask(method: string, uris: Iterable<string>, lines: readonly string[] = []): Promise<void> {
    const rest = uris[Symbol.iterator]();
    for (let done = false; !done || this.#open.size > 0; ) {
      while (!done && this.#open.size < WINDOW) {
        const next = rest.next();
        done = next.done === true;
        if (next.done !== true) this.#begin(method, next.value, lines);
      }
      this.#repeat();
      await Bun.sleep(TICK_MS);
    }
  }

  /** Where it can be reached: a Contact. */
  get contact(): string {
    return `<sip:crowd@${this.#socket.hostname}:${this.#socket.port}>`;
  }

  close(): void {
    this.#socket.close();
  }

  #begin(method: string, uri: string, lines: readonly string[]): void {
    const key = `n${this.#serial++}`;
    const { hostname, port } = this.#socket;
    const to = lines.find((line) => line.startsWith("To:")) ?? `To: <${uri}>`;
    const text = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP ${hostname}:${port};branch=z9hG4bK${key};rport`,
      "Max-Forwards: 70",
      `From: <sip:crowd@${hostname}>;tag=${key}`,
      to,
      `Call-ID: ${key}@${hostname}:${port}`,
      `CSeq: 1 ${method}`,
      ...lines.filter((line) => line !== to),
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n");
    const open = { text, name: uri, tries: 0, sent_ms: 0 };
    this.#open.set(key, open);
    this.#send(open);
  }

  #send(open: Open): void {
    open.tries++;
    open.sent_ms = performance.now();
    const [address, port] = this.#target;
    this.#socket.send(open.text, port, address);
  }

  #repeat(): void {
    const now = performance.now();
    for (const [key, open] of this.#open) {
      if (now - open.sent_ms < REPEAT_MS) continue;
      if (open.tries < TRIES_MAX) this.#send(open);
      else this.#ends(key, "none");
    }
  }

  #ends(key: string, status: string): void {
    if (this.#open.delete(key)) this.statuses[status] = (this.statuses[status] ?? 0) + 1;
  }

  #take(text: string): void {
    const status = /^SIP\/2\.0 ([2-6][0-9][0-9]) /.exec(text)?.[1];
    const key = /branch=z9hG4bK(n[0-9]+)/.exec(text)?.[1];
    if (status === undefined || key === undefined) return;
    const asked = this.#open.get(key)?.text;
    if (asked?.startsWith("INVITE ") && !status.startsWith("2")) this.#acknowledge(asked, text);
    this.#ends(key, status);
  }

  /** RFC 3261 §17.1.1.3. */
  #acknowledge(asked: string, response: string): void {
    const [address, port] = this.#target;
    const ack = [
      asked.slice(0, asked.indexOf("\r")).replace("INVITE", "ACK"),
      ...copy(asked, "Via"),
      ...copy(asked, "From"),
      ...copy(response, "To"),
      ...copy(asked, "Call-ID"),
      "CSeq: 1 ACK",
      "Max-Forwards: 70",
      "Content-Length: 0\r\n\r\n",
    ];
    this.#socket.send(ack.join("\r\n"), port, address);
  }
}
