/** rtpengines that give out ports and note what they are asked; each can fall silent, or say no. */
import type { Clock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Ben, BenInput, BenMap } from "../../src/media/bencode.ts";
import { decodeBen, encodeBen, textAt } from "../../src/media/bencode.ts";
import type { NgPlace, NgReceive } from "../../src/media/ng-pool.ts";
import { NgPool } from "../../src/media/ng-pool.ts";
import type { World } from "./world.ts";

const ANSWER_MS = 2;

export class FakeEngine {
  readonly address: string;
  /** Commands but pings, oldest first; repetitions are not in it. */
  readonly asked: BenMap[] = [];
  isSilent = false;
  /** Datagrams that get lost before one is heard. */
  loses = 0;
  /** What it says instead of doing what it is asked. */
  error: string | null = null;
  /** What it gives in place of a description; null: one that it makes. */
  made: string | null = null;
  /** The port in the next description it makes. */
  next_port = 30_000;
  /** What it answers to query and delete besides. */
  statistics: Readonly<Record<string, BenInput>> = {};
  readonly #answered = new Map<string, Buffer>();

  constructor(address: string) {
    this.address = address;
  }

  /** The answer to a datagram; null: it stays silent. */
  hears(bytes: Buffer): Buffer | null {
    if (this.isSilent || this.loses-- > 0) return null;
    const space = bytes.indexOf(0x20);
    const cookie = bytes.latin1Slice(0, space);
    const known = this.#answered.get(cookie);
    if (known !== undefined) return known;
    const command = decodeBen(bytes, space + 1);
    if (!(command instanceof Map)) throw new Error("a command that is no dictionary");
    const answer = Buffer.concat([Buffer.from(`${cookie} `), encodeBen(this.#answer(command))]);
    this.#answered.set(cookie, answer);
    return answer;
  }

  commands(): string[] {
    return this.asked.map((each) => textAt(each, "command") ?? "");
  }

  last(command: string): Record<string, Ben> {
    const found = this.asked.findLast((each) => textAt(each, "command") === command);
    if (found === undefined) throw new Error(`${this.address} was never asked to ${command}`);
    return Object.fromEntries(found);
  }

  #answer(command: BenMap): BenInput {
    const name = textAt(command, "command");
    if (name === "ping") return { result: "pong" };
    this.asked.push(command);
    if (this.error !== null) return { result: "error", "error-reason": this.error };
    const sdp = textAt(command, "sdp");
    if (sdp === null) return { result: "ok", ...this.statistics };
    if (this.made !== null) return { result: "ok", sdp: this.made };
    const port = this.next_port;
    this.next_port += 2;
    const made = sdp
      .replace(/^c=IN IP4 .*\r$/m, `c=IN IP4 ${this.address}\r`)
      .replace(/^(m=\w+) \d+/gm, `$1 ${port}`);
    return { result: "ok", sdp: made };
  }
}

/** A pool of fakes, one at each place, on the clock of a test. */
export function fakePool(
  parts: Pick<World, "clock" | "dice" | "metrics">,
  engines: readonly FakeEngine[],
  places: readonly Partial<NgPlace>[] = [],
): NgPool {
  const { clock } = parts;
  return new NgPool(
    {
      ...parts,
      log: silentLog,
      open: async (_local, receive) => ({
        send: (bytes, port, address) => carried(clock, engines, receive, Buffer.from(bytes), port, address),
        close() {},
      }),
    },
    {
      timeout_ms: 1000,
      ping_ms: 5000,
      places: engines.map(({ address }, index) => ({ address, port: 2223, weight: 1, ...places[index] })),
    },
  );
}

function carried(
  clock: Clock,
  engines: readonly FakeEngine[],
  receive: NgReceive,
  bytes: Buffer,
  port: number,
  address: string,
): boolean {
  const answer = engines.find((each) => each.address === address)?.hears(bytes) ?? null;
  if (answer !== null) clock.after(ANSWER_MS, () => receive(answer, port, address));
  return true;
}
