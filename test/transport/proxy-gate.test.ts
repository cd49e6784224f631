/** ARC-23, B-72: connections through a balancer, on real sockets: whose they are, and when they are nobody's. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { connect } from "node:tls";
import type { NetTransportsParts } from "../../src/transport/net-transports.ts";
import { NO_TLS } from "../../src/transport/tls.ts";
import type { KeyPair } from "../support/authority.ts";
import { Authority } from "../support/authority.ts";
import { transportContract } from "./contract.ts";
import { Rig, sip, TCP, TcpPeer, UDP, until } from "./rig.ts";

const HOST = "127.0.0.1";
const PHONE = { address: "203.0.113.7", port: 40_000 };
const HEADER = `PROXY TCP4 ${PHONE.address} 192.0.2.1 ${PHONE.port} 5060\r\n`;
const OWN_HEADER = "PROXY UNKNOWN\r\n";
const STRANGER = "PROXY TCP4 198.51.100.9 192.0.2.1 40000 5060\r\n";

const authority = new Authority();
const ours = authority.issue("ours", { names: ["DNS:edge.test"] });
const other = authority.issue("other", { names: ["DNS:other.test"] });
afterAll(() => authority[Symbol.dispose]());
const text = (file: string): Promise<string> => Bun.file(file).text();

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

type Kind = "tcp" | "tls";
interface Options {
  readonly balancers?: readonly string[];
  readonly parts?: Partial<NetTransportsParts>;
  readonly tcp?: Partial<typeof TCP>;
  readonly client_certificate?: "none" | "require";
  readonly certificates?: readonly KeyPair[];
}

async function listening(transport: Kind, options: Options = {}): Promise<Rig> {
  const rig = new Rig(options.parts);
  const { balancers = [HOST], client_certificate = "none" } = options;
  const entries = [{ transport, address: HOST, port: 0, proxy_protocol_from: balancers }];
  const { certificates = [ours, other] } = options;
  const rules = { ...NO_TLS, certificates, ca: authority.file, client_certificate, handshakes_max: 50 };
  expect(await rig.transports.listen(entries, { ...TCP, ...options.tcp }, UDP, rules)).toEqual([]);
  ends.push(() => rig.transports.close());
  return rig;
}

/** A balancer's connection: `header` first, then what a phone says over TCP or TLS. */
async function through(rig: Rig, kind: Kind, header: string, more: ConnectionOptions = {}): Promise<TcpPeer> {
  const plain = await TcpPeer.to(rig.endpoint(kind));
  ends.push(() => plain.socket.destroy());
  const trusting = { ca: await text(authority.file), checkServerIdentity: () => undefined };
  plain.write(header);
  if (kind === "tcp") return plain;
  const peer = new TcpPeer(connect({ ...trusting, ...more, socket: plain.socket }));
  // One that was refused at once may be closed before its handshake begins, and then says nothing more.
  plain.socket.once("close", () => {
    peer.closed = true;
  });
  ends.push(() => peer.socket.destroy());
  return peer;
}

