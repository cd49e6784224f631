/**
 * The load: phones in this process, which is not measured. Each job keeps a fixed number of operations
 * under way and counts those that ended as they should; one that does not voids the run.
 */
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { silentLog } from "../../src/base/log.ts";
import { loadSocketOptions } from "../../src/transport/socket-options.ts";
import { PASSWORD, PORT, REALM, USERS } from "./servers.ts";

/**
 * Operations under way at once: a busy server, whose turns take several messages each, and no more than
 * the smallest receive buffer among the servers holds, because nobody here sends anything twice.
 */
const WINDOW = 120;
const CALLS_WINDOW = 40;
/** Else bursts of answers to this process would get lost here. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const socketOptions = loadSocketOptions(silentLog);
const OPERATION_MAX_MS = 10_000;

type Socket = Bun.udp.Socket<"buffer">;

async function open(onMessage: (text: string, socket: Socket) => void): Promise<Socket> {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data: (own, data) => onMessage(data.toString("latin1"), own),
      error() {},
    },
  });
  socketOptions.setReceiveBuffer((socket as { fd?: number }).fd ?? -1, RECEIVE_BUFFER_BYTES);
  return socket;
}

const send = (socket: Socket, text: string): void => void socket.send(text, PORT, "127.0.0.1");
const lineOf = (text: string, name: string): string => {
  const at = text.indexOf(`\r\n${name}:`);
  return at < 0 ? "" : text.slice(at + 2, text.indexOf("\r\n", at + 2));
};
const linesOf = (text: string, name: string): string[] =>
  text.split("\r\n").filter((line) => line.startsWith(`${name}:`));

/** Starts `begin(i)` for i in 0..count, WINDOW at a time; `ended()` reports one. Throws when they stop ending. */
class Window {
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

/** REGISTER refreshes of USERS accounts, each with the same Contact and Call-ID every time. */
export async function registers(count: number, digest: boolean): Promise<void> {
  const nonces = new Map<number, { nonce: string; count: number }>();
  const hashes = Array.from({ length: USERS }, (_, i) => ha1("MD5", `u${i}`, REALM, PASSWORD));
  const under = new Map<string, number>();
  const start = serial;
  const socket = await open((text) => {
    const key = /^i:|Call-ID: (\S+)/m.exec(text)?.[1] ?? "";
    const cseq = /CSeq: (\d+)/.exec(text)?.[1] ?? "";
    const user = under.get(`${key} ${cseq}`);
    if (user === undefined) return;
    under.delete(`${key} ${cseq}`);
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (text.startsWith("SIP/2.0 401") && digest) {
      nonces.set(user, { nonce: /nonce="([^"]+)"/.exec(text)?.[1] ?? "", count: 0 });
      register(user);
    }
  });
  const register = (user: number): void => {
    const n = ++serial;
    under.set(`reg-${user} ${n}`, user);
    send(
      socket,
      `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.port};branch=z9hG4bK${n}.${start}\r\nMax-Forwards: 70\r\nFrom: <sip:u${user}@${REALM}>;tag=t${user}\r\nTo: <sip:u${user}@${REALM}>\r\nCall-ID: reg-${user}\r\nCSeq: ${n} REGISTER\r\nContact: <sip:u${user}@127.0.0.1:${socket.port}>\r\n${digest ? credentials(user) : ""}Expires: 3600\r\nContent-Length: 0\r\n\r\n`,
    );
  };
  const credentials = (user: number): string => {
    const known = nonces.get(user);
    if (known === undefined) return "";
    known.count++;
    const nc = known.count.toString(16).padStart(8, "0");
    const uri = `sip:${REALM}`;
    const response = digestResponse("MD5", hashes[user]!, "REGISTER", uri, known.nonce, nc, "c0ffee");
    return `Authorization: Digest username="u${user}", realm="${REALM}", nonce="${known.nonce}", uri="${uri}", response="${response}", algorithm=MD5, cnonce="c0ffee", qop=auth, nc=${nc}\r\n`;
  };
  const window = new Window(count, (i) => register(i % USERS));
  await window.run();
  socket.close();
}

/** OPTIONS for the server itself. */
export async function options(count: number): Promise<void> {
  const socket = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
  });
  const window = new Window(count, () => {
    const n = ++serial;
    send(
      socket,
      `OPTIONS sip:127.0.0.1:${PORT} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.port};branch=z9hG4bKo${n}\r\nMax-Forwards: 70\r\nFrom: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1:${PORT}>\r\nCall-ID: o${n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`,
    );
  });
  await window.run();
  socket.close();
}

