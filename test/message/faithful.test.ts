/** Promise: what the appliance does not need to touch leaves byte for byte as it came. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { H } from "../../src/message/header-names.ts";
import { splitList } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { Edge, SENDER } from "../rfc/4475/edge.ts";
import { EDGE } from "../support/world.ts";
import { anyMessage } from "./any-message.ts";
import { read } from "./requests.ts";
import { cutAtContentLength, withoutEdits } from "./without-edits.ts";

const DIALOG_FORMING = ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"];
const NEIGHBOUR = "198.51.100.7";

describe("RFC 3261 §16.6 Request Forwarding", () => {
  test("any request: the copy without the proxy's edits is the request, byte for byte", () => {
    fc.assert(
      fc.property(anyMessage, ({ bytes, method }) => {
        const edge = new Edge();
        edge.sender.send(bytes);
        edge.world.run(50);
        expect(edge.sender.statuses().filter((status) => status >= 200)).toEqual([]);
        expect(edge.forwarded).toHaveLength(1);
        const input = cutAtContentLength(bytes.toString("latin1"));
        const begins = DIALOG_FORMING.includes(method) && read(input).toTag === null;
        const rest = withoutEdits(edge.forwarded[0]!.bytes.toString("latin1"), input, {
          via: `UDP ${EDGE}:5060`,
          source: { address: SENDER, port: 5060 },
          recordRoutes: begins ? 1 : 0,
        });
        expect(rest).toBe(input);
        expect(edge.world.counter("sipedge_exceptions_total")).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe("RFC 3261 §16.7 Response Processing", () => {
  test("any answer: what goes back is the answer without its topmost Via, byte for byte", () => {
    const phrase = fc.string({ unit: fc.constantFrom(..."aZ0 %=*\t\xc3\xb6;<>"), maxLength: 20 });
    fc.assert(
      fc.property(
        anyMessage,
        phrase,
        fc.integer({ min: 200, max: 299 }),
        ({ bytes, lines, bodyLength }, phrase, status) => {
          const edge = new Edge();
          edge.sender.send(OPTIONS);
          edge.world.run(50);
          const [forwarded] = edge.forwarded;
          if (forwarded === undefined) throw new Error("nothing was forwarded");
          const head = forwarded.bytes
            .toString("latin1")
            .split("\r\n")
            .filter((line) => /^(From|To|Call-ID|CSeq):/.test(line));
          const own = lines.filter(({ name }) => !MIRRORED.test(name)).map(({ text }) => text);
          const start = read(bytes.toString("latin1")).bodyStart;
          const body = bytes.toString("latin1", start, start + bodyLength);
          const vias = forwarded.bytes
            .toString("latin1")
            .split("\r\n")
            .filter((line) => /^Via:/.test(line));
          const text = (viaLines: readonly string[]) =>
            `${[`SIP/2.0 ${status} ${phrase}`, ...own, ...viaLines, ...head].join("\r\n")}\r\n\r\n${body}`;
          edge.neighbour.send(Buffer.from(text(vias), "latin1"));
          edge.world.run(50);
          expect(edge.sender.received.map((answer) => answer.bytes.toString("latin1"))).toEqual([
            cutAtContentLength(text(vias.slice(1))),
          ]);
          expect(edge.world.counter("sipedge_exceptions_total")).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** Values of one field, spread over lines and commas with any white space. */
function spread(values: readonly string[], breaks: readonly string[], name: string): string {
  return values
    .map((value, i) => (i === 0 ? `${name}: ${value}` : `${join(breaks, i, name)}${value}`))
    .join("");
}
function entriesOf(value: string): string[] {
  const list = splitList(value);
  if (list instanceof ParseError) throw new Error(`${list.code} in ${value}`);
  return list;
}
const join = (breaks: readonly string[], i: number, name: string) =>
  (breaks[i % breaks.length] ?? ",").replace("LINE", `\r\n${name}: `);
