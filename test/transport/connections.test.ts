import { afterEach, describe, expect, test } from "bun:test";
import type { Flow } from "../../src/base/flow.ts";
import { limitKey } from "../../src/transport/connections.ts";
import { Rig, sip, TCP, TcpPeer, TcpServer, until } from "./rig.ts";

const HOST = "127.0.0.1";
const HELLO = sip("hello");
const BLOCK = Buffer.from(sip("x".repeat(60_000)));

interface Meeting {
  rig: Rig;
  flow: Flow;
  peer: TcpPeer;
  /** Why the flow ended, as often as it was told. */
  ends: string[];
}

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function listening(options: Partial<typeof TCP> = {}): Promise<Rig> {
  const rig = new Rig();
  open.push(rig.transports);
  await rig.listen([["tcp", HOST]], { ...TCP, ...options });
  return rig;
}

async function peerOf(rig: Rig, allowHalfOpen = false): Promise<TcpPeer> {
  const peer = await TcpPeer.to(rig.endpoint("tcp"), allowHalfOpen);
  open.push({ close: () => void peer.socket.destroy() });
  return peer;
}

async function server(): Promise<TcpServer> {
  const made = await TcpServer.on(HOST);
  open.push(made);
  return made;
}

function watched(flow: Flow): string[] {
  const ends: string[] = [];
  flow.watch({ flowClosed: (_flow, reason) => void ends.push(reason) });
  return ends;
}

const accepted = async (options: Partial<typeof TCP> = {}): Promise<Meeting> => {
  const rig = await listening(options);
  const peer = await peerOf(rig);
  peer.write(HELLO);
  await until(() => rig.receiver.messages.length === 1);
  const { flow } = rig.receiver.messages[0]!;
  return { rig, peer, flow, ends: watched(flow) };
};

const opened = async (options: Partial<typeof TCP> = {}): Promise<Meeting> => {
  const rig = await listening(options);
  const there = await server();
  const flow = rig.transports.flowTo("tcp", HOST, there.port)!;
  await until(() => there.peers.length === 1);
  const peer = there.peers[0]!;
  peer.write(HELLO);
  await until(() => rig.receiver.messages.length === 1);
  return { rig, peer, flow, ends: watched(flow) };
};

