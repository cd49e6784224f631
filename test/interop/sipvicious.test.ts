/**
 * B-31, B-32: sipvicious, as it is and with another name, looks for phones and guesses passwords; fifty phones at the
 * address beside it stay registered and can be called.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { Edge } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";

setDefaultTimeout(90_000);

const EDGE = "127.0.0.30";
const ATTACKER = "127.0.0.66";
/** svcrack sends from the first address of loopback, whatever it is told. */
const CRACKER = "127.0.0.1";
const NEIGHBOUR = "127.0.0.65";
const PHONES = 50;
const TRIES = 8;
const PASSWORD = "no word of any list";
const MODULE = "/usr/share/sipvicious/sipvicious";
const absent = missing("sipvicious", "svmap", "svwar", "svcrack", "python3");

interface BanList {
  readonly bans: readonly { readonly source: string; readonly reason: string }[];
}

describe.skipIf(absent)("interop: sipvicious", () => {
  let edge: Edge;
  const dir = mkdtempSync(join(tmpdir(), "sipedge-sv-"));
  const sockets: Bun.udp.Socket<"buffer">[] = [];

  beforeAll(async () => {
    const users = Array.from(
      { length: PHONES },
      (_, i) => `[[user]]\nname = "1${100 + i}"\npassword = "${PASSWORD}"\n`,
    );
    edge = await Edge.start({ addresses: [EDGE], toml: `[guard]\ntries = ${TRIES}\n${users.join("")}` });
    for (let i = 0; i < PHONES; i++) sockets.push(await registered(`1${100 + i}`));
    cpSync(MODULE, join(dir, "sipvicious"), { recursive: true });
    for (const file of readdirSync(join(dir, "sipvicious"), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".py")) continue;
      const path = join(dir, "sipvicious", file);
      writeFileSync(
        path,
        readFileSync(path, "utf8").replaceAll(/friendly-scanner|sipvicious(?=["'])/g, "Desk Phone 7"),
      );
    }
  });
  afterAll(async () => {
    for (const socket of sockets) socket.close();
    rmSync(dir, { recursive: true, force: true });
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** A phone at the neighbour's address, with a socket of its own, that proves its password. */
  async function registered(user: string): Promise<Bun.udp.Socket<"buffer">> {
    const uri = `sip:${EDGE}`;
    const ha = (realm: string) => ha1("MD5", user, realm, PASSWORD);
    let done = false;
    const text = (port: number, cseq: number, more: string): string =>
      `REGISTER ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP ${NEIGHBOUR}:${port};branch=z9hG4bK${user}${cseq};rport\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${user}@${EDGE}>;tag=1\r\nTo: <sip:${user}@${EDGE}>\r\nCall-ID: ${user}\r\n` +
      `CSeq: ${cseq} REGISTER\r\nContact: <sip:${user}@${NEIGHBOUR}:${port}>;expires=600\r\n${more}Content-Length: 0\r\n\r\n`;
    const socket = await Bun.udpSocket({
      hostname: NEIGHBOUR,
      port: 0,
      socket: {
        data(own, bytes, port, address) {
          const answer = bytes.toString("latin1");
          done ||= answer.startsWith("SIP/2.0 200");
          const value = /^WWW-Authenticate: (.*algorithm=MD5.*)\r$/m.exec(answer)?.[1];
          const parsed = value === undefined ? null : parseAuthParams(value);
          if (parsed === null || parsed instanceof ParseError) return;
          const [realm, nonce] = [parsed.params.get("realm")!, parsed.params.get("nonce")!];
          const response = digestResponse("MD5", ha(realm), "REGISTER", uri, nonce, "00000001", "c");
          const line =
            `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
            `qop=auth, nc=00000001, cnonce="c", response="${response}"\r\n`;
          own.send(text(own.port, 2, line), port, address);
        },
        error() {},
      },
    });
    socket.send(text(socket.port, 1, ""), edge.port, EDGE);
    await eventually(`${user} to register`, () => done);
    return socket;
  }

  /** Runs one of the tools from the attacker's address; `disguised`: under another name. */
  async function attack(tool: string, args: readonly string[], disguised = false): Promise<string> {
    const common = ["-b", ATTACKER, "-x", ATTACKER, "-p", `${edge.port}`];
    const run = disguised
      ? [
          "env",
          `PYTHONPATH=${dir}`,
          "python3",
          "-c",
          `import sys\nfrom sipvicious.${tool} import main\nmain()`,
        ]
      : [tool];
    const program = new Program(["timeout", "20", ...run, ...common, ...args, EDGE]);
    await program.ended(30_000);
    return program.output;
  }

  const bans = async () => (await edge.get<BanList>("/v1/bans")).bans;

  async function allRegistered(): Promise<void> {
    const { counts } = await edge.get<{ counts: { registrations: number } }>("/v1/status");
    expect(counts.registrations).toBe(PHONES);
    expect((await bans()).map(({ source }) => source)).not.toContain(NEIGHBOUR);
  }

  const dropped = async (reason: string): Promise<number> => {
    const text = await (await fetch(`${edge.api}/metrics`)).text();
    return Number(
      new RegExp(`^sipedge_guard_dropped_total\\{reason="${reason}"\\} (\\d+)`, "m").exec(text)?.[1] ?? 0,
    );
  };

  test("svmap under its own name hears nothing", async () => {
    expect(await attack("svmap", [])).not.toContain(`${EDGE}:${edge.port}`);
    expect(await dropped("scanner")).toBeGreaterThan(0);
    await allRegistered();
  });

  test("svwar finds nobody: under its own name there is no answer", async () => {
    expect(await attack("svwar", ["-e", "1100-1110", "--force", "--maximumtime=4"])).not.toMatch(/\| 11\d\d/);
    await allRegistered();
  });

  test(`svcrack under another name is banned after ${TRIES} wrong passwords, and the phones beside it are not`, async () => {
    const words = join(dir, "words");
    writeFileSync(words, Array.from({ length: 300 }, (_, i) => `word${i}`).join("\n"));
    const output = await attack("svcrack", ["-u", "1100", "-d", words, "--maximumtime=4"], true);
    expect(output).not.toContain("| 1100");
    await eventually("the ban", async () => (await bans()).some(({ source }) => source === CRACKER));
    expect((await bans())[0]!.reason).toBe(`${TRIES} wrong passwords`);
    const metrics = await (await fetch(`${edge.api}/metrics`)).text();
    const wrong = Number(/auth_challenges_total\{cause="wrong_password"\} (\d+)/.exec(metrics)![1]);
    expect(wrong).toBeLessThanOrEqual(TRIES + 2); // those on their way
    expect(await dropped("banned")).toBeGreaterThan(0);
    await allRegistered();
  });

  test("the ban outlives a restart, and is lifted over the API", async () => {
    await edge.program.stop();
    await edge.again();
    expect((await bans()).map(({ source }) => source)).toEqual([CRACKER]);
    const answer = await fetch(`${edge.api}/v1/bans/${CRACKER}`, { method: "DELETE" });
    expect(answer.status).toBe(200);
    expect(await bans()).toEqual([]);
    await allRegistered();
  });
});