const SDP =
  "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/** INVITE 100 180 200 ACK BYE 200 through Record-Route; with `hold` the calls are set up and left standing. */
export async function calls(count: number, hold: boolean): Promise<void> {
  const callee = await open((text, socket) => {
    const echoed = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].flatMap((name) => linesOf(text, name));
    const answer = (status: string, extra: string) => {
      const to = lineOf(text, "To");
      send(
        socket,
        `SIP/2.0 ${status}\r\n${echoed.join("\r\n")}\r\n${to}${to.includes("tag=") ? "" : ";tag=b"}\r\n${extra}`,
      );
    };
    const contact = `Contact: <sip:u0@127.0.0.1:${socket.port}>\r\n`;
    if (text.startsWith("INVITE")) {
      answer("180 Ringing", `${contact}Content-Length: 0\r\n\r\n`);
      answer(
        "200 OK",
        `${contact}Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
      );
    } else if (text.startsWith("BYE")) answer("200 OK", "Content-Length: 0\r\n\r\n");
    else if (text.startsWith("ACK") && hold) window.ended();
  });
  await bind(callee.port);
  const caller = await open((text, socket) => {
    if (!text.startsWith("SIP/2.0 200")) return;
    if (/CSeq: \d+ BYE/.test(text)) return window.ended();
    const target = /Contact: <([^>]+)>/.exec(text)?.[1] ?? "";
    const route = linesOf(text, "Record-Route")
      .reverse()
      .map((line) => line.replace("Record-", ""))
      .join("\r\n");
    const dialog = [lineOf(text, "From"), lineOf(text, "To"), lineOf(text, "Call-ID")].join("\r\n");
    const inside = (method: string, cseq: number) =>
      send(
        socket,
        `${method} ${target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.port};branch=z9hG4bK${method}${++serial}\r\n${route}\r\nMax-Forwards: 70\r\n${dialog}\r\nCSeq: ${cseq} ${method}\r\nContent-Length: 0\r\n\r\n`,
      );
    inside("ACK", 1);
    if (!hold) inside("BYE", 2);
  });
  const window = new Window(
    count,
    () => {
      const n = ++serial;
      send(
        caller,
        `INVITE sip:u0@${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${caller.port};branch=z9hG4bKi${n}\r\nMax-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1>;tag=a${n}\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: call-${n}\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@127.0.0.1:${caller.port}>\r\nContent-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
      );
    },
    CALLS_WINDOW,
  );
  await window.run();
  caller.close();
  callee.close();
}

/** Registers u0 at this port and nowhere else. */
async function bind(port: number): Promise<void> {
  for (const [contact, expires] of [
    ["*", 0],
    [`<sip:u0@127.0.0.1:${port}>`, 3600],
  ] as const) {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the callee cannot register")), OPERATION_MAX_MS);
      void open((text, own) => {
        if (text.startsWith("SIP/2.0 100")) return;
        clearTimeout(late);
        own.close();
        resolve();
      }).then((socket) => {
        const n = ++serial;
        send(
          socket,
          `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.port};branch=z9hG4bKb${n}\r\nMax-Forwards: 70\r\nFrom: <sip:u0@${REALM}>;tag=x\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: bind-${n}\r\nCSeq: ${n} REGISTER\r\nContact: ${contact}\r\nExpires: ${expires}\r\nContent-Length: 0\r\n\r\n`,
        );
      });
    });
  }
}
