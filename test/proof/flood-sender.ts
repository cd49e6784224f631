/** Sends INVITEs from one address as a stranger would, so many a second for so long: `RATE SECONDS FROM TO:PORT`. */
const [rate = 0, seconds = 0] = process.argv.slice(2, 4).map(Number);
const [from = "", target = ""] = process.argv.slice(4);
const [to = "", port = ""] = target.split(":");
const BURST_MAX = 200;

const socket = await Bun.udpSocket({ hostname: from, port: 0, socket: { data() {}, error() {} } });
const invite = (n: number): string =>
  [
    `INVITE sip:bob@${to} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from}:9;branch=z9hG4bKf${n};rport`,
    "Max-Forwards: 70",
    `From: <sip:x@x>;tag=${n}`,
    `To: <sip:bob@${to}>`,
    `Call-ID: f${n}`,
    "CSeq: 1 INVITE",
    `Contact: <sip:x@${from}>`,
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");

let sent = 0;
const start = performance.now();
while (performance.now() - start < seconds * 1000) {
  const due = Math.floor(((performance.now() - start) / 1000) * rate);
  for (let i = 0; sent < due && i < BURST_MAX; i++) socket.send(invite(sent++), Number(port), to);
  await Bun.sleep(1);
}
process.stdout.write(`sent ${sent}\n`);
process.exit(0);

export {};
