/** TLS on real sockets: who is believed, which certificate is shown, and who may cost what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { connect, createServer } from "node:tls";
import type { Flow } from "../../src/base/flow.ts";
import type { TlsRules } from "../../src/transport/certificates.ts";
import { NO_TLS } from "../../src/transport/tls.ts";
import type { KeyPair } from "../support/authority.ts";
import { Authority } from "../support/authority.ts";
import type { Contract } from "./contract.ts";
import { transportContract } from "./contract.ts";
import { Rig, sip, TCP, TcpPeer, UDP, until } from "./rig.ts";

const HOST = "127.0.0.1";
const authority = new Authority();
const ours = authority.issue("ours", { names: ["DNS:edge.test", `IP:${HOST}`, "IP:::1"] });
const other = authority.issue("other", { names: ["DNS:other.test", "DNS:*.wild.test"] });
afterAll(() => authority[Symbol.dispose]());

const rules = (more: Partial<TlsRules> = {}): TlsRules => ({
  ...NO_TLS,
  certificates: [ours, other],
  ca: authority.file,
  handshakes_max: 50,
  ...more,
});

async function listening(more: Partial<TlsRules> = {}, address = HOST): Promise<Rig> {
  const rig = new Rig();
  const failures = await rig.transports.listen(
    [{ transport: "tls", address, port: 0 }],
    TCP,
    UDP,
    rules(more),
  );
  expect(failures).toEqual([]);
  return rig;
}

/** A phone that connects; `secured` once its handshake is over. */
class TlsPeer extends TcpPeer {
  secured = false;

  constructor(rig: Rig, options: ConnectionOptions = {}) {
    const { address, port } = rig.endpoint("tls");
    const socket: TLSSocket = connect({ host: address, port, ...trusting, ...options });
    super(socket);
    socket.on("secureConnect", () => {
      this.secured = true;
    });
  }

  /** The common name of the certificate that was shown. */
  get shown(): string {
    return String((this.socket as TLSSocket).getPeerCertificate().subject?.CN);
  }
}

const trusting: ConnectionOptions = {
  ca: await Bun.file(authority.file).text(),
  checkServerIdentity: () => undefined,
};
const pemOf = async ({ file, key }: KeyPair) => ({
  cert: await Bun.file(file).text(),
  key: await Bun.file(key).text(),
});

