/**
 * The servers that are measured: sipedge from this source tree, and Debian's Kamailio in the two
 * ways that count. Each on loopback, with a directory of its own.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");
const KAMAILIO = "/usr/sbin/kamailio";
const TICK_MS = 10; // /proc counts CPU time in hundredths of a second
const START_WAIT_MS = 10_000;
/** How often a server that starts is asked. */
const ASK_MS = 10;
const END_MS_MAX = 5000;
/** The allocator gives memory back some time after it is free. */
const COLLECT_MS = 3000;

export const HOST = "127.0.0.1";
/** Ten ports of this process's own, so that two of these programs can run at once. */
export const PORT = 20_000 + 10 * (process.pid % 1000);
export const TLS_PORT = PORT + 1;
/** Where the phones of `registerMany` are. */
export const PHONE_PORT = PORT + 2;
export const REALM = "bench.test";
export const PASSWORD = "secret";
export const USERS = 1000;

/** What a job asks of the server besides relaying. */
export interface Wishes {
  readonly digest: boolean;
  /** Kamailio writes registrations through to SQLite. sipedge always does. */
  readonly durable: boolean;
  /** Kamailio listens on TCP as well, with a process for it. sipedge always does. */
  readonly tcp?: boolean;
  /** Both listen on TLS as well, with a certificate made for the run. */
  readonly tls?: boolean;
  /** sipedge collects its garbage when it is told to. */
  readonly collects?: boolean;
  /** sipedge neither records nor traces calls, as Kamailio does not here. */
  readonly bare?: boolean;
}

export interface Server {
  readonly name: string;
  /** User and system time of all its processes so far. */
  cpuMs(): number;
  /** Resident memory of its own, shared pages of several processes counted once. */
  memoryBytes(): number;
  /** Has it collect all its garbage, when it was started so, and waits until that is given back; bytes of live heap. */
  collect(): Promise<number>;
  /** Ends it cleanly and starts it on the same data; milliseconds from the start to the first answer. */
  again(): Promise<number>;
  stop(): Promise<void>;
}

/** Which server to start; null when it is not installed. */
export type Kind = "sipedge" | "kamailio tlsf" | "kamailio default";

export function isInstalled(kind: Kind): boolean {
  return kind === "sipedge" || existsSync(KAMAILIO);
}

export async function start(kind: Kind, wishes: Wishes): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-bench-"));
  if (wishes.tls) makeCertificate(dir);
  const argv = kind === "sipedge" ? sipedgeCommand(dir, wishes) : kamailioCommand(dir, kind, wishes);
  const run = () => Bun.spawn(argv, { stdout: "ignore", stderr: Bun.file(join(dir, "stderr")) });
  let child = run();
  // A run that is broken off leaves no server behind.
  const abandon = (): void => {
    child.kill("SIGTERM");
    rmSync(dir, { recursive: true, force: true });
  };
  const breakOff = (): never => process.exit(1);
  process.once("exit", abandon);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, breakOff);
  const end = async (): Promise<void> => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
    await child.exited;
    clearTimeout(late);
  };
  const stop = async (): Promise<void> => {
    process.off("exit", abandon);
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, breakOff);
    await end();
    rmSync(dir, { recursive: true, force: true });
  };
  const server: Server = {
    name: kind,
    cpuMs: () => tree(child.pid).reduce((sum, pid) => sum + cpuOf(pid), 0),
    memoryBytes: () => memoryOf(tree(child.pid)),
    collect: async () => {
      child.kill("SIGUSR2");
      await Bun.sleep(COLLECT_MS);
      return Number(readFileSync(join(dir, "bench.toml.heap"), "latin1"));
    },
    again: async () => {
      await end();
      const begun = performance.now();
      child = run();
      const isUp = await answers();
      if (isUp) return performance.now() - begun;
      throw new Error(`${kind} does not answer after a restart`);
    },
    stop,
  };
  const streams = [...(wishes.tcp || wishes.tls ? [PORT] : []), ...(wishes.tls ? [TLS_PORT] : [])];
  if ((await answers()) && (await Promise.all(streams.map(accepts))).every(Boolean)) return server;
  const why = readFileSync(join(dir, "stderr"), "utf8").slice(-2000);
  await stop();
  throw new Error(`${kind} does not answer on port ${PORT}:\n${why}`);
}

