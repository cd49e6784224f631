/**
 * The run of million.proof.ts, in a network of its own: `million-run.ts MESSAGES SEED`. Says in the end, as JSON, what
 * was sent and what became of the process.
 */
import { Mutator } from "../fuzz/mutate.ts";
import { ByteSpoiler } from "../fuzz/spoil-bytes.ts";
import { CORPUS } from "../rfc/4475/corpus.ts";
import { Edge } from "../support/edge.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { audio } from "./sip-lines.ts";

const [messages = 0, seed = 1] = process.argv.slice(2).map(Number);
const EDGE = "127.0.0.31";
const TRUSTED_SENDER = "127.0.0.32";
const STRANGER = "127.1.0.1";
const SITE = [
  '[auth]\ntrusted_networks = ["127.0.0.0/16"]',
  "[guard]\nrate_per_s = 100000\nburst = 1000000",
  "[timers]\nt1_ms = 100",
  '[media]\nrelay = "always"',
  "[limits]\ntransactions_per_source_max = 20000",
].join("\n");
const DATAGRAM_BYTES_MAX = 65_507;
/** Sent without a pause; then the appliance is asked for an answer, so that it is never drowned. */
const BATCH = 100;
/** Every so many-th batch goes over connections. */
const STREAM_EVERY = 10;
const LOOK_EVERY = 20_000;
/** 64 * T1 twice over, and as much again. */
const QUIET_MS_MAX = 60_000;

export interface MillionReport {
  readonly seed: number;
  readonly sent: number;
  readonly bytes: number;
  readonly streamed: number;
  readonly received: number;
  readonly exceptions: number;
  readonly rss_mb: readonly number[];
  readonly transactions: number;
  readonly calls: number;
  readonly connections: number;
  readonly registered: string;
  readonly exit: number;
  readonly starts: number;
}

const edge = await Edge.start({ addresses: [EDGE], toml: SITE });

/** Requests that get far: to somebody who is registered, inside and outside of dialogs. */
const METHODS = [
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "REGISTER",
  "OPTIONS",
  "SUBSCRIBE",
  "NOTIFY",
  "PUBLISH",
  "UPDATE",
  "REFER",
];
const typical = METHODS.map((method) => {
  const body = method === "INVITE" ? audio(TRUSTED_SENDER, 4000) : "";
  const type = body === "" ? "" : "Content-Type: application/sdp\r\n";
  return (
    `${method} sip:ben@${edge.hostPort} SIP/2.0\r\nVia: SIP/2.0/UDP ${TRUSTED_SENDER}:5060;rport;branch=z9hG4bK${method}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:ann@${edge.hostPort}>;tag=a\r\nTo: <sip:ben@${edge.hostPort}>\r\nCall-ID: ${method}\r\n` +
    `CSeq: 1 ${method}\r\nContact: <sip:ann@${TRUSTED_SENDER}:9>\r\nRoute: <sip:${edge.hostPort};lr>\r\n${type}` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  );
});
const originals = [
  ...typical,
  ...typical,
  ...typical,
  ...[...CORPUS.values()].map((bytes) => bytes.toString("latin1")),
];
const STUN = Buffer.from("000100002112a442000102030405060708090a0b", "hex");

const dice = new SeededDice(seed);
const mutator = new Mutator(dice, originals);
const spoiler = new ByteSpoiler(dice);
const next = (): Buffer =>
  spoiler.below(20) === 0
    ? spoiler.spoil(STUN)
    : Buffer.from(mutator.spoil(mutator.renew(mutator.pick(originals))), "latin1");

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${edge.api}/metrics`)).text();
  let sum = 0;
  for (const line of text.split("\n"))
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      sum += Number(line.slice(line.lastIndexOf(" ")));
  return sum;
}

const data = () => {};
const senders = await Promise.all(
  [TRUSTED_SENDER, STRANGER].map((hostname) => Bun.udpSocket({ hostname, socket: { data, error() {} } })),
);
const ann = await UdpPhone.open("127.0.0.33", [EDGE, edge.port]);
const ben = await UdpPhone.open("127.0.0.34", [EDGE, edge.port]);
await registerOpenly(ben, "ben", edge.hostPort);

let sent = 0;
let bytes = 0;
let streamed = 0;
const rss_mb: number[] = [];

function sendDatagrams(): void {
  for (let i = 0; i < BATCH; i++) {
    const datagram = next().subarray(0, DATAGRAM_BYTES_MAX);
    senders[spoiler.below(4) === 0 ? 1 : 0]!.send(datagram, edge.port, EDGE);
    bytes += datagram.length;
  }
}

/** A batch over one connection, cut anywhere; the appliance may hang up before its end. */
async function sendStream(): Promise<void> {
  const stream = Buffer.concat(Array.from({ length: BATCH }, () => next().subarray(0, 4000)));
  const socket = await Bun.connect({ hostname: EDGE, port: edge.port, socket: { data, error() {} } });
  for (let at = 0; at < stream.length && socket.readyState > 0; ) {
    const written = socket.write(stream.subarray(at, at + 1 + spoiler.below(3000)));
    if (written < 0) break;
    at += written;
    if (written === 0) await Bun.sleep(1);
  }
  socket.end();
  bytes += stream.length;
  streamed += BATCH;
}

for (let batch = 1; sent < messages; batch++) {
  if (batch % STREAM_EVERY === 0) await sendStream();
  else sendDatagrams();
  sent += BATCH;
  ann.forget();
  const probe = ann.request("OPTIONS", `sip:${edge.hostPort}`, "sip:ann@ann.test");
  await ann.ask(probe, 20_000);
  if (sent % LOOK_EVERY !== 0) continue;
  rss_mb.push(Math.round((await metric("process_resident_memory_bytes")) / 1024 / 1024));
  process.stderr.write(
    `${sent} sent, RSS ${rss_mb.at(-1)} MB, transactions ${await metric("sipedge_transactions")}\n`,
  );
}
// Another phone than the one whose name all the spoilt messages bear: requests to that one are still under way.
const carl = await UdpPhone.open("127.0.0.35", [EDGE, edge.port]);
const [registered = ""] = (await registerOpenly(carl, "carl", edge.hostPort)).split("\r\n", 1);
await wholeCall(ann, carl, "carl", edge.hostPort);
const quiet = performance.now() + QUIET_MS_MAX;
while ((await metric("sipedge_transactions")) > 0 && performance.now() < quiet) await Bun.sleep(500);
rss_mb.push(Math.round((await metric("process_resident_memory_bytes")) / 1024 / 1024));
const report: MillionReport = {
  seed,
  sent,
  bytes,
  streamed,
  received: await metric("sipedge_udp_datagrams_received_total"),
  exceptions: (await metric("sipedge_exceptions_total")) + (await metric("sipedge_receiver_faults_total")),
  rss_mb,
  transactions: await metric("sipedge_transactions"),
  calls: await metric("sipedge_calls"),
  connections: await metric("sipedge_tcp_connections"),
  registered,
  starts: edge.program.output.split(/ ready /).length - 1,
  exit: await edge.stop(),
};
for (const each of [ann, ben, carl, ...senders]) each.close();
process.stdout.write(`${JSON.stringify(report)}\n`);
