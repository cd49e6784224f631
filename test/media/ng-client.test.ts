/** ARC-18: one rtpengine over its ng protocol, on a clock of the test; and which of several gets a call. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import type { BenMap } from "../../src/media/bencode.ts";
import { decodeBen, encodeBen, textAt } from "../../src/media/bencode.ts";
import { NgClient, UNDER_WAY_MAX } from "../../src/media/ng-client.ts";
import { ngReport } from "../../src/media/ng-report.ts";
import { FakeEngine, fakePool } from "../support/fake-engines.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function rig() {
  const clock = new VirtualClock();
  const sent: Buffer[] = [];
  const send = (bytes: Uint8Array) => sent.push(Buffer.from(bytes)) > 0;
  const parts = { clock, dice: new SeededDice(1), metrics: new Metrics(), name: "x:1", send };
  const client = new NgClient(parts, 1000);
  const answers: (BenMap | null)[] = [];
  const ask = () => client.ask({ command: "ping" }, (answer) => void answers.push(answer));
  const answer = (bytes: Buffer, value = "pong") =>
    client.received(Buffer.concat([bytes.subarray(0, bytes.indexOf(32) + 1), encodeBen({ result: value })]));
  return { clock, sent, client, answers, ask, answer };
}

describe("ARC-18 the ng client", () => {
  test("an answer finds its question by the cookie, in any order", () => {
    const { sent, answers, ask, answer } = rig();
    ask();
    ask();
    answer(sent[1]!, "second");
    answer(sent[0]!, "first");
    expect(answers.map((each) => textAt(each, "result"))).toEqual(["second", "first"]);
  });

  test("lost: sent again with the same cookie, twice; then there is no answer", () => {
    const { clock, sent, answers, ask } = rig();
    ask();
    clock.advance(999);
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map(String)).size).toBe(1);
    expect(answers).toEqual([]);
    clock.advance(1);
    expect(answers).toEqual([null]);
    expect(clock.pending).toBe(0);
  });

  test("an answer that comes twice, or late, or is none, counts once or not at all", () => {
    const { clock, sent, client, answers, ask, answer } = rig();
    ask();
    client.received(Buffer.from(`${String(sent[0]).split(" ", 1)[0]} rubbish`));
    client.received(Buffer.from("no-cookie-of-ours d6:result4:ponge"));
    client.received(Buffer.alloc(0));
    answer(sent[0]!);
    answer(sent[0]!);
    clock.advance(5000);
    expect(answers).toHaveLength(1);
  });

  test("as many as may be under way, and one more", () => {
    const { clock, client, answers, ask } = rig();
    for (let n = 0; n < UNDER_WAY_MAX; n++) ask();
    ask();
    expect(client.underWay).toBe(UNDER_WAY_MAX);
    clock.advance(0);
    expect(answers).toEqual([null]);
    client.close();
    expect(answers).toHaveLength(UNDER_WAY_MAX + 1);
  });
});

async function pool(weights: readonly number[]) {
  const clock = new VirtualClock();
  const engines = weights.map((_, index) => new FakeEngine(`203.0.113.${index + 1}`));
  const parts = { clock, dice: new SeededDice(7), metrics: new Metrics() };
  const made = fakePool(
    parts,
    engines,
    weights.map((weight) => ({ weight })),
  );
  await made.start();
  clock.advance(10);
  return { clock, engines, pool: made, up: () => made.snapshot().map(({ up }) => up) };
}

describe("ARC-18 the pool of rtpengines", () => {
  test("calls are shared by weight; a stand-by gets none while another answers", async () => {
    const { pool: shared } = await pool([3, 1, 0]);
    const counts = new Map<string, number>();
    for (let n = 0; n < 4000; n++) {
      const { name } = shared.choose(new Set())!;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.get("203.0.113.1:2223")! / 4000).toBeCloseTo(0.75, 1);
    expect(counts.has("203.0.113.3:2223")).toBe(false);
  });

  test("one that is silent is found dead by its ping, and back by the next it answers", async () => {
    const { clock, engines, pool: shared, up } = await pool([1, 1]);
    engines[0]!.isSilent = true;
    clock.advance(6100);
    expect(up()).toEqual([false, true]);
    for (let n = 0; n < 20; n++) expect(shared.choose(new Set())!.name).toBe("203.0.113.2:2223");
    engines[0]!.isSilent = false;
    clock.advance(5100);
    expect(up()).toEqual([true, true]);
  });

  test("one lost datagram is no death", async () => {
    const { clock, engines, up } = await pool([1]);
    for (let n = 0; n < 10; n++) {
      engines[0]!.loses = 2;
      clock.advance(5000);
    }
    expect(up()).toEqual([true]);
  });

  test("the config changes: a new one gets the calls, and one that has calls is heard until they end", async () => {
    const { clock, pool: shared } = await pool([1, 1]);
    const [first, second] = [shared.choose(new Set())!, shared.snapshot()];
    first.calls++;
    const other = second.find(({ instance }) => instance !== first.name)!;
    const address = other.instance.split(":", 1)[0]!;
    await shared.configure({ timeout_ms: 500, ping_ms: 5000, places: [{ address, port: 2223, weight: 5 }] });
    expect(shared.snapshot()).toMatchObject([{ instance: other.instance, weight: 5 }]);
    let answers = 0;
    const counts = (answer: BenMap | null): void => {
      if (answer !== null) answers++;
    };
    shared.ask(first, { command: "query" }, counts);
    clock.advance(100);
    expect(answers).toBe(1);
    first.calls--;
    clock.advance(10_000);
    shared.ask(first, { command: "query" }, counts);
    clock.advance(2000);
    expect(answers).toBe(1);
  });

  test("nobody answers: there is none", async () => {
    const { clock, engines, pool: shared } = await pool([1, 0]);
    for (const engine of engines) engine.isSilent = true;
    clock.advance(6100);
    expect(shared.choose(new Set())).toBeNull();
    shared.close();
    clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });
});

describe("ARC-18 statistics of rtpengine", () => {
  const stream = (port: number, packets: number, ssrc: number) => ({
    index: 1,
    codec: "PCMU/8000",
    streams: [
      {
        endpoint: { address: "198.51.100.7", port },
        stats: { packets, bytes: packets * 172, errors: 0 },
        SSRC: ssrc,
      },
    ],
  });
  const answer = {
    result: "ok",
    tags: { a: { medias: [stream(4000, 100, 5)] }, b: { medias: [stream(5000, 90, 6)] } },
    SSRC: { "5": { "average MOS": { MOS: 43, jitter: 2, "packet loss": 1, "round-trip time": 20_000 } } },
  };

  test("packets of both directions; loss, jitter and MOS where RTCP told them, else null", () => {
    const read = decodeBen(encodeBen(answer)) as BenMap;
    const { streams } = ngReport(read, "a")!;
    expect(streams.map(({ from, packets, bytes }) => [from, packets, bytes])).toEqual([
      ["caller", 100, 17_200],
      ["callee", 90, 15_480],
    ]);
    expect(streams[0]).toMatchObject({
      codec: "pcmu",
      far_loss_percent: 1,
      far_jitter_ms: 2,
      mos_simple: 4.3,
      round_trip_ms: 20,
      source: "198.51.100.7:4000",
    });
    expect(streams[1]).toMatchObject({ far_loss_percent: null, mos_simple: null, loss_percent: null });
  });

  test("answers of another form give no report, or one without streams", () => {
    expect(ngReport(new Map(), "a")).toBeNull();
    expect(ngReport(new Map([["tags", new Map([["a", 5]])]]), "a")).toEqual({ streams: [] });
  });
});
