/**
 * A phone of a few lines over TLS or WebSocket: sends text, keeps what comes. For what no other program can be told to
 * do.
 */
import type { TLSSocket } from "node:tls";
import { connect } from "node:tls";
import { eventually } from "./process.ts";

export interface StreamPhoneOptions {
  /** Where the appliance is, for TLS. */
  readonly host?: string;
  readonly port: number;
  /** Where it connects from, for TLS. */
  readonly localAddress?: string;
  /** For TLS: its certificate. */
  readonly cert?: string;
  readonly key?: string;
}

/** What leaves and how it ends; each message that comes is handed to the phone. */
interface Line {
  readonly via: "TLS" | "WS" | "WSS";
  write(text: string): void;
  close(): void;
}

let phones = 0;

export class StreamPhone {
  /** Everything that came, oldest first. */
  readonly received: string[] = [];
  /** The name in its Via and Contact, which nobody can look up (RFC 7118 §5). */
  readonly host = `phone${++phones}.invalid`;
  closed = false;
  opened = false;
  /** The common name of the certificate it was shown, over TLS. */
  shown = "";
  #line: Line | null = null;
  #rest = "";
  #serial = 0;

  /** Connects; resolves once the handshake is over. */
  static async tls(options: StreamPhoneOptions): Promise<StreamPhone> {
    const phone = new StreamPhone();
    const { host = "127.0.0.1" } = options;
    const socket: TLSSocket = connect({ ...options, host, rejectUnauthorized: false } as Parameters<
      typeof connect
    >[0]);
    socket.on("error", () => {});
    socket.on("secureConnect", () => {
      phone.shown = String(socket.getPeerCertificate().subject?.CN);
      phone.opened = true;
    });
    socket.on("close", () => {
      phone.closed = true;
    });
    socket.on("data", (bytes: Buffer) => phone.#framed(bytes.toString("latin1")));
    const write = (text: string): void => void socket.write(Buffer.from(text, "latin1"));
    return phone.#ready({ via: "TLS", write, close: () => void socket.destroy() });
  }

  /** Opens a WebSocket as a browser does; `url` like `ws://127.0.0.1:8088/`. */
  static webSocket(url: string): Promise<StreamPhone> {
    const phone = new StreamPhone();
    const options = { protocols: ["sip"], tls: { rejectUnauthorized: false } };
    const socket = new WebSocket(url, options as never);
    socket.onopen = () => {
      phone.opened = true;
    };
    socket.onclose = () => {
      phone.closed = true;
    };
    socket.onerror = () => {};
    socket.onmessage = ({ data }) => void phone.received.push(String(data));
    const via = url.startsWith("wss:") ? "WSS" : "WS";
    return phone.#ready({ via, write: (text) => socket.send(text), close: () => socket.close() });
  }

  async #ready(line: Line): Promise<StreamPhone> {
    this.#line = line;
    await eventually("a connection", () => this.opened || this.closed);
    return this;
  }

  get contact(): string {
    return `sip:me@${this.host};transport=${this.#line!.via.toLowerCase()}`;
  }

  /** Text as it is, whatever it is. */
  write(text: string): void {
    this.#line!.write(text);
  }

  /** Sends lines as one message, with the empty line behind them. */
  send(...lines: readonly string[]): void {
    this.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  /** The lines every request has; each call is a transaction of its own. */
  request(method: string, uri: string, from: string, extra: readonly string[] = []): string[] {
    const id = `${this.host}-${this.#serial++}`;
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${this.#line!.via} ${this.host};branch=z9hG4bK${id};rport`,
      "Max-Forwards: 70",
      `From: <${from}>;tag=t${id}`,
      `To: <${uri}>`,
      `Call-ID: ${id}`,
      `CSeq: 1 ${method}`,
      ...extra,
      "Content-Length: 0",
    ];
  }

  /** Answers a request that came here. */
  answer(request: string, status: string, extra: readonly string[] = []): void {
    const kept = request.split("\r\n").filter((line) => /^(Via|Record-Route|From|Call-ID|CSeq):/i.test(line));
    const to = /^To: .*$/im.exec(request)?.[0] ?? "";
    const tag = /;tag=/.test(to) ? "" : `;tag=${this.host}`;
    this.send(`SIP/2.0 ${status}`, ...kept, `${to}${tag}`, ...extra, "Content-Length: 0");
  }

  /** The newest message whose start line fits. */
  got(startLine: RegExp, within_ms = 10_000): Promise<string> {
    return eventually(
      () => `${startLine} at ${this.host}; there was:\n${this.received.join("\n")}`,
      () => this.received.findLast((message) => startLine.test(message.split("\r\n", 1)[0]!)),
      within_ms,
    );
  }

  /** Sends a request and gives the final answer to it. */
  ask(lines: readonly string[], within_ms = 10_000): Promise<string> {
    const branch = /branch=([^;]+)/.exec(lines.join("\n"))?.[1] ?? "";
    const isAnswer = (message: string): boolean =>
      /^SIP\/2\.0 [2-6]/.test(message) && message.includes(`${branch};`);
    this.send(...lines);
    return eventually(
      () => `an answer to ${lines[0]}; there was:\n${this.received.join("\n")}`,
      () => this.received.find(isAnswer),
      within_ms,
    );
  }

  forget(): void {
    this.received.length = 0;
  }

  close(): void {
    this.#line!.close();
  }

  /** Messages without bodies, or with one; the CRLFs between them are left out. */
  #framed(segment: string): void {
    this.#rest += segment;
    for (;;) {
      this.#rest = this.#rest.replace(/^(?:\r\n)+/, "");
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      const body = Number(/^Content-Length: *(\d+)/im.exec(this.#rest.slice(0, end))?.[1] ?? 0);
      if (this.#rest.length < end + 4 + body) return;
      this.received.push(this.#rest.slice(0, end + 4 + body));
      this.#rest = this.#rest.slice(end + 4 + body);
    }
  }
}

/** What a request inside the dialog begins with, from the answer that made it: its Route lines and Request-URI. */
export function dialogOf(answer: string): { readonly target: string; readonly routes: readonly string[] } {
  const values = [...answer.matchAll(/^Record-Route: (.*)$/gm)].map(([, value]) => value!.trim());
  const target = /^Contact: .*?<([^>]+)>/m.exec(answer)?.[1] ?? "";
  return { target, routes: values.toReversed().map((value) => `Route: ${value}`) };
}

/** The requests of a caller inside its call: `invite` are the lines it sent, `answer` the 2xx. */
export function inCall(
  method: string,
  cseq: number,
  phone: StreamPhone,
  invite: readonly string[],
  answer: string,
): string[] {
  const { target, routes } = dialogOf(answer);
  const kept = invite.filter((line) => /^(From|Call-ID):/.test(line));
  const to = /^To: .*$/m.exec(answer)![0].trim();
  const fresh = phone
    .request(method, target, "sip:x@x")
    .filter((line) => !/^(From|To|Call-ID|CSeq|Content-Length):/.test(line));
  return [...fresh, ...routes, ...kept, to, `CSeq: ${cseq} ${method}`, "Content-Length: 0"];
}
