/** RFC 4475: what the appliance does with each message, as a proxy for domains elsewhere and of its own. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { ParseError } from "../../../src/message/parse-error.ts";
import { Scanner } from "../../../src/message/scan.ts";
import type { SipMessage } from "../../../src/message/sip-message.ts";
import { cutAtContentLength, withoutEdits } from "../../message/without-edits.ts";
import type { Host } from "../../support/world.ts";
import { EDGE } from "../../support/world.ts";
import { messageOf } from "./corpus.ts";
import { Edge, finals, SENDER } from "./edge.ts";
import type { Answered, Dropped, Forwarded, Outcome } from "./verdicts.ts";
import { VERDICTS } from "./verdicts.ts";

const EXCEPTIONS = "sipedge_exceptions_total";
const DIALOG_FORMING = ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"];

const scanner = new Scanner();

function scanned(bytes: Buffer): SipMessage {
  const message = scanner.scan(bytes);
  if (message === null) throw new Error("no SIP message");
  return message;
}

/** What a proxy does on purpose is taken out of the copy: the rest must be the message as it came. */
function expectFaithful(copy: SipMessage, input: string, outcome: Forwarded, byStream: boolean): void {
  const request = scanned(Buffer.from(input, "latin1"));
  const beginsDialog = DIALOG_FORMING.includes(request.method) && request.toTag === null;
  const rest = withoutEdits(copy.bytes.toString("latin1"), input, {
    via: `UDP ${EDGE}:5060`,
    source: { address: SENDER, port: byStream ? copySourcePort(copy) : 5060 },
    // A request that leaves by another transport than it came on gets two (RFC 5658).
    recordRoutes: beginsDialog ? (byStream ? 2 : 1) : 0,
    ...(outcome.requestUri !== undefined && { requestUri: outcome.requestUri }),
    ...(outcome.lines !== undefined && { lines: outcome.lines }),
  });
  expect(rest).toBe(input);
}

/** A connection's source port is any: the one our stamp names. */
function copySourcePort(copy: SipMessage): number {
  return Number(/rport=(\d+)/.exec(copy.texts(H.Via)[1] ?? "")?.[1] ?? 0);
}

const MIRRORED = [H.From, H.To, H.CallId, H.CSeq] as const;

/** RFC 3261 §8.2.6.2: the answer holds the request's own fields, byte for byte, and a To tag. */
function expectMirrors(answer: SipMessage, request: SipMessage): void {
  for (const id of MIRRORED) {
    const asked = request.text(id);
    const given = answer.text(id);
    if (asked !== null && id === H.To && request.toTag === null) expect(given).toStartWith(asked);
    else expect(given).toBe(asked);
    if (asked !== null) expect(answer.countOf(id)).toBe(1);
  }
  expect(answer.countOf(H.Via)).toBe(request.countOf(H.Via));
  expect(answer.texts(H.Via).slice(1)).toEqual(request.texts(H.Via).slice(1));
  expect(
    answer
      .text(H.Via)
      ?.replace(`;received=${SENDER}`, "")
      .replace(/rport=\d+/, "rport"),
  ).toBe(request.text(H.Via) ?? "");
  expect(answer.body).toHaveLength(0);
}

function expectAnswered(host: Host, bytes: Buffer, { status, headers }: Answered): void {
  expect(finals(host).map((answer) => answer.status)).toEqual([status]);
  const answer = finals(host)[0]!;
  const lines = answer.bytes.toString("latin1").split("\r\n");
  for (const header of headers ?? []) expect(lines).toContain(header);
  expectMirrors(answer, scanned(bytes));
}

function expectDropped(edge: Edge, { dropped, labels }: Dropped): void {
  expect(edge.world.counter(dropped, labels ?? {})).toBe(1);
  expect(edge.sender.statuses()).toEqual([]);
}

