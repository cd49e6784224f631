/**
 * The runs of faults-network.proof.ts, in a network of their own: `faults-network-run.ts STORY`. Says in the end, as
 * JSON, what was seen.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { a, replyBytes } from "../dns/name-servers.ts";
import { run } from "../natlab/namespace.ts";
import { Edge } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import type { Place } from "./disordered-path.ts";
import { DisorderedPath } from "./disordered-path.ts";
import { MixedPhones } from "./mixed-phones.ts";
import type { Rates } from "./mixed-traffic.ts";
import { MixedTraffic } from "./mixed-traffic.ts";
import { statusOf } from "./sip-lines.ts";

const EDGE = "127.0.0.31";
const CALLERS = "127.0.0.32";
const PHONES = "127.0.0.33";
const NAME_SERVER = "127.0.0.34";
const OUTSIDE = "10.99.0.1";
const OUTSIDE_PHONE = "10.99.0.2";
/** A phone that says nothing has failed after 6.4 s. */
const HASTE = "[timers]\nt1_ms = 100\n";
const TRUSTED = '[auth]\ntrusted_networks = ["127.0.0.0/8", "10.0.0.0/8"]\n';
const RATES: Rates = {
  register: 40,
  answer: 15,
  ring: 5,
  busy: 5,
  silent: 0,
  options: 20,
  connection: 5,
  broken: 0,
};

type Seen = Record<string, unknown>;

/** Mixed traffic while `during` runs: what was asked, and what was not answered. */
async function traffic(
  edge: Edge,
  rates: Rates,
  during: (phones: MixedPhones) => Promise<void>,
  before: (mixed: MixedTraffic, phones: MixedPhones) => Promise<void> = async () => {},
): Promise<Seen> {
  const phones = await MixedPhones.open(PHONES);
  const mixed = await MixedTraffic.open([EDGE, edge.port], CALLERS, phones, 1);
  await before(mixed, phones);
  const load = mixed.run(rates);
  await during(phones);
  mixed.halt();
  await load;
  mixed.close();
  phones.close();
  const { counts, forgotten, statuses } = mixed.ledger;
  return { counts: Object.fromEntries(counts), forgotten, statuses: Object.fromEntries(statuses) };
}

