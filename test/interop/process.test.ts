/**
 * The appliance as a process: how it starts, re-reads its config, stops, and shares its accounts.
 */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configText, Edge, freePort, SIPEDGE } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const TRUSTED = `[auth]\ntrusted_networks = ["127.0.0.0/8"]`;
const DOMAIN = "example.test";

interface Status {
  readonly domains: readonly string[];
  readonly reload: { readonly ok: boolean; readonly errors: readonly string[] } | null;
}

describe("interop: a start that cannot be", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sipedge-process-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** Starts with that config and gives what it said while it failed. */
  async function failure(file: string): Promise<string> {
    const program = new Program([...SIPEDGE, "serve", "--config", file]);
    expect(await program.ended(10_000)).toBe(1);
    expect(program.output).not.toContain(" ready ");
    expect(program.output).not.toMatch(/^\s+at .*:\d+:\d+/m); // a stack trace is no message for an operator
    return program.output;
  }

  function config(port: number, toml = ""): string {
    const file = join(dir, "sipedge.toml");
    writeFileSync(file, configText([EDGE], port, join(dir, "data"), toml));
    return file;
  }

  test("a port that is in use: says which", async () => {
    const port = await freePort(EDGE);
    const squatter = await Bun.udpSocket({ hostname: EDGE, port });
    try {
      const output = await failure(config(port));
      expect(output).toContain("listen[0]");
      expect(output).toContain(`${EDGE}:${port}`);
    } finally {
      squatter.close();
    }
  });

  test("the status API's port is in use: says so", async () => {
    const squatter = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    try {
      const file = config(await freePort(EDGE));
      const text = await Bun.file(file).text();
      writeFileSync(file, text.replace("port = 0", `port = ${squatter.port}`));
      expect(await failure(file)).toContain("http.port");
    } finally {
      squatter.stop(true);
    }
  });

  test("an unknown key: names it, with its line", async () => {
    const output = await failure(config(5060, "[registrar]\nmax_expire_s = 60"));
    expect(output).toMatch(/sipedge\.toml:\d+/);
    expect(output).toContain("max_expire_s");
    expect(output).toContain("max_expires_s"); // what was probably meant
  });

  test("every mistake at once", async () => {
    const output = await failure(config(5060, "[registrar]\nmax_contacts = 0\nmin_expires_s = 0"));
    expect(output).toContain("max_contacts");
    expect(output).toContain("min_expires_s");
  });

  test("a file that is not there", async () => {
    const file = join(dir, "nowhere.toml");
    expect(await failure(file)).toContain(file);
  });

  test("a file that cannot be read: a folder", async () => {
    expect(await failure(dir)).toContain(dir);
  });

  test("a data_dir that cannot be: below a file", async () => {
    const file = config(await freePort(EDGE));
    const text = await Bun.file(file).text();
    writeFileSync(file, text.replace(/data_dir = .*/, `data_dir = "${file}/data"`));
    expect(await failure(file)).toContain("data_dir");
  });
});

describe("interop: SIGTERM", () => {
  let edge: Edge;
  let caller: UdpPhone;
  let callee: UdpPhone;

  beforeEach(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: `${TRUSTED}\n[shutdown]\ndrain_s = 4` });
    caller = await UdpPhone.open("127.0.0.61", [EDGE, edge.port]);
    callee = await UdpPhone.open("127.0.0.62", [EDGE, edge.port]);
  });
  afterEach(async () => {
    caller.close();
    callee.close();
    await edge.stop();
  });

  /** Brings a call so far that it rings, and the appliance so far that it stops. */
  async function stopWhileRinging(): Promise<{ invite: string; sent: string[] }> {
    const sent = caller.request("INVITE", `sip:${callee.address}:${callee.port}`, `sip:a@${EDGE}`, [
      `Contact: <sip:${caller.address}:${caller.port}>`,
    ]);
    caller.send(...sent);
    const invite = await callee.got(/^INVITE /);
    callee.answer(invite, "180 Ringing");
    await caller.got(/^SIP\/2\.0 180/);
    edge.program.signal("SIGTERM");
    await edge.program.says(/ stopping /);
    return { invite, sent };
  }

  test("new work gets 503 with Retry-After, a running INVITE gets its answer, exit 0", async () => {
    const { invite } = await stopWhileRinging();
    const turned = await caller.ask(caller.request("OPTIONS", `sip:${EDGE}`, `sip:a@${EDGE}`));
    expect(turned).toStartWith("SIP/2.0 503 ");
    expect(turned).toMatch(/^Retry-After: \d+/m);
    callee.answer(invite, "200 OK", [`Contact: <sip:${callee.address}:${callee.port}>`]);
    await caller.got(/^SIP\/2\.0 200/);
    expect(await edge.program.ended(10_000)).toBe(0);
    expect(edge.program.output).toContain(" stopped");
  });

  test("what takes longer than drain_s is broken off, exit 0", async () => {
    await stopWhileRinging();
    expect(await edge.program.ended(15_000)).toBe(0);
  });

  test("no work: it is gone at once, and its port is free", async () => {
    const answer = await caller.ask(caller.request("OPTIONS", `sip:${EDGE}`, `sip:a@${EDGE}`));
    expect(answer).toStartWith("SIP/2.0 200 ");
    edge.program.signal("SIGTERM");
    expect(await edge.program.ended(4000)).toBe(0);
    (await Bun.udpSocket({ hostname: EDGE, port: edge.port })).close();
  });
});

