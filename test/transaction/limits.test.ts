/** The bound on transactions, and that nothing is left when all have ended. */
import { describe, expect, test } from "bun:test";
import { SeededDice } from "../support/seeded-dice.ts";
import { NOTHING_LEFT, Rig, request, response } from "./rig.ts";

describe("limits.transactions_max", () => {
  const full = () => {
    const rig = new Rig(2);
    rig.receive(request("INVITE", "z9hG4bK1"), rig.flow());
    rig.send("OPTIONS", rig.flow());
    rig.take();
    return rig;
  };

  test("one more request: 503 with Retry-After, no state, counted", () => {
    const rig = full();
    rig.receive(request("INVITE", "z9hG4bK2"), rig.flow());
    expect(rig.take()).toEqual(["send 503"]);
    const lines = rig.sent.at(-1)!.text.split("\r\n");
    expect(lines[0]).toBe("SIP/2.0 503 Service Unavailable");
    expect(lines.filter((line) => /^Retry-After: [1-9]\d*$/.test(line))).toHaveLength(1);
    expect(lines.some((line) => /^To: .*;tag=\S+$/.test(line))).toBe(true);
    expect(rig.layer.size).toBe(2);
    expect(rig.counter("sipedge_transactions_refused_total")).toBe(1);
  });

  test("the same request again gets the same 503, byte for byte (§8.2.7)", () => {
    const rig = full();
    for (let i = 0; i < 2; i++) rig.receive(request("INVITE", "z9hG4bK2"), rig.flow());
    expect(rig.sent.at(-1)!.text).toBe(rig.sent.at(-2)!.text);
  });

  test("known transactions go on: repetitions, ACKs and answers are served", () => {
    const rig = full();
    rig.receive(request("INVITE", "z9hG4bK1"), rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    rig.respond(rig.requests[0]!, 486, request("INVITE", "z9hG4bK1"));
    rig.receive(request("ACK", "z9hG4bK1"), rig.flow());
    rig.receive(request("ACK", "z9hG4bKof2xx"), rig.flow());
    expect(rig.take()).toEqual(["answered 200", "send 486", "stray ACK"]);
    expect(rig.requests[0]!.state).toBe("Confirmed");
  });

  test("a CANCEL of a running INVITE is let in: it is what frees transactions", () => {
    const rig = full();
    rig.receive(request("CANCEL", "z9hG4bK1"), rig.flow());
    expect(rig.take()).toEqual(["cancel"]);
  });

  test("a CANCEL flood with random branches does not grow beyond the bound", () => {
    const rig = full();
    for (let i = 0; i < 1000; i++) rig.receive(request("CANCEL", `z9hG4bKflood${i}`), rig.flow());
    expect(rig.layer.size).toBe(2);
  });

  test("once one has ended there is room again", () => {
    const rig = full();
    rig.clock.advance(33_000);
    rig.receive(request("INVITE", "z9hG4bK2"), rig.flow());
    expect(rig.requests).toHaveLength(2);
  });

  test("a flood of ACKs for nothing leaves nothing", () => {
    const rig = full();
    for (let i = 0; i < 1000; i++) rig.receive(request("ACK", `z9hG4bKflood${i}`), rig.flow());
    expect(rig.layer.size).toBe(2);
  });
});

describe("limits.transactions_per_source_max", () => {
  const NEAR = "198.51.100.7";
  const FAR = "203.0.113.9";
  const rigWith = (transactionsPerSourceMax: number, isExempt: (address: string) => boolean = () => false) =>
    new Rig(1000, { transactionsPerSourceMax, isExempt });
  const ask = (rig: Rig, address: string, branch: string, method = "OPTIONS") =>
    rig.receive(request(method, branch, `${address}:5060`), rig.flow("udp", address));

  test("one more of the same address: 503 with Retry-After, no state, counted", () => {
    const rig = rigWith(3);
    for (let i = 0; i < 4; i++) ask(rig, NEAR, `z9hG4bK${i}`);
    expect([rig.requests.length, rig.layer.size, ...rig.times("503")]).toEqual([3, 3, 0]);
    expect(rig.sent.at(-1)!.text).toMatch(/\r\nRetry-After: \d+\r\n/);
    expect(rig.counter("sipedge_transactions_refused_total")).toBe(1);
  });

  test("other addresses are served meanwhile", () => {
    const rig = rigWith(1);
    for (const branch of ["z9hG4bK1", "z9hG4bK2"]) ask(rig, NEAR, branch);
    ask(rig, FAR, "z9hG4bK1");
    expect(rig.requests.map((each) => each.source.remoteAddress)).toEqual([NEAR, FAR]);
  });

  test("ports do not matter: an address is counted whatever port it sends from", () => {
    const rig = rigWith(2);
    for (const port of [5060, 5061, 5062])
      rig.receive(request("OPTIONS", `z9hG4bK${port}`), rig.flow("udp", NEAR, port));
    expect(rig.requests).toHaveLength(2);
  });

  test("an exempt address has no such bound, and is asked about only when it is reached", () => {
    const asked: string[] = [];
    const rig = rigWith(2, (address) => {
      asked.push(address);
      return address === NEAR;
    });
    for (let i = 0; i < 5; i++) ask(rig, NEAR, `z9hG4bK${i}`);
    expect([rig.requests.length, asked]).toEqual([5, [NEAR, NEAR, NEAR]]);
  });

  test("repetitions, ACKs and the CANCEL of a running INVITE are let in", () => {
    const rig = rigWith(1);
    ask(rig, NEAR, "z9hG4bK1", "INVITE");
    ask(rig, NEAR, "z9hG4bK1", "INVITE");
    ask(rig, NEAR, "z9hG4bK1", "CANCEL");
    ask(rig, NEAR, "z9hG4bKof2xx", "ACK");
    expect(rig.take()).toEqual(["request INVITE", "cancel", "stray ACK"]);
  });

  test("what has ended makes room again, and an address without transactions is forgotten", () => {
    const rig = rigWith(1);
    const sources = () => rig.counter("sipedge_transaction_sources");
    ask(rig, NEAR, "z9hG4bK1");
    ask(rig, FAR, "z9hG4bK1");
    expect(sources()).toBe(2);
    for (const each of rig.requests) rig.respond(each, 200);
    rig.clock.advance(33_000);
    expect(sources()).toBe(0);
    ask(rig, NEAR, "z9hG4bK2");
    expect(rig.requests).toHaveLength(3);
  });

  test("requests we send ourselves count for nobody", () => {
    const rig = rigWith(1);
    for (let i = 0; i < 3; i++) rig.send("OPTIONS", rig.flow("udp", NEAR), `z9hG4bKmine${i}`);
    ask(rig, NEAR, "z9hG4bK1");
    expect(rig.requests).toHaveLength(1);
  });

  test("TM-42 a CANCEL flood of one address with random branches stays within its bound", () => {
    const rig = rigWith(10);
    for (let i = 0; i < 1000; i++) ask(rig, NEAR, `z9hG4bKflood${i}`, "CANCEL");
    ask(rig, FAR, "z9hG4bKcalm", "INVITE");
    expect([rig.layer.size, rig.requests.length]).toEqual([11, 1]);
  });
});

describe("nothing is left", () => {
  for (const seed of [1, 2, 3, 4])
    test(`500 transactions with random inputs, seed ${seed}: no map entry, timer or alarm survives`, () => {
      const rig = new Rig();
      const dice = new SeededDice(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(dice.fraction() * list.length)]!;
      for (let i = 0; i < 500; i++) {
        const transport = pick(["udp", "tcp"] as const);
        const method = pick(["INVITE", "OPTIONS"]);
        const branch = `z9hG4bK${seed}.${i}`;
        const flow = rig.flow(transport);
        const server = dice.fraction() < 0.5;
        if (server) rig.receive(request(method, branch), flow);
        else rig.send(method, flow, branch);
        for (let step = 0; step < 6; step++) {
          const act = dice.fraction();
          const status = pick([100, 180, 200, 302, 486, 603]);
          if (act < 0.1) flow.close();
          else if (act < 0.3) rig.clock.advance(dice.fraction() * 3000);
          else if (!server) rig.receive(response(status, method, branch), flow);
          else if (act < 0.5) rig.receive(request(pick([method, "ACK", "CANCEL"]), branch), flow);
          else rig.respond(rig.requests.at(-1)!, status, request(method, branch));
        }
      }
      // Whoever is never answered waits for ever: giving up is the user's business (Timer C, the proxy).
      for (const transaction of rig.requests) transaction.abandon();
      for (const { cancel } of rig.cancels) cancel.abandon();
      rig.clock.advance(64_000);
      const rows = rig.layer.snapshot(1000).transactions;
      expect(rows.filter((row) => row.state !== "Proceeding" || row.machine !== "invite_client")).toEqual([]);
      expect(rig.layer.wheel.size).toBe(0);
      expect(rig.clock.pending).toBe(0);
    });

  test("a closed connection releases its observers, however the transaction ended", () => {
    const rig = new Rig();
    const flow = rig.flow("tcp");
    for (const [i, status] of [200, 486, 180].entries()) {
      const transaction = rig.send("INVITE", flow, `z9hG4bK${i}`);
      rig.receive(response(status, "INVITE", `z9hG4bK${i}`), flow);
      if (status === 180) transaction.abandon();
    }
    rig.clock.advance(40_000);
    expect(flow.observers.size).toBe(0);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("snapshot: counts by machine and state, rows up to the number asked for", () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) rig.receive(request("INVITE", `z9hG4bK${i}`), rig.flow());
    rig.send("OPTIONS", rig.flow());
    rig.clock.advance(1500);
    const snapshot = rig.layer.snapshot(3);
    expect(snapshot).toMatchObject({ server: 5, client: 1 });
    expect(snapshot.states).toEqual({ "invite_server.Proceeding": 5, "non_invite_client.Trying": 1 });
    expect(snapshot.transactions).toHaveLength(3);
    expect(snapshot.transactions[0]).toMatchObject({ method: "INVITE", state: "Proceeding", age_ms: 1500 });
  });
});