const accepted = (address: string): Contract => ({
  transport: "tls",
  address,
  async meet() {
    const rig = await listening({}, address);
    const peer = new TlsPeer(rig);
    peer.write(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    return {
      rig,
      flow: rig.receiver.messages[0]!.flow,
      peerAddress: address,
      peerPort: peer.socket.localPort ?? 0,
      send: (text) => peer.write(text),
      keepalive: () => peer.write("\r\n\r\n\r\n"),
      got: () => peer.text,
      end: () => {
        rig.transports.close();
        peer.socket.destroy();
      },
    };
  },
});

/** A TLS server with the certificate of `pair`. */
async function serverWith(pair: KeyPair, more = {}) {
  const peers: TcpPeer[] = [];
  const server = createServer(
    { ...(await pemOf(pair)), ...more },
    (socket) => void peers.push(new TcpPeer(socket)),
  );
  server.on("tlsClientError", () => {});
  server.listen(0, HOST);
  await until(() => server.listening);
  const { port } = server.address() as { port: number };
  return {
    peers,
    port,
    close() {
      for (const { socket } of peers) socket.destroy();
      server.close();
    },
  };
}

const outgoing: Contract = {
  transport: "tls",
  address: HOST,
  async meet() {
    const rig = await listening();
    const server = await serverWith(ours);
    const flow = rig.transports.flowTo("tls", HOST, server.port)!;
    await until(() => server.peers.length === 1);
    const peer = server.peers[0]!;
    peer.write(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    return {
      rig,
      flow,
      peerAddress: HOST,
      peerPort: server.port,
      send: (text) => peer.write(text),
      keepalive: () => peer.write("\r\n\r\n\r\n"),
      got: () => peer.text,
      end: () => {
        rig.transports.close();
        server.close();
      },
    };
  },
};

for (const address of [HOST, "::1"]) transportContract(`TLS accepted on ${address}`, accepted(address));
transportContract("TLS opened", outgoing);

describe("B-16 the certificate that is shown", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await listening();
  });
  afterAll(() => rig.transports.close());

  for (const [servername, shown] of [
    ["edge.test", "ours"],
    ["other.test", "other"],
    ["a.wild.test", "other"],
    ["nobody.test", "ours"],
    ["", "ours"],
  ] as const)
    test(`asked for ${servername || "nobody"}: that of ${shown}`, async () => {
      const peer = new TlsPeer(rig, { servername });
      await until(() => peer.secured);
      expect(peer.shown).toBe(shown);
      peer.socket.destroy();
    });

  for (const [name, options, ok] of [
    ["TLS 1.1 is not spoken", { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" }, false],
    ["TLS 1.2 is", { maxVersion: "TLSv1.2" }, true],
    ["TLS 1.3 is", { minVersion: "TLSv1.3" }, true],
  ] as const)
    test(name, async () => {
      const peer = new TlsPeer(rig, options);
      await until(() => peer.secured || peer.closed);
      expect(peer.secured).toBe(ok);
      peer.socket.destroy();
    });
});

test("min_version 1.3: TLS 1.2 is refused", async () => {
  const rig = await listening({ min_version: "1.3" });
  const peer = new TlsPeer(rig, { maxVersion: "TLSv1.2" });
  await until(() => peer.closed);
  expect(peer.secured).toBe(false);
  rig.transports.close();
});

describe("B-14 certificates whose files change", () => {
  test("new handshakes see the new one, old connections go on; a pair that does not fit changes nothing", async () => {
    const live = { file: join(authority.dir, "live.pem"), key: join(authority.dir, "live.key") };
    const put = (from: KeyPair, parts: readonly ("file" | "key")[] = ["file", "key"]) => {
      for (const part of parts) copyFileSync(from[part], live[part]);
    };
    put(ours);
    const rig = await listening({ certificates: [live] });
    /** Our side of its handshake is over, too, once a message came. */
    const joined = async (options: ConnectionOptions = {}): Promise<TlsPeer> => {
      const [peer, before] = [new TlsPeer(rig, options), rig.receiver.messages.length];
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.length > before);
      return peer;
    };
    const first = await joined();
    put(other, ["file"]); // half of a renewal
    rig.clock.advance(11_000);
    expect(rig.transports.certificates()[0]!.problem).toContain("not the key of the certificate");
    const between = await joined();
    expect(between.shown).toBe("ours");
    put(other);
    rig.clock.advance(11_000);
    expect(rig.transports.certificates()[0]).toMatchObject({
      problem: null,
      names: ["other.test", "*.wild.test"],
    });
    const last = await joined({ servername: "nobody.test" });
    expect(last.shown).toBe("other");
    for (const peer of [first, between, last]) peer.write(sip("still here"));
    await until(() => rig.receiver.messages.length === 6);
    expect(rig.metric("certificate_reloads_total")).toBe(1);
    expect(rig.metric("certificate_reload_failures_total")).toBe(1);
    for (const { socket } of [first, between, last]) socket.destroy();
    rig.transports.close();
  });

  for (const [name, files, why] of [
    ["gone", { file: "/nowhere/c.pem", key: ours.key }, "/nowhere/c.pem cannot be read"],
    ["no PEM", { file: ours.key, key: ours.key }, "holds no PEM certificate"],
    ["another's key", { file: ours.file, key: other.key }, "not the key of the certificate"],
    ["no key", { file: ours.file, key: other.file }, "no PEM private key"],
  ] as const)
    test(`at the start: ${name}`, async () => {
      const rig = new Rig();
      const wanted = [{ transport: "tls", address: HOST, port: 0 }];
      const failures = await rig.transports.listen(wanted, TCP, UDP, rules({ certificates: [files] }));
      expect(failures.map(({ message }) => message)).toEqual([expect.stringContaining(why)]);
      expect(rig.transports.endpoints()).toEqual([]);
      rig.transports.close();
    });

  test("the end of one is a metric", async () => {
    const rig = await listening();
    const [certificate] = rig.transports.certificates();
    const days = (certificate!.expires_ms - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    expect(rig.metric("certificate_expires_seconds", { file: ours.file })).toBe(
      certificate!.expires_ms / 1000,
    );
    rig.transports.close();
  });
});

describe("SIP-40, RFC 5922 §4 servers must prove the name that was asked for", () => {
  async function sends(pair: KeyPair, name: string | undefined, more: Partial<TlsRules> = {}) {
    const rig = await listening(more);
    const server = await serverWith(pair);
    const flow = rig.transports.flowTo("tls", HOST, server.port, undefined, name)!;
    const ends: string[] = [];
    flow.watch({ flowClosed: (_flow, reason) => void ends.push(reason) });
    flow.send(Buffer.from(sip("secret")));
    await until(() => ends.length > 0 || server.peers.some(({ text }) => text !== ""));
    const got = server.peers.map(({ text }) => text).join("");
    rig.transports.close();
    server.close();
    return { got, end: got === "" ? ends[0] : null };
  }
  const GOOD = { got: sip("secret"), end: null };
  const REFUSED = { got: "", end: "certificate_refused" };
  const own = authority.issue("own", { names: ["DNS:edge.test"], isOwn: true });

  test("its own name: it gets the message", async () => expect(await sends(ours, "edge.test")).toEqual(GOOD));
  test("its address, where nobody named one", async () => expect(await sends(ours, undefined)).toEqual(GOOD));
  test("another name: nothing is sent", async () => expect(await sends(ours, "bank.test")).toEqual(REFUSED));
  test("signed by nobody who is believed", async () =>
    expect(await sends(own, "edge.test")).toEqual(REFUSED));
  test("verify = false: whoever it is", async () =>
    expect(await sends(own, "bank.test", { verify: false })).toEqual(GOOD));

  test("RFC 5923 §5: the same connection for the same name only", async () => {
    const rig = await listening();
    const server = await serverWith(ours);
    const to = (name: string): Flow => rig.transports.flowTo("tls", HOST, server.port, undefined, name)!;
    const flow = to("edge.test");
    await until(() => server.peers.length === 1);
    expect(to("edge.test").id).toBe(flow.id);
    expect(to("bank.test").id).not.toBe(flow.id);
    rig.transports.close();
    server.close();
  });

  describe("B-05, RFC 5923 §8.2 a connection that its peer lends for requests to it", () => {
    const PORT = 5999;
    async function lent(pair: KeyPair | null) {
      const rig = await listening({ client_certificate: "request" });
      const peer = new TlsPeer(rig, pair === null ? {} : await pemOf(pair));
      peer.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 1);
      const { flow } = rig.receiver.messages[0]!;
      rig.transports.alias(flow, PORT);
      const to = (name?: string, port = PORT): string =>
        rig.transports.flowTo("tls", HOST, port, undefined, name)!.id;
      const end = (): void => {
        rig.transports.close();
        peer.socket.destroy();
      };
      return { rig, peer, flow, to, end };
    }

    test("for the names of its certificate, at that port", async () => {
      const { flow, to, end } = await lent(other);
      expect(to("other.test")).toBe(flow.id);
      expect(to("other.test", PORT + 1)).not.toBe(flow.id);
      for (const name of ["edge.test", HOST, undefined]) expect(to(name)).not.toBe(flow.id);
      end();
    });

    test("for its address, where that is in the certificate", async () => {
      const { flow, to, end } = await lent(ours);
      expect([to(), to(HOST), to("edge.test")]).toEqual([flow.id, flow.id, flow.id]);
      end();
    });

    test("without a certificate nobody is it", async () => {
      const { flow, to, end } = await lent(null);
      for (const name of ["other.test", HOST, undefined]) expect(to(name)).not.toBe(flow.id);
      end();
    });

    test("the newest one, and none when it is closed", async () => {
      const { rig, peer, flow, to, end } = await lent(other);
      const second = new TlsPeer(rig, await pemOf(other));
      second.write(sip("second"));
      await until(() => rig.receiver.messages.length === 2);
      const newer = rig.receiver.messages[1]!.flow;
      rig.transports.alias(newer, PORT);
      peer.socket.destroy(); // the older one takes nothing with it
      await until(() => !flow.open);
      expect(to("other.test")).toBe(newer.id);
      second.socket.destroy();
      await until(() => !newer.open);
      expect(to("other.test")).not.toBe(newer.id);
      end();
    });

    test("another port takes the first one's place", async () => {
      const { rig, flow, to, end } = await lent(other);
      rig.transports.alias(flow, PORT + 1);
      expect(to("other.test", PORT + 1)).toBe(flow.id);
      expect(to("other.test")).not.toBe(flow.id);
      end();
    });
  });

  test("a server that speaks no TLS, and one that never answers: they fail, each with its reason", async () => {
    const rig = await listening();
    const server = Bun.listen({
      hostname: HOST,
      port: 0,
      socket: { data: (s) => void s.end("HTTP/1.0 400\r\n\r\n") },
    });
    const ends: string[] = [];
    const flow = rig.transports.flowTo("tls", HOST, server.port)!;
    flow.watch({ flowClosed: (_flow, reason) => void ends.push(reason) });
    await until(() => ends.length === 1);
    expect(ends).toEqual(["handshake_failed"]);
    const silent = Bun.listen({ hostname: HOST, port: 0, socket: { data() {} } });
    const late = rig.transports.flowTo("tls", HOST, silent.port)!;
    late.watch({ flowClosed: (_flow, reason) => void ends.push(reason) });
    rig.clock.advance(5000);
    await until(() => ends.length === 2);
    expect(ends[1]).toBe("connect_timeout");
    server.stop(true);
    silent.stop(true);
    rig.transports.close();
  });
});

