/**
 * HAProxy as the balancer in front of an appliance: it passes streams on and says whose they are (`send-proxy`).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "../support/process.ts";
import { listening } from "./sipp.ts";

/** One port of the balancer and the listener behind it. */
export interface Balanced {
  readonly from: string;
  readonly to: string;
  /** How it says whose it is: the PROXY protocol in version 1 or 2, or X-Forwarded-For. */
  readonly send: "send-proxy" | "send-proxy-v2" | "forwardfor";
  /** The address it connects from. */
  readonly source: string;
}

export class Haproxy {
  readonly #program: Program;
  readonly #dir: string;

  private constructor(program: Program, dir: string) {
    this.#program = program;
    this.#dir = dir;
  }

  /** Starts one and waits until it listens. It also looks ten times a second whether what is behind it lives. */
  static async start(...balanced: readonly Balanced[]): Promise<Haproxy> {
    const dir = mkdtempSync(join(tmpdir(), "sipedge-haproxy-"));
    const file = join(dir, "haproxy.cfg");
    writeFileSync(file, [DEFAULTS, ...balanced.map(listenSection), ""].join("\n"));
    const haproxy = new Haproxy(new Program(["haproxy", "-db", "-f", file]), dir);
    try {
      for (const { from } of balanced) await listening("tcp", Number(from.split(":")[1]));
    } catch (error) {
      await haproxy.stop();
      throw error;
    }
    return haproxy;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

const DEFAULTS = "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h";

function listenSection({ from, to, send, source }: Balanced, index: number): string {
  const [mode, how] =
    send === "forwardfor" ? [" mode http\n option forwardfor\n", ""] : ["", ` ${send} check-send-proxy`];
  return `listen sip${index}\n bind ${from}\n source ${source}\n${mode} server edge ${to}${how} check inter 100ms`;
}
