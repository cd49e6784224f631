import { afterEach, describe, expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import type { SocketOptions } from "../../src/transport/socket-options.ts";
import { loadSocketOptions, noSocketOptions } from "../../src/transport/socket-options.ts";
import { hasIPv6 } from "../support/edge.ts";
import { Rig, sip, TCP, UDP, until } from "./rig.ts";

const HOST = "127.0.0.1";
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

const IPV6 = await hasIPv6();

async function listening(socketOptions?: SocketOptions, udp = UDP): Promise<Rig> {
  const rig = new Rig(socketOptions ? { socketOptions } : {});
  open.push(rig.transports);
  await rig.listen([["udp", HOST]], TCP, udp);
  return rig;
}

async function peer(
  onData: (bytes: Buffer) => void = () => undefined,
  hostname = HOST,
): Promise<Bun.udp.Socket<"buffer">> {
  const socket = await Bun.udpSocket({
    hostname,
    port: 0,
    socket: { data: (_socket, bytes) => onData(bytes) },
  });
  open.push(socket);
  return socket;
}

describe("UDP sends that cannot work", () => {
  const cases: [string, string, string, number, Buffer][] = [
    ["larger than a datagram", "too_large", HOST, 5060, Buffer.alloc(70_000)],
    ["to a broadcast address", "denied", "255.255.255.255", 5060, Buffer.from(sip("x"))],
  ];
  for (const [name, reason, address, port, bytes] of cases) {
    const flowOf = (rig: Rig) => {
      expect(rig.transports.flowTo("udp", HOST, port)?.send(Buffer.from("x"))).toBe(true);
      return rig.transports.flowById(`udp:${HOST}:${rig.endpoint("udp").port}>${address}:${port}`)!;
    };
    const sent = (rig: Rig) => rig.metric("udp_datagrams_sent_total");
    const failed = (rig: Rig) => [
      rig.metric("udp_send_failed_total"),
      rig.metric("udp_send_failed_total", { reason }),
    ];

    test(`${name}, one by one: false and counted as ${reason}`, async () => {
      const rig = await listening(undefined, { ...UDP, send_in_batches: false });
      expect(flowOf(rig).send(bytes)).toBe(false);
      expect([...failed(rig), sent(rig)]).toEqual([1, 1, 1]);
    });

    test(`${name}, in a batch: counted as ${reason}, false from then on, and the others leave`, async () => {
      const rig = await listening();
      const flow = flowOf(rig);
      flow.send(bytes);
      rig.transports.flowTo("udp", HOST, port)?.send(Buffer.from("y"));
      await until(() => sent(rig) === 2);
      expect(failed(rig)).toEqual([1, 1]);
      expect(flow.send(bytes)).toBe(false);
      expect([...failed(rig), sent(rig)]).toEqual([2, 2, 2]);
    });
  }
});

describe("many datagrams in one turn", () => {
  for (const [family, host] of [
    ["IPv4", "127.0.0.1"],
    ["IPv6", "::1"],
  ] as const)
    for (const [story, options] of [
      ["by one system call", UDP],
      ["one by one", { ...UDP, send_in_batches: false }],
      ["where the platform has no such call", UDP],
    ] as const)
      test.skipIf(family === "IPv6" && !IPV6)(
        `${family}, ${story}: all arrive in their order, byte for byte, big ones among them`,
        async () => {
          const rig = new Rig(story.startsWith("where") ? { socketOptions: noSocketOptions } : {});
          open.push(rig.transports);
          await rig.listen([["udp", host]], TCP, options);
          const got: Buffer[] = [];
          const far = await peer((bytes) => got.push(Buffer.from(bytes)), host);
          const flow = rig.transports.flowTo("udp", host, far.port)!;
          const sizes = Array.from({ length: 100 }, (_, i) => (i % 50 === 49 ? 9000 : 5 + ((i * 97) % 300)));
          const all = sizes.map((size, i) => Buffer.alloc(size, i));
          for (const bytes of all) {
            expect(flow.send(bytes)).toBe(true);
          }
          await until(() => got.length === all.length);
          expect(got.every((bytes, i) => bytes.equals(all[i]!))).toBe(true);
          await until(() => rig.metric("udp_datagrams_sent_total") === all.length);
        },
      );

  test("what waits when the socket closes still leaves", async () => {
    const rig = await listening();
    let got = 0;
    const far = await peer(() => void got++);
    for (let i = 0; i < 5; i++)
      rig.transports.flowTo("udp", HOST, far.port)!.send(Buffer.from(sip(String(i))));
    rig.transports.close();
    await until(() => got === 5);
  });
});

describe("a datagram", () => {
  test("of the largest size arrives whole", async () => {
    const rig = await listening();
    const far = await peer();
    far.send(Buffer.alloc(65_507, 120), rig.endpoint("udp").port, HOST);
    await until(() => rig.receiver.messages.length === 1);
    expect(rig.receiver.messages[0]?.text.length).toBe(65_507);
    expect(rig.metric("udp_datagrams_truncated_total")).toBe(0);
  });

  test("that is short but no keep-alive is for the receiver to judge", async () => {
    const rig = await listening();
    const far = await peer();
    const { port } = rig.endpoint("udp");
    for (const text of ["a", "\r\n\r\n\r\n", "\0\0\0\0\0", "\r\n x"]) far.send(text, port, HOST);
    await until(() => rig.receiver.messages.length === 4);
    expect(rig.metric("keepalives_total")).toBe(0);
  });
});

describe("a peer whose port answers with ICMP", () => {
  for (const [name, options] of [
    ["with socket options", loadSocketOptions(silentLog)],
    ["without them, by resending", noSocketOptions],
  ] as const) {
    test(`costs no other peer a packet, ${name}`, async () => {
      const rig = await listening(options);
      let got = 0;
      const live = await peer(() => {
        got++;
      });
      const gone = await peer();
      const deadPort = gone.port;
      gone.close();
      const toLive = rig.transports.flowTo("udp", HOST, live.port)!;
      const toDead = rig.transports.flowTo("udp", HOST, deadPort)!;
      const ROUNDS = 100;
      let dropped = 0;
      for (let i = 0; i < ROUNDS; i++) {
        toDead.send(Buffer.from("x"));
        if (!toLive.send(Buffer.from(sip(String(i))))) dropped++;
        if (i % 10 === 9) await Bun.sleep(1);
      }
      expect(dropped).toBe(0);
      await until(() => got === ROUNDS);
    });
  }
});

describe("socket options", () => {
  test("a receive buffer the kernel does not grant is said in the log, once per socket", async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (event: string) => void lines.push(event) };
    const rig = new Rig({ socketOptions: noSocketOptions, log });
    open.push(rig.transports);
    await rig.listen([["udp", HOST]]);
    expect(lines).toEqual(["udp-receive-buffer-small"]);
  });

  test("the kernel names the address it would send from", () => {
    const options = loadSocketOptions(silentLog);
    expect(options.sourceAddress("127.0.0.1")).toBe("127.0.0.1");
    expect(options.sourceAddress("::1")).toBe("::1");
  });
});