describe("SIP-40 mutual TLS", () => {
  test("RFC 5922 §7 what a server proves that we connected to: its names when it was checked, else nothing", async () => {
    for (const verify of [true, false]) {
      const rig = await listening({ verify });
      const server = await serverWith(ours);
      const open = () => rig.transports.flowTo("tls", HOST, server.port, undefined, "edge.test")!;
      const flow = open();
      await until(() => server.peers.length === 1);
      server.peers[0]!.write(sip("hello"));
      await until(() => rig.receiver.messages.length === 1);
      expect(flow.names).toEqual(verify ? ["edge.test", HOST, "0:0:0:0:0:0:0:1"] : null);
      expect(open().id).toBe(flow.id);
      rig.transports.close();
      server.close();
    }
  });

  test("require: without a certificate, or with one that nobody signed, nothing is read", async () => {
    const rig = await listening({ client_certificate: "require" });
    const own = authority.issue("stranger", { names: ["DNS:peer.test"], isOwn: true });
    for (const options of [{}, await pemOf(own)]) {
      const peer = new TlsPeer(rig, { ...options, maxVersion: "TLSv1.2" });
      peer.write(sip("let me in"));
      await until(() => peer.closed);
    }
    expect(rig.receiver.messages).toEqual([]);
    expect(rig.metric("tcp_closed_total", { reason: "certificate_refused" })).toBe(2);
    const peer = new TlsPeer(rig, await pemOf(other));
    peer.write(sip("it is me"));
    await until(() => rig.receiver.messages.length === 1);
    peer.socket.destroy();
    rig.transports.close();
  });

  test("request: whoever shows none is let in, and proves nothing", async () => {
    const rig = await listening({ client_certificate: "request" });
    const [nobody, named] = [new TlsPeer(rig), new TlsPeer(rig, await pemOf(other))];
    for (const peer of [nobody, named]) peer.write(sip("hello"));
    await until(() => rig.receiver.messages.length === 2);
    const back = (peer: TlsPeer, name: string): boolean =>
      rig.transports.flowTo("tls", HOST, peer.socket.localPort!, undefined, name)?.id ===
      rig.receiver.messages.find(({ flow }) => flow.remotePort === peer.socket.localPort)!.flow.id;
    expect(back(named, "other.test")).toBe(true);
    expect(back(named, "edge.test")).toBe(false);
    expect(back(nobody, "other.test")).toBe(false);
    for (const { socket } of [nobody, named]) socket.destroy();
    rig.transports.close();
  });
});

