/** Spoilt messages through the scanner and through the whole appliance (see runs.ts). */
import { describe, expect, test } from "bun:test";
import { buildAnswer, isAnswerable } from "../../src/message/answer.ts";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { ackFor, cancelFor } from "../../src/message/derive.ts";
import { Edits } from "../../src/message/edits.ts";
import { H } from "../../src/message/header-names.ts";
import { parseNameAddrs, splitList } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { HEADER_LINES_MAX, Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { parseUri, sameUri } from "../../src/message/uri.ts";
import { CORPUS } from "../rfc/4475/corpus.ts";
import { Edge, SENDER } from "../rfc/4475/edge.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { EDGE, REALM } from "../support/world.ts";
import { Mutator } from "./mutate.ts";
import { again, attempt, LONG_MS, RUNS, SEED } from "./runs.ts";

/** Messages that share one appliance. */
const BATCH = 50;
const TEN_MINUTES_MS = 600_000;

const request = (method: string, uri: string, ...more: string[]) =>
  `${[
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${SENDER}:5060;rport;branch=z9hG4bK${method}1`,
    "Max-Forwards: 70",
    `From: "Alice" <sip:alice@${REALM}>;tag=a1`,
    `To: <sip:bob@${REALM}>${method === "ACK" || method === "BYE" ? ";tag=b1" : ""}`,
    `Call-ID: ${method}@phone`,
    `CSeq: 1 ${method}`,
    ...more,
    "Content-Length: 4",
  ].join("\r\n")}\r\n\r\nv=0\n`;

const TYPICAL = [
  request("INVITE", `sip:bob@${REALM}`, `Contact: <sip:alice@${SENDER}>`, "Content-Type: application/sdp"),
  request("INVITE", "sip:bob@198.51.100.7", `Contact: <sip:alice@${SENDER}>`),
  request("ACK", "sip:bob@198.51.100.7"),
  request("ACK", `sip:bob@${REALM}`, `Route: <sip:token@${EDGE}:5060;lr>, <sip:198.51.100.7;lr>`),
  request("BYE", "sip:bob@198.51.100.7", `Route: <sip:token@${EDGE}:5060;lr>`),
  request("CANCEL", "sip:bob@198.51.100.7").replaceAll("CANCEL1", "INVITE1").replace("CANCEL@", "INVITE@"),
  request("REGISTER", `sip:${REALM}`, `Contact: <sip:bob@${SENDER}>;expires=600;q=0.5`, "Expires: 300"),
  request(
    "REGISTER",
    `sip:${REALM}`,
    `Contact: <sip:bob@198.51.100.7>;reg-id=1;+sip.instance="<urn:uuid:1>"`,
    "Path: <sip:198.51.100.7;lr>",
  ),
  request("OPTIONS", `sip:${EDGE}`),
  request("SUBSCRIBE", "sip:bob@198.51.100.7;transport=udp", "Event: presence"),
];

const ORIGINALS = [...[...CORPUS.values()].map((bytes) => bytes.toString("latin1")), ...TYPICAL];
/** As many well-formed requests that get far as messages that are odd from the start. */
const MIXED = [...ORIGINALS, ...TYPICAL, ...TYPICAL, ...TYPICAL, ...TYPICAL];
const ACKS = ORIGINALS.filter((text) => text.startsWith("ACK "));

const bytesOf = (text: string) => Buffer.from(text, "latin1");

/** Everything that reads a message, so that nothing of it can throw unseen. */
function readAll(message: SipMessage): void {
  for (let line = 0; line < message.count; line++) {
    expect(message.lineStart(line)).toBeGreaterThanOrEqual(message.headersStart);
    expect(message.valueStart(line)).toBeLessThanOrEqual(message.valueEnd(line));
    expect(message.lineEnd(line)).toBeLessThanOrEqual(message.bytes.length);
    const value = message.valueOf(line);
    message.nameText(line);
    splitList(value);
    parseAuthParams(value);
    const uri = parseUri(value);
    if (!(uri instanceof ParseError)) expect(sameUri(uri, uri)).toBe(true);
    const addresses = parseNameAddrs(value);
    if (addresses instanceof ParseError) expect(addresses.offset).toBeLessThanOrEqual(value.length);
  }
  expect(message.bodyEnd).toBeLessThanOrEqual(message.bytes.length);
  expect([
    message.via,
    message.cseq,
    message.uri,
    message.fromTag,
    message.toTag,
    message.callId,
  ]).toHaveLength(6);
}

const edits = new Edits();

/** An answer mirrors every Via it was sent: beyond our own bound for reading, that is no fault of ours. */
function faultBut(message: SipMessage | null): string | null {
  if (message === null) return "unreadable";
  const code = message.fault?.code ?? null;
  return code === "header_lines_max" && !message.isRequest ? null : code;
}

/** What we make of a message must itself be one message, without a fault, and no longer than it should be. */
function buildAll(scanner: Scanner, message: SipMessage): void {
  if (!message.isRequest || !isAnswerable(message)) return;
  const answer = buildAnswer(edits, message, 400, { address: "::1", port: 1, toTag: "t", headers: ["A: b"] });
  const built = scanner.scan(answer);
  expect(faultBut(built)).toBeNull();
  expect(built?.status).toBe(400);
  expect(built?.countOf(H.CSeq)).toBeLessThanOrEqual(1);
  if (message.fault !== null || built === null || message.count === HEADER_LINES_MAX) return;
  for (const derived of [cancelFor(edits, message), ackFor(edits, message, built)])
    expect(scanner.scan(derived)?.fault ?? null).toBeNull();
}

describe("spoilt messages through the scanner", () => {
  test(
    `no exception, no offset out of bounds, no faulty answer (${again})`,
    () => {
      const mutator = new Mutator(new SeededDice(SEED), ORIGINALS);
      const scanner = new Scanner();
      for (let run = 0; run < RUNS; run++) {
        const text = mutator.spoil(mutator.renew(mutator.pick(MIXED)));
        const message = scanner.scan(bytesOf(text));
        if (message === null) continue;
        attempt(text, () => {
          readAll(message);
          buildAll(scanner, message);
        });
      }
    },
    LONG_MS,
  );

  test("cut off at every offset", () => {
    const scanner = new Scanner();
    for (const text of ORIGINALS)
      for (let end = 0; end < text.length; end++) {
        const cut = text.slice(0, end);
        const message = scanner.scan(bytesOf(cut));
        if (message !== null)
          attempt(cut, () => {
            readAll(message);
            buildAll(scanner, message);
          });
      }
  });
});

/** What must hold of an appliance whatever it was sent; `sent` is shown when it does not. */
function expectUnharmed(edge: Edge, sent: readonly string[]): void {
  const { world } = edge;
  const scanner = new Scanner();
  const shown = () => sent.map((text) => JSON.stringify(text)).join("\n");
  if (world.counter("sipedge_exceptions_total") > 0) throw new Error(`an exception with one of\n${shown()}`);
  for (const { from, text } of world.network.log) {
    if (!from.startsWith(EDGE)) continue;
    const message = scanner.scan(bytesOf(text));
    const fault = faultBut(message);
    if (fault !== null)
      throw new Error(`left malformed (${fault}): ${JSON.stringify(text)} after\n${shown()}`);
  }
  world.run(TEN_MINUTES_MS);
  const { server, client, timers, transactions } = world.core.layer.snapshot(5);
  if (server + client + timers > 0)
    throw new Error(
      `left: ${server + client}, timers: ${timers} ${JSON.stringify(transactions)} after\n${shown()}`,
    );
  expect(world.counter("sipedge_exceptions_total")).toBe(0);
}

/** A neighbour that answers as it likes, and badly. */
function answerBadly(edge: Edge, mutator: Mutator): void {
  const STATUSES = [100, 180, 183, 200, 200, 202, 302, 401, 407, 408, 486, 503, 603];
  edge.neighbour.on = (message, flow) => {
    if (!message.isRequest || message.method === "ACK") return;
    edge.forwarded.push(message);
    const lines = message.bytes
      .toString("latin1", message.headersStart, message.bodyStart)
      .replace(/^(To|t)( *:[^\r;]*)\r/im, "$1$2;tag=b1\r");
    for (let answers = mutator.pick([0, 1, 2, 3]); answers > 0; answers--) {
      const text = `SIP/2.0 ${mutator.pick(STATUSES)} x\r\n${lines}`;
      flow.send(bytesOf(mutator.pick([true, false]) ? text : mutator.spoil(text)));
    }
  };
}

describe("spoilt messages through the whole appliance", () => {
  for (const way of ["datagram", "stream"] as const)
    test(
      `by ${way}: no exception, nothing malformed leaves, nothing left after ten minutes (${again})`,
      async () => {
        const mutator = new Mutator(new SeededDice(SEED + 1), ORIGINALS);
        for (let run = 0; run < RUNS / 2; run += BATCH) {
          const edge = new Edge({ home: REALM });
          answerBadly(edge, mutator);
          const sent: string[] = [];
          for (let i = 0; i < BATCH; i++) {
            const text = mutator.spoil(mutator.renew(mutator.pick(MIXED)));
            sent.push(text);
            if (way === "stream") await edge.stream(bytesOf(text));
            else edge.sender.send(bytesOf(text));
            if (i % 5 === 4) await edge.settle();
          }
          await edge.settle();
          expectUnharmed(edge, sent);
        }
      },
      LONG_MS,
    );

  test(
    `requests of a dialog that went through (${again})`,
    async () => {
      const mutator = new Mutator(new SeededDice(SEED + 2), ORIGINALS);
      for (let run = 0; run < RUNS / 10; run += BATCH) {
        const edge = new Edge({ home: REALM });
        edge.neighbour.on = (message, flow) => {
          if (message.method === "INVITE")
            flow.send(
              bytesOf(
                `SIP/2.0 200 OK\r\n${message.bytes.toString("latin1", message.headersStart, message.bodyStart)}`,
              ),
            );
        };
        edge.sender.send(
          bytesOf(TYPICAL[1]!.replace("Content-Length: 4\r\n\r\nv=0\n", "Content-Length: 0\r\n\r\n")),
        );
        await edge.settle();
        const route = edge.sender.response(200).text(H.RecordRoute);
        const originals = [
          request("ACK", "sip:bob@198.51.100.7", `Route: ${route}`),
          request("BYE", "sip:bob@198.51.100.7", `Route: ${route}`),
          request("INVITE", "sip:bob@198.51.100.7", `Route: ${route}, <sip:198.51.100.7;lr>`),
        ];
        const sent: string[] = [];
        for (let i = 0; i < BATCH; i++) {
          const text = mutator.spoil(mutator.renew(mutator.pick(originals)));
          sent.push(text);
          edge.sender.send(bytesOf(text));
          if (i % 5 === 4) await edge.settle();
        }
        await edge.settle();
        expectUnharmed(edge, sent);
      }
    },
    LONG_MS,
  );

  test(
    `RFC 3261 §17: an ACK is never answered, whatever is wrong with it (${again})`,
    async () => {
      const mutator = new Mutator(new SeededDice(SEED + 3), ORIGINALS);
      const scanner = new Scanner();
      for (let run = 0; run < RUNS / 20; run++) {
        const text = mutator.spoil(mutator.pick(ACKS));
        if (scanner.scan(bytesOf(text))?.method !== "ACK") continue;
        const edge = new Edge({ home: REALM, trusted: run % 2 === 0 });
        await edge.datagram(bytesOf(text));
        const answers = edge.world.network.log.filter(
          (sent) => sent.from.startsWith(EDGE) && /^SIP\//i.test(sent.text),
        );
        if (answers.length > 0) throw new Error(`answered: ${JSON.stringify(text)}`);
        expectUnharmed(edge, [text]);
      }
    },
    LONG_MS,
  );

  test(
    `no open relay: from a stranger nothing reaches anybody but himself (${again})`,
    async () => {
      const mutator = new Mutator(new SeededDice(SEED + 4), ORIGINALS);
      for (let run = 0; run < RUNS / 4; run += BATCH) {
        const edge = new Edge({ home: REALM, trusted: false });
        const sent: string[] = [];
        for (let i = 0; i < BATCH; i++) {
          const text = mutator.spoil(mutator.renew(mutator.pick(MIXED)));
          sent.push(text);
          edge.sender.send(bytesOf(text));
        }
        await edge.settle();
        const astray = edge.world.network.log.find(
          ({ from, to }) => from.startsWith(EDGE) && !to.startsWith(`${SENDER}:`),
        );
        if (astray)
          throw new Error(
            `to ${astray.to}: ${JSON.stringify(astray.text)} after\n${sent.map((text) => JSON.stringify(text)).join("\n")}`,
          );
        expectUnharmed(edge, sent);
      }
    },
    LONG_MS,
  );

  test(
    "cut off at every offset: datagrams",
    async () => {
      for (const text of [TYPICAL[0]!, TYPICAL[3]!, TYPICAL[6]!]) {
        const edge = new Edge({ home: REALM });
        const sent: string[] = [];
        for (let end = 0; end <= text.length; end++) {
          sent.push(text.slice(0, end));
          edge.sender.send(bytesOf(text.slice(0, end)));
        }
        await edge.settle();
        expectUnharmed(edge, sent);
      }
    },
    LONG_MS,
  );
});