for (const [name, meet] of [
  ["accepted", accepted],
  ["opened by us", opened],
] as const) {
  describe(`the end of a connection ${name}`, () => {
    const cases: [string, string, (peer: TcpPeer) => void][] = [
      ["FIN", "peer_closed", (peer) => void peer.socket.end()],
      ["FIN behind a whole message", "peer_closed", (peer) => void peer.socket.end(sip("bye"))],
      [
        "FIN in the middle of a message",
        "peer_closed_in_message",
        (peer) => void peer.socket.end("BYE sip:"),
      ],
      ["RST", "reset", (peer) => void peer.socket.resetAndDestroy()],
    ];
    for (const [how, reason, act] of cases) {
      test(`${how}: told once, ${reason}`, async () => {
        const { rig, flow, peer, ends } = await meet();
        act(peer);
        await until(() => ends.length > 0);
        expect(flow.open).toBe(false);
        expect(flow.send(Buffer.from(sip("late")))).toBe(false);
        expect(rig.metric("tcp_closed_total")).toBe(1);
        expect(rig.metric("tcp_closed_total", { reason })).toBe(1);
        expect(rig.metric("tcp_connections")).toBe(0);
        await until(() => peer.closed);
        expect(ends).toEqual([reason]);
        expect(rig.clock.pending).toBe(0);
      });
    }

    test("a slow reader gets everything in order once it reads", async () => {
      const { flow, peer, rig } = await meet({ queue_bytes_max: 30_000_000 });
      peer.socket.pause();
      let sent = "";
      for (let i = 0; i < 200; i++) {
        const text = sip(`${i} ${"y".repeat(60_000)}`);
        expect(flow.send(Buffer.from(text))).toBe(true);
        sent += text;
      }
      expect(rig.transports.snapshot().connections[0]!.queued_bytes).toBeGreaterThan(0);
      peer.socket.resume();
      await until(() => peer.text.length >= sent.length);
      expect(peer.text === sent).toBe(true);
      expect(rig.transports.snapshot().connections[0]!.queued_bytes).toBe(0);
    });

    test("a reader that stands still costs its bound, then its connection", async () => {
      const { rig, flow, peer, ends } = await meet();
      peer.socket.pause();
      let taken = 0;
      while (flow.send(BLOCK)) taken++;
      expect(taken * BLOCK.length).toBeLessThan(64_000_000);
      expect(flow.open).toBe(false);
      expect(ends).toEqual([]); // not from inside send
      await until(() => ends.length > 0);
      expect(ends).toEqual(["queue_full"]);
      expect(rig.metric("tcp_send_failed_total", { reason: "queue_full" })).toBe(1);
      peer.socket.resume();
      await until(() => peer.closed);
    });

    test("RFC 5626 §4.4.1: a ping is answered with one CRLF, a pong is not", async () => {
      const { rig, peer } = await meet();
      peer.write("\r\n\r\n");
      await until(() => peer.text === "\r\n");
      peer.write(`\r\n${sip("behind a pong")}`);
      await until(() => rig.receiver.messages.length === 2);
      expect(peer.text).toBe("\r\n");
      expect(rig.metric("keepalives_total", { kind: "ping" })).toBe(1);
      expect(rig.metric("keepalives_total", { kind: "pong" })).toBe(1);
    });

    test("RFC 3261 §18.3 no Content-Length: told at once, the answer gets out, then the end", async () => {
      const { rig, peer, ends, flow } = await meet();
      const head = "INVITE sip:b@b.test SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n";
      rig.receiver.onBroken = (broken) => void broken.send(Buffer.from("SIP/2.0 400 Bad\r\n\r\n"));
      peer.write(`${head}${sip("swallowed")}`);
      await until(() => peer.ended);
      expect(peer.text).toBe("SIP/2.0 400 Bad\r\n\r\n");
      expect(rig.receiver.faults).toEqual([{ head, flow, code: "content_length_missing" }]);
      expect(rig.receiver.messages).toHaveLength(1);
      await until(() => ends.length > 0);
      expect(ends).toEqual(["broken"]);
      expect(rig.metric("stream_broken_total", { code: "content_length_missing" })).toBe(1);
    });

    test("a broken stream whose peer reads nothing is closed all the same", async () => {
      const { rig, peer, ends, flow } = await meet({ queue_bytes_max: 64_000_000 });
      peer.socket.pause();
      rig.receiver.onBroken = (broken) => {
        for (let i = 0; i < 300; i++) broken.send(BLOCK);
      };
      peer.write("OPTIONS sip:b SIP/2.0\r\n\r\n");
      await until(() => rig.receiver.faults.length === 1);
      expect(flow.open).toBe(false);
      rig.clock.advance(4000);
      await until(() => ends.length > 0);
      expect(ends).toEqual(["broken"]);
    });

    test("a message that stalls: closed when its time is over, not before", async () => {
      const { rig, flow, peer, ends } = await meet();
      peer.write("BYE sip:b@b.test SIP/2.0\r\n");
      await until(() => rig.transports.snapshot().connections[0]!.bytes_in > HELLO.length);
      rig.clock.advance(9000);
      expect(flow.open).toBe(true);
      rig.clock.advance(2000);
      expect(flow.open).toBe(false);
      await until(() => ends.length > 0);
      expect(ends).toEqual(["partial_message_stalled"]);
    });

    test("a message that drips byte by byte: the time counts from its first byte", async () => {
      const { rig, peer, ends } = await meet();
      const text = sip("drip");
      let sent = 0;
      while (ends.length === 0 && sent < text.length) {
        const before = rig.transports.snapshot().connections[0]?.bytes_in ?? 0;
        peer.write(text[sent++]!);
        await until(() => ends.length > 0 || rig.transports.snapshot().connections[0]!.bytes_in > before);
        rig.clock.advance(1000);
        await Bun.sleep(0);
      }
      await until(() => ends.length > 0);
      expect(ends).toEqual(["partial_message_stalled"]);
      expect(sent).toBeLessThan(15);
    });

    test("whole messages again and again keep it alive, then it idles out", async () => {
      const { rig, flow, peer, ends } = await meet();
      for (let i = 2; i < 6; i++) {
        rig.clock.advance(100_000);
        peer.write(HELLO);
        await until(() => rig.receiver.messages.length === i);
      }
      expect(flow.open).toBe(true);
      rig.clock.advance(119_000);
      expect(flow.open).toBe(true);
      rig.clock.advance(2000);
      await until(() => ends.length > 0);
      expect(ends).toEqual(["idle"]);
      await until(() => peer.closed);
      expect(peer.failure).toBe("");
    });

    test("the receiver may close everything while a segment is read", async () => {
      const { rig, peer, ends } = await meet();
      rig.receiver.onMessage = () => rig.transports.close();
      peer.write(`${sip("1")}${sip("2")}`);
      await until(() => ends.length > 0);
      expect(rig.receiver.messages.map(({ text }) => text)).toEqual([HELLO, sip("1")]);
    });
  });
}

