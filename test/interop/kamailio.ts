/**
 * Kamailio as the proxy next door, with the config in `test/interop/kamailio`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/edge.ts";
import { Program } from "../support/process.ts";
import { listening } from "./sipp.ts";

const CONFIG = join(import.meta.dir, "kamailio", "kamailio.cfg");

export class Kamailio {
  readonly hostPort: string;
  readonly #program: Program;
  readonly #dir: string;

  private constructor(hostPort: string, program: Program, dir: string) {
    this.hostPort = hostPort;
    this.#program = program;
    this.#dir = dir;
  }

  /** Starts one and waits until it listens; `defines` are those of its config, like `WITH_AUTH`. */
  static async start(address: string, ...defines: readonly string[]): Promise<Kamailio> {
    const port = await freePort(address);
    const dir = mkdtempSync(join(tmpdir(), "sipedge-kamailio-"));
    const place = ["-l", `udp:${address}:${port}`, "-Y", dir, "-P", join(dir, "pid"), "-w", dir];
    const memory = ["-m", "32", "-M", "4"];
    const defined = defines.flatMap((name) => ["-A", name]);
    const program = new Program(["kamailio", "-f", CONFIG, "-DD", "-E", ...memory, ...place, ...defined]);
    const kamailio = new Kamailio(`${address}:${port}`, program, dir);
    try {
      await listening("udp", port);
    } catch (error) {
      await kamailio.stop();
      throw error;
    }
    return kamailio;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