const certificateOf = (dir: string) => ({ file: join(dir, "cert.pem"), key: join(dir, "key.pem") });

/** The same for all servers: P-256, signed by itself. */
function makeCertificate(dir: string): void {
  const { file, key } = certificateOf(dir);
  const asked = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${REALM}`;
  const names = ["-addext", `subjectAltName=DNS:${REALM}`, "-keyout", key, "-out", file];
  const result = Bun.spawnSync(["openssl", ...asked.split(" "), ...names]);
  if (result.exitCode !== 0) throw new Error(`openssl: ${result.stderr.toString()}`);
}

function tlsSections(dir: string): string {
  const { file, key } = certificateOf(dir);
  return `[[listen]]
transport = "tls"
address = "127.0.0.1"
port = ${TLS_PORT}
[[certificate]]
file = "${file}"
key = "${key}"
`;
}

function sipedgeCommand(
  dir: string,
  { digest, tls = false, collects = false, bare = false }: Wishes,
): string[] {
  const users = Array.from(
    { length: USERS },
    (_, i) => `[[user]]\nname = "u${i}"\npassword = "${PASSWORD}"\n`,
  );
  writeFileSync(
    join(dir, "bench.toml"),
    `config_version = 1
domains = ["${REALM}", "127.0.0.1"]
data_dir = "${dir}/data"
[[listen]]
transport = "udp"
address = "127.0.0.1"
port = ${PORT}
[[listen]]
transport = "tcp"
address = "127.0.0.1"
port = ${PORT}
${tls ? tlsSections(dir) : ""}[http]
enabled = false
[log]
level = "warn"
[records]
enabled = ${!bare}
[trace]
enabled = ${!bare}
[limits]
transactions_max = 1000000
transactions_per_source_max = 1000000
[guard]
enabled = false # one stranger's address sends the whole load
[auth]
trusted_networks = [${digest ? "" : '"127.0.0.0/8"'}]
${digest ? users.join("") : ""}`,
  );
  const preload = collects ? ["--preload", join(import.meta.dir, "collect.ts")] : [];
  return [
    process.execPath,
    ...preload,
    join(ROOT, "src/main.ts"),
    "serve",
    "--config",
    join(dir, "bench.toml"),
  ];
}

function kamailioCommand(dir: string, kind: Kind, wishes: Wishes): string[] {
  const database = join(dir, "kamailio.sqlite");
  if (wishes.durable) makeDatabase(database);
  const file = join(dir, "kamailio.cfg");
  writeFileSync(file, kamailioConfig(dir, wishes, wishes.durable ? database : null));
  const allocator = kind === "kamailio tlsf" ? ["-x", "tlsf", "-X", "tlsf"] : [];
  return [KAMAILIO, "-f", file, "-m", "1024", "-M", "64", "-DD", "-E", ...allocator, "-P", join(dir, "pid")];
}

/** The location table as Debian's package has it, with the write-ahead log that sipedge uses too. */
function makeDatabase(path: string): void {
  const scripts = "/usr/share/kamailio/db_sqlite";
  const sql = ["standard-create.sql", "usrloc-create.sql"].map((name) =>
    readFileSync(join(scripts, name), "utf8"),
  );
  const result = Bun.spawnSync(["sqlite3", path], {
    stdin: Buffer.from(`PRAGMA journal_mode=WAL;\n${sql.join("\n")}`),
  });
  if (result.exitCode !== 0) throw new Error(`sqlite3: ${result.stderr.toString()}`);
}

/** No more modules than the job needs, one worker, no logging: as fast as it gets. */
function kamailioTls(dir: string): string {
  const { file, key } = certificateOf(dir);
  return `loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${file}")
modparam("tls", "private_key", "${key}")`;
}

function kamailioConfig(dir: string, { digest, tcp, tls }: Wishes, database: string | null): string {
  const streams = [
    ...(tcp || tls ? [`listen=tcp:127.0.0.1:${PORT}`, "tcp_children=1"] : ["disable_tcp=yes"]),
    ...(tls ? ["enable_tls=yes", `listen=tls:127.0.0.1:${TLS_PORT}`] : []),
  ];
  const check = digest
    ? `if(!pv_www_authenticate("${REALM}", "${PASSWORD}", "0")) { www_challenge("${REALM}", "1"); exit; }`
    : "";
  return `#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
alias="${REALM}"
listen=udp:127.0.0.1:${PORT}
${streams.join("\n")}
${tls ? kamailioTls(dir) : ""}
${["tm", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar", "textops", "siputils", "auth"].map((m) => `loadmodule "${m}.so"`).join("\n")}
${database === null ? 'modparam("usrloc", "db_mode", 0)' : `loadmodule "db_sqlite.so"\nmodparam("usrloc", "db_mode", 1)\nmodparam("usrloc", "db_url", "sqlite://${database}")\nmodparam("db_sqlite", "db_set_journal_mode", "${database}=WAL")`}
modparam("registrar", "max_contacts", 10)
modparam("auth", "qop", "auth")
request_route {
  if(!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if(is_method("REGISTER")) { ${check} save("location"); exit; }
  if(is_method("OPTIONS") && uri==myself && $rU==$null) { sl_send_reply("200", "OK"); exit; }
  if(has_totag()) { if(loose_route()) { if(is_method("ACK")) { forward(); exit; } t_relay(); } exit; }
  if(is_method("CANCEL")) { if(t_check_trans()) t_relay(); exit; }
  t_check_trans();
  record_route();
  if(!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
`;
}

const OPTIONS = (port: number) =>
  `OPTIONS sip:127.0.0.1:${PORT} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${port}x${Math.random()};rport\r\nMax-Forwards: 70\r\nFrom: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1:${PORT}>\r\nCall-ID: up-${Math.random()}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`;

/** Whether anything answers within START_WAIT_MS. */
async function answers(): Promise<boolean> {
  let heard = false;
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data() {
        heard = true;
      },
      error() {},
    },
  });
  for (let waited = 0; waited < START_WAIT_MS && !heard; waited += ASK_MS) {
    try {
      socket.send(OPTIONS(socket.port), PORT, "127.0.0.1");
    } catch {} // nobody listens yet
    await Bun.sleep(ASK_MS);
  }
  socket.close();
  return heard;
}

/** Whether a connection to the port is taken within START_WAIT_MS: streams may come up later than UDP. */
async function accepts(port: number): Promise<boolean> {
  for (let waited = 0; waited < START_WAIT_MS; waited += ASK_MS) {
    try {
      const socket = await Bun.connect({ hostname: HOST, port, socket: { data() {} } });
      socket.end();
      return true;
    } catch {
      await Bun.sleep(ASK_MS); // nobody listens yet
    }
  }
  return false;
}

/** The process and all its descendants. */
function tree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(fields(Number(name))[1]);
    if (parent > 0) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all: number[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    all.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return all;
}

/** The fields of /proc/PID/stat behind the name: state, ppid, …; empty when the process is gone. */
function fields(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

function cpuOf(pid: number): number {
  const stat = fields(pid);
  return (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) * TICK_MS;
}

function memoryOf(pids: readonly number[]): number {
  let anonymous = 0;
  let shared = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
    anonymous += kb("RssAnon");
    shared = Math.max(shared, kb("RssShmem"));
  }
  return (anonymous + shared) * 1024;
}