describe("accepting connections", () => {
  test("B-52 one over which no message comes is closed after first_message_s, whatever else it sends", async () => {
    const rig = await listening();
    const [silent, pinging] = [await peerOf(rig), await peerOf(rig)];
    await until(() => rig.metric("tcp_connections") === 2);
    rig.clock.advance(90_000);
    pinging.write("\r\n\r\n");
    await until(() => pinging.text !== "");
    expect(rig.metric("tcp_connections")).toBe(2);
    rig.clock.advance(11_000);
    expect(rig.metric("tcp_closed_total", { reason: "no_message" })).toBe(2);
    await until(() => silent.closed && pinging.closed);
  });

  test("connections_per_address_max: the newcomer is refused, counted, and its place is free later", async () => {
    const rig = await listening({ connections_per_address_max: 2 });
    const peers = [await peerOf(rig), await peerOf(rig)];
    await until(() => rig.metric("tcp_connections") === 2);
    const third = await peerOf(rig);
    await until(() => third.closed);
    expect(rig.metric("tcp_connections")).toBe(2);
    const refused = { direction: "in", reason: "connections_per_address_max" };
    expect(rig.metric("tcp_connections_refused_total", refused)).toBe(1);
    peers[0]!.socket.end();
    await until(() => rig.metric("tcp_connections") === 1);
    await peerOf(rig);
    await until(() => rig.metric("tcp_connections") === 2);
    expect(rig.metric("tcp_connections_accepted_total")).toBe(3);
  });

  test("connections_max counts both directions", async () => {
    const rig = await listening({ connections_max: 1 });
    const there = await server();
    expect(rig.transports.flowTo("tcp", HOST, there.port)).not.toBeNull();
    const refused = await peerOf(rig);
    await until(() => refused.closed);
    expect(rig.metric("tcp_connections_refused_total", { direction: "in", reason: "connections_max" })).toBe(
      1,
    );
    expect(rig.transports.flowTo("tcp", HOST, there.port + 1)).toBeNull();
    expect(rig.metric("tcp_connections_refused_total", { direction: "out", reason: "connections_max" })).toBe(
      1,
    );
  });

  test("gone before it was accepted: no trace stays", async () => {
    const rig = await listening();
    for (let i = 0; i < 20; i++) {
      const peer = await peerOf(rig);
      if (i % 2 === 0) peer.socket.resetAndDestroy();
      else peer.socket.destroy();
    }
    const last = await peerOf(rig);
    last.write(HELLO);
    await until(() => rig.receiver.messages.length === 1);
    await until(() => rig.metric("tcp_connections") === 1);
    expect(rig.metric("tcp_closed_total") + 1).toBe(rig.metric("tcp_connections_accepted_total"));
  });

  test("the peer that half-closed behind its request hears no more, and is told so", async () => {
    const rig = await listening();
    const peer = await peerOf(rig, true);
    peer.socket.end(HELLO);
    await until(() => rig.receiver.messages.length === 1 && rig.metric("tcp_connections") === 0);
    await until(() => peer.ended);
  });

  test("stopAccepting: no newcomers, connections live on", async () => {
    const { rig, peer, flow } = await accepted();
    rig.transports.stopAccepting();
    const late = await peerOf(rig);
    await until(() => late.closed);
    expect(late.failure).toBe("ECONNREFUSED");
    peer.write(sip("still here"));
    await until(() => rig.receiver.messages.length === 2);
    expect(flow.send(Buffer.from(sip("yes")))).toBe(true);
  });
});

