/**
 * Connections that cost something and say next to nothing, towards one appliance:
 *
 *     bun idle-crowd.ts '{"host":"127.0.0.1","tcp":5060,"tls":5061,"ws":8088,"idle":5000,"slow":50}'
 *
 * Opens the idle ones over TLS (says `open N`), then on each kind of listener some over which a message, a handshake or
 * an HTTP request trickles byte by byte, again and again (says `trickling`). On SIGTERM it says how many idle ones are
 * still open and how many slow ones were closed, and ends.
 */
import type { Socket } from "node:net";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

interface Crowd {
  readonly host: string;
  readonly tcp: number;
  readonly tls: number;
  readonly ws: number;
  readonly idle: number;
  /** Of each kind of slow one. */
  readonly slow: number;
}

const crowd = JSON.parse(process.argv[2] ?? "{}") as Crowd;
/** Handshakes at once. */
const AT_ONCE = 40;
const TRIES_EACH = 3;
const ADDRESSES = 20;
const DROP_MS = 100;
const RETRY_MS = 200;

const MESSAGE = Buffer.from(
  `OPTIONS sip:${crowd.host} SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKslow\r\n${"X: y\r\n".repeat(1000)}`,
);
const UPGRADE = Buffer.from(`GET / HTTP/1.1\r\nHost: ${crowd.host}\r\n${"X: y\r\n".repeat(1000)}`);
/** A TLS record of 512 bytes with a ClientHello of which nearly all is missing. */
const HELLO = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(400)]);

const localAddress = (index: number): string => `127.0.2.${1 + (index % ADDRESSES)}`;

function secure(index: number): Promise<Socket> {
  const { host, tls: port } = crowd;
  const options = { host, port, localAddress: localAddress(index), rejectUnauthorized: false };
  const socket = connectTls(options as Parameters<typeof connectTls>[0]);
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.once("secureConnect", () => resolve(socket));
    socket.once("close", () => resolve(socket));
  });
}

function plain(port: number, index: number): Promise<Socket> {
  const socket = connect({ host: crowd.host, port, localAddress: localAddress(index) });
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(socket));
    socket.once("close", () => resolve(socket));
  });
}

let stillIdle = 0;
const closed: Record<string, number> = {};

/** As many as were asked for; one that fails on a busy machine is tried again. */
async function openIdle(): Promise<void> {
  let tries = 0;
  let opening = 0;
  const one = async (): Promise<void> => {
    while (stillIdle + opening < crowd.idle && tries < TRIES_EACH * crowd.idle) {
      opening++;
      const socket = await secure(tries++);
      opening--;
      if (socket.destroyed) continue;
      stillIdle++;
      socket.resume().once("close", () => stillIdle--);
    }
  };
  while (stillIdle < crowd.idle && tries < TRIES_EACH * crowd.idle)
    await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** One slow one of a kind, and another when it is gone. */
function trickle(kind: string, open: () => Promise<Socket>, text: Buffer): void {
  void open().then((socket) => {
    let at = 0;
    const drops = setInterval(
      () => socket.write(text.subarray(at % text.length, (at++ % text.length) + 1)),
      DROP_MS,
    );
    const over = (): void => {
      clearInterval(drops);
      closed[kind] = (closed[kind] ?? 0) + 1;
      setTimeout(() => trickle(kind, open, text), RETRY_MS);
    };
    if (socket.destroyed) over();
    else socket.resume().once("close", over);
  });
}

await openIdle();
process.stdout.write(`open ${stillIdle}\n`);
for (let index = 0; index < crowd.slow; index++) {
  trickle("tcp", () => plain(crowd.tcp, index), MESSAGE);
  trickle("tls", () => secure(index), MESSAGE);
  trickle("handshake", () => plain(crowd.tls, index), HELLO);
  trickle("ws", () => plain(crowd.ws, index), UPGRADE);
}
process.stdout.write("trickling\n");
process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify({ still_idle: stillIdle, closed })}\n`);
  process.exit(0);
});
