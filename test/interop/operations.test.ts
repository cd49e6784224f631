/** The appliance over the years: init, backup, restore, drain, and what the service manager hears. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge, freePort, SIPEDGE } from "../support/edge.ts";
import { Program } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const TRUSTED = `[auth]\ntrusted_networks = ["127.0.0.0/8"]`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sipedge-operations-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs a command to its end; gives exit code and output. */
async function run(argv: readonly string[], stdin?: string): Promise<{ code: number; said: string }> {
  const program = new Program([...SIPEDGE, ...argv], stdin === undefined ? {} : { stdin });
  return { code: await program.ended(), said: program.output };
}

describe("CNV-11 init", () => {
  const flags = (file: string, port: number) =>
    ["init", file, "--domain", "example.test", "--address", EDGE, "--port", `${port}`] as const;

  test("what it writes passes check, has its account and serves", async () => {
    const file = join(dir, "sipedge.toml");
    const port = await freePort(EDGE);
    const made = await run([...flags(file, port), "--user", "alice", "--password-stdin"], "wonderland\n");
    expect(made).toMatchObject({ code: 0 });
    expect(made.said).not.toContain("wonderland");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(await run(["check", file])).toMatchObject({ code: 0 });
    writeFileSync(file, readFileSync(file, "utf8").replace("port = 8080", "port = 0"));
    const program = new Program([...SIPEDGE, "serve", "--config", file]);
    const phone = await UdpPhone.open("127.0.0.81", [EDGE, port]);
    try {
      await program.says(/ ready /);
      expect(await phone.register("alice", "wonderland", "example.test")).toStartWith("SIP/2.0 200 ");
      expect(await phone.register("alice", "guessed", "example.test")).toStartWith("SIP/2.0 401 ");
    } finally {
      phone.close();
      await program.stop();
    }
  });

  test("on a terminal it asks, and Ctrl-C writes nothing", async () => {
    const typed = (file: string, keys: string) =>
      new Program(["python3", "-c", TYPIST, keys, ...SIPEDGE, "init", join(dir, file)]);
    const answers = typed("asked.toml", `example.test\r${EDGE}\r5070\ralice\rwonder\rwonder\r`);
    expect([await answers.ended(), answers.output]).toEqual([
      0,
      expect.stringContaining("user alice stored"),
    ]);
    expect(answers.output).not.toContain("wonder");
    const text = readFileSync(join(dir, "asked.toml"), "utf8");
    for (const line of ['domains = ["example.test"]', `address = "${EDGE}"`, "port = 5070"])
      expect(text).toContain(line);
    expect(await typed("given-up.toml", "example.test\r\u0003").ended()).toBe(1);
    expect(readdirSync(dir).filter((name) => name.startsWith("given-up"))).toEqual([]);
  });

  test("a file that is there stays without --force", async () => {
    const file = join(dir, "sipedge.toml");
    writeFileSync(file, "config_version = 1\n");
    expect((await run(flags(file, 5060))).code).toBe(1);
    expect(readFileSync(file, "utf8")).toBe("config_version = 1\n");
    expect((await run([...flags(file, 5060), "--force"])).code).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("example.test");
  });

  test("a domain or port that cannot be writes nothing", async () => {
    const file = join(dir, "sipedge.toml");
    expect((await run(["init", file, "--domain", 'x"y'])).code).toBe(1);
    expect((await run(["init", file, "--port", "70000"])).code).toBe(2);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe("B-76 backup, restore and drain", () => {
  let edge: Edge;
  let phone: UdpPhone;
  beforeEach(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
    phone = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
  });
  afterEach(async () => {
    phone.close();
    await edge.stop();
  });
  const aors = async () => {
    type Page = { registrations: { aor: string }[] };
    const { registrations } = await edge.get<Page>("/v1/registrations");
    return registrations.map(({ aor }) => aor.split("@", 1)[0]!);
  };

  test("a backup of a running appliance brings its registrations and keys back", async () => {
    const file = join(dir, "backup.tar.gz");
    const config = ["--config", edge.configFile];
    expect(await registerOpenly(phone, "ann", edge.hostPort)).toStartWith("SIP/2.0 200 ");
    expect(await run(["backup", file, ...config])).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(["backup", file, ...config])).code).toBe(1);
    expect(readdirSync(dir)).toEqual(["backup.tar.gz"]);
    expect(await registerOpenly(phone, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");

    const early = await run(["restore", file, ...config]);
    expect(early.code).toBe(1);
    expect(early.said).toContain("stop sipedge first");
    expect(await aors()).toEqual(["ann", "ben"]);

    edge.program.signal("SIGTERM");
    await edge.program.ended();
    const data = join(edge.dir, "data");
    const key = readFileSync(join(data, "dialog.key"));
    writeFileSync(join(data, "dialog.key"), Buffer.alloc(32));
    const done = await run(["restore", file, ...config]);
    expect(done).toMatchObject({ code: 0 });
    expect(readFileSync(join(data, "dialog.key"))).toEqual(key);
    const [kept] = readdirSync(data).filter((name) => name.startsWith("before-restore-"));
    expect(readdirSync(join(data, kept!))).toContain("sipedge.db");
    expect(statSync(join(data, "sipedge.db")).mode & 0o777).toBe(0o600);
    await edge.again();
    expect(await aors()).toEqual(["ann"]);
  });

  test("what is no backup, or one of a newer version, changes nothing", async () => {
    edge.program.signal("SIGTERM");
    await edge.program.ended();
    const data = join(edge.dir, "data");
    const before = readFileSync(join(data, "sipedge.db"));
    const bad = join(dir, "bad.tar.gz");
    for (const bytes of [Buffer.from("no archive"), await new Bun.Archive({ "../x": "y" }).bytes()]) {
      writeFileSync(bad, bytes);
      expect((await run(["restore", bad, "--config", edge.configFile])).code).toBe(1);
    }
    const note = JSON.stringify({ format: 1, version: "9.9.9", made_at: "2030-01-01T00:00:00Z" });
    const files = { "backup.json": note, "sipedge.db": "no database" };
    writeFileSync(bad, await new Bun.Archive(files, { compress: "gzip" }).bytes());
    expect((await run(["restore", bad, "--config", edge.configFile])).code).toBe(1);
    expect(readFileSync(join(data, "sipedge.db"))).toEqual(before);
    expect(readdirSync(data).filter((name) => /restore|new$/.test(name))).toEqual([]);
    await edge.again();
  });

  test("drain: the call that runs goes on to its end, nothing new begins, then it ends with 0", async () => {
    const callee = await UdpPhone.open("127.0.0.82", [EDGE, edge.port]);
    try {
      expect(await registerOpenly(callee, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");
      await wholeCall(phone, callee, "ben", edge.hostPort, async () => {
        expect(await run(["drain", "--config", edge.configFile, "--url", edge.api])).toMatchObject({
          code: 0,
        });
        expect(await registerOpenly(phone, "late", edge.hostPort)).toStartWith("SIP/2.0 503 ");
        expect((await fetch(`${edge.api}/readyz`)).status).toBe(503);
      });
      expect(await edge.program.ended(20_000)).toBe(0);
    } finally {
      callee.close();
    }
    await edge.again();
  });
});

test("CNV-11 the service manager hears READY, the watchdog's beat and STOPPING", async () => {
  const socket = join(dir, "notify");
  const listener = new Program(["python3", "-u", "-c", LISTENER, socket]);
  const file = join(dir, "sipedge.toml");
  writeFileSync(
    file,
    `data_dir = "data"\n[[listen]]\naddress = "${EDGE}"\nport = ${await freePort(EDGE)}\n[http]\nenabled = false\n`,
  );
  try {
    await listener.says(/listening/);
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "200000" };
    const program = new Program([...SIPEDGE, "serve", "--config", file], { env });
    try {
      await listener.says(/READY=1[\s\S]*WATCHDOG=1[\s\S]*WATCHDOG=1/);
    } finally {
      expect(await program.stop()).toBe(0);
    }
    await listener.says(/STOPPING=1/);
  } finally {
    await listener.stop();
  }
});

/** Types each line when the program has stopped to ask, on a terminal of its own; ends as it ends. */
const TYPIST = `
import os, pty, re, select, sys
keys = re.findall(r"[^\\r\\x03]*[\\r\\x03]", sys.argv[1])
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[2], sys.argv[2:])
said = b""
while select.select([fd], [], [], 20)[0]:
    try: chunk = os.read(fd, 4096)
    except OSError: break
    if not chunk: break
    said += chunk
    if keys and re.search(rb": (\\x1b\\[[0-9;]*[A-Za-z])*$", said):
        os.write(fd, keys.pop(0).encode())
        said += b"\\n"
print(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Prints what is sent to a unix datagram socket, which Bun does not have. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening")
while True: print(s.recv(4096).decode())
`;