for (const kind of ["tcp", "tls"] as const) {
  transportContract(`${kind} behind a balancer`, {
    transport: kind,
    address: HOST,
    async meet() {
      const rig = await listening(kind);
      const peer = await through(rig, kind, HEADER);
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 1);
      return {
        rig,
        flow: rig.receiver.messages[0]!.flow,
        peerAddress: PHONE.address,
        peerPort: PHONE.port,
        send: (message) => peer.write(message),
        keepalive: () => peer.write("\r\n\r\n\r\n"),
        got: () => peer.text,
        end: () => {
          rig.transports.close();
          peer.socket.destroy();
        },
      };
    },
  });

  describe(`ARC-23, B-72 PROXY protocol over ${kind}`, () => {
    test("the connection is the phone's: its limits and its bans, not the balancer's", async () => {
      const admits = (address: string): boolean => address !== "198.51.100.9" && address !== HOST;
      const rig = await listening(kind, { parts: { admits }, tcp: { connections_per_address_max: 1 } });
      const first = await through(rig, kind, HEADER);
      first.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 1);
      expect(rig.transports.snapshot().connections[0]!.remote_address).toBe(PHONE.address);
      const second = await through(rig, kind, HEADER.replace("40000", "40001"));
      await until(() => second.closed);
      expect(rig.metric("tcp_connections_refused_total", { reason: "connections_per_address_max" })).toBe(1);
      const banned = await through(rig, kind, STRANGER);
      await until(() => banned.closed);
      const neighbour = await through(rig, kind, HEADER.replace(PHONE.address, "203.0.113.8"));
      neighbour.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 2);
      expect(rig.metric("proxy_headers_total", { result: "good" })).toBe(4);
    });

    test("a ban ends the phone's connection", async () => {
      let isBanned = false;
      const admits = (address: string): boolean => !isBanned || address !== PHONE.address;
      const rig = await listening(kind, { parts: { admits } });
      const peer = await through(rig, kind, HEADER);
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 1);
      isBanned = true;
      rig.transports.dropUnwelcome();
      await until(() => peer.closed);
      expect(rig.metric("tcp_closed_total", { reason: "banned" })).toBe(1);
    });

    test("no header, or a broken one: closed and counted, nothing is read", async () => {
      const rig = await listening(kind);
      for (const start of [
        sip("hello"),
        "\r\n\r\n\r\n",
        "PROXY TCP4 nobody nowhere 1 2\r\n",
        "\x16\x03\x01",
      ]) {
        const peer = await TcpPeer.to(rig.endpoint(kind));
        peer.write(start);
        await until(() => peer.closed);
      }
      expect(rig.metric("proxy_headers_total", { result: "malformed" })).toBe(4);
      expect(rig.receiver.messages).toEqual([]);
      expect(rig.metric("tcp_connections")).toBe(0);
    });

    test("one that comes too slowly is closed and counted", async () => {
      const rig = await listening(kind);
      const peer = await TcpPeer.to(rig.endpoint(kind));
      peer.write(HEADER.slice(0, 10));
      const gone = await TcpPeer.to(rig.endpoint(kind));
      gone.socket.end();
      await until(() => rig.metric("proxy_headers_total", { result: "closed" }) === 1);
      rig.clock.advance(TCP.connect_timeout_ms);
      await until(() => peer.closed);
      expect(rig.metric("proxy_headers_total", { result: "too_slow" })).toBe(1);
      expect(rig.metric("proxy_headers_total")).toBe(2);
    });

    test("the balancer's own connection is its own", async () => {
      const rig = await listening(kind);
      const peer = await through(rig, kind, OWN_HEADER);
      peer.write(sip("alive?"));
      await until(() => rig.receiver.messages.length === 1);
      expect(rig.receiver.messages[0]!.flow.remoteAddress).toBe(HOST);
      expect(rig.metric("proxy_headers_total", { result: "own" })).toBe(1);
    });

    test("whoever is not named may say nothing about itself", async () => {
      const rig = await listening(kind, { balancers: ["192.0.2.0/24"] });
      const liar = await TcpPeer.to(rig.endpoint(kind));
      liar.write(`${HEADER}${sip("I am somebody else")}`);
      if (kind === "tls") await until(() => liar.closed);
      else await until(() => rig.receiver.messages.length === 1); // a start line of a message, and a bad one
      const peer = await through(rig, kind, "");
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.some(({ text: message }) => message === sip("hello")));
      for (const { flow } of rig.receiver.messages) expect(flow.remoteAddress).toBe(HOST);
      expect(rig.metric("proxy_headers_total")).toBe(0);
    });

    test("a listener that closes leaves none waiting", async () => {
      const rig = await listening(kind);
      const peer = await TcpPeer.to(rig.endpoint(kind));
      peer.write("PROXY");
      await Bun.sleep(5);
      rig.transports.close();
      await until(() => peer.closed);
    });
  });
}

test("B-72 those whose header is still to come are bounded in number, and leave room when they go", async () => {
  const rig = await listening("tcp");
  const { address, port } = rig.endpoint("tcp");
  const sockets = Array.from({ length: 1001 }, () => connectPlain({ host: address, port }));
  for (const socket of sockets) socket.on("error", () => {});
  ends.push(() => sockets.forEach((socket) => void socket.destroy()));
  await until(() => rig.metric("proxy_headers_total", { result: "waiting_max" }) === 1);
  for (const socket of sockets) socket.destroy();
  await until(() => rig.metric("proxy_headers_total", { result: "closed" }) === 1000);
  const peer = await through(rig, "tcp", HEADER);
  peer.write(sip("hello"));
  await until(() => rig.receiver.messages.length === 1);
});