describe("interop: SIGHUP", () => {
  let edge: Edge;
  beforeEach(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
  });
  afterEach(() => edge.stop().then(() => {}));

  /** Writes the config anew, has it read, and gives the state after it. */
  async function reread(change: (text: string) => string): Promise<Status> {
    const text = await Bun.file(edge.configFile).text();
    const changed = change(text);
    expect(changed).not.toBe(text);
    writeFileSync(edge.configFile, changed);
    edge.program.signal("SIGHUP");
    return eventually("the reload to show", async () => {
      const status = await edge.get<Status>("/v1/status");
      return status.reload !== null && status;
    });
  }

  test("a good file: what changed shows in /v1/status", async () => {
    const status = await reread((text) => text.replace(/domains = .*/, `domains = ["${DOMAIN}"]`));
    expect(status.reload).toMatchObject({ ok: true, errors: [] });
    expect(status.domains[0]).toBe(DOMAIN);
  });

  test("a bad file: refused with its mistakes, the old config keeps running", async () => {
    const before = await edge.get<Status>("/v1/status");
    const status = await reread((text) => `${text}\nno_such_key = 1\n`);
    expect(status.reload?.ok).toBe(false);
    expect(status.reload?.errors.join("\n")).toContain("no_such_key");
    expect(status.domains).toEqual(before.domains);
    const phone = await UdpPhone.open("127.0.0.63", [EDGE, edge.port]);
    const answer = await phone.ask(phone.request("OPTIONS", `sip:${EDGE}`, `sip:a@${EDGE}`));
    phone.close();
    expect(answer).toStartWith("SIP/2.0 200 ");
  });

  test("a listener that cannot be had: refused, the old listeners stay", async () => {
    const squatter = await Bun.udpSocket({ hostname: "127.0.0.9", port: 0 });
    try {
      const more = `\n[[listen]]\ntransport = "udp"\naddress = "127.0.0.9"\nport = ${squatter.port}\n`;
      const status = await reread((text) => text + more);
      expect(status.reload?.ok).toBe(false);
      expect(status.reload?.errors.join("\n")).toContain("listen[2]");
    } finally {
      squatter.close();
    }
    const phone = await UdpPhone.open("127.0.0.63", [EDGE, edge.port]);
    const answer = await phone.ask(phone.request("OPTIONS", `sip:${EDGE}`, `sip:a@${EDGE}`));
    phone.close();
    expect(answer).toStartWith("SIP/2.0 200 ");
  });
});

describe("interop: accounts from another process", () => {
  test("`user add` while it runs: the phone can register", async () => {
    const edge = await Edge.start({ addresses: [EDGE] });
    const phone = await UdpPhone.open("127.0.0.64", [EDGE, edge.port]);
    try {
      expect(await phone.register("alice", "a long secret", edge.hostPort)).toStartWith("SIP/2.0 401 ");
      await edge.addUser("alice", "a long secret");
      expect(await phone.register("alice", "a long secret", edge.hostPort)).toStartWith("SIP/2.0 200 ");
      expect(await phone.register("alice", "a wrong one", edge.hostPort)).toStartWith("SIP/2.0 401 ");
    } finally {
      phone.close();
      await edge.stop();
    }
  });

  test("`user add` waits for whoever holds the database", async () => {
    const edge = await Edge.start({ addresses: [EDGE] });
    const other = new Database(join(edge.dir, "data", "sipedge.db"));
    try {
      other.run("BEGIN IMMEDIATE");
      const added = edge.addUser("bob", "a long secret");
      await Bun.sleep(700);
      other.run("ROLLBACK");
      await added;
    } finally {
      other.close(true);
      await edge.stop();
    }
  });

  test("many at once: none is lost", async () => {
    const edge = await Edge.start({ addresses: [EDGE] });
    const names = Array.from({ length: 8 }, (_, i) => `user${i}`);
    await Promise.all(names.map((name) => edge.addUser(name, "a long secret")));
    type Users = { users: { name: string }[] };
    const { users } = await edge.get<Users>("/v1/users?limit=100");
    expect(users.map(({ name }) => name).sort()).toEqual(names);
    await edge.stop();
  });
});