const anyBreaks = fc.array(fc.constantFrom(",", ", ", " ,\t", ",\r\n ", "LINE"), {
  minLength: 1,
  maxLength: 8,
});

describe("RFC 3261 §16.4, §16.6 step 6 Route", () => {
  const ours = fc.constantFrom(
    `<sip:${EDGE};lr>`,
    `<sip:x@${EDGE}:5060;lr>;p="a,b"`,
    `"us, <us>" <sip:${EDGE}:5060;transport=tcp;lr>`,
  );
  const others = fc.constantFrom(
    `<sip:${NEIGHBOUR};lr>`,
    `<sip:a,b@${NEIGHBOUR};lr;x=y>;q`,
    `"n, <n>" <sip:${NEIGHBOUR}:5060;lr>`,
  );

  test("our entries go, wherever lines and commas are; those of others and everything else stay", () => {
    fc.assert(
      fc.property(
        fc.array(ours, { maxLength: 3 }),
        fc.array(others, { maxLength: 4 }),
        anyBreaks,
        fc.constantFrom("Route", "ROUTE", "route"),
        (own, foreign, breaks, name) => {
          const edge = new Edge();
          const route = own.length + foreign.length === 0 ? [] : [spread([...own, ...foreign], breaks, name)];
          const [start, ...fields] = OPTIONS;
          edge.sender.send([start!, ...fields, "X-Before: 1", ...route, "X-After: 2"]);
          edge.world.run(50);
          const copy = edge.forwarded[0];
          if (copy === undefined) throw new Error(`not forwarded: ${edge.sender.statuses()}`);
          const entries = copy.texts(H.Route).flatMap(entriesOf);
          expect(entries).toEqual(foreign);
          const kept = copy.bytes
            .toString("latin1")
            .split(/\r\n(?![ \t])/)
            .filter((line) => !/^(route|max-forwards|max-breadth):|branch=.*rport$/i.test(line));
          expect(kept).toEqual([start!, ...fields, "X-Before: 1", "X-After: 2", "", ""]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("RFC 3261 §16.7 step 3 Via", () => {
  test("ours goes, however the answer has spread the values over lines and commas", () => {
    const below = fc.constantFrom(
      "SIP/2.0/UDP a;branch=z9hG4bKa",
      'SIP/2.0/TCP b;x="c,d"',
      "SIP / 2.0 / UDP [2001:db8::1] : 5060",
    );
    fc.assert(
      fc.property(
        fc.array(below, { maxLength: 4 }),
        anyBreaks,
        fc.constantFrom("Via", "v", "VIA"),
        (more, breaks, name) => {
          const edge = new Edge();
          edge.sender.send([...OPTIONS, ...more.map((via) => `Via: ${via}`)]);
          edge.world.run(50);
          const forwarded = edge.forwarded[0];
          if (forwarded === undefined) throw new Error("nothing was forwarded");
          const [own, caller, ...rest] = forwarded.texts(H.Via);
          const head = [H.From, H.To, H.CallId, H.CSeq].map(
            (id, i) => `${["From", "To", "Call-ID", "CSeq"][i]}: ${forwarded.text(id)}`,
          );
          edge.neighbour.send(["SIP/2.0 200 OK", ...head, spread([own!, caller!, ...rest], breaks, name)]);
          edge.world.run(50);
          const answer = edge.sender.response(200);
          const values = answer.texts(H.Via).flatMap(entriesOf);
          expect(values).toEqual([caller!, ...rest]);
          expect(answer.fault).toBeNull();
        },
      ),
      { numRuns: 200 },
    );
  });
});

const MIRRORED = /^(via|v|from|f|to|t|call-id|i|cseq)$/i;
const OPTIONS = [
  `OPTIONS sip:bob@${NEIGHBOUR} SIP/2.0`,
  `Via: SIP/2.0/UDP ${SENDER};branch=z9hG4bKask`,
  "From: <sip:a@b>;tag=1",
  "To: <sip:bob@b>",
  "Call-ID: ask",
  "CSeq: 1 OPTIONS",
];
