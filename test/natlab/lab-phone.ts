/**
 * A baresip phone in a namespace of the lab. It takes calls by itself, has silence or a tone to say, and
 * takes its commands from a pipe: a control port would be out of reach.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { makeTone, measureLatest } from "../interop/tone.ts";
import type { Program } from "../support/process.ts";
import { eventually } from "../support/process.ts";
import { PASSWORD, SIP_PORT } from "./lab-edge.ts";
import type { Namespace } from "./namespace.ts";
import { methodOf, valuesOf } from "./sip-text.ts";

const MODULES_DIRS = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
/** RFC 3261 §17.1.1.2: time for four tries over UDP. */
const PATIENCE_MS = 8000;
/** Longer than any story. */
const REFRESH_S = 600;
/** Longer than any call of the lab. */
const SILENCE_S = 600;
/** A recording that can be measured. */
const ENOUGH_S = 0.6;
const WAV_BYTES_PER_S = 16_000;
const TRACE_BEGINS = "\x1b[36;1m#\n";
const TRACE_ENDS = "\x1b[;m";

export interface LabPhoneOptions {
  readonly name: string;
  /** `host:port` of its registrar, which is its domain too. */
  readonly registrar: string;
  readonly transport: "udp" | "tcp";
  readonly address: string;
  /** How often it registers; rarely when absent. */
  readonly refresh_s?: number;
  /** Its place among the phones of its name: 1 for the first choice. */
  readonly q?: number;
  /** It says this tone in place of silence, and records what it hears. */
  readonly tone_hz?: number;
  /** False: it only calls and is called by its address. */
  readonly registers?: boolean;
}

export class LabPhone {
  readonly options: LabPhoneOptions;
  readonly space: Namespace;
  readonly #dir: string;
  readonly #program: Program;
  readonly #keys: number;
  /** What it had said when the chapter began. */
  #before = 0;