describe("B-13, B-52 those who connect and say nothing", () => {
  test("are bounded in number while their handshake lasts, and in time", async () => {
    const rig = await listening({ handshakes_max: 3 });
    const { address, port } = rig.endpoint("tls");
    const slow = await Promise.all(
      [1, 2, 3].map(() => TcpPeer.to({ ...rig.endpoint("tls"), address, port })),
    );
    await until(() => rig.metric("tcp_connections") === 3);
    const late = new TlsPeer(rig);
    await until(() => late.closed);
    expect(rig.metric("tcp_connections_refused_total", { reason: "handshakes_max" })).toBe(1);
    rig.clock.advance(5000);
    await until(() => slow.every(({ closed }) => closed));
    const good = new TlsPeer(rig);
    await until(() => good.secured);
    good.socket.destroy();
    rig.transports.close();
  });

  test("rubbish in place of a handshake costs only itself", async () => {
    const rig = await listening();
    const peer = await TcpPeer.to(rig.endpoint("tls"));
    peer.write("OPTIONS sip:edge.test SIP/2.0\r\n\r\n");
    await until(() => peer.closed);
    expect(rig.metric("tcp_closed_total", { reason: "handshake_failed" })).toBe(1);
    expect(rig.receiver.messages).toEqual([]);
    rig.transports.close();
  });
});