function expectOutcome(edge: Edge, host: Host, bytes: Buffer, outcome: Outcome, byStream: boolean): void {
  if ("forwarded" in outcome) {
    expect(edge.forwarded).toHaveLength(1);
    expectFaithful(edge.forwarded[0]!, cutAtContentLength(bytes.toString("latin1")), outcome, byStream);
    expect(finals(host).map((answer) => answer.status)).toEqual([]);
  } else {
    expect(edge.forwarded.map((copy) => copy.bytes.toString("latin1"))).toEqual([]);
    if ("status" in outcome) expectAnswered(host, bytes, outcome);
    if ("dropped" in outcome) expectDropped(edge, outcome);
    if ("waits" in outcome) expect(host.statuses()).toEqual([]);
  }
}

const ends = (outcome: Outcome) =>
  "forwarded" in outcome
    ? "forwarded"
    : "status" in outcome
      ? `${outcome.status}`
      : "dropped" in outcome
        ? "dropped"
        : "waits";

for (const [name, verdict] of Object.entries(VERDICTS)) {
  const { section, title, proxy, home, stream = [proxy] } = verdict;
  const bytes = messageOf(name);
  describe(`RFC 4475 §${section} ${title}`, () => {
    test(`${name} in a datagram: ${ends(proxy)}${verdict.why === undefined ? "" : ` (${verdict.why})`}`, async () => {
      const edge = new Edge();
      await edge.datagram(bytes);
      expectOutcome(edge, edge.sender, bytes, proxy, false);
      expect(edge.leftOver()).toBe(0);
      expect(edge.world.counter(EXCEPTIONS)).toBe(0);
    });

    test(`${name} on a stream: ${stream.map(ends).join(", then ")}`, async () => {
      const edge = new Edge();
      const waits = await edge.stream(bytes);
      expect(waits).toBe(stream.some((outcome) => "waits" in outcome));
      if (stream.length === 1) expectOutcome(edge, edge.streamSender, bytes, stream[0]!, true);
      else expect(edge.forwarded).toHaveLength(stream.length);
      expect(edge.leftOver()).toBe(0);
      expect(edge.world.counter(EXCEPTIONS)).toBe(0);
    });

    if (home !== undefined)
      test(`${name} for a domain of ours: ${ends(home)}`, async () => {
        const { uri } = scanned(bytes);
        const edge = new Edge({ home: uri instanceof ParseError ? "example.com" : uri.host });
        await edge.datagram(bytes);
        expectOutcome(edge, edge.sender, bytes, home, false);
        expect(edge.leftOver()).toBe(0);
        expect(edge.world.counter(EXCEPTIONS)).toBe(0);
      });
  });
}

describe("RFC 4475 §3.1.1.2, §3.1.1.3, §3.1.1.9: an unusual user who is registered here", () => {
  for (const [name, home] of [
    ["intmeth", "example.com"],
    ["esc01", "example.net"],
    ["semiuri", "example.com"],
    ["lwsdisp", "example.com"],
    ["invut", "example.com"],
  ] as const)
    test(`${name} reaches the registered contact, and only its Request-URI changes`, async () => {
      const bytes = messageOf(name);
      const target = scanned(bytes).uriText.replace(/:&it.*(?=@)/, "");
      const edge = new Edge({ home });
      edge.sender.send([
        `REGISTER sip:${home} SIP/2.0`,
        `Via: SIP/2.0/UDP ${SENDER};branch=z9hG4bKregister`,
        `From: <${target}>;tag=1`,
        `To: <${target}>`,
        "Call-ID: register",
        "CSeq: 1 REGISTER",
        "Contact: <sip:phone@198.51.100.7>",
        "Content-Length: 0",
      ]);
      await edge.settle();
      expect(edge.sender.statuses()).toEqual([200]);
      await edge.datagram(bytes);
      expect(edge.forwarded).toHaveLength(1);
      const outcome: Forwarded = { forwarded: true, requestUri: "sip:phone@198.51.100.7" };
      expectFaithful(edge.forwarded[0]!, cutAtContentLength(bytes.toString("latin1")), outcome, false);
    });
});

describe("RFC 4475 §3.1.2.15 Non-token Characters in Display Name: beyond the table", () => {
  test("baddn with the empty line that its copy in the archive lacks: 400, on a stream too", async () => {
    const bytes = Buffer.concat([messageOf("baddn"), Buffer.from("\r\n")]);
    const edge = new Edge();
    await edge.datagram(bytes);
    expectOutcome(edge, edge.sender, bytes, { status: 400 }, false);
    const other = new Edge();
    expect(await other.stream(bytes)).toBe(false);
    expectOutcome(other, other.streamSender, bytes, { status: 400 }, true);
  });
});

