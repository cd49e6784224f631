/**
 * sipp as a phone in a namespace of the lab: each story of `test/interop/sipp` is a process of its own, and all
 * use the phone's one port. It hears no pings between two stories, and within one it must not get any: they would
 * be calls to it. So the appliance in such a lab pings with zero bytes.
 */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostPort } from "../../src/base/flow.ts";
import type { Program } from "../support/process.ts";
import { eventually } from "../support/process.ts";
import { PASSWORD, SIP_PORT } from "./lab-edge.ts";
import type { Namespace } from "./namespace.ts";

const SCENARIOS = join(import.meta.dir, "../interop/sipp");
/** The shortest pause of a story, as between answer and BYE. */
const PAUSE_MS = 300;
const PATIENCE_S = 50;
/** Longer than any story. */
const LIFE_S = 600;

export const CALLED = {
  hangsUp: "callee-hangs-up",
  isHungUp: "callee-is-hung-up",
  speaksEarly: "callee-speaks-early",
} as const;
export const CALLING = {
  hangsUp: "caller-hangs-up",
  isHungUp: "caller-is-hung-up",
  offersNothing: "caller-late-offer",
} as const;

export interface LabSippOptions {
  readonly name: string;
  readonly address: string;
  readonly port?: number;
  /** What its URIs name behind the @. */
  readonly domain: string;
  /** What a router puts into its Via in the place of its address; rport is absent then. */
  readonly viaHost?: string;
}

export class LabSipp {
  readonly options: LabSippOptions;
  readonly #space: Namespace;
  readonly #folder: string;
  readonly #port: number;

  constructor(space: Namespace, options: LabSippOptions) {
    this.options = options;
    this.#space = space;
    this.#folder = space.folder();
    this.#port = options.port ?? SIP_PORT;
  }

  get uri(): string {
    return `sip:${this.options.name}@${this.options.domain}`;
  }

  get contact(): string {
    return `sip:${this.options.name}@${hostPort(this.options.address, this.#port)}`;
  }

  /** Registers through this `host:port`, which must ask for the password. */
  async registers(through: string): Promise<void> {
    const keys = { contact: `<${this.contact}>`, expires: `${LIFE_S}` };
    await this.succeeds(this.#start("register", through, this.options.domain, keys));
  }

  /** Takes back all registrations of its account. */
  async leaves(through: string): Promise<void> {
    await this.succeeds(this.#start("register-remove-all", through, this.options.domain, {}));
  }

  /** Takes one call; it listens when this resolves. `pause_ms`: how long each pause of it is. */
  async takes(story: (typeof CALLED)[keyof typeof CALLED], pause_ms = PAUSE_MS): Promise<Program> {
    const program = this.#start(story, null, "", {}, pause_ms);
    await eventually(`${story} to listen`, () =>
      this.#space
        .run("ss", "-Hlun", `sport = :${this.#port}`)
        .includes(hostPort(this.options.address, this.#port)),
    );
    return program;
  }

  /** Calls this user through a `host:port`, where it must prove itself. It says what it hears. */
  calls(
    story: (typeof CALLING)[keyof typeof CALLING],
    user: string,
    through: string,
    pause_ms = PAUSE_MS,
  ): Program {
    const peer = `${user}@${this.options.domain}`;
    return this.#start(story, through, peer, { peer, home: this.options.domain }, pause_ms);
  }

  /** Calls with a Route of its own making, and expects 403. */
  async isForbidden(peer: string, route: string, through: string): Promise<void> {
    const keys = { peer, route, home: this.options.domain };
    await this.succeeds(this.#start("foreign-caller-is-refused", through, peer, keys));
  }

  /** Waits until the story has come to its end, as written. */
  async succeeds(program: Program): Promise<void> {
    const code = await program.ended(60_000);
    expect(code === 0 ? "" : `sipp ended with ${code}:\n${program.output.slice(-4000)}`).toBe("");
  }

  #start(
    story: string,
    through: string | null,
    authUri: string,
    keys: Record<string, string>,
    pause_ms = PAUSE_MS,
  ): Program {
    const { name, address, domain } = this.options;
    const scenario = join(this.#folder, `${story}.xml`);
    const text = readFileSync(join(SCENARIOS, `${story}.xml`), "latin1");
    writeFileSync(scenario, this.#edited(text));
    const argv = [
      "sipp",
      "-sf",
      scenario,
      "-i",
      address,
      "-p",
      `${this.#port}`,
      "-m",
      "1",
      "-nostdin",
      "-rtp_echo",
      "-mi",
      address,
    ];
    argv.push("-d", `${pause_ms}`, "-timeout", `${PATIENCE_S}s`, "-timeout_error");
    argv.push("-au", name, "-ap", PASSWORD, "-auth_uri", authUri);
    for (const [key, value] of Object.entries({ user: name, domain, ...keys })) argv.push("-key", key, value);
    if (through !== null) argv.push(through);
    return this.#space.start(argv);
  }

  /** Its media port is its own; it names its domain, its address in SDP without brackets, and rport, or it may not get answers (RFC 3581). */
  #edited(text: string): string {
    const { viaHost } = this.options;
    const edited = text
      .replaceAll("[remote_ip]:[remote_port]", "[domain]")
      .replaceAll('regexp="m=audio 40002"', 'regexp="m=audio [0-9]+"')
      .replaceAll("m=audio 40002", "m=audio [media_port]")
      .replaceAll("m=audio 40004", "m=audio [media_port]")
      .replaceAll("IN IP[local_ip_type] [local_ip]", "IN IP[media_ip_type] [media_ip]");
    if (viaHost !== undefined) return edited.replaceAll("[transport] [local_ip]", `[transport] ${viaHost}`);
    return edited.replaceAll("[local_port];branch", "[local_port];rport;branch");
  }
}
