/**
 * The network laboratory: an internet, NAT boxes and hosts as network namespaces of this machine, made by a
 * test and removed after it. Needs root, and from Debian iproute2, nftables, conntrack, procps, tcpdump, curl,
 * baresip-core, sip-tester and coturn. It is no part of `npm test`; run it alone, as root, with
 *
 *     bun test ./test/natlab/*.lab.ts
 *
 * Each namespace is called se<pid>-<lab>-<name>, so that `ip netns exec` helps to look around in a running one.
 */
import { existsSync } from "node:fs";
import { isInstalled } from "../support/process.ts";
import type { Segment } from "./namespace.ts";
import { Namespace, run, works } from "./namespace.ts";
import type { NatOptions } from "./nat-box.ts";
import { NatBox } from "./nat-box.ts";

const PROGRAMS = ["ip", "nft", "conntrack", "sysctl", "ss", "tcpdump", "curl", "baresip"];
/** RFC 5737: the public addresses, all on one bridge; what goes elsewhere is lost without a word. */
const INTERNET_ROUTER = "203.0.113.254";
const NAMES = /^se(\d+)-\S+/;

/** Why there can be no lab here, with these programs beside its own; null when there can. */
export function unavailable(...programs: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return "not root";
  const absent = [...PROGRAMS, ...programs].filter((program) => !isInstalled(program));
  if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
  const trial = `se${process.pid}-trial`;
  if (!works("ip", "netns", "add", trial)) return "network namespaces are not allowed";
  const rules = works(
    "ip",
    "netns",
    "exec",
    trial,
    "nft",
    "add table ip t; add chain ip t c { type nat hook output priority 0; }",
  );
  const settings = works("ip", "netns", "exec", trial, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  run(["ip", "netns", "delete", trial]);
  if (!rules) return "nftables has no NAT here";
  return settings ? null : "the settings of namespaces cannot be written";
}

/** Whether the suite must be skipped, after one line that says why. */
export function noLab(suite: string, ...programs: readonly string[]): boolean {
  const reason = unavailable(...programs);
  if (reason !== null) process.stderr.write(`skipped: ${suite} (${reason})\n`);
  return reason !== null;
}

export class Lab {
  readonly #prefix: string;
  readonly #spaces: Namespace[] = [];
  readonly #internet: Segment;

  /** `name` tells it from other labs of this process. */
  constructor(name: string) {
    sweep();
    this.#prefix = `se${process.pid}-${name}`;
    this.#internet = this.#space("internet").bridge("internet", INTERNET_ROUTER, 24);
  }

  /** A host with a public address. */
  host(name: string, address: string): Namespace {
    return this.#plugged(name, address, this.#internet);
  }

  /** A NAT box, in the internet or behind another one. */
  nat(name: string, options: NatOptions, outer: NatBox | null = null): NatBox {
    return new NatBox(this.#space(name), outer?.inner ?? this.#internet, options);
  }

  /** A host in the inner network of a NAT box. */
  behind(nat: NatBox, name: string, address: string): Namespace {
    return this.#plugged(name, address, nat.inner);
  }

  /** Ends every program in it and removes it, whatever happened before. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.#spaces.toReversed().map((space) => space.close()));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #plugged(name: string, address: string, segment: Segment): Namespace {
    const space = this.#space(name);
    space.plug("eth0", address, segment);
    return space;
  }

  #space(name: string): Namespace {
    const space = new Namespace(`${this.#prefix}-${name}`);
    this.#spaces.push(space);
    return space;
  }
}

/** Removes what labs of processes left behind that ended without `close`. */
function sweep(): void {
  for (const line of run(["ip", "netns", "list"]).split("\n")) {
    const [name, pid] = NAMES.exec(line) ?? [];
    if (name === undefined || existsSync(`/proc/${pid}`)) continue;
    for (const orphan of run(["ip", "netns", "pids", name]).split("\n").filter(Boolean))
      process.kill(Number(orphan), "SIGKILL");
    run(["ip", "netns", "delete", name]);
  }
}