/** An answer of the corpus as the answer to a request of ours: status line, body and extra fields kept. */
function asAnswerTo(request: SipMessage, name: string): Buffer {
  const answer = scanned(messageOf(name));
  const head = answer.bytes.toString("latin1", 0, answer.headersStart);
  const kept = [H.ContentType, H.Contact, H.RetryAfter]
    .flatMap((id) => answer.texts(id).map((value) => `${HEADER[id]}: ${value}\r\n`))
    .join("");
  const mirrored = [...request.texts(H.Via).map((value) => `Via: ${value}`)];
  for (const id of MIRRORED)
    mirrored.push(`${HEADER[id]}: ${request.text(id)}${id === H.To ? ";tag=callee" : ""}`);
  const text = `${head}${mirrored.join("\r\n")}\r\n${kept}Content-Length: ${answer.body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(text, "latin1"), answer.body]);
}
const HEADER: Readonly<Record<number, string>> = {
  [H.From]: "From",
  [H.To]: "To",
  [H.CallId]: "Call-ID",
  [H.CSeq]: "CSeq",
  [H.ContentType]: "Content-Type",
  [H.Contact]: "Contact",
  [H.RetryAfter]: "Retry-After",
};

describe("RFC 4475 §3.1.1.12, §3.1.1.13: an answer to a request that went through here", () => {
  for (const name of ["unreason", "noreason"])
    test(`${name}: passes without its topmost Via and otherwise as it came`, async () => {
      const edge = new Edge();
      edge.neighbour.on = (request, flow) => {
        if (request.method === "INVITE") flow.send(asAnswerTo(request, name));
      };
      await edge.datagram(messageOf("invut"));
      const request = edge.neighbour.request("INVITE");
      const sent = asAnswerTo(request, name).toString("latin1");
      const expected = sent.replace(/Via: [^\r]*\r\n/, "");
      const phrases = edge.sender.received.map((answer) => answer.bytes.toString("latin1"));
      // A 100 is never passed on (§16.7 step 5): the caller has ours.
      if (name === "unreason") expect(phrases).toContain(expected);
      else expect(edge.sender.statuses()).toEqual([100]);
      expect(edge.world.counter(EXCEPTIONS)).toBe(0);
    });
});

describe("RFC 4475 §3.1.2.5, §3.1.2.19: a malformed answer to a request that went through here", () => {
  for (const [name, reason] of [
    ["scalarlg", "response_without_cseq"],
    ["bigcode", "response_malformed"],
  ] as const)
    test(`${name} is dropped: the call goes on as if it had not come`, async () => {
      const edge = new Edge();
      edge.neighbour.on = (request, flow) => {
        if (request.method !== "INVITE") return;
        const bad = messageOf(name).toString("latin1");
        flow.send(Buffer.from(bad.replace(/^Via: [^\r]*/m, `Via: ${request.text(H.Via)}`), "latin1"));
      };
      await edge.datagram(messageOf("invut"));
      expect(edge.sender.statuses()).toEqual([100]);
      expect(edge.world.counter("sipedge_messages_dropped_total", { reason })).toBe(1);
    });
});

describe("RFC 4475 §3.3.10 200 OK Response with Broadcast Via Header Field Value: beyond the table", () => {
  for (const aim of ["255.255.255.255", "224.0.1.75", "0.0.0.0", "198.51.100.7"])
    test(`a 2xx with our Via on top and ${aim} below goes nowhere: nobody sent an INVITE from there`, async () => {
      const edge = new Edge({ trusted: false });
      const text = messageOf("bcast").toString("latin1");
      const aimed = text.replace("192.0.2.198;", `${EDGE}:5060;`).replace("255.255.255.255", aim);
      await edge.datagram(Buffer.from(aimed, "latin1"));
      expect(edge.world.network.log.filter((sent) => sent.from.startsWith(EDGE))).toEqual([]);
      expect(edge.world.counter("sipedge_responses_stray_total")).toBe(1);
    });
});
