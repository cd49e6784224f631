/**
 * Sends RTP to every port of a range, round after round, and says on a line what it hears from there.
 *
 *     bun spray.ts 203.0.113.66:7000 203.0.113.10:12000-12399
 */
const ROUND_MS = 100;

const [own = "", range = ""] = process.argv.slice(2);
const [address = "", port] = own.split(":");
const [, target = "", first, last] = /^([\d.]+):(\d+)-(\d+)$/.exec(range) ?? [];
const socket = await Bun.udpSocket({
  hostname: address,
  port: Number(port),
  socket: {
    data: (_, bytes, from) => say(`heard ${bytes.length} bytes from port ${from}`),
    error: () => {},
  },
});

/** G.711 of nothing, from a source of its own. */
const packet = Buffer.alloc(172, 0xff);
packet[0] = 0x80;
packet[1] = 0;
packet.writeUInt32BE(0x66666666, 8);
let round = 0;
const timer = setInterval(() => {
  round++;
  packet.writeUInt16BE(round, 2);
  packet.writeUInt32BE(round * 160, 4);
  for (let to = Number(first); to <= Number(last); to++) {
    try {
      socket.send(packet, to, target);
    } catch {
      // A closed port says so by ICMP, which fails the next send.
    }
  }
  say(`round ${round}`);
}, ROUND_MS);
process.on("SIGTERM", () => {
  clearInterval(timer);
  socket.close();
  process.exit(0);
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export {}; // makes it a module, which may wait at its top