async function exceptions(edge: Edge): Promise<number> {
  const text = await (await fetch(`${edge.api}/metrics`)).text();
  return Number(/^sipedge_exceptions_total (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}

const plug = (): void => {
  run(["ip", "link", "add", "out0", "type", "veth", "peer", "name", "out1"]);
  for (const address of [OUTSIDE, OUTSIDE_PHONE])
    run(["ip", "address", "add", `${address}/24`, "dev", "out0"]);
  run(["ip", "link", "set", "out0", "up"]);
  run(["ip", "link", "set", "out1", "up"]);
};
const unplug = (): void => void run(["ip", "link", "delete", "out0"]);

/** A phone whose packets have no way out is a phone that is not heard. */
function tries(send: () => void): void {
  try {
    send();
  } catch {
    // ENETUNREACH
  }
}

/** An interface with a listener and a registered phone goes away, and comes back. */
async function anInterface(): Promise<Seen> {
  plug();
  const edge = await Edge.start({ addresses: [EDGE, OUTSIDE], toml: TRUSTED + HASTE });
  const ann = await UdpPhone.open(CALLERS, [EDGE, edge.port]);
  const ben = await UdpPhone.open(PHONES, [EDGE, edge.port]);
  const carl = await UdpPhone.open(OUTSIDE_PHONE, [OUTSIDE, edge.port]);
  await registerOpenly(ben, "ben", edge.hostPort);
  await registerOpenly(carl, "carl", edge.hostPort);
  await wholeCall(ann, carl, "carl", edge.hostPort);
  let gone = 0;
  await wholeCall(ann, ben, "ben", edge.hostPort, async () => {
    unplug();
    const uri = `sip:carl@${edge.hostPort}`;
    const from = `sip:ann@${edge.hostPort}`;
    const contact = [`Contact: <sip:ann@${ann.address}:${ann.port}>`];
    gone = statusOf(await ann.ask(ann.request("INVITE", uri, from, contact), 40_000));
    tries(() => carl.send("OPTIONS sip:nobody SIP/2.0"));
  });
  await wholeCall(ann, ben, "ben", edge.hostPort);
  plug();
  carl.forget();
  const back = statusOf(await registerOpenly(carl, "carl", edge.hostPort));
  await wholeCall(ann, carl, "carl", edge.hostPort);
  for (const phone of [ann, ben, carl]) phone.close();
  return { gone, back, exceptions: await exceptions(edge), exit: await edge.stop() };
}

const FORGED = 20_000;
/** Type 3 code 3 about a datagram that the appliance is said to have sent to the phones. */
const FORGER = `
import socket, struct, sys, time
edge, port, phone, phone_port, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
a = socket.inet_aton
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, 0, 0, 64, 17, 0, a(edge), a(phone))
body = ip + struct.pack('!HHHH', port, phone_port, 8, 0)
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
icmp = struct.pack('!BBHI', 3, 3, 0, 0) + body
icmp = struct.pack('!BBHI', 3, 3, checksum(icmp), 0) + body
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for i in range(count):
    s.sendto(icmp, (edge, 0))
    if i % 100 == 0: time.sleep(0.02)
`;
const branchOf = (text: string): string => /branch=([^;]+)/.exec(text)?.[1] ?? "";
const CLOSED = 400;

/** Calls to phones that are gone, whose machine says so by ICMP, and ICMP that nobody's packets were the cause of. */
async function icmp(): Promise<Seen> {
  const edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED + HASTE });
  const lost = await UdpPhone.open("127.0.0.35", [EDGE, edge.port]);
  const statuses: Record<number, number> = {};
  const seen = await traffic(edge, RATES, async (phones) => {
    const port = /:(\d+)>/.exec(phones.contact("x"))![1]!;
    const forger = Bun.spawn(["python3", "-c", FORGER, EDGE, `${edge.port}`, PHONES, port, `${FORGED}`]);
    const contact = ["Contact: <sip:gone@127.0.0.36:9>", "Expires: 600"];
    const aor = `sip:gone@${edge.hostPort}`;
    await lost.ask(lost.request("REGISTER", aor, aor, contact));
    for (let i = 0; i < CLOSED; i++) {
      lost.send(...lost.request("INVITE", aor, "sip:lost@lost.test", ["Contact: <sip:lost@127.0.0.35>"]));
      if (i % 10 === 9) await Bun.sleep(50);
    }
    const finals = () => lost.received.filter((text) => /^SIP\/2\.0 [3-6]/.test(text));
    const answered = () => new Set(finals().map(branchOf)).size;
    await eventually(
      () => `${answered()} of ${CLOSED} answers`,
      () => answered() === CLOSED,
      45_000,
    );
    const byBranch = new Map(finals().map((text) => [branchOf(text), statusOf(text)]));
    for (const status of byBranch.values()) statuses[status] = (statuses[status] ?? 0) + 1;
    if ((await forger.exited) !== 0) throw new Error("no ICMP was forged");
  });
  lost.close();
  return { ...seen, closed: statuses, exceptions: await exceptions(edge), exit: await edge.stop() };
}

/** No name server, then one, then one that is silent. */
async function dns(): Promise<Seen> {
  const toml = `${TRUSTED}[dns]\nservers = ["${NAME_SERVER}:5353"]\ntimeout_ms = 300\nattempts = 2\n`;
  const edge = await Edge.start({ addresses: [EDGE], toml });
  const ann = await UdpPhone.open(CALLERS, [EDGE, edge.port]);
  const ben = await UdpPhone.open(PHONES, [EDGE, edge.port]);
  await registerOpenly(ben, "ben", edge.hostPort);
  const invite = (host: string) =>
    ann.request("INVITE", `sip:ben@${host}:${ben.port}`, "sip:ann@ann.test", [
      `Contact: <sip:ann@${ann.address}>`,
    ]);
  const asked = ann.ask(invite("far.test"));
  await wholeCall(ann, ben, "ben", edge.hostPort);
  const gone = statusOf(await asked);
  let isSilent = false;
  let questions = 0;
  const server = await Bun.udpSocket({
    hostname: NAME_SERVER,
    port: 5353,
    socket: {
      data(socket, bytes, port, address) {
        questions++;
        if (isSilent) return;
        const name = nameIn(bytes);
        const question = { id: bytes.readUInt16BE(0), questions: [{ name, type: "A" as const }] };
        const isA = bytes.readUInt16BE(bytes.indexOf(0, 12) + 1) === 1;
        if (isA) socket.send(replyBytes(question, { answers: [a(name, PHONES, 60)] }), port, address);
      },
    },
  });
  ben.forget();
  await eventually("a call to a name", async () => {
    ann.send(...invite("far.test"));
    await Bun.sleep(500);
    return ben.received.some((text) => text.startsWith(`INVITE sip:ben@far.test`));
  });
  isSilent = true;
  ben.forget();
  ann.send(...invite("far.test"));
  await ben.got(/^INVITE sip:ben@far\.test/);
  const silent = statusOf(await ann.ask(invite("other.test")));
  await wholeCall(ann, ben, "ben", edge.hostPort);
  server.close();
  for (const phone of [ann, ben]) phone.close();
  return { gone, silent, questions, exceptions: await exceptions(edge), exit: await edge.stop() };
}

