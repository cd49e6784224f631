/**
 * Bans in an nftables set: one `nft` at a time, in order, and never waited for.
 */
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { BanMirror } from "../guard/bans.ts";

/** Commands that wait; one more is left out. */
const WAITING_MAX = 1000;
const NFT_MS_MAX = 5000;

export class NftMirror implements BanMirror {
  readonly #set: string;
  readonly #log: Log;
  readonly #failures: Counter;
  readonly #waiting: string[] = [];
  #isRunning = false;
  #hasTold = false;

  /** `set`: family, table and name. */
  constructor(set: string, log: Log, metrics: Metrics) {
    this.#set = set;
    this.#log = log;
    this.#failures = metrics.counter(
      "sipedge_guard_nft_failures_total",
      "Bans that did not reach the nftables set",
    );
  }

  banned(source: string, seconds: number): void {
    this.#run(`add element ${this.#set} { ${source} timeout ${Math.ceil(seconds)}s }`);
  }

  lifted(source: string): void {
    this.#run(`delete element ${this.#set} { ${source} }`);
  }

  #run(command: string): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#failures.inc();
      return;
    }
    this.#waiting.push(command);
    if (!this.#isRunning) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    for (let command = this.#waiting.shift(); command !== undefined; command = this.#waiting.shift()) {
      const why = await nft(command);
      if (why === null) continue;
      this.#failures.inc();
      if (!this.#hasTold) this.#log.error("nft-failed", { set: this.#set, why });
      this.#hasTold = true; // once: it will go on failing
    }
    this.#isRunning = false;
  }
}

/** Null: it is done. */
async function nft(command: string): Promise<string | null> {
  try {
    const child = Bun.spawn(["nft", "-f", "-"], {
      stdin: Buffer.from(`${command}\n`),
      stdout: "ignore",
      stderr: "pipe",
      timeout: NFT_MS_MAX,
      env: { PATH: "/usr/sbin:/sbin:/usr/bin:/bin" },
    });
    const text = await new Response(child.stderr).text();
    return (await child.exited) === 0 ? null : (text.split("\n", 1)[0] ?? "it failed");
  } catch (error) {
    return String(error);
  }
}