describe("RFC 3261 §18.1.1 opening connections", () => {
  test("what is sent before it is open leaves in order once it is", async () => {
    const rig = await listening();
    const there = await server();
    const flow = rig.transports.flowTo("tcp", HOST, there.port)!;
    for (const text of ["1", "2", "3"]) expect(flow.send(Buffer.from(sip(text)))).toBe(true);
    expect(rig.transports.speaksTcp(HOST, there.port)).toBe(false);
    await until(() => there.peers[0]?.text === `${sip("1")}${sip("2")}${sip("3")}`);
    expect(rig.transports.speaksTcp(HOST, there.port)).toBe(true);
    expect(rig.metric("tcp_connections_opened_total")).toBe(1);
  });

  test("the connection there is serves again, accepted or not; a closed one does not", async () => {
    const { rig, flow, peer } = await opened();
    const again = rig.transports.flowTo("tcp", flow.remoteAddress, flow.remotePort);
    expect(again).toBe(flow);
    peer.socket.end();
    await until(() => !flow.open);
    const fresh = rig.transports.flowTo("tcp", flow.remoteAddress, flow.remotePort)!;
    expect(fresh.id).not.toBe(flow.id);
    expect(rig.transports.speaksTcp(flow.remoteAddress, flow.remotePort)).toBe(true);

    const other = await accepted();
    expect(other.rig.transports.flowTo("tcp", HOST, other.flow.remotePort)).toBe(other.flow);
    expect(other.rig.transports.speaksTcp(HOST, other.flow.remotePort)).toBe(true);
  });

  test("nobody listens: connect_refused, and the queue is gone", async () => {
    const rig = await listening();
    const there = await server();
    const { port } = there;
    there.close();
    const flow = rig.transports.flowTo("tcp", HOST, port)!;
    const ends = watched(flow);
    expect(flow.send(Buffer.from(HELLO))).toBe(true);
    await until(() => ends.length > 0);
    expect(ends).toEqual(["connect_refused"]);
    expect(flow.send(Buffer.from(HELLO))).toBe(false);
    expect(rig.transports.speaksTcp(HOST, port)).toBe(false);
  });

  test("the queue of a connection being opened has the same bound", async () => {
    const rig = await listening();
    const there = await server();
    const flow = rig.transports.flowTo("tcp", HOST, there.port)!;
    const ends = watched(flow);
    let taken = 0;
    while (flow.send(BLOCK)) taken += BLOCK.length;
    expect(taken).toBeLessThanOrEqual(TCP.queue_bytes_max);
    await until(() => ends.length > 0);
    expect(ends).toEqual(["queue_full"]);
  });

  test("no answer to the SYN: connect_timeout", async () => {
    const rig = await listening();
    const there = await server();
    const flow = rig.transports.flowTo("tcp", HOST, there.port)!;
    const ends = watched(flow);
    rig.clock.advance(3900); // the loop does not turn meanwhile: no answer has been seen yet
    expect(flow.open).toBe(true);
    rig.clock.advance(600);
    expect(flow.open).toBe(false);
    await until(() => ends.length > 0);
    expect(ends).toEqual(["connect_timeout"]);
  });

  test("closed while it is being opened: the socket does not stay", async () => {
    const rig = await listening();
    const there = await server();
    const flow = rig.transports.flowTo("tcp", HOST, there.port)!;
    rig.transports.close();
    expect(flow.open).toBe(false);
    await Bun.sleep(20);
    expect(there.peers.every((peer) => peer.closed)).toBe(true);
  });
});

describe("the sweep", () => {
  test("does not tick without connections", async () => {
    const rig = await listening();
    expect(rig.clock.pending).toBe(0);
    const peer = await peerOf(rig);
    await until(() => rig.metric("tcp_connections") === 1);
    expect(rig.clock.pending).toBe(1);
    await peerOf(rig);
    await until(() => rig.metric("tcp_connections") === 2);
    expect(rig.clock.pending).toBe(1);
    rig.clock.advance(10_000);
    expect(rig.clock.pending).toBe(1);
    peer.socket.end();
    rig.transports.close();
    expect(rig.clock.pending).toBe(0);
  });
});

describe("what counts as one peer for limits", () => {
  test("IPv4: the address; IPv6: the /64", () => {
    expect(limitKey("192.0.2.1")).toBe("192.0.2.1");
    expect(limitKey("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
    expect(limitKey("2001:db8:1:2::9")).toBe("2001:db8:1:2");
    expect(limitKey("2001:db8::9")).toBe("2001:db8:0:0");
    expect(limitKey("::1")).toBe("0:0:0:0");
    expect(limitKey("fd00:1:2:3::")).toBe("fd00:1:2:3");
  });
});
