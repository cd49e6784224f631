/**
 * A baresip phone without a sound card: it plays a tone from a file, records what it hears, and takes
 * commands over its control port.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";
import { makeTone } from "./tone.ts";

const MODULES_DIRS = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
const RTP_PORTS = 20;

export interface BaresipOptions {
  readonly name: string;
  readonly password: string;
  /** `host:port` of the registrar, which is its domain too. */
  readonly registrar: string;
  readonly transport: "udp" | "tcp";
  readonly address: string;
  /** The tone it sends. */
  readonly tone_hz: number;
  /** First of its RTP ports. */
  readonly rtp_port: number;
}

interface Event {
  readonly type: string;
  readonly param?: string;
}

export class Baresip {
  readonly #dir: string;
  readonly #program: Program;
  readonly #control: Socket;
  readonly #events: Event[] = [];
  #unread = "";

  private constructor(dir: string, program: Program, control: Socket) {
    this.#dir = dir;
    this.#program = program;
    this.#control = control;
    control.setEncoding("utf8");
    control.on("data", (text: string) => this.#take(text));
    control.on("error", () => {}); // its end is seen by the program's
  }

  /** Starts it and waits until it is registered. */
  static async start(options: BaresipOptions): Promise<Baresip> {
    const dir = mkdtempSync(join(tmpdir(), "sipedge-baresip-"));
    const [sip, control] = [await freePort(options.address), await freePort(options.address)];
    await makeTone(join(dir, "tone.wav"), options.tone_hz);
    writeFileSync(join(dir, "config"), configOf(options, dir, sip, control));
    writeFileSync(join(dir, "accounts"), accountOf(options));
    writeFileSync(join(dir, "contacts"), "");
    const program = new Program(["baresip", "-s", "-f", dir]);
    try {
      await program.says(/baresip is ready/);
      const phone = new Baresip(dir, program, createConnection(control, options.address));
      await program.says(/200 OK \(/);
      return phone;
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  dial(uri: string): void {
    this.#command("dial", uri);
  }

  hangUp(): void {
    this.#command("hangup", "");
  }

  /** Waits for an event like CALL_ESTABLISHED. */
  async event(type: string, within_ms = 15_000): Promise<Event> {
    return eventually(
      () => `${type}; there were ${this.#events.map((event) => event.type)}\n${this.#program.output}`,
      () => this.#events.find((event) => event.type === type),
      within_ms,
    );
  }

  /** The recording of what it heard, once the call is over. */
  heard(): string {
    const file = readdirSync(this.#dir).find((name) => name.endsWith("-dec.wav"));
    if (file === undefined) throw new Error(`no recording:\n${this.#program.output}`);
    return join(this.#dir, file);
  }

  /** Everything it said, its SIP messages included. */
  get output(): string {
    return this.#program.output;
  }

  async stop(): Promise<void> {
    this.#control.destroy();
    await this.#program.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #command(command: string, params: string): void {
    const text = JSON.stringify({ command, params });
    this.#control.write(`${Buffer.byteLength(text)}:${text},`);
  }

  /** Netstrings of JSON: events, and responses to commands. */
  #take(text: string): void {
    this.#unread += text;
    for (;;) {
      const head = /^(\d{1,6}):/.exec(this.#unread);
      const end = head === null ? 0 : head[0].length + Number(head[1]);
      if (head === null || this.#unread.length <= end) return;
      const json = JSON.parse(this.#unread.slice(head[0].length, end)) as Event & { event?: boolean };
      if (json.event) this.#events.push(json);
      this.#unread = this.#unread.slice(end + 1);
    }
  }
}

function configOf(options: BaresipOptions, dir: string, sip: number, control: number): string {
  const { address, rtp_port } = options;
  const modules = MODULES_DIRS.find((each) => readdirSafe(each).includes("g711.so")) ?? MODULES_DIRS[0];
  return [
    `module_path ${modules}`,
    `sip_listen ${address}:${sip}`,
    `net_interface ${address}`,
    `rtp_ports ${rtp_port}-${rtp_port + RTP_PORTS}`,
    `ctrl_tcp_listen ${address}:${control}`,
    `audio_source aufile,${join(dir, "tone.wav")}`,
    `snd_path ${dir}`,
    ...["g711", "aufile", "sndfile"].map((name) => `module ${name}.so`),
    ...["account", "menu", "ctrl_tcp"].map((name) => `module_app ${name}.so`),
    "",
  ].join("\n");
}

function readdirSafe(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function accountOf({ name, password, registrar, transport }: BaresipOptions): string {
  const uri = `<sip:${name}@${registrar};transport=${transport}>`;
  return `${uri};auth_user=${name};auth_pass=${password};answermode=auto;regint=600;audio_codecs=pcmu\n`;
}
