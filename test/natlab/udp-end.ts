/**
 * One UDP socket as a program: says on each line which text it heard from where. SIGUSR1 and SIGUSR2 make it
 * send to its first and its second place.
 *
 *     bun udp-end.ts 192.168.1.10:4000 [203.0.113.1:5000=text] [203.0.113.2:5000=text]
 */
interface Place {
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

function place(argument: string | undefined): Place | null {
  const [, address, port, text = ""] = /^([\d.]+):(\d+)(?:=(.*))?$/.exec(argument ?? "") ?? [];
  return address === undefined ? null : { address, port: Number(port), text };
}

const [own, first, second] = process.argv.slice(2).map(place);
if (!own) throw new Error("usage: udp-end.ts ADDRESS:PORT [ADDRESS:PORT=TEXT] [ADDRESS:PORT=TEXT]");
const socket = await Bun.udpSocket({
  hostname: own.address,
  port: own.port,
  socket: {
    data: (_, bytes, port, address) => say(`heard ${bytes.toString()} from ${address}:${port}`),
    error: () => {},
  },
});
process.on("SIGUSR1", () => send(first));
process.on("SIGUSR2", () => send(second));
say("open");

function send(to: Place | null | undefined): void {
  if (to) socket.send(to.text, to.port, to.address);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export {}; // makes it a module, which may wait at its top