describe("ARC-23, B-72 the PROXY header before a handshake", () => {
  /** Whatever is written leaves in one piece with the header: the first bytes of the handshake behind it. */
  async function glued(rig: Rig, more: ConnectionOptions = {}): Promise<TcpPeer> {
    const plain = await TcpPeer.to(rig.endpoint("tls"));
    let first = true;
    const wire = new Duplex({
      read() {},
      write(bytes: Buffer, _encoding, done) {
        plain.socket.write(first ? Buffer.concat([Buffer.from(HEADER), bytes]) : bytes, () => done());
        first = false;
      },
    });
    plain.socket.on("data", (bytes: Buffer) => wire.push(bytes));
    const trusting = { ca: await text(authority.file), checkServerIdentity: () => undefined };
    const peer = new TcpPeer(connect({ ...trusting, ...more, socket: wire }));
    ends.push(() => plain.socket.destroy());
    return peer;
  }

  test("both in one segment; the certificate is the one that was asked for", async () => {
    const rig = await listening("tls");
    const peer = await glued(rig, { servername: "other.test" });
    peer.write(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    expect(rig.receiver.messages[0]!.flow.remoteAddress).toBe(PHONE.address);
    expect(String((peer.socket as TLSSocket).getPeerCertificate().subject?.CN)).toBe("other");
  });

  test("B-14 files that change behind a balancer: the next handshake sees the new certificate", async () => {
    const live = { file: join(authority.dir, "live.pem"), key: join(authority.dir, "live.key") };
    const put = (pair: KeyPair): void => {
      copyFileSync(pair.key, live.key);
      copyFileSync(pair.file, live.file);
    };
    put(ours);
    const rig = await listening("tls", { certificates: [live] });
    const shown: string[] = [];
    for (const pair of [ours, other]) {
      put(pair);
      rig.clock.advance(11_000);
      const peer = await glued(rig);
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.length === shown.length + 1);
      shown.push(String((peer.socket as TLSSocket).getPeerCertificate().subject?.CN));
    }
    expect(shown).toEqual(["ours", "other"]);
    expect(rig.metric("tcp_connections")).toBe(2);
  });

  test("mutual TLS holds behind it", async () => {
    const rig = await listening("tls", { client_certificate: "require" });
    const pair = { cert: await text(other.file), key: await text(other.key) };
    const nobody = await through(rig, "tls", HEADER, { maxVersion: "TLSv1.2" });
    nobody.write(sip("let me in"));
    await until(() => rig.metric("tcp_closed_total", { reason: "certificate_refused" }) === 1);
    expect(rig.receiver.messages).toEqual([]);
    const peer = await through(rig, "tls", HEADER, pair);
    peer.write(sip("it is me"));
    await until(() => rig.receiver.messages.length === 1);
    const { flow } = rig.receiver.messages[0]!;
    const back = rig.transports.flowTo("tls", flow.remoteAddress, flow.remotePort, undefined, "other.test");
    expect(back?.id).toBe(flow.id);
  });

  test("rubbish in place of a handshake costs only itself, and a handshake that stops has its time", async () => {
    const rig = await listening("tls");
    const rubbish = await TcpPeer.to(rig.endpoint("tls"));
    rubbish.write(`${HEADER}OPTIONS sip:edge.test SIP/2.0\r\n\r\n`);
    await until(() => rubbish.closed);
    expect(rig.metric("tcp_closed_total", { reason: "handshake_failed" })).toBe(1);
    const silent = await TcpPeer.to(rig.endpoint("tls"));
    silent.write(HEADER);
    await until(() => rig.metric("tcp_connections") === 1);
    rig.clock.advance(TCP.connect_timeout_ms + 1000);
    await until(() => silent.closed);
    expect(rig.metric("tcp_closed_total", { reason: "connect_timeout" })).toBe(1);
  });
});
