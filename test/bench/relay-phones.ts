/**
 * The phones of test/bench/relay.ts: two for each call, which send G.711 every 20 ms, and one who asks for an echo
 * every 5 ms. Says as JSON what was sent and received, and how long the echo took.
 *
 *     bun relay-phones.ts ECHO_PORT SECONDS [[PORT_OF_CALLER, PORT_OF_CALLEE], …]
 */
const ADDRESS = "127.0.0.1";
const PACKET_MS = 20;
const ECHO_MS = 5;

const [echoPort = 0, seconds = 0] = process.argv.slice(2).map(Number);
const ports = JSON.parse(process.argv[4] ?? "[]") as [number, number][];
let sent = 0;
let received = 0;
const echoes: number[] = [];

const phones = await Promise.all(
  ports.flat().map((_, index) =>
    Bun.udpSocket({
      hostname: ADDRESS,
      port: 20_000 + 2 * index,
      socket: { data: () => void received++, error() {} },
    }),
  ),
);
const asker = await Bun.udpSocket({
  hostname: ADDRESS,
  port: 0,
  socket: { data: (_, bytes) => void echoes.push(performance.now() - bytes.readDoubleLE(0)), error() {} },
});

const packet = Buffer.alloc(172, 0xff);
packet[0] = 0x80;
packet[1] = 0;
const question = Buffer.alloc(8);
const start = performance.now();
const end = start + seconds * 1000;
let round = 0;
let asked = 0;
/** Phones do not send all at once: each call has its own place in the 20 ms. */
while (performance.now() < end) {
  const now = performance.now() - start;
  while (asked * ECHO_MS <= now) {
    asked++;
    question.writeDoubleLE(performance.now());
    asker.send(question, echoPort, ADDRESS);
  }
  const due = Math.floor((now / PACKET_MS) * phones.length);
  for (; round < due; round++) {
    const index = round % phones.length;
    packet.writeUInt16BE(Math.floor(round / phones.length) & 0xffff, 2);
    packet.writeUInt32BE((Math.floor(round / phones.length) * 160) >>> 0, 4);
    packet.writeUInt32BE(index + 1, 8);
    phones[index]!.send(packet, ports[index >> 1]![index & 1]!, ADDRESS);
    sent++;
  }
  await Bun.sleep(1);
}
await Bun.sleep(200);
echoes.sort((a, b) => a - b);
const at = (share: number): number =>
  echoes[Math.min(echoes.length - 1, Math.floor(share * echoes.length))] ?? 0;
process.stdout.write(
  JSON.stringify({ sent, received, echo_ms: { p50: at(0.5), p99: at(0.99), max: echoes.at(-1) ?? 0 } }),
);
process.exit(0);

export {}; // makes it a module, which may wait at its top
