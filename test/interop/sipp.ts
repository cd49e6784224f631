/**
 * Runs sipp with the scenarios of `test/interop/sipp`, and reads the messages it traced.
 */
import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";

const SCENARIOS = join(import.meta.dir, "sipp");

export interface SippOptions {
  /** Name of a file in `test/interop/sipp`, without `.xml`. */
  readonly scenario: string;
  /** `host:port` it sends to; without it the scenario begins by receiving. */
  readonly target?: string;
  readonly address: string;
  readonly port?: number;
  /** sipp's `-t`: u1 (UDP), un (UDP, a socket for each call), t1 and tn (TCP). */
  readonly transport?: "u1" | "un" | "t1" | "tn";
  readonly calls?: number;
  /** Calls begun in a second. */
  readonly rate?: number;
  /** sipp's `-d`: how long its pauses last. */
  readonly pause_ms?: number;
  /** What `[key]` stands for in the scenario. */
  readonly keys?: Readonly<Record<string, string>>;
  /** `[home]`: host:port of the caller's registrar; `target` when absent. */
  readonly home?: string;
  /** What `[user]` stands for, and the account it proves itself with when `account` is absent. */
  readonly user?: string;
  readonly account?: string;
  readonly password?: string;
  /** sipp gives up and fails after so long. */
  readonly timeout_s?: number;
}

interface Traced {
  readonly sent: boolean;
  /** The whole message, lines ended by LF. */
  readonly text: string;
}

/** One sipp process. */
export class Sipp {
  readonly address: string;
  readonly port: number;
  readonly scenario: string;
  readonly #program: Program;
  readonly #dir: string;
  #through = false;
  #trace: readonly Traced[] = [];

  private constructor(options: SippOptions, port: number, dir: string) {
    this.address = options.address;
    this.port = port;
    this.scenario = options.scenario;
    this.#dir = dir;
    this.#program = new Program(argvOf(options, port, dir), { cwd: dir });
  }

  /** Starts it; a called side listens when this resolves. */
  static async start(options: SippOptions): Promise<Sipp> {
    const port = options.port ?? (await freePort(options.address));
    const sipp = new Sipp(options, port, mkdtempSync(join(tmpdir(), "sipedge-sipp-")));
    try {
      const kind = options.transport?.startsWith("t") ? "tcp" : "udp";
      if (options.target === undefined) await listening(kind, port);
    } catch (error) {
      await sipp.stop();
      throw error;
    }
    return sipp;
  }

  /** The URI a phone at this place registers. */
  contact(user: string): string {
    const host = this.address.includes(":") ? `[${this.address}]` : this.address;
    return `sip:${user}@${host}:${this.port}`;
  }

  /** Waits for its end and expects that the whole scenario went as written. */
  async succeeds(): Promise<void> {
    const code = await this.#program.ended(60_000);
    this.#through = true;
    this.#trace = readTrace(this.#read("messages.log"));
    const errors = this.#read("errors.log");
    rmSync(this.#dir, { recursive: true, force: true });
    const story = code === 0 ? "" : `${errors}\n${this.#program.output.slice(-3000)}`;
    expect(`${this.scenario}: ${code}${story}`).toBe(`${this.scenario}: 0`);
  }

  /** Ends it when its scenario is not through. */
  async stop(): Promise<void> {
    if (this.#through) return;
    this.#program.signal("SIGKILL");
    await this.#program.ended();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The messages it received whose start line fits, once it has ended. */
  received(startLine: RegExp): readonly string[] {
    return this.#trace
      .filter(({ sent, text }) => !sent && startLine.test(text.split("\n", 1)[0]!))
      .map(({ text }) => text);
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.#dir, name), "latin1");
    } catch {
      return ""; // sipp makes its files when it has something to say
    }
  }
}

/** Runs a scenario from its first request to its end. */
export async function sipp(options: SippOptions): Promise<Sipp> {
  const run = await Sipp.start(options);
  await run.succeeds();
  return run;
}

/** All values of a header field, topmost first; written in its long form. */
export function headers(message: string, name: string): readonly string[] {
  const head = message.split("\n\n", 1)[0]!;
  const prefix = `${name.toLowerCase()}:`;
  return head
    .split("\n")
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

function argvOf(options: SippOptions, port: number, dir: string): string[] {
  const { scenario, target, address, transport = "u1", calls = 1, rate = 10, keys = {} } = options;
  const argv = [
    "sipp",
    "-sf",
    join(SCENARIOS, `${scenario}.xml`),
    "-i",
    address,
    "-p",
    String(port),
    "-t",
    transport,
  ];
  argv.push("-m", String(calls), "-r", String(rate), "-nostdin", "-d", String(options.pause_ms ?? 50));
  argv.push("-max_socket", "1000");
  argv.push("-timeout", `${options.timeout_s ?? 25}s`, "-timeout_error");
  argv.push("-trace_msg", "-message_file", join(dir, "messages.log"));
  argv.push("-trace_err", "-error_file", join(dir, "errors.log"));
  const { user, account = user, home = target } = options;
  if (home !== undefined) argv.push("-key", "home", home);
  if (user !== undefined) argv.push("-key", "user", user);
  if (account !== undefined) argv.push("-au", account);
  if (options.password !== undefined) argv.push("-ap", options.password);
  for (const [key, value] of Object.entries(keys)) argv.push("-key", key, value);
  if (target?.startsWith("[")) argv.push("-auth_uri", target); // sipp itself leaves out the brackets
  if (target !== undefined) argv.push(target);
  return argv;
}

/** Each message of a `-trace_msg` file. */
function readTrace(text: string): Traced[] {
  const traced: Traced[] = [];
  for (const part of text.split(/^-{20,}.*\n/m)) {
    const match = /^\w+ message (sent|received)[^\n]*\n\n([\s\S]*)$/.exec(part.replaceAll("\r\n", "\n"));
    if (match !== null) traced.push({ sent: match[1] === "sent", text: match[2]! });
  }
  return traced;
}

/** Waits until some process has the port, as the kernel's tables say. */
export async function listening(transport: "udp" | "tcp", port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  await eventually(`a program to listen on ${transport} port ${port}`, () =>
    ["", "6"].some((family) => {
      const table = readFileSync(`/proc/net/${transport}${family}`, "latin1");
      return table.split("\n").some((line) => line.includes(wanted) && !line.includes(" 01 "));
    }),
  );
}
