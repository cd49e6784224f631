/**
 * sipp as the two ends of the proof about next hops: a callee that answers at once, and a caller that
 * writes down who answered each call, after how long, and how it ended.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listening } from "../interop/sipp.ts";
import { freePort } from "../support/edge.ts";
import { Program } from "../support/process.ts";

const message = (lines: readonly string[]): string =>
  `<![CDATA[\n${lines.join("\n")}\nContent-Length: 0\n\n]]>`;

const copied = (status: string, to: string): string =>
  message([
    `SIP/2.0 ${status}`,
    "[last_Via:]",
    "[last_Record-Route:]",
    "[last_From:]",
    `[last_To:]${to}`,
    "[last_Call-ID:]",
    "[last_CSeq:]",
    "Contact: <sip:[local_ip]:[local_port]>",
  ]);

const CALLEE = `<scenario name="callee">
<recv request="INVITE" rrs="true"/>
<send retrans="500">${copied("200 OK", ";tag=[pid]c[call_number]")}</send>
<recv request="ACK" optional="true"/>
<recv request="BYE"/>
<send>${copied("200 OK", "")}</send>
<timewait milliseconds="1000"/>
</scenario>`;

const request = (method: string, uri: string, to: string, cseq: string, more: readonly string[]): string =>
  message([
    `${method} ${uri} SIP/2.0`,
    "Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]",
    "Max-Forwards: 70",
    "From: <sip:caller@[local_ip]>;tag=[pid]a[call_number]",
    `To: <sip:[callee]>${to}`,
    "Call-ID: [call_id]",
    `CSeq: ${cseq}`,
    ...more,
  ]);

/** Answers to the BYE of a call whose callee has died since: the call was made, and nobody is left to hang up. */
const LOST_BYE = [408, 480, 481, 500, 503];
/** Nor may a proxy say 408 to a BYE (RFC 4320 §4.2): its sender waits, here as long as this and not for Timer F. */
const BYE_WAIT = 'timeout="12000" ontimeout="2"';

/** Any final answer but 200 to the INVITE fails the call. */
const CALLER = `<scenario name="caller">
<send retrans="500" start_rtd="1">${request("INVITE", "sip:[callee]", "", "1 INVITE", [
  "Contact: <sip:caller@[local_ip]:[local_port]>",
])}</send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rtd="1" rrs="true"><action>
<ereg regexp="127[.][0-9.]+" search_in="hdr" header="Contact:" assign_to="at"/>
<log message="answered [$at]"/>
</action></recv>
<send>${request("ACK", "[next_url]", "[peer_tag_param]", "1 ACK", ["[routes]"])}</send>
<send retrans="500">${request("BYE", "[next_url]", "[peer_tag_param]", "2 BYE", ["[routes]"])}</send>
<recv response="100" optional="true" ${BYE_WAIT}/>
${LOST_BYE.map(
  (status) =>
    `<recv response="${status}" optional="true" next="1" ${BYE_WAIT}><action><log message="lost ${status}"/></action></recv>`,
).join("\n")}
<recv response="200" next="1" ${BYE_WAIT}/>
<label id="2"/>
<nop><action><log message="lost without an answer"/></action></nop>
<label id="1"/>
</scenario>`;

const SCENARIOS = { callee: CALLEE, caller: CALLER } as const;

function start(scenario: keyof typeof SCENARIOS, more: readonly string[]): { program: Program; dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-hop-"));
  const file = join(dir, `${scenario}.xml`);
  writeFileSync(file, `<?xml version="1.0" encoding="ISO-8859-1" ?>\n${SCENARIOS[scenario]}\n`);
  const argv = ["sipp", "-sf", file, "-t", "u1", "-nostdin", "-buff_size", "4194304", ...more];
  return { program: new Program(argv, { cwd: dir }), dir };
}

/** A callee that takes every call until it is ended. */
export class Callee {
  readonly address: string;
  readonly port: number;
  readonly #program: Program;
  readonly #dir: string;

  private constructor(address: string, port: number, program: Program, dir: string) {
    this.address = address;
    this.port = port;
    this.#program = program;
    this.#dir = dir;
  }

