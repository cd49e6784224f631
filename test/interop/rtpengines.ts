/** Debian's rtpengine, in user space and on loopback, as the appliance finds it in a big site. */
import { freePort } from "../support/edge.ts";
import { Program } from "../support/process.ts";

export class Rtpengine {
  readonly address: string;
  readonly port: number;
  readonly program: Program;

  private constructor(address: string, port: number, program: Program) {
    this.address = address;
    this.port = port;
    this.program = program;
  }

  /** One with media ports of its own; waits until it can be asked. */
  static async start(address: string, port_min: number, port_max: number): Promise<Rtpengine> {
    const port = await freePort(address);
    const program = new Program([
      "rtpengine",
      "--config-file=none",
      "--table=-1",
      "--foreground",
      "--log-stderr",
      "--log-level=6",
      "--num-threads=2",
      `--interface=${address}`,
      `--listen-ng=${address}:${port}`,
      `--listen-cli=${address}:${await freePort(address)}`,
      `--port-min=${port_min}`,
      `--port-max=${port_max}`,
    ]);
    await program.says(/Startup complete/);
    return new Rtpengine(address, port, program);
  }

  /** Its `[[rtpengine]]`. */
  toml(weight = 1): string {
    return `[[rtpengine]]\naddress = "${this.address}"\nport = ${this.port}\nweight = ${weight}\n`;
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}
