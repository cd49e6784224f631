import { afterEach, describe, expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import type { SocketOptions } from "../../src/transport/socket-options.ts";
import { loadSocketOptions, noSocketOptions } from "../../src/transport/socket-options.ts";
import { Rig, sip, until } from "./rig.ts";

const HOST = "127.0.0.1";
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function listening(socketOptions?: SocketOptions): Promise<Rig> {
  const rig = new Rig(socketOptions ? { socketOptions } : {});
  open.push(rig.transports);
  await rig.listen([["udp", HOST]]);
  return rig;
}

async function peer(onData: (bytes: Buffer) => void = () => undefined): Promise<Bun.udp.Socket<"buffer">> {
  const socket = await Bun.udpSocket({
    hostname: HOST,
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
    test(`${name}: false and counted as ${reason}`, async () => {
      const rig = await listening();
      expect(rig.transports.flowTo("udp", HOST, port)?.send(Buffer.from("x"))).toBe(true);
      const flow = rig.transports.flowById(`udp:${HOST}:${rig.endpoint("udp").port}>${address}:${port}`)!;
      expect(flow.send(bytes)).toBe(false);
      expect(rig.metric("udp_send_failed_total")).toBe(1);
      expect(rig.metric("udp_send_failed_total", { reason })).toBe(1);
      expect(rig.metric("udp_datagrams_sent_total")).toBe(1);
    });
  }
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
