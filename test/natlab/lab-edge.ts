/**
 * The appliance from source in a namespace of the lab. Its status API listens on the loopback of that
 * namespace, so it is asked by a curl in there.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SIPEDGE } from "../support/edge.ts";
import type { Program } from "../support/process.ts";
import { eventually } from "../support/process.ts";
import type { Namespace } from "./namespace.ts";

export const SIP_PORT = 5060;
export const PASSWORD = "a-long-secret";
const API = "http://127.0.0.1:8080";

export interface LabEdgeOptions {
  /** It listens here, over UDP and TCP, on port 5060. */
  readonly address: string;
  /** Its names beside that address. */
  readonly domains?: readonly string[];
  /** `host:port` of `advertise`. */
  readonly advertise?: string;
  readonly users: readonly string[];
  /** Further TOML. */
  readonly toml?: string;
}

/** A binding as `/v1/registrations` shows it. */
export interface Registration {
  readonly aor: string;
  readonly contact: string;
  readonly transport: string;
  /** `address:port` that its packets come from. */
  readonly remote: string;
  /** False while it is out of use: its connection is closed, or its pings stay without an answer. */
  readonly reachable: boolean;
}

export class LabEdge {
  readonly space: Namespace;
  readonly hostPort: string;
  readonly program: Program;

  private constructor(space: Namespace, options: LabEdgeOptions) {
    this.space = space;
    this.hostPort = `${options.address}:${SIP_PORT}`;
    const folder = space.folder();
    const config = join(folder, "sipedge.toml");
    writeFileSync(config, configOf(options, join(folder, "data")));
    this.program = space.start([...SIPEDGE, "serve", "--config", config]);
  }

  /** Starts it and waits until it is ready. */
  static async start(space: Namespace, options: LabEdgeOptions): Promise<LabEdge> {
    const edge = new LabEdge(space, options);
    await edge.program.says(/ ready .*\bhttp=/);
    return edge;
  }

  get<T>(path: string): T {
    return JSON.parse(this.#fetch(path)) as T;
  }

  registrations(user: string): readonly Registration[] {
    const { registrations } = this.get<{ registrations: Registration[] }>("/v1/registrations?limit=1000");
    return registrations.filter(({ aor }) => aor.startsWith(`${user}@`));
  }

  /** The bindings of a user, once there are so many. */
  registered(user: string, count = 1): Promise<readonly Registration[]> {
    return eventually(`${count} registrations of ${user}`, () => {
      const found = this.registrations(user);
      return found.length === count && found;
    });
  }

  /** A metric summed over its labels; fails when there is none. */
  metric(name: string): number {
    const lines = this.#fetch("/metrics").split("\n");
    const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    if (values.length === 0) throw new Error(`no metric ${name}`);
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  #fetch(path: string): string {
    return this.space.run("curl", "-sS", "--fail", "--max-time", "5", API + path);
  }
}

function configOf(
  { address, domains = [], advertise, users, toml = "" }: LabEdgeOptions,
  data: string,
): string {
  const names = [address, ...domains].map((name) => JSON.stringify(name));
  const listen = ["udp", "tcp"].map(
    (transport) =>
      `[[listen]]\ntransport = "${transport}"\naddress = "${address}"\nport = ${SIP_PORT}\n` +
      (advertise === undefined ? "" : `advertise = "${advertise}"\n`),
  );
  return [
    `config_version = 1\ndomains = [${names.join(", ")}]\ndata_dir = "${data}"`,
    ...listen,
    `[http]\naddress = "127.0.0.1"\nport = ${new URL(API).port}`,
    ...users.map((name) => `[[user]]\nname = "${name}"\npassword = "${PASSWORD}"`),
    toml,
    "",
  ].join("\n");
}
