/** B-17, RFC 7118: SIP over WebSocket on real sockets, and who may open one. */
import { afterAll, describe, expect, test } from "bun:test";
import { NO_TLS } from "../../src/transport/tls.ts";
import { forwardedFor, handshakeRefusal } from "../../src/transport/ws-handshake.ts";
import { Authority } from "../support/authority.ts";
import type { Contract } from "./contract.ts";
import { transportContract } from "./contract.ts";
import { Rig, sip, TCP, UDP, until } from "./rig.ts";

const HOST = "127.0.0.1";
const authority = new Authority();
const pair = authority.issue("ws", { names: [`IP:${HOST}`, "DNS:edge.test"] });
afterAll(() => authority[Symbol.dispose]());

async function listening(
  transport: "ws" | "wss",
  origins: readonly string[] = [],
  { balancers = [] as readonly string[], parts = {} as ConstructorParameters<typeof Rig>[0] } = {},
): Promise<Rig> {
  const rig = new Rig(parts);
  const entries = [{ transport, address: HOST, port: 0, origins, forwarded_for_from: balancers }];
  const rules = { ...NO_TLS, certificates: [pair], handshakes_max: 10 };
  expect(await rig.transports.listen(entries, TCP, UDP, rules)).toEqual([]);
  return rig;
}

/** A browser phone without the browser. */
class WsPeer {
  readonly socket: WebSocket;
  readonly frames: (string | Buffer)[] = [];
  opened = false;
  closed = false;

  constructor(rig: Rig, transport: "ws" | "wss", more: Record<string, unknown> = {}) {
    const { port } = rig.endpoint(transport);
    const options = { protocols: ["sip"], tls: { rejectUnauthorized: false }, ...more };
    this.socket = new WebSocket(`${transport}://${HOST}:${port}/`, options as never);
    this.socket.binaryType = "nodebuffer" as never;
    this.socket.onopen = () => {
      this.opened = true;
    };
    this.socket.onclose = () => {
      this.closed = true;
    };
    this.socket.onerror = () => {};
    this.socket.onmessage = ({ data }) => void this.frames.push(data as string | Buffer);
  }

  get text(): string {
    return this.frames
      .map((frame) =>
        typeof frame === "string" ? Buffer.from(frame).toString("latin1") : frame.toString("latin1"),
      )
      .join("");
  }

  send(text: string): void {
    this.socket.send(Buffer.from(text, "latin1"));
  }
}

