/** How many calls a peer gets at once and in a second. */
import { describe, expect, test } from "bun:test";
import { CallGate } from "../../src/peers/call-gate.ts";
import { refusalOf } from "../../src/peers/no-peer.ts";
import { BookLab } from "./kit.ts";

const URI = "sip:192.0.2.1";

/** Offers `per_s` calls a second for `seconds`; how many began. */
function offered(gate: CallGate, per_s: number, seconds: number, from = 0): number {
  let began = 0;
  for (let i = 0; i < per_s * seconds; i++) if (gate.begin(from + (i * 1000) / per_s)) began++;
  return began;
}

describe("IMS-05 call gapping", () => {
  test("100 calls a second to a limit of 10: exactly 10 in each second, evenly spaced", () => {
    const gate = new CallGate({ calls_max: 0, calls_per_s: 10, calls_burst: 1 });
    for (let second = 0; second < 20; second++) expect(offered(gate, 100, 1, second * 1000)).toBe(10);
  });

  test("after a pause a burst of calls_per_s may begin at once, then exactly 10 a second", () => {
    const gate = new CallGate({ calls_max: 0, calls_per_s: 10, calls_burst: 0 });
    expect(offered(gate, 100, 10)).toBe(10 + 99); // the bucket, and a token each 100 ms before the last call at 9.99 s
    let began = 0;
    for (let i = 0; i < 50; i++) if (gate.begin(60_000)) began++;
    expect(began).toBe(10);
  });

  test.each([3, 7, 9, 30, 333])("no fraction of a token is lost at %i a second", (per_s) => {
    const gate = new CallGate({ calls_max: 0, calls_per_s: per_s, calls_burst: 1 });
    let began = 0;
    for (let n = 0; n < 100 * per_s; n++) if (gate.begin((n * 1000) / per_s)) began++;
    expect(began).toBe(100 * per_s);
  });

  test("a call beyond it is not counted, and is told when to come again", () => {
    const lab = new BookLab([{ name: "p", uris: [URI], calls_per_s: 1, calls_burst: 3 }]);
    for (let i = 0; i < 3; i++) expect(lab.book.callBegan(lab.at("p"))).toBe(true);
    expect(lab.book.callBegan(lab.at("p"))).toBe(false);
    const none = lab.none("p");
    expect(none).toEqual({ peer: "p", why: "calls_per_s", retry_after_s: 1 });
    expect(refusalOf(none, lab.book.peer("p"))).toMatchObject({
      status: 480,
      section: "peer.calls_per_s",
      headers: ["Retry-After: 1"],
    });
    expect(lab.book.snapshot(1)[0]?.calls).toBe(3);
    lab.clock.advance(1000);
    expect(lab.pick("p")).toEqual([URI]);
    expect(lab.count("sipedge_peer_skipped_total", { why: "calls_per_s" })).toBe(2);
    expect(lab.count("sipedge_peer_calls_begun_total", { peer: "p" })).toBe(3);
  });

  test("over_limit = 503 answers 503", () => {
    const lab = new BookLab([{ name: "p", uris: [URI], calls_per_s: 1, over_limit: "503" }]);
    lab.book.callBegan(lab.at("p"));
    expect(refusalOf(lab.none("p"), lab.book.peer("p")).status).toBe(503);
  });

  test("only new calls are limited", () => {
    const lab = new BookLab([{ name: "p", uris: [URI], calls_per_s: 1 }]);
    lab.book.callBegan(lab.at("p"));
    expect(lab.pick("p", "MESSAGE")).toEqual([URI]);
    expect(lab.pick("p", "BYE")).toEqual([URI]);
  });
});

describe("B-25 calls at once", () => {
  test("calls_max over all URIs of the peer; a call that ends makes room", () => {
    const lab = new BookLab([{ name: "p", uris: [URI, "sip:192.0.2.2"], calls_max: 2 }]);
    lab.book.callBegan(lab.at("p", 0));
    lab.book.callBegan(lab.at("p", 1));
    expect(lab.none("p")).toEqual({ peer: "p", why: "calls_max", retry_after_s: 10 });
    expect(lab.book.callBegan(lab.at("p", 0))).toBe(false);
    lab.book.callEnded(lab.at("p", 1));
    expect((lab.pick("p") as string[]).length).toBe(2);
  });

  test("an end too many makes no room", () => {
    const lab = new BookLab([{ name: "p", uris: [URI], calls_max: 1 }]);
    lab.book.callEnded(lab.at("p"));
    expect(lab.book.callBegan(lab.at("p"))).toBe(true);
    expect(lab.book.callBegan(lab.at("p"))).toBe(false);
  });
});