  private constructor(space: Namespace, options: LabPhoneOptions) {
    this.space = space;
    this.options = options;
    this.#dir = space.folder();
    writeFileSync(join(this.#dir, "config"), configOf(options, this.#dir));
    writeFileSync(join(this.#dir, "accounts"), accountOf(options));
    writeFileSync(join(this.#dir, "contacts"), "");
    writeSilence(this.#sound);
    const pipe = join(this.#dir, "keys");
    execFileSync("mkfifo", [pipe]);
    this.#keys = openSync(pipe, constants.O_RDWR);
    space.atEnd(() => closeSync(this.#keys));
    this.#program = space.start(["sh", "-c", 'exec baresip -s -f "$0" <"$1" 2>&1', this.#dir, pipe]);
  }

  /** Starts it and waits until it is registered and takes commands. */
  static async start(space: Namespace, options: LabPhoneOptions): Promise<LabPhone> {
    const phone = new LabPhone(space, options);
    if (options.tone_hz !== undefined) await makeTone(phone.#sound, options.tone_hz);
    await phone.#program.says(/baresip is ready/);
    if (options.registers !== false) await phone.registered();
    return phone;
  }

  get #sound(): string {
    return join(this.#dir, "sound.wav");
  }

  get name(): string {
    return this.options.name;
  }

  /** Waits until a REGISTER of this chapter was answered with 200. */
  async registered(): Promise<void> {
    await eventually(
      () => `${this.name} to register; it said:\n${this.output}`,
      () => {
        const tries = new Set(this.sent(/^REGISTER /, "REGISTER").map(sequenceOf));
        return this.received(/^SIP\/2\.0 200/, "REGISTER").some((answer) => tries.has(sequenceOf(answer)));
      },
      2 * PATIENCE_MS,
    );
  }

  /** The tone that it has heard in the last half second of the running call; null: none. */
  heard(): number | null {
    const file = this.#recordings().at(-1);
    return file === undefined || secondsOf(file) < ENOUGH_S ? null : measureLatest(file).hz;
  }

  /** How much it has recorded of the running call. */
  get heard_s(): number {
    return this.#recordings().reduce((sum, file) => sum + secondsOf(file), 0);
  }

  /** The oldest first: there is a new one when the call is taken back from hold. */
  #recordings(): string[] {
    const names = readdirSync(this.#dir).filter((name) => name.endsWith("-dec.wav"));
    return names
      .map((name) => join(this.#dir, name))
      .toSorted((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  }

  dial(uri: string): void {
    this.#type(`/dial ${uri}\n`);
  }

  /** Puts the call on hold, by a re-INVITE. */
  hold(): void {
    this.#type("/hold\n");
  }

  resume(): void {
    this.#type("/resume\n");
  }

  hangUp(): void {
    this.#type("/hangup\n");
  }

  /** Begins a new chapter, between two calls: earlier messages and recordings no longer count. */
  forget(): void {
    for (const file of this.#recordings()) rmSync(file);
    this.#before = this.#program.output.length;
  }

  /** Everything it said in this chapter, its SIP messages included. */
  get output(): string {
    return this.#program.output.slice(this.#before);
  }

  /** The messages of this chapter that it got, whose start line fits and whose method is this one. */
  received(startLine: RegExp, method: string): readonly string[] {
    return this.#traced(startLine, method, true);
  }

  sent(startLine: RegExp, method: string): readonly string[] {
    return this.#traced(startLine, method, false);
  }

  /** Waits for the first such message. */
  got(startLine: RegExp, method: string, within_ms = PATIENCE_MS): Promise<string> {
    return eventually(
      () => `${startLine} (${method}) at ${this.name}, which said:\n${this.output}`,
      () => this.received(startLine, method)[0],
      within_ms,
    );
  }

  /** Ends it as a user does: it takes back its registration. */
  async stop(): Promise<void> {
    await this.#program.stop();
  }

  #type(keys: string): void {
    writeSync(this.#keys, keys);
  }

  /** The messages of its `-s` trace: `UDP from -> to`, the message, between two colour changes. */
  #traced(startLine: RegExp, method: string, received: boolean): string[] {
    const parts = this.output.replaceAll("\r", "").split(TRACE_BEGINS).slice(1);
    return parts.flatMap((part) => {
      const [way = "", ...lines] = part.split(TRACE_ENDS, 1)[0]!.split("\n");
      const message = lines.join("\n");
      const fits = way.includes(`-> ${this.options.address}:`) === received;
      return fits && startLine.test(message) && methodOf(message) === method ? [message] : [];
    });
  }
}

const secondsOf = (file: string): number => statSync(file).size / WAV_BYTES_PER_S;

const sequenceOf = (message: string): string => valuesOf(message, "CSeq")[0] ?? "";

function configOf({ address, tone_hz }: LabPhoneOptions, dir: string): string {
  const modules = MODULES_DIRS.find((each) => readdirSafe(each).includes("g711.so")) ?? MODULES_DIRS[0];
  return [
    `module_path ${modules}`,
    `sip_listen ${address}:${SIP_PORT}`,
    `net_interface ${address}`,
    "rtp_ports 20000-20040",
    `audio_source aufile,${join(dir, "sound.wav")}`,
    `snd_path ${dir}`,
    ...["g711", "aufile", "stdio", ...(tone_hz === undefined ? [] : ["sndfile"])].map(
      (name) => `module ${name}.so`,
    ),
    ...["account", "menu", "debug_cmd"].map((name) => `module_app ${name}.so`),
    "",
  ].join("\n");
}

/** A WAV file of nothing: mono, 16 bits, 8000 samples a second; the disk keeps only its header. */
function writeSilence(file: string): void {
  const bytes = SILENCE_S * 16_000;
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + bytes, 4);
  header.write("WAVEfmt ", 8);
  for (const [at, value] of [
    [16, 16],
    [24, 8000],
    [28, 16_000],
    [40, bytes],
  ] as const)
    header.writeUInt32LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    header.writeUInt16LE(value, at);
  header.write("data", 36);
  writeFileSync(file, header);
  truncateSync(file, header.length + bytes);
}

function readdirSafe(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function accountOf(options: LabPhoneOptions): string {
  const { name, registrar, transport, q, refresh_s = REFRESH_S, registers = true } = options;
  const params = [
    `<sip:${name}@${registrar};transport=${transport}>`,
    `auth_user=${name}`,
    `auth_pass=${PASSWORD}`,
    "answermode=auto",
    `regint=${registers ? refresh_s : 0}`,
    ...(q === undefined ? [] : [`regq=${q}`]),
    "audio_codecs=pcmu",
  ];
  return `${params.join(";")}\n`;
}
