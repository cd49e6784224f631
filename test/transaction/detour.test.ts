/** Where an answer goes whose connection is gone (RFC 3261 §18.2.2, RFC 3263 §5). */
import { describe, expect, test } from "bun:test";
import type { LookUpReply, ReplyPlace } from "../../src/transaction/detour.ts";
import { NOTHING_LEFT, type RecordingFlow, Rig, request } from "./rig.ts";

const PEER = "198.51.100.7";
const tcp = (address: string, port: number): ReplyPlace => ({ transport: "tcp", address, port });

/** A request on a connection that is gone when the answer comes; `dead` places refuse. */
function rig(via: string, dead: readonly string[], lookUp: LookUpReply | null) {
  const opened: RecordingFlow[] = [];
  const base = new Rig(1000, lookUp === null ? {} : { lookUpReply: lookUp });
  const make = base.flow.bind(base);
  base.flow = ((...args: Parameters<typeof make>) => {
    const flow = make(...args);
    if (dead.includes(`${flow.remoteAddress}:${flow.remotePort}`)) flow.accepts = false;
    opened.push(flow);
    return flow;
  }) as typeof make;
  const text = request("INVITE", "z9hG4bKx", undefined, { Via: `SIP/2.0/TCP ${via};branch=z9hG4bKx` });
  const connection = base.flow("tcp", PEER, 40_001);
  base.receive(text, connection);
  connection.close();
  const answer = (status: number) => base.respond(base.requests[0]!, status, text);
  const sent = () => base.sent.map(({ text, to }) => `${text.split(" ", 2)[1]} ${to}`);
  return { ...base, base, opened, answer, sent };
}

describe("RFC 3263 §5 an answer whose connection is gone", () => {
  test("first to the address it came from, at the sent-by port: no look-up", () => {
    const asked: string[] = [];
    const { answer, sent } = rig("edge.test:5072", [], ({ host }, found) => {
      asked.push(host);
      found([]);
    });
    answer(180);
    answer(200);
    expect([sent(), asked]).toEqual([[`180 ${PEER}:5072`, `200 ${PEER}:5072`], []]);
  });

  test("refused there: the sent-by is looked up, name without port, and its places are tried in order", () => {
    const asked: unknown[] = [];
    const { answer, sent } = rig("Edge.test", [`${PEER}:5060`, "192.0.2.71:5080"], (sentBy, found) => {
      asked.push(sentBy);
      found([tcp("192.0.2.71", 5080), tcp("192.0.2.72", 5081)]);
    });
    answer(200);
    expect(asked).toEqual([{ transport: "tcp", host: "edge.test", port: null }]);
    expect(sent()).toEqual(["200 192.0.2.72:5081"]);
  });

  test("an answer that comes while the name is looked up waits, in its order; nobody is told of a failure", () => {
    let tell: (places: readonly ReplyPlace[]) => void = () => {};
    const { base, answer, sent } = rig("edge.test", [`${PEER}:5060`], (_, found) => {
      tell = found;
    });
    answer(180);
    answer(200);
    expect(sent()).toEqual([]);
    tell([tcp("192.0.2.71", 5080)]);
    expect(sent()).toEqual(["180 192.0.2.71:5080", "200 192.0.2.71:5080"]);
    expect(base.events).not.toContain("transportFailed");
    base.clock.advance(70_000);
    expect(base.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("a connection that cannot be opened after all: the next place gets everything; one that has settled does not", () => {
    const { base, answer, sent, opened } = rig("edge.test", [`${PEER}:5060`], (_, found) =>
      found([tcp("192.0.2.71", 5080), tcp("192.0.2.72", 5080), tcp("192.0.2.73", 5080)]),
    );
    answer(180);
    opened.at(-1)!.close();
    expect(sent()).toEqual(["180 192.0.2.71:5080", "180 192.0.2.72:5080"]);
    base.clock.advance(6000);
    opened.at(-1)!.close();
    expect(sent()).toHaveLength(2);
    expect(opened.every(({ observers }) => observers.size === 0)).toBe(true);
    answer(200);
    expect(sent().at(-1)).toBe("200 192.0.2.73:5080");
  });

  test("no place is left: the user is told, and each place was tried once", () => {
    const { base, answer, opened } = rig("198.51.100.7", [`${PEER}:5060`], (_, found) =>
      found([tcp(PEER, 5060)]),
    );
    answer(200);
    expect(base.events.filter((event) => event.includes("transportFailed"))).toHaveLength(1);
    expect(opened).toHaveLength(2); // the connection of the request, and one try
    base.clock.advance(70_000);
    expect(base.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("a datagram's answer needs none of it: the flow of the request stays, whatever becomes of the packet", () => {
    const base = new Rig();
    const text = request("OPTIONS", "z9hG4bKx");
    const flow = base.flow("udp", PEER, 5060);
    base.receive(text, flow);
    flow.accepts = false;
    base.respond(base.requests[0]!, 200, text);
    expect([base.sent, base.events.filter((event) => event.includes("Failed"))]).toEqual([[], []]);
  });
});