  /** It listens when this resolves. */
  static async start(address: string): Promise<Callee> {
    const port = await freePort(address);
    const { program, dir } = start("callee", ["-i", address, "-p", String(port)]);
    const callee = new Callee(address, port, program, dir);
    try {
      await listening("udp", port);
    } catch (error) {
      await callee.end();
      throw error;
    }
    return callee;
  }

  /** Keeps its socket, and says nothing more. */
  fallSilent(): void {
    this.#program.signal("SIGSTOP");
  }

  /** Ends at once, as a crash does; may be called again. */
  async end(): Promise<void> {
    this.#program.signal("SIGKILL");
    await this.#program.ended();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export interface Calls {
  /** 0: no call failed. */
  readonly code: number;
  readonly good: number;
  readonly failed: number;
  /** Calls by the address that answered. */
  readonly by: Readonly<Record<string, number>>;
  /** Calls whose BYE found nobody. */
  readonly lost_byes: number;
  /** From the first INVITE to the 200, in increasing order. */
  readonly setup_ms: readonly number[];
  /** What sipp had against calls that failed. */
  readonly errors: string;
}

export interface CallerOptions {
  readonly address: string;
  /** `host:port` it sends to. */
  readonly target: string;
  /** `user@host:port` that is called. */
  readonly callee: string;
  readonly calls: number;
  /** New calls in a second. */
  readonly rate: number;
}

/** A caller at work. */
export class Caller {
  readonly #program: Program;
  readonly #dir: string;
  readonly #bound_s: number;

  private constructor(program: Program, dir: string, bound_s: number) {
    this.#program = program;
    this.#dir = dir;
    this.#bound_s = bound_s;
  }

  static async start(options: CallerOptions): Promise<Caller> {
    const { address, target, callee, calls, rate } = options;
    const bound_s = Math.ceil(calls / rate) + 40;
    const argv = ["-i", address, "-p", String(await freePort(address)), "-key", "callee", callee];
    argv.push("-m", String(calls), "-r", String(rate), "-timeout", `${bound_s}s`, "-timeout_error");
    argv.push("-trace_stat", "-fd", "1", "-trace_rtt", "-rtt_freq", "1");
    argv.push("-trace_logs", "-log_file", "calls.log", "-trace_err", "-error_file", "errors.log", target);
    const { program, dir } = start("caller", argv);
    return new Caller(program, dir, bound_s);
  }

  /** How many calls have been answered so far. */
  get answered(): number {
    return this.#read("calls.log").match(/answered/g)?.length ?? 0;
  }

  /** Waits for its last call. */
  async ended(): Promise<Calls> {
    try {
      const code = await this.#program.ended(1000 * (this.#bound_s + 20));
      const lines = this.#read("_.csv").trim().split("\n");
      const value = (name: string) =>
        Number(lines.at(-1)?.split(";")[lines[0]?.split(";").indexOf(name) ?? -1] ?? Number.NaN);
      const log = this.#read("calls.log");
      const by: Record<string, number> = {};
      for (const [, address] of log.matchAll(/answered ([0-9.]+)/g)) by[address!] = (by[address!] ?? 0) + 1;
      return {
        code,
        good: value("SuccessfulCall(C)"),
        failed: value("FailedCall(C)"),
        by,
        lost_byes: log.match(/lost/g)?.length ?? 0,
        setup_ms: this.#setups(),
        errors: code === 0 ? "" : this.#read("errors.log").slice(0, 3000),
      };
    } finally {
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  /** Ends it when a test has failed before. */
  async kill(): Promise<void> {
    this.#program.signal("SIGKILL");
    await this.#program.ended();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #setups(): number[] {
    const lines = this.#read("_rtt.csv").trim().split("\n").slice(1);
    return lines.map((line) => Number(line.split(";")[1])).sort((a, b) => a - b);
  }

  /** The file whose name ends so; "" when sipp has not made it. */
  #read(suffix: string): string {
    try {
      const file = readdirSync(this.#dir).find((name) => name.endsWith(suffix));
      return file === undefined ? "" : readFileSync(join(this.#dir, file), "latin1");
    } catch {
      return ""; // it has ended and its folder is gone
    }
  }
}

/** The value that so great a share of the sorted list does not exceed. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
