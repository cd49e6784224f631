/** rtpengine in user space, for test/bench/relay.ts: the same calls on the same machine, asked for by our own client. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/base/clock.ts";
import { SystemDice } from "../../src/base/dice.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { bunSockets } from "../../src/media/bun-sockets.ts";
import { CALLER } from "../../src/media/call-media.ts";
import type { NgOutcome } from "../../src/media/ng-call.ts";
import { NgCall } from "../../src/media/ng-call.ts";
import type { NgSide } from "../../src/media/ng-flags.ts";
import { NgPool } from "../../src/media/ng-pool.ts";
import { Rtpengine } from "../interop/rtpengines.ts";

const ADDRESS = "127.0.0.1";
const PORTS = [50_000, 59_999] as const;
/** Linux counts CPU time in hundredths of a second. */
const TICK_US = 10_000;
const SIDE: NgSide = {
  profile: "as_it_comes",
  family: 4,
  network: null,
  signalling_address: ADDRESS,
  is_nat: false,
};

export class RelayEngine {
  readonly #engine: Rtpengine;
  readonly #pool: NgPool;

  private constructor(engine: Rtpengine, pool: NgPool) {
    this.#engine = engine;
    this.#pool = pool;
  }

  static async start(): Promise<RelayEngine> {
    const engine = await Rtpengine.start(ADDRESS, ...PORTS);
    const open = bunSockets(() => {});
    const parts = { clock: systemClock, dice: new SystemDice(), log: silentLog, metrics: new Metrics() };
    const pool = new NgPool(
      {
        ...parts,
        async open(address, receive) {
          const socket = await open(address, 0, receive);
          return typeof socket === "string" ? null : socket;
        },
      },
      {
        timeout_ms: 2000,
        ping_ms: 60_000,
        places: [{ address: ADDRESS, port: engine.port, weight: 1 }],
      },
    );
    await pool.start();
    return new RelayEngine(engine, pool);
  }

  /** User and system time of all its threads since it started. */
  cpu_us(): number {
    const fields = readFileSync(`/proc/${this.#engine.program.pid}/stat`, "latin1")
      .split(") ")[1]!
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  /** The ports of a call between phones at these, and what ends it. */
  async call(
    id: string,
    phones: readonly [number, number],
  ): Promise<{ pair: [number, number]; end: NgCall }> {
    const { clock, pool, tags } = {
      clock: systemClock,
      pool: this.#pool,
      tags: { caller: "a", callee: "b" },
    };
    const call = new NgCall({
      clock,
      pool,
      call_id: id,
      caller_tag: tags.caller,
      rules: { dscp: 0, transcode: [] },
    });
    call.join(CALLER, SIDE);
    call.join("callee", SIDE);
    const pass = (op: "offer" | "answer", port: number) =>
      new Promise<number>((resolve, reject) => {
        const isOffer = op === "offer";
        const way = isOffer ? { from: CALLER, to: "callee" } : { from: "callee", to: CALLER };
        const answer_tag = isOffer ? null : tags.callee;
        const more = { offer_tag: tags.caller, answer_tag, branch: null, name: op, sdp: sdpOf(port) };
        call.pass({ op, ...way, ...more }, (outcome) => {
          const told = toldPort(outcome);
          if (told === null) reject(new Error(JSON.stringify(outcome)));
          else resolve(told);
        });
      });
    const forCallee = await pass("offer", phones[0]);
    const forCaller = await pass("answer", phones[1]);
    return { pair: [forCaller, forCallee], end: call };
  }

  async stop(): Promise<void> {
    this.#pool.close();
    await this.#engine.stop();
  }
}

const sdpOf = (port: number): string =>
  [
    "v=0",
    `o=- 1 1 IN IP4 ${ADDRESS}`,
    "s=-",
    `c=IN IP4 ${ADDRESS}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP 0`,
    "",
  ].join("\r\n");

function toldPort(outcome: NgOutcome): number | null {
  const port = "why" in outcome ? undefined : /^m=audio (\d+)/m.exec(outcome.sdp ?? "")?.[1];
  return port === undefined ? null : Number(port);
}
