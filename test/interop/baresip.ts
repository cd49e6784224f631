/**
 * A baresip phone without a sound card: it plays a tone from a file, records what it hears, and takes
 * commands over its control port.
 */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";
import { makeTone } from "./tone.ts";

const MODULES_DIRS = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
const RTP_PORTS = 20;
const MEDIA_MODULES = { none: [], "srtp-mand": ["srtp"], dtls_srtp: ["dtls_srtp", "ice"] } as const;
const WAV_BYTES_PER_S = 16_000;
const TRACE_BEGINS = "\x1b[36;1m#\n";
const TRACE_ENDS = "\x1b[;m";

export interface BaresipOptions {
  readonly name: string;
  readonly password: string;
  /** `host:port` of the registrar, which is its domain too. */
  readonly registrar: string;
  readonly transport: "udp" | "tcp" | "tls";
  /** Those whose signature it believes (PEM); else it believes everybody. */
  readonly ca?: string;
  /** How it encrypts its media, by baresip's words: SDES, or DTLS-SRTP with ICE; not at all when absent. */
  readonly media?: "srtp-mand" | "dtls_srtp";
  readonly address: string;
  /** The tone it sends. */
  readonly tone_hz: number;
  /** First of its RTP ports. */
  readonly rtp_port: number;
  /** Whether it takes calls by itself; else it rings. True when absent. */
  readonly answers?: boolean;
  /** `host:port` of the proxy its requests go through, by a Route of its own (RFC 3261 §8.1.2). */
  readonly outbound?: string;
  /** The only codec it has; pcmu when absent. */
  readonly codec?: "pcmu" | "pcma";
}

interface Event {
  readonly type: string;
  readonly param?: string;
}

export class Baresip {
  readonly options: BaresipOptions;
  readonly #dir: string;
  readonly #program: Program;
  readonly #control: Socket;
  readonly #events: Event[] = [];
  #commanded = false;
  #unread = "";
  /** What it had said when the chapter began. */
  #before = "";

  private constructor(options: BaresipOptions, dir: string, program: Program, control: Socket) {
    this.options = options;
    this.#dir = dir;
    this.#program = program;
    this.#control = control;
    control.setEncoding("utf8");
    control.on("data", (text: string) => this.#take(text));
    control.on("error", () => {}); // its end is seen by the program's
  }

  /** Starts it and waits until it is registered and takes commands. */
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
      const phone = new Baresip(options, dir, program, createConnection(control, options.address));
      await program.says(/200 OK \(/);
      phone.command("reginfo");
      await eventually("its control port to answer", () => phone.#commanded);
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

  /** A command of its menu, like `hold` or `transfer`. */
  command(command: string, params = ""): void {
    this.#command(command, params);
  }

  /** Begins a new chapter, between two calls: earlier events, messages and recordings no longer count. */
  forget(): void {
    this.#events.length = 0;
    this.#before = this.#program.output;
    for (const file of this.#wavs()) rmSync(join(this.#dir, file));
  }

  /** The types of the events there were. */
  get events(): readonly string[] {
    return this.#events.map(({ type }) => type);
  }

  /** Waits for an event like CALL_ESTABLISHED. */
  async event(type: string, within_ms = 15_000): Promise<Event> {
    return eventually(
      () => `${type}; there were ${this.#events.map((event) => event.type)}\n${this.#program.output}`,
      () => this.#events.find((event) => event.type === type),
      within_ms,
    );
  }

  /** The recording of what it heard, which grows while the call lasts. */
  heard(): string {
    const file = this.#wavs()[0];
    if (file === undefined) throw new Error(`no recording:\n${this.#program.output}`);
    return join(this.#dir, file);
  }

  /** How much it has heard so far in the running call. */
  get heard_s(): number {
    const file = this.#wavs()[0];
    return file === undefined ? 0 : statSync(join(this.#dir, file)).size / WAV_BYTES_PER_S;
  }

  /** Everything it said, its SIP messages included. */
  get output(): string {
    const { output } = this.#program;
    return output.startsWith(this.#before) ? output.slice(this.#before.length) : output;
  }

  /** Waits until it says or is told something. */
  says(pattern: RegExp, within_ms = 15_000): Promise<RegExpExecArray> {
    return eventually(
      () => `${pattern}; it said:\n${this.output}`,
      () => pattern.exec(this.output),
      within_ms,
    );
  }

  /** The SIP messages it got whose start line fits. */
  received(startLine: RegExp): readonly string[] {
    return this.#traced(startLine, (_from, to) => this.#isOwn(to));
  }

  /** The same of those it sent. */
  sent(startLine: RegExp): readonly string[] {
    return this.#traced(startLine, (from, to) => this.#isOwn(from) && !this.#isOwn(to));
  }

  async stop(): Promise<void> {
    this.#control.destroy();
    await this.#program.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The messages of its `-s` trace: `UDP from -> to`, the message, between two colour changes. */
  #traced(startLine: RegExp, direction: (from: string, to: string) => boolean): string[] {
    const parts = this.output.replaceAll("\r", "").split(TRACE_BEGINS).slice(1);
    return parts.flatMap((part) => {
      const [way = "", ...lines] = part.split(TRACE_ENDS, 1)[0]!.split("\n");
      const [, from = "", to = ""] = /^\S+ (\S+) -> (\S+)/.exec(way) ?? [];
      return direction(from, to) && startLine.test(lines[0] ?? "") ? [lines.join("\n")] : [];
    });
  }

  /** Its TLS connections do not keep to its address, and leave from the first of loopback. */
  #isOwn(place: string): boolean {
    const { address, transport } = this.options;
    return place.startsWith(`${address}:`) || (transport === "tls" && place.startsWith("127.0.0.1:"));
  }

  #wavs(): string[] {
    return readdirSync(this.#dir).filter((name) => name.endsWith("-dec.wav"));
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
      const json = JSON.parse(this.#unread.slice(head[0].length, end)) as Event & {
        event?: boolean;
        response?: boolean;
      };
      if (json.event) this.#events.push(json);
      if (json.response) this.#commanded = true;
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
    ...(options.ca === undefined ? [] : [`sip_cafile ${options.ca}`]),
    ...["g711", "aufile", "sndfile", ...MEDIA_MODULES[options.media ?? "none"]].map(
      (name) => `module ${name}.so`,
    ),
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

function accountOf(options: BaresipOptions): string {
  const { name, password, registrar, transport, answers = true, outbound, media, codec = "pcmu" } = options;
  const params = [
    `<sip:${name}@${registrar};transport=${transport}>`,
    `auth_user=${name}`,
    `auth_pass=${password}`,
    `answermode=${answers ? "auto" : "manual"}`,
    ...(outbound === undefined ? [] : [`outbound="sip:${outbound};transport=${transport}"`]),
    ...(media === undefined ? [] : [`mediaenc=${media}`]),
    ...(media === "dtls_srtp" ? ["medianat=ice", "rtcp_mux=yes"] : []),
    "regint=600",
    `audio_codecs=${codec}`,
  ];
  return `${params.join(";")}\n`;
}
