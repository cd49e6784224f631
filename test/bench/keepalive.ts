#!/usr/bin/env bun
/**
 * CPU time of keep-alive pings beside Debian's Kamailio with nathelper, in one run, round by round in turn: 10,000
 * phones, each on a socket of its own, register with a private Contact, are pinged every five seconds, and answer what
 * asks for an answer.
 *
 *     bun test/bench/keepalive.ts [--rounds N] [--method options|zero_bytes]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { rounds: { type: "string" }, method: { type: "string", default: "options" } },
});
const ZERO_BYTES = "zero_bytes";
const METHOD = values.method === ZERO_BYTES ? ZERO_BYTES : "options";
const ROUNDS = Number(values.rounds ?? 2);
const PHONES = 10_000;
const INTERVAL_S = 5;
const MEASURED_S = 30;
/** Until what the registrations left behind is over: their transactions live on for 32 s, and memory is tidied. */
const SETTLE_S = 45;
const PORT = 5970;
const EDGE = "127.0.0.2";
const WINDOW = 100;
const TICK_MS = 10;
const ROOT = join(import.meta.dir, "../..");

type Socket = Bun.udp.Socket<"buffer">;
type Kind = "sipedge" | "Kamailio nathelper";

const ADDRESSES = 100;
const PORTS_PER_ADDRESS = PHONES / ADDRESSES;
const PORT_FIRST = 20_000;

let pinged = 0;
let registered = 0;
const sockets: Socket[] = [];

/** Phone `i` has an address and port of its own, as phones behind NATs have. */
async function openPhone(i: number): Promise<void> {
  const hostname = `127.0.1.${1 + Math.floor(i / PORTS_PER_ADDRESS)}`;
  const socket = await Bun.udpSocket({
    hostname,
    port: PORT_FIRST + (i % PORTS_PER_ADDRESS),
    socket: {
      data(own, bytes, port, address) {
        if (bytes[0] === 0) {
          pinged++;
          return;
        }
        const text = bytes.toString("latin1");
        if (text.startsWith("SIP/2.0 200")) registered++;
        else if (text.startsWith("OPTIONS")) {
          pinged++;
          own.send(answerTo(text), port, address);
        }
      },
      error() {},
    },
  });
  sockets[i] = socket;
}

function answerTo(ping: string): string {
  const mirrored = ping.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq):/i.test(line));
  return `SIP/2.0 200 OK\r\n${mirrored.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`;
}

function registerOf(i: number): string {
  const via = `SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bKr${i};rport`;
  const lines = [
    "REGISTER sip:bench.test SIP/2.0",
    `Via: ${via}`,
    "Max-Forwards: 70",
    `From: <sip:u${i}@bench.test>;tag=${i}`,
    `To: <sip:u${i}@bench.test>`,
    `Call-ID: r${i}@bench`,
    "CSeq: 1 REGISTER",
    `Contact: <sip:u${i}@192.168.1.10:5060>;expires=3600`,
    "Content-Length: 0",
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** So many at a time; one that is lost is sent again. */
async function registerAll(): Promise<void> {
  registered = 0;
  for (let from = 0; from < PHONES; from += WINDOW) {
    for (let again = 0; registered < from + WINDOW && again < 200; again++) {
      if (again % 20 === 0)
        for (let i = from; i < from + WINDOW; i++) sockets[i]!.send(registerOf(i), PORT, EDGE);
      await Bun.sleep(5);
    }
  }
}

function commandOf(kind: Kind, dir: string): string[] {
  if (kind === "sipedge") {
    const file = join(dir, "bench.toml");
    writeFileSync(
      file,
      `config_version = 1
domains = ["bench.test"]
data_dir = "${dir}/data"
[[listen]]
transport = "udp"
address = "${EDGE}"
port = ${PORT}
[http]
enabled = false
[log]
level = "warn"
[auth]
trusted_networks = ["127.0.0.0/8"]
[keepalive]
interval_s = ${INTERVAL_S}
method = "${METHOD}"
`,
    );
    return [process.execPath, join(ROOT, "src/main.ts"), "serve", "--config", file];
  }
  const file = join(dir, "kamailio.cfg");
  const modules = ["tm", "sl", "pv", "usrloc", "registrar", "textops", "siputils", "kex", "nathelper"];
  writeFileSync(
    file,
    `#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
alias="bench.test"
listen=udp:${EDGE}:${PORT}
disable_tcp=yes
${modules.map((name) => `loadmodule "${name}.so"`).join("\n")}
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "nat_bflag", 6)
modparam("nathelper", "natping_interval", ${INTERVAL_S})
modparam("nathelper", "ping_nated_only", 1)
modparam("nathelper", "sipping_bflag", 7)
modparam("nathelper", "sipping_from", "sip:keepalive@bench.test")
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
request_route {
  if(is_method("REGISTER")) { fix_nated_register(); setbflag(6); ${METHOD === ZERO_BYTES ? "" : "setbflag(7); "}save("location"); exit; }
  if(is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
}
`,
  );
  return [
    "/usr/sbin/kamailio",
    "-f",
    file,
    "-m",
    "1024",
    "-M",
    "64",
    "-DD",
    "-E",
    "-x",
    "tlsf",
    "-X",
    "tlsf",
  ];
}

function fieldsOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** CPU milliseconds of a process and its descendants. */
function cpuOf(root: number): number {
  const all = new Set([root]);
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
  for (let pass = 0; pass < 3; pass++)
    for (const pid of pids) if (all.has(Number(fieldsOf(pid)[1]))) all.add(pid);
  let ticks = 0;
  for (const pid of all) ticks += Number(fieldsOf(pid)[11] ?? 0) + Number(fieldsOf(pid)[12] ?? 0);
  return ticks * TICK_MS;
}

/** CPU µs for each ping that a phone got, and how many those were. */
async function measure(kind: Kind): Promise<{ readonly us: number; readonly pings: number }> {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-pings-"));
  const child = Bun.spawn(commandOf(kind, dir), { stdout: "ignore", stderr: "ignore", cwd: dir });
  try {
    await Bun.sleep(3000);
    await registerAll();
    if (registered < PHONES) throw new Error(`${kind}: only ${registered} phones could register`);
    await Bun.sleep(SETTLE_S * 1000);
    const [cpu, before] = [cpuOf(child.pid), pinged];
    await Bun.sleep(MEASURED_S * 1000);
    const pings = pinged - before;
    return { us: ((cpuOf(child.pid) - cpu) * 1000) / Math.max(1, pings), pings };
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

const middle = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

for (let i = 0; i < PHONES; i++) await openPhone(i);
const found: Record<Kind, number[]> = { sipedge: [], "Kamailio nathelper": [] };
for (let round = 0; round < ROUNDS; round++)
  for (const kind of Object.keys(found) as Kind[]) {
    const { us, pings } = await measure(kind);
    found[kind].push(us);
    process.stdout.write(`${kind}: ${pings} pings, ${us.toFixed(1)} µs each\n`);
  }
const [ours, theirs] = [middle(found.sipedge), middle(found["Kamailio nathelper"])];
process.stdout.write(
  `${METHOD === ZERO_BYTES ? "ping" : "ping and answer"}: ${ours.toFixed(1)} µs to ${theirs.toFixed(1)} µs: ${(ours / theirs).toFixed(2)}\n`,
);
for (const socket of sockets) socket.close();
process.exit(0);
