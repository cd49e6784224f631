/**
 * The appliance as operators run it: `sipedge serve` in a process of its own, with a config file and a
 * data directory of its own, on ports nobody else has.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually, Program } from "./process.ts";

const ROOT = resolve(import.meta.dir, "../..");
export const SIPEDGE: readonly string[] = [process.execPath, join(ROOT, "src/main.ts")];

export interface EdgeOptions {
  /** Addresses it listens on, each over UDP and TCP. */
  readonly addresses?: readonly string[];
  /** TOML behind the lines that are always there. */
  readonly toml?: string;
  /** Where its data lies; else a folder of its own, which `stop` removes. */
  readonly data_dir?: string;
  /** What runs in place of the source tree: an executable, with an emulator in front if need be. */
  readonly command?: readonly string[];
  /** The folder it is started in. */
  readonly cwd?: string;
}

/** A port that is free at this address for UDP and for TCP. */
export async function freePort(address: string): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const udp = await Bun.udpSocket({ hostname: address, port: 0 });
    const { port } = udp;
    try {
      Bun.listen({ hostname: address, port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken for TCP: another one.
    } finally {
      udp.close();
    }
  }
  throw new Error(`no free port at ${address}`);
}

/** Whether this machine has the IPv6 loopback address. */
export async function hasIPv6(): Promise<boolean> {
  try {
    await freePort("::1");
    return true;
  } catch {
    process.stderr.write("skipped: everything over IPv6 (no ::1 here)\n");
    return false;
  }
}

export class Edge {
  readonly dir: string;
  readonly configFile: string;
  readonly addresses: readonly string[];
  readonly port: number;
  program: Program;
  readonly #command: readonly string[];
  #api = "";

  private constructor(
    dir: string,
    addresses: readonly string[],
    port: number,
    command: readonly string[],
    program: Program,
  ) {
    this.#command = command;
    this.dir = dir;
    this.configFile = join(dir, "sipedge.toml");
    this.addresses = addresses;
    this.port = port;
    this.program = program;
  }

  /** Starts one and waits until it is ready. */
  static async start(options: EdgeOptions = {}): Promise<Edge> {
    const addresses = options.addresses ?? ["127.0.0.1"];
    const dir = mkdtempSync(join(tmpdir(), "sipedge-edge-"));
    const port = await freePort(addresses[0]!);
    const data_dir = options.data_dir ?? join(dir, "data");
    writeFileSync(join(dir, "sipedge.toml"), configText(addresses, port, data_dir, options.toml ?? ""));
    const command = options.command ?? SIPEDGE;
    const argv = [...command, "serve", "--config", join(dir, "sipedge.toml")];
    const program = new Program(argv, options.cwd === undefined ? {} : { cwd: options.cwd });
    const edge = new Edge(dir, addresses, port, command, program);
    await edge.#ready();
    return edge;
  }

  /** Starts it again with the same config, ports and data, after it ended. */
  async again(): Promise<void> {
    this.program = new Program([...this.#command, "serve", "--config", this.configFile]);
    await this.#ready();
  }

  /** `address:port` of the first listener. */
  get hostPort(): string {
    return `${this.addresses[0]}:${this.port}`;
  }

  /** Where the status API answers. */
  get api(): string {
    return this.#api;
  }

  /** What the status API answers to a GET. */
  async get<T = Record<string, unknown>>(path: string): Promise<T> {
    const response = await fetch(this.#api + path, { signal: AbortSignal.timeout(5000) });
    return (await response.json()) as T;
  }

  /** `sipedge user add`, the password through standard input; waits until the running process knows it. */
  async addUser(name: string, password: string): Promise<void> {
    const argv = [...this.#command, "user", "add", name, "--config", this.configFile, "--password-stdin"];
    const program = new Program(argv, { stdin: `${password}\n` });
    const code = await program.ended();
    if (code !== 0) throw new Error(`user add ${name}: ${program.output}`);
    await eventually(`user ${name} to be known`, async () => {
      const { users } = await this.get<{ users: { name: string }[] }>("/v1/users?limit=1000");
      return users.some((user) => user.name === name);
    });
  }

  /** Ends it cleanly and removes its folder; gives its exit code. */
  async stop(): Promise<number> {
    const code = await this.program.stop();
    rmSync(this.dir, { recursive: true, force: true });
    return code;
  }

  async #ready(): Promise<void> {
    try {
      const [, url] = await this.program.says(/ ready .*\bhttp=(\S+)/);
      this.#api = url ?? "";
      await eventually("the status API to answer", async () => (await this.get("/v1/status")).version);
    } catch (error) {
      await this.program.stop();
      throw error;
    }
  }
}

/** The config of a test: `toml` may hold further sections, but none of those given here. */
export function configText(
  addresses: readonly string[],
  port: number,
  data_dir: string,
  toml: string,
): string {
  const listen = addresses.flatMap((address) =>
    ["udp", "tcp"].map(
      (transport) => `[[listen]]\ntransport = "${transport}"\naddress = "${address}"\nport = ${port}\n`,
    ),
  );
  return [
    "config_version = 1",
    `domains = ["${addresses[0]}"]`,
    `data_dir = "${data_dir}"`,
    ...listen,
    '[http]\naddress = "127.0.0.1"\nport = 0',
    toml,
    "",
  ].join("\n");
}
