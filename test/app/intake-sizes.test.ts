/** B-83: how large a message may be, at the door: the status the RFC names, or a counted drop. */
import { describe, expect, test } from "bun:test";
import { Answers } from "../../src/app/answers.ts";
import type { MessageLimits } from "../../src/app/intake.ts";
import { Intake } from "../../src/app/intake.ts";
import type { Flow } from "../../src/base/flow.ts";
import { silentLog } from "../../src/base/log.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { configOf } from "../support/world.ts";
import { Rig, request, response } from "../transaction/rig.ts";

const LIMITS: MessageLimits = {
  datagram_bytes_max: 2000,
  headers_bytes_max: 1500,
  header_line_bytes_max: 500,
  uri_bytes_max: 100,
};

function door(limits: Partial<MessageLimits> = {}) {
  const rig = new Rig();
  const { scanner, layer, metrics, edits } = rig;
  const answers = new Answers(edits, new SeededDice(1), metrics, silentLog);
  const intake = new Intake({
    scanner,
    layer,
    answers,
    metrics,
    log: silentLog,
    limits: { ...LIMITS, ...limits },
  });
  const deliver = (text: string, flow: Flow = rig.flow()): string[] => {
    intake.message(Buffer.from(text, "latin1"), flow);
    return rig.take();
  };
  return { rig, intake, deliver };
}

/** A request whose field of that name and its line end have so many bytes. */
function withLine(name: string, bytes: number, method = "OPTIONS"): string {
  return request(method, undefined, undefined, { [name]: "x".repeat(bytes - name.length - ": \r\n".length) });
}

/** A request of so many bytes, all beyond the headers being body. */
function withBody(total: number): string {
  const bare = request("OPTIONS", undefined, undefined, { "Content-Length": "0000" });
  const body = "x".repeat(total - bare.length);
  return (
    bare.replace("Content-Length: 0000", `Content-Length: ${String(body.length).padStart(4, "0")}`) + body
  );
}

/** A request whose start line and headers have so many bytes, in lines of at most 400. */
function withHeaders(total: number): string {
  const lines: Record<string, string> = {};
  for (let i = 0; request("OPTIONS", undefined, undefined, lines).length < total; i++) {
    const left = total - request("OPTIONS", undefined, undefined, lines).length;
    const line = left > 800 ? 400 : left > 400 ? 300 : left;
    lines[`X-${i}`] = "y".repeat(line - `X-${i}: \r\n`.length);
  }
  return request("OPTIONS", undefined, undefined, lines);
}

const withUri = (bytes: number, method = "OPTIONS"): string =>
  request(method).replace("sip:bob@example.test SIP", `sip:${"b".repeat(bytes - 4)} SIP`);

const CASES: readonly [keyof MessageLimits, (bytes: number) => string, number][] = [
  ["datagram_bytes_max", withBody, 513],
  ["headers_bytes_max", withHeaders, 513],
  ["header_line_bytes_max", (bytes) => withLine("Subject", bytes), 400],
  ["uri_bytes_max", withUri, 414],
];

describe("B-83 limits of one request", () => {
  for (const [limit, write, status] of CASES) {
    test(`limits.${limit}: as many bytes are let in`, () => {
      const { rig, deliver } = door();
      expect(deliver(write(LIMITS[limit]))).toEqual(["request OPTIONS"]);
      expect(rig.counter("sipedge_messages_oversized_total")).toBe(0);
    });

    test(`limits.${limit}: one byte more is answered ${status} without state, and counted`, () => {
      const { rig, deliver } = door();
      expect(deliver(write(LIMITS[limit] + 1))).toEqual([`send ${status}`]);
      expect(rig.layer.size).toBe(0);
      const family = rig.metrics.collect().find(({ name }) => name === "sipedge_messages_oversized_total");
      expect(family!.samples).toMatchObject([{ labels: { limit }, value: 1 }]);
      expect(rig.sent[0]!.text).toContain(`limits.${limit}`);
    });

    test(`limits.${limit} follows the configuration while running`, () => {
      const { intake, deliver } = door();
      intake.limits = { ...LIMITS, datagram_bytes_max: 9000, [limit]: 5000 };
      expect(deliver(write(LIMITS[limit] + 1))).toEqual(["request OPTIONS"]);
    });
  }

  test("a stream has its own bound on messages: datagram_bytes_max does not hold there", () => {
    const { rig, deliver } = door();
    expect(deliver(withBody(2001), rig.flow("tcp"))).toEqual(["request OPTIONS"]);
  });

  for (const [limit, write, status] of CASES.slice(1))
    test(`limits.${limit} holds on streams too`, () => {
      const { rig, deliver } = door();
      expect(deliver(write(LIMITS[limit] + 1), rig.flow("tcp"))).toEqual([`send ${status}`]);
    });

  test("folded lines are one header field", () => {
    const { deliver } = door();
    const folded = Array.from({ length: 6 }, () => "z".repeat(90)).join("\r\n ");
    expect(deliver(request("OPTIONS", undefined, undefined, { Subject: folded }))).toEqual(["send 400"]);
  });

  test("the answer is smaller than what caused it, and has nothing of it but what an answer must have", () => {
    const { rig, deliver } = door();
    deliver(withLine("Subject", 1000));
    expect(rig.sent[0]!.text).not.toContain("xxx");
  });

  test("an ACK that is too large is dropped", () => {
    const { rig, deliver } = door();
    expect(deliver(withLine("Subject", 1000, "ACK"))).toEqual([]);
    expect(rig.counter("sipedge_messages_oversized_total")).toBe(1);
  });

  test("too large and without Via: nobody to answer, dropped", () => {
    const { deliver } = door();
    expect(deliver(withLine("Subject", 1000).replace(/Via: [^\r]*\r\n/, ""))).toEqual([]);
  });
});

describe("B-83 limits of one response", () => {
  const grown = (bytes: number) =>
    response(200, "OPTIONS").replace("Content-Length", `Subject: ${"x".repeat(bytes)}\r\nContent-Length`);

  for (const [limit, bytes] of [
    ["header_line_bytes_max", 1000],
    ["headers_bytes_max", 1600],
    ["datagram_bytes_max", 2500],
  ] as const)
    test(`beyond limits.${limit}: dropped and counted, its transaction waits on`, () => {
      const { rig, deliver } = door();
      const client = rig.send("OPTIONS", rig.flow());
      rig.take();
      expect([...deliver(grown(bytes)), client.state]).toEqual(["Trying"]);
      expect(rig.counter("sipedge_messages_oversized_total")).toBe(1);
      expect(rig.counter("sipedge_messages_dropped_total")).toBe(1);
    });
});

test("the defaults let the messages of today's phones in", () => {
  const { limits } = configOf("config_version = 1");
  const { rig, deliver } = door(limits);
  expect(deliver(withLine("Identity", 4000))).toEqual(["request OPTIONS"]); // RFC 8224 signatures are long
  expect(deliver(withUri(1024).replace("peer", "peer2"))).toEqual(["request OPTIONS"]);
  expect(rig.counter("sipedge_messages_oversized_total")).toBe(0);
});
