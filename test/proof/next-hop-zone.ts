/** dnsmasq on a loopback port, with a zone that the proof writes; it can be made a black hole and revived. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/edge.ts";
import { Program } from "../support/process.ts";

/** dnsmasq with the zone `test`: the lines, and no other name. */
export class Zone {
  readonly #program: Program;
  readonly #dir: string;
  readonly port: number;

  private constructor(program: Program, dir: string, port: number) {
    this.#program = program;
    this.#dir = dir;
    this.port = port;
  }

  static async serve(lines: readonly string[]): Promise<Zone> {
    const dir = mkdtempSync(join(tmpdir(), "sipedge-zone-"));
    const port = await freePort("127.0.0.1");
    writeFileSync(join(dir, "dnsmasq.conf"), `${lines.join("\n")}\n`);
    const argv = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--no-resolv", "--no-hosts"];
    argv.push("--local-ttl=600", "--local=/test/", "--bind-interfaces", "--listen-address=127.0.0.1");
    argv.push(`--port=${port}`, `--conf-file=${join(dir, "dnsmasq.conf")}`, "--pid-file");
    const program = new Program([...argv, `--user=${process.env.USER ?? "root"}`]);
    const zone = new Zone(program, dir, port);
    try {
      await program.says(/started/);
    } catch (error) {
      await zone.stop();
      throw error;
    }
    return zone;
  }

  /** From now on it is a socket that takes queries and never answers. */
  die(): void {
    this.#program.signal("SIGSTOP");
  }

  revive(): void {
    this.#program.signal("SIGCONT");
  }

  async stop(): Promise<void> {
    this.revive();
    await this.#program.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