const contract = (transport: "ws" | "wss"): Contract => ({
  transport,
  address: HOST,
  async meet() {
    const rig = await listening(transport);
    const peer = new WsPeer(rig, transport);
    await until(() => peer.opened);
    peer.send(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    const { flow } = rig.receiver.messages[0]!;
    return {
      rig,
      flow,
      peerAddress: HOST,
      peerPort: flow.remotePort,
      send: (text) => peer.send(text),
      keepalive: () => peer.send("\r\n\r\n"),
      got: () => peer.text.replaceAll(/^(\r\n)+/g, ""),
      end: () => {
        rig.transports.close();
        peer.socket.close();
      },
    };
  },
});

for (const transport of ["ws", "wss"] as const) transportContract(transport, contract(transport));

describe("RFC 7118 §5 frames", () => {
  test("a double CRLF is answered by one, and nothing else that is blank is: two peers never echo for ever", async () => {
    const rig = await listening("ws");
    const peer = new WsPeer(rig, "ws");
    await until(() => peer.opened);
    for (const blank of ["\r\n", "", "\r\n\r\n", "\r\n\r\n\r\n"]) peer.send(blank);
    peer.send(sip("behind"));
    await until(() => rig.receiver.messages.length === 1 && peer.text !== "");
    expect(peer.text).toBe("\r\n");
    rig.transports.close();
  });

  test("pings alone keep the connection open beyond tcp.idle_s", async () => {
    const rig = await listening("ws");
    const peer = new WsPeer(rig, "ws");
    await until(() => peer.opened);
    peer.send(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    for (let i = 0; i < 6; i++) {
      rig.clock.advance(25_000);
      peer.socket.ping();
      await Bun.sleep(5);
    }
    expect(peer.closed).toBe(false);
    expect(rig.metric("tcp_connections")).toBe(1);
    rig.transports.close();
  });

  test("text is a text frame, what is no UTF-8 a binary one; a message in two directions at once", async () => {
    const rig = await listening("ws");
    const peer = new WsPeer(rig, "ws");
    await until(() => peer.opened);
    peer.socket.send(sip("as text ü"));
    await until(() => rig.receiver.messages.length === 1);
    const { flow, text } = rig.receiver.messages[0]!;
    expect(text).toContain("as text Ã¼");
    flow.send(Buffer.from(sip("ü"), "utf8"));
    flow.send(Buffer.from(sip("\xff"), "latin1"));
    await until(() => peer.frames.length === 2);
    expect(peer.frames.map((frame) => typeof frame)).toEqual(["string", "object"]);
    rig.transports.close();
  });

  test("a message beyond the limit closes the connection, and no other", async () => {
    const rig = await listening("ws");
    const [big, small] = [new WsPeer(rig, "ws"), new WsPeer(rig, "ws")];
    await until(() => big.opened && small.opened);
    big.send("x".repeat(TCP.message_bytes_max + 1));
    await until(() => big.closed);
    small.send(sip("still here"));
    await until(() => rig.receiver.messages.length === 1);
    rig.transports.close();
  });

  test("the watcher of a page that is closed learns of it at once", async () => {
    const rig = await listening("ws");
    const peer = new WsPeer(rig, "ws");
    await until(() => peer.opened);
    peer.send(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    const ends: string[] = [];
    rig.receiver.messages[0]!.flow.watch({ flowClosed: (_flow, reason) => void ends.push(reason) });
    peer.socket.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["peer_closed"]);
    expect(rig.metric("tcp_connections")).toBe(0);
    rig.transports.close();
  });

  test("an address that is not admitted gets no WebSocket", async () => {
    const rig = new Rig({ admits: () => false });
    await rig.transports.listen([{ transport: "ws", address: HOST, port: 0 }], TCP, UDP);
    const peer = new WsPeer(rig, "ws");
    await until(() => peer.closed);
    expect(peer.opened).toBe(false);
    rig.transports.close();
  });
});

describe("RFC 7118 §4.1 who may open one", () => {
  const ask = (more: Record<string, string | null>, origins: readonly string[] = []): number | null => {
    const headers = new Map<string, string | null>(
      Object.entries({
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-protocol": "sip",
        host: "edge.test:8088",
        ...more,
      }),
    );
    return (
      handshakeRefusal(
        "GET",
        { get: (name) => headers.get(name) ?? null },
        { origins, own: ["edge.test:8088"] },
      )?.status ?? null
    );
  };

  for (const [name, more, origins, status] of [
    ["a program", {}, [], null],
    ["a page of this very host", { origin: "http://edge.test:8088" }, [], null],
    [
      "a page whose name was made to point here",
      { origin: "http://evil.test:8088", host: "evil.test:8088" },
      [],
      403,
    ],
    ["a page from elsewhere", { origin: "https://evil.test" }, [], 403],
    ["a page without an origin (a sandbox, a file)", { origin: "null" }, [], 403],
    ["a page that is listed", { origin: "https://Phone.test" }, ["https://phone.test"], null],
    [
      "a page of the same name at another port",
      { origin: "https://phone.test:444" },
      ["https://phone.test"],
      403,
    ],
    ["any page, where the operator says so", { origin: "https://evil.test" }, ["*"], null],
    ["another sub-protocol", { "sec-websocket-protocol": "chat, mqtt" }, [], 400],
    ["no sub-protocol", { "sec-websocket-protocol": null }, [], 400],
    ["one of several", { "sec-websocket-protocol": "msrp, SIP" }, [], null],
    ["an old version", { "sec-websocket-version": "8" }, [], 426],
    ["no WebSocket at all", { upgrade: null }, [], 426],
  ] as const)
    test(`${name}: ${status ?? "welcome"}`, () => expect(ask(more, origins)).toBe(status));

  test("ARC-23 behind a web server: the last address of X-Forwarded-For counts, its bans too, and there is one", async () => {
    const admits = (address: string): boolean => address !== "198.51.100.9" && address !== HOST;
    const rig = await listening("ws", [], { balancers: [HOST], parts: { admits } });
    const from = (forwarded: string | null) =>
      new WsPeer(rig, "ws", { headers: forwarded === null ? {} : { "X-Forwarded-For": forwarded } });
    const good = from("198.51.100.9, 203.0.113.7");
    await until(() => good.opened);
    good.send(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    expect(rig.receiver.messages[0]!.flow.remoteAddress).toBe("203.0.113.7");
    for (const forwarded of [null, "", "unknown", "203.0.113.7, nobody", "203.0.113.7, 198.51.100.9"]) {
      const refused = from(forwarded);
      await until(() => refused.closed);
      expect(refused.opened).toBe(false);
    }
    expect(rig.metric("ws_refused_total", { status: "400" })).toBe(4);
    good.socket.close();
    rig.transports.close();
  });

  test("ARC-23 whoever is no balancer may say nothing about itself", async () => {
    const rig = await listening("ws", [], { balancers: ["192.0.2.1"] });
    const liar = new WsPeer(rig, "ws", { headers: { "X-Forwarded-For": "203.0.113.7" } });
    await until(() => liar.opened);
    liar.send(sip("hello"));
    await until(() => rig.receiver.messages.length === 1);
    expect(rig.receiver.messages[0]!.flow.remoteAddress).toBe(HOST);
    liar.socket.close();
    rig.transports.close();
  });

  for (const [written, read] of [
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.7:40000", "203.0.113.7"],
    ["2001:DB8:0::7", "2001:db8::7"],
    ["[2001:db8::7]:40000", "2001:db8::7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["203.0.113.7,", null],
    ["fe80::1%lo", null],
    ["_hidden", null],
  ] as const)
    test(`X-Forwarded-For: ${written}: ${read ?? "nobody"}`, () =>
      expect(forwardedFor(new Headers({ "x-forwarded-for": written }))).toBe(read));

  test("the refusal says why, to a browser as to curl", async () => {
    const rig = await listening("ws");
    const { port } = rig.endpoint("ws");
    const answer = await fetch(`http://${HOST}:${port}/`);
    expect([answer.status, await answer.text()]).toEqual([
      426,
      "SIP over WebSocket (RFC 7118) is spoken here\n",
    ]);
    expect(rig.metric("ws_refused_total", { status: "426" })).toBe(1);
    rig.transports.close();
  });
});
