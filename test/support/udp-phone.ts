/**
 * A phone of a few lines on a real UDP socket: sends text, keeps what comes. For what no other program
 * can be told to do.
 */
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { eventually } from "./process.ts";

export class UdpPhone {
  readonly address: string;
  readonly port: number;
  /** Everything that came, oldest first. */
  readonly received: string[] = [];
  readonly #socket: Bun.udp.Socket<"buffer">;
  readonly #target: readonly [address: string, port: number];
  #serial = 0;

  private constructor(
    socket: Bun.udp.Socket<"buffer">,
    received: string[],
    target: readonly [address: string, port: number],
  ) {
    this.#socket = socket;
    this.address = socket.hostname;
    this.port = socket.port;
    this.received = received;
    this.#target = target;
  }

  /** A phone at `address` that sends to `target`. */
  static async open(address: string, target: readonly [address: string, port: number]): Promise<UdpPhone> {
    const received: string[] = [];
    const socket = await Bun.udpSocket({
      hostname: address,
      socket: {
        data: (_socket, bytes) => void received.push(bytes.toString("latin1")),
        error() {}, // a port unreachable while the appliance is down
      },
    });
    return new UdpPhone(socket, received, target);
  }

  /** Sends lines as one message, with the empty line behind them. */
  send(...lines: readonly string[]): void {
    this.#socket.send(
      Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"),
      this.#target[1],
      this.#target[0],
    );
  }

  /** The lines every request has; each call is a transaction of its own. */
  request(method: string, uri: string, from: string, extra: readonly string[] = []): string[] {
    const id = `${this.port}-${this.#serial++}`;
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP ${this.address}:${this.port};branch=z9hG4bK${id};rport`,
      "Max-Forwards: 70",
      `From: <${from}>;tag=t${id}`,
      `To: <${uri}>`,
      `Call-ID: ${id}@${this.address}`,
      `CSeq: 1 ${method}`,
      ...extra,
      "Content-Length: 0",
    ];
  }

  /** Answers a request that came here. */
  answer(request: string, status: string, extra: readonly string[] = []): void {
    const kept = request.split("\r\n").filter((line) => /^(Via|Record-Route|From|Call-ID|CSeq):/i.test(line));
    const to = /^To: .*$/im.exec(request)?.[0] ?? "";
    this.send(`SIP/2.0 ${status}`, ...kept, `${to};tag=p${this.port}`, ...extra, "Content-Length: 0");
  }

  /** The newest message whose start line fits. */
  got(startLine: RegExp, within_ms = 10_000): Promise<string> {
    return eventually(
      () => `${startLine} at ${this.address}:${this.port}; there was:\n${this.received.join("\n")}`,
      () => this.received.findLast((message) => startLine.test(message.split("\r\n", 1)[0]!)),
      within_ms,
    );
  }

  /** Sends a request and gives the final answer to it. */
  async ask(lines: readonly string[], within_ms = 10_000): Promise<string> {
    const branch = /branch=([^;]+)/.exec(lines.join("\n"))?.[1] ?? "";
    this.send(...lines);
    return eventually(
      () => `an answer to ${lines[0]}; there was:\n${this.received.join("\n")}`,
      () => this.received.find((message) => /^SIP\/2\.0 [2-6]/.test(message) && message.includes(branch)),
      within_ms,
    );
  }

  /** Registers this phone with a password; gives the answer. */
  async register(user: string, password: string, domain: string): Promise<string> {
    const aor = `sip:${user}@${domain}`;
    const contact = [`Contact: <sip:${user}@${this.address}:${this.port}>`, "Expires: 600"];
    const lines = () =>
      this.request("REGISTER", `sip:${domain}`, aor, contact).map((l) =>
        l.startsWith("To:") ? `To: <${aor}>` : l,
      );
    const challenge = await this.ask(lines());
    const nonce = /algorithm=MD5/.test(challenge) ? (/nonce="([^"]+)"/.exec(challenge)?.[1] ?? "") : "";
    const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? "";
    const uri = `sip:${domain}`;
    const response = digestResponse(
      "MD5",
      ha1("MD5", user, realm, password),
      "REGISTER",
      uri,
      nonce,
      "00000001",
      "c",
    );
    const credentials =
      `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=MD5, cnonce="c", qop=auth, nc=00000001`;
    return this.ask([...lines().slice(0, -1), credentials, "Content-Length: 0"]);
  }

  /** Forgets what came so far. */
  forget(): void {
    this.received.length = 0;
  }

  close(): void {
    this.#socket.close();
  }
}