/** The name a query asks for, its letters as they are. */
function nameIn(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; query[at] !== 0 && at < query.length; at += query[at]! + 1)
    labels.push(query.latin1Slice(at + 1, at + 1 + query[at]!));
  return labels.join(".");
}

const HANGUPS = 200;

/** SIGHUPs, one by one and in bursts, each with another config: right, other listeners and peers, wrong, no TOML. */
async function storm(): Promise<Seen> {
  const edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
  const plain = readFileSync(edge.configFile, "utf8");
  const listener = `[[listen]]\ntransport = "tcp"\naddress = "${EDGE}"\nport = ${edge.port + 1}\n`;
  const configs = [
    plain.replace(`["${EDGE}"]`, `["${EDGE}", "other.test"]`),
    `${plain}[registrar]\nmax_contacts = 3\n[limits]\nbranches_max = 5\n`,
    `${plain}${listener}[[peer]]\nname = "trunk"\nuris = ["sip:127.0.0.36:9"]\n`,
    `${plain}[registrar]\nmax_contacts = "no"\n`,
    `${plain}[[[\n`,
    plain,
  ];
  const seen = await traffic(edge, RATES, async () => {
    for (let i = 0; i < HANGUPS; i++) {
      writeFileSync(edge.configFile, configs[i % configs.length]!);
      edge.program.signal("SIGHUP");
      if (i % 20 < 10) await Bun.sleep(50);
    }
    writeFileSync(edge.configFile, plain.replace(`["${EDGE}"]`, `["${EDGE}", "last.test"]`));
    edge.program.signal("SIGHUP");
    await eventually("the last config to count", async () =>
      (await edge.get<{ domains: string[] }>("/v1/status")).domains.includes("last.test"),
    );
  });
  return { ...seen, exceptions: await exceptions(edge), exit: await edge.stop() };
}

/** The line looks like a NAT, which it is not. Datagrams overtake each other and come twice, between the callers and us, and between us and the phones. */
async function disorder(): Promise<Seen> {
  const edge = await Edge.start({ addresses: [EDGE], toml: `${TRUSTED}[nat]\nreasons = []\n` });
  const ours = (): Place => [EDGE, edge.port];
  const dice = new SeededDice(3);
  const paths: DisorderedPath[] = [];
  const seen = await traffic(
    edge,
    RATES,
    async () => Bun.sleep(8000),
    async (mixed, phones) => {
      const callers = await DisorderedPath.open("127.0.0.37", () => mixed.place, ours, dice);
      const called = await DisorderedPath.open("127.0.0.38", () => phones.place, ours, dice);
      mixed.way = callers.farEnd;
      phones.at = called.nearEnd;
      paths.push(callers, called);
    },
  );
  for (const path of paths) path.close();
  const { calls_total: left } = await edge.get<{ calls_total: number }>("/v1/calls");
  const [twice, overtaken] = [paths.map((path) => path.twice), paths.map((path) => path.overtaken)];
  return { ...seen, left, twice, overtaken, exceptions: await exceptions(edge), exit: await edge.stop() };
}

const STORIES: Readonly<Record<string, () => Promise<Seen>>> = {
  interface: anInterface,
  icmp,
  dns,
  storm,
  disorder,
};
const seen = await STORIES[process.argv[2] ?? ""]?.();
process.stdout.write(`${JSON.stringify(seen)}\n`);
