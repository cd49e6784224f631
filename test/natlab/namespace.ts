/**
 * A network namespace of this machine (ip-netns(8)) and the programs in it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProgramOptions } from "../support/process.ts";
import { Program } from "../support/process.ts";

const COMMAND_BOUND_MS = 10_000;
const PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

/** Runs a command to its end and gives what it wrote on its standard output; fails when it does. */
export function run(argv: readonly string[], stdin = ""): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], {
    stdin: Buffer.from(stdin),
    env: { ...process.env, PATH },
    timeout: COMMAND_BOUND_MS,
  });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${exitCode}: ${stderr.toString()}${stdin}`);
  return stdout.toString();
}

/** Whether the command ends well. */
export function works(...argv: readonly string[]): boolean {
  try {
    run(argv);
    return true;
  } catch {
    return false;
  }
}

/** A network that namespaces are plugged into. */
export interface Segment {
  /** Where its bridge is. */
  readonly at: Namespace;
  readonly bridge: string;
  readonly prefix: number;
  /** Where everything beyond it goes. */
  readonly gateway: string;
}

export class Namespace {
  readonly name: string;
  readonly #programs: Program[] = [];
  readonly #ends: (() => void)[] = [];
  #plugs = 0;

  constructor(name: string) {
    this.name = name;
    run(["ip", "netns", "add", name]);
    this.set("net.ipv6.conf.all.disable_ipv6", 1);
    this.set("net.ipv6.conf.default.disable_ipv6", 1);
    this.run("ip", "link", "set", "lo", "up");
  }

  /** Runs a command in here to its end and gives its output. */
  run(...argv: readonly string[]): string {
    return run(this.#inside(argv));
  }

  /** The rules of an nft file, or none of them. */
  nft(rules: string): void {
    run(this.#inside(["nft", "-f", "-"]), rules);
  }

  set(key: string, value: number): void {
    this.run("sysctl", "-qw", `${key}=${value}`);
  }

  /** Starts a program in here; it ends with the namespace at the latest. */
  start(argv: readonly string[], options: ProgramOptions = {}): Program {
    const program = new Program(this.#inside(argv), options);
    this.#programs.push(program);
    return program;
  }

  /** A folder that is gone when the namespace is. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), `${this.name}-`));
    this.#ends.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Does it when the programs have ended. */
  atEnd(does: () => void): void {
    this.#ends.push(does);
  }

  /** A bridge that has this address itself. */
  bridge(bridge: string, address: string, prefix: number): Segment {
    this.run("ip", "link", "add", bridge, "type", "bridge");
    this.run("ip", "address", "add", `${address}/${prefix}`, "dev", bridge);
    this.run("ip", "link", "set", bridge, "up");
    return { at: this, bridge, prefix, gateway: address };
  }

  /** Gives it an interface with an address in the segment, by which everything beyond is reached. */
  plug(device: string, address: string, { at, bridge, prefix, gateway }: Segment): void {
    const port = `port${at.#plugs++}`;
    const pair = ["ip", "link", "add", device, "netns", this.name, "type", "veth"];
    run([...pair, "peer", "name", port, "netns", at.name]);
    at.run("ip", "link", "set", port, "master", bridge, "up");
    this.run("ip", "address", "add", `${address}/${prefix}`, "dev", device);
    this.run("ip", "link", "set", device, "up");
    this.run("ip", "route", "add", "default", "via", gateway);
  }

  /** Kills what runs in it: a phone would wait for the answer of an appliance that has ended. */
  async close(): Promise<void> {
    for (const program of this.#programs) program.signal("SIGKILL");
    await Promise.all(this.#programs.map((program) => program.ended()));
    for (const end of this.#ends) end();
    run(["ip", "netns", "delete", this.name]);
  }

  #inside(argv: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.name, ...argv];
  }
}
